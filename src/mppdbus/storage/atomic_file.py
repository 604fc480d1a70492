"""A small file that is replaced as a whole and never lost; blocks, so use a thread.

A save writes a new file, then renames twice: the last file becomes the backup, and the
new file takes its place. If the program or the power fails at any moment, the last file
or the backup is complete. An unreadable file is renamed (set aside) and never
overwritten.
"""

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TypeVar

from mppdbus.errors import StateError
from mppdbus.storage.folder_log import FolderLog, folder_trouble

NOTHING_LEFT = "nothing is left"
LARGEST = 1 << 20  # bytes; a file of ours has a fiftieth of that

T = TypeVar("T")
log = logging.getLogger("mppdbus.state")


class AtomicFile:
    """The file at `path`, its backup, and files that were set aside.

    `folder_log` is shared by the files of a folder.
    """

    def __init__(self, path: Path, folder_log: FolderLog | None = None) -> None:
        self.path = path
        self.previous = path.with_name(f"{path.name}.previous")
        self._new = path.with_name(f"{path.name}.new")
        self._trouble = ""  # error of the last save
        # Unreadable files that could not be set aside, and why.
        self._unsafe: dict[Path, OSError] = {}
        self._folder_log = folder_log or FolderLog()

    def read(self, decode: Callable[[bytes], T]) -> T | None:
        """Return the last file, else its backup; None if neither can be read.

        `decode` raises ValueError for invalid content. Unreadable files are set aside,
        and one warning reports all of them.
        """
        problems: list[str] = []
        last = self._decoded(self.path, decode, problems)
        before = self._decoded(self.previous, decode, problems)
        reason = next(filter(None, map(folder_trouble, self._unsafe.values())), "")
        if reason:
            self._folder_log.note(self.path, reason)
        elif problems:
            if last is None:
                found = before is not None
                problems.append("the one before is taken" if found else NOTHING_LEFT)
            log.warning("%s", "; ".join(problems))
        return before if last is None else last

    def save(self, data: bytes) -> None:
        """Replace the file; on failure raises OSError and leaves the old file.

        Raises `StateError` while an unreadable file cannot be set aside.
        """
        for path in tuple(self._unsafe):
            problem = self._set_aside(path, "still cannot be read")
            if problem and path not in self._unsafe:
                log.warning("%s", problem)
        if self._unsafe:
            names = ", ".join(sorted(map(str, self._unsafe)))
            trouble = f"{names} cannot be read nor renamed; move it away"
            raise StateError(trouble) from next(iter(self._unsafe.values()))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_file(self._new, data)
        with suppress(FileNotFoundError):
            self.path.rename(self.previous)
        self._new.rename(self.path)
        _sync(self.path.parent)

    def keep(self, data: bytes) -> bool:
        """Save and return whether it worked; an error and its end are logged once."""
        before, self._trouble, of_folder = self._trouble, "", ""
        stored = False
        try:
            self.save(data)
            stored = True
        except (OSError, StateError) as error:
            of_folder = folder_trouble(error)
            if not of_folder:
                self._trouble = str(error) or type(error).__name__
        self._folder_log.note(self.path, of_folder)
        if self._trouble not in ("", before):
            log.warning("%s: not stored: %s", self.path, self._trouble)
        elif before and stored:
            log.info("%s: can be stored again", self.path)
        return stored

    def _decoded(
        self, path: Path, decode: Callable[[bytes], T], problems: list[str]
    ) -> T | None:
        try:
            return decode(_read(path))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            problems.append(self._set_aside(path, error))
            return None

    def _set_aside(self, path: Path, error: object) -> str:
        """Rename an unreadable file; return the result in words, "" if it is gone."""
        self._unsafe.pop(path, None)
        names = (path.with_name(f"{path.name}.unreadable-{n}") for n in count(1))
        aside = next(name for name in names if not os.path.lexists(name))
        try:
            path.rename(aside)
        except FileNotFoundError:
            return ""
        except OSError as trouble:
            self._unsafe[path] = trouble
            return f"{path}: {error}; nothing is stored over it: {trouble}"
        return f"{path}: {error}; set aside as {aside.name}"


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise StateError("too large to be a file of mppdbus")
    return data


def write_file(path: Path, data: bytes) -> None:
    """Write a file and wait until it is on the disk; after OSError it is removed."""
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        handle = os.open(path, flags, 0o644)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(handle, rest) :]
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError:
        with suppress(OSError):
            path.unlink()
        raise


def _sync(directory: Path) -> None:
    """Wait until the file names of a directory are on the disk."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

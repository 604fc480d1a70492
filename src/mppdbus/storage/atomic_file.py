"""A small file that is replaced as a whole and never lost; blocks, so use a thread.

A save writes a new file, and then renames twice: what was kept last becomes the
generation before, the new file takes its place. Whenever the program or the power goes,
the last or the one before is there, whole. What cannot be read is set aside under a
name of its own and never overwritten.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TypeVar

from mppdbus.errors import StateError

LARGEST = 1 << 20  # bytes; a file of ours has a fiftieth of that

T = TypeVar("T")
log = logging.getLogger("mppdbus.state")


class AtomicFile:
    """The file at `path`, its generation before, and what was set aside."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.previous = path.with_name(f"{path.name}.previous")
        self._new = path.with_name(f"{path.name}.new")
        self._damaged = False
        self._trouble = ""  # of the last attempt to keep something
        self._unsafe: set[Path] = set()  # unreadable, and could not be set aside

    def read(self, decode: Callable[[bytes], T]) -> T | None:
        """Return what was kept last, or before that; None if there is nothing to read.

        `decode` raises ValueError for what makes no sense: that is set aside, with a
        warning, like anything else that cannot be read.
        """
        last = self._decoded(self.path, decode)
        before = self._decoded(self.previous, decode)
        if last is None and self._damaged:
            what = "nothing is left" if before is None else "the one before is taken"
            log.warning("%s: %s", self.path, what)
        return before if last is None else last

    def save(self, data: bytes) -> None:
        """Replace the file; raises OSError, and leaves what was there, on failure.

        Raises `StateError` while something unreadable is in the way.
        """
        for path in tuple(self._unsafe):
            self._set_aside(path, StateError("still cannot be read"))
        if self._unsafe:
            names = ", ".join(sorted(map(str, self._unsafe)))
            raise StateError(f"{names} cannot be read nor renamed; move it away")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _write(self._new, data)
        except OSError:
            with suppress(OSError):
                self._new.unlink()
            raise
        with suppress(FileNotFoundError):
            self.path.rename(self.previous)
        self._new.rename(self.path)
        _sync(self.path.parent)

    def try_save(self, data: bytes) -> str:
        """Save; return what went wrong, "" for nothing."""
        try:
            self.save(data)
        except (OSError, StateError) as error:
            return str(error) or type(error).__name__
        return ""

    def keep(self, data: bytes) -> bool:
        """Save, and tell whether it worked; a trouble and its end are logged once."""
        before, self._trouble = self._trouble, self.try_save(data)
        if self._trouble not in ("", before):
            log.warning("%s: not stored: %s", self.path, self._trouble)
        elif before and not self._trouble:
            log.info("%s: can be stored again", self.path)
        return not self._trouble

    def _decoded(self, path: Path, decode: Callable[[bytes], T]) -> T | None:
        try:
            return decode(_read(path))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            self._damaged = True
            self._set_aside(path, error)
            return None

    def _set_aside(self, path: Path, error: Exception) -> None:
        self._unsafe.discard(path)
        names = (path.with_name(f"{path.name}.unreadable-{n}") for n in count(1))
        aside = next(name for name in names if not os.path.lexists(name))
        try:
            path.rename(aside)
        except FileNotFoundError:
            return
        except OSError as trouble:
            self._unsafe.add(path)
            log.warning("%s: %s; nothing is stored over it: %s", path, error, trouble)
        else:
            log.warning("%s: %s; set aside as %s", path, error, aside.name)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise StateError("too large to be a file of mppdbus")
    return data


def _write(path: Path, data: bytes) -> None:
    """Write a file and wait until it is on the disk."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync(directory: Path) -> None:
    """Wait until the names in a directory are on the disk."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

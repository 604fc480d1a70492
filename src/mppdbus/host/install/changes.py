"""Changes to a machine: said in one sentence each, made once, undone by uninstall.

A plan is a list of changes. Made twice, the second time changes nothing. Each change is
whole or not there, also if the power fails: a file is written beside its place and
renamed. All paths are absolute, as on the machine, and all go through the root of a
`InstallTarget`, so that a plan can be tried on a directory.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from mppdbus.errors import InstallError

PROGRAM_FOLDERS = ("/usr/sbin", "/usr/bin", "/sbin", "/bin")
BESIDE = ".mppdbus-new"  # what the name of a file ends with until it is whole

Tell = Callable[[str], None]


@dataclass
class InstallTarget:
    """The machine that is changed: `/`, or a directory that stands for it."""

    root: Path = Path("/")
    made: list[str] = field(default_factory=list)  # directories that were not there

    def at(self, path: str) -> Path:
        """Return where an absolute path of the machine is."""
        return self.root / path.lstrip("/")

    def find(self, program: str) -> Path | None:
        """Return the file of a program on this machine, None if it is not there."""
        if program.startswith("/"):
            places = [self.at(program)]
        else:
            places = [self.at(f"{folder}/{program}") for folder in PROGRAM_FOLDERS]
            if self.root == Path("/") and (found := shutil.which(program)):
                places.insert(0, Path(found))
        return next((place for place in places if os.access(place, os.X_OK)), None)

    def run(self, *words: str, seconds: float = 30) -> str | None:
        """Run a program; return None if it did its work, else in words why not."""
        try:
            self.read(*words, seconds=seconds)
        except InstallError as error:
            return str(error)
        return None

    def read(self, *words: str, seconds: float = 30) -> str:
        """Run a program and return what it printed; `InstallError` says why not.

        After `seconds` it is ended, with all that it has started.
        """
        program = self.find(words[0])
        if program is None:
            raise InstallError(f"there is no {words[0]} here")
        try:
            running = subprocess.Popen(  # noqa: S603 - a program of the plan
                [str(program), *words[1:]],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=self._environment(),
                start_new_session=True,
            )
        except OSError as error:
            raise InstallError(f"{words[0]} cannot be run: {error.strerror}") from error
        try:
            said = running.communicate(timeout=seconds)[0].decode("utf-8", "replace")
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)
            running.communicate()
            raise InstallError(
                f"{words[0]} has not ended after {seconds:g} s"
            ) from None
        if running.returncode:
            last = said.strip().splitlines()[-1:]
            raise InstallError(
                ": ".join([f"{words[0]} ended with {running.returncode}", *last])
            )
        return said

    def _environment(self) -> dict[str, str]:
        """Return the environment: below another root, its own programs come first."""
        if self.root == Path("/"):
            return {**os.environ, "MPPDBUS_ROOT": ""}
        own = [str(self.at(folder)) for folder in PROGRAM_FOLDERS]
        path = ":".join([*own, os.environ.get("PATH", "")])
        return {**os.environ, "MPPDBUS_ROOT": str(self.root), "PATH": path}

    def make_directory(self, path: str) -> None:
        """Make a directory and those above it, and remember which were not there."""
        place = self.at(path)
        if place.is_dir():
            return
        parent = os.path.dirname(path)  # noqa: PTH120 - a path of the machine
        self.make_directory(parent)
        place.mkdir(mode=0o755, exist_ok=True)
        place.chmod(0o755)
        self.made.append(path)

    def write(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """Replace a file as a whole, and wait until it is on the disk."""
        self.make_directory(os.path.dirname(path))  # noqa: PTH120
        place = self.at(path)
        new = place.with_name(place.name + BESIDE)
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with open(handle, "wb") as file:  # noqa: PTH123
            file.write(data)
            file.flush()
            os.fchmod(handle, mode)
            os.fsync(handle)
        new.replace(place)
        sync_directory(place.parent)

    def link(self, path: str, target: str) -> None:
        """Make or replace a symbolic link in one step."""
        self.make_directory(os.path.dirname(path))  # noqa: PTH120
        place = self.at(path)
        new = place.with_name(place.name + BESIDE)
        new.unlink(missing_ok=True)
        new.symlink_to(target)
        new.replace(place)
        sync_directory(place.parent)

    def remove(self, path: str) -> None:
        """Remove a file, a link or a whole directory; one that is not there is fine."""
        place = self.at(path)
        for gone in (place, place.with_name(place.name + BESIDE)):
            if gone.is_dir() and not gone.is_symlink():
                shutil.rmtree(gone)
            else:
                gone.unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            sync_directory(place.parent)


def sync_directory(directory: Path) -> None:
    """Wait until the file names of a directory are on the disk."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class PlannedChange(ABC):
    """One thing that an installation changes."""

    @abstractmethod
    def sentence(self) -> str:
        """Return what it does, for people."""

    @abstractmethod
    def done(self, target: InstallTarget) -> bool:
        """Tell whether it is made already."""

    @abstractmethod
    def make(self, target: InstallTarget) -> None:
        """Make it; raises OSError or `InstallError`."""

    def undo_sentence(self) -> str:
        """Return what an uninstall does about it, "" if nothing."""
        return ""

    def undone(self, target: InstallTarget) -> bool:  # noqa: ARG002
        """Tell whether there is nothing (more) to undo."""
        return not self.undo_sentence()

    def undo(self, target: InstallTarget) -> None:  # noqa: B027 - most need none
        """Undo it; one that was never made is fine."""


@dataclass(frozen=True)
class PathOnUninstall(PlannedChange):
    """A change at a path, which an uninstall removes with all that is in it."""

    path: str

    def undo_sentence(self) -> str:
        """Return what an uninstall does about it."""
        return f"remove {self.path}"

    def undone(self, target: InstallTarget) -> bool:
        """Tell whether it is gone."""
        return not os.path.lexists(target.at(self.path))

    def undo(self, target: InstallTarget) -> None:
        """Remove it."""
        target.remove(self.path)


@dataclass(frozen=True)
class WriteFile(PlannedChange):
    """A file with this content; `keep`: one that is there stays as it is, for good."""

    path: str
    data: bytes
    why: str
    mode: int = 0o644
    keep: bool = False

    def sentence(self) -> str:
        """Return what it does, for people."""
        return f"write {self.path}: {self.why}"

    def done(self, target: InstallTarget) -> bool:
        """Tell whether the file is there, with this content and mode."""
        place = target.at(self.path)
        if self.keep:
            return place.exists()
        try:
            mode = place.stat().st_mode & 0o7777
            return mode == self.mode and place.read_bytes() == self.data
        except OSError:
            return False

    def make(self, target: InstallTarget) -> None:
        """Replace the file."""
        target.write(self.path, self.data, self.mode)

    def undo_sentence(self) -> str:
        """Return what an uninstall does about it."""
        return "" if self.keep else f"remove {self.path}"

    def undone(self, target: InstallTarget) -> bool:
        """Tell whether the file is gone."""
        return self.keep or not os.path.lexists(target.at(self.path))

    def undo(self, target: InstallTarget) -> None:
        """Remove the file."""
        if not self.keep:
            target.remove(self.path)


@dataclass(frozen=True)
class MakeLink(PathOnUninstall):
    """A symbolic link to `target`, relative to where the link is, or absolute."""

    target: str
    why: str

    def sentence(self) -> str:
        """Return what it does, for people."""
        return f"link {self.path} to {self.target}: {self.why}"

    def done(self, target: InstallTarget) -> bool:
        """Tell whether the link is there and leads there."""
        place = target.at(self.path)
        return place.is_symlink() and os.readlink(place) == self.target  # noqa: PTH115

    def make(self, target: InstallTarget) -> None:
        """Make or replace the link."""
        target.link(self.path, self.target)


@dataclass(frozen=True)
class Remove(PlannedChange):
    """Something that must not be there: a leftover of an earlier version."""

    path: str
    why: str

    def sentence(self) -> str:
        """Return what it does, for people."""
        return f"remove {self.path}: {self.why}"

    def done(self, target: InstallTarget) -> bool:
        """Tell whether it is gone."""
        return not os.path.lexists(target.at(self.path))

    def make(self, target: InstallTarget) -> None:
        """Remove it, a directory with all that is in it."""
        target.remove(self.path)


@dataclass(frozen=True)
class OnUninstall(PathOnUninstall):
    """What is made while it runs, by us, and goes with the rest."""

    def sentence(self) -> str:
        """Return "": an installation does nothing about it."""
        return ""

    def done(self, target: InstallTarget) -> bool:  # noqa: ARG002
        """Return True: an installation does nothing about it."""
        return True

    def make(self, target: InstallTarget) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class RunProgram(PlannedChange):
    """A program that makes known what the changes before it changed.

    It runs when at least one of them was made, or with `always`. `needed`: its failure
    ends the installation, else it is said and the rest goes on. `undo_words` run in the
    place of this change when the plan is undone, so mostly they stand first in a plan.
    """

    words: Sequence[str]
    why: str
    always: bool = False
    needed: bool = False
    undo_words: Sequence[str] = ()

    def sentence(self) -> str:
        """Return what it does, for people."""
        return f"run {' '.join(self.words)}: {self.why}" if self.words else ""

    def done(self, target: InstallTarget) -> bool:  # noqa: ARG002
        """Tell whether there is nothing to run at all."""
        return not self.words

    def make(self, target: InstallTarget) -> None:
        """Run it; raises `InstallError` if it failed and is needed."""
        self._run(target, self.words, needed=self.needed)

    def undo_sentence(self) -> str:
        """Return what an uninstall does about it."""
        return f"run {' '.join(self.undo_words)}" if self.undo_words else ""

    def undo(self, target: InstallTarget) -> None:
        """Run the program of the uninstall; one that fails is only said."""
        self._run(target, self.undo_words, needed=False)

    @staticmethod
    def _run(target: InstallTarget, words: Sequence[str], *, needed: bool) -> None:
        trouble = target.run(*words) if words else None
        if trouble and needed:
            raise InstallError(trouble)
        if trouble:
            print(f"mppdbus: {trouble}", file=sys.stderr)  # noqa: T201


@dataclass(frozen=True)
class Plan:
    """Changes in their order; an uninstall undoes them from the last to the first.

    `record` is the file that remembers which directories were made, so that those that
    were there before stay, even if they are empty.
    """

    changes: Sequence[PlannedChange]
    record: str

    def apply(self, target: InstallTarget, tell: Tell, *, dry_run: bool = False) -> int:
        """Make what is not made yet, tell each in a sentence; return how many."""
        count = 0
        for change in self.changes:
            if change.done(target):
                continue
            if isinstance(change, RunProgram) and not (change.always or count):
                continue
            tell(change.sentence())
            count += not (isinstance(change, RunProgram) and change.always)
            if not dry_run:
                change.make(target)
                self._remember(target)
        return count

    def undo(self, target: InstallTarget, tell: Tell, *, dry_run: bool = False) -> int:
        """Undo all that is there, tell each in a sentence; return how many."""
        made = self._remembered(target)
        count = 0
        for change in reversed(self.changes):
            if change.undone(target):
                continue
            if isinstance(change, RunProgram) and not (change.always or count):
                continue
            tell(change.undo_sentence())
            count += not (isinstance(change, RunProgram) and change.always)
            if not dry_run:
                change.undo(target)
        if not dry_run:
            target.remove(self.record)
            for path in reversed(made):
                with suppress(OSError):  # something is in it, or it is gone
                    target.at(path).rmdir()
        return count

    def _remembered(self, target: InstallTarget) -> list[str]:
        try:
            made = json.loads(target.at(self.record).read_bytes())["directories"]
            return [path for path in made if isinstance(path, str)]
        except (OSError, ValueError, KeyError, TypeError):
            return []

    def _remember(self, target: InstallTarget) -> None:
        """Add the directories that were just made to the record."""
        while target.made:
            new = tuple(target.made)
            target.made.clear()
            known = self._remembered(target)
            known += [path for path in new if path not in known]
            data = json.dumps({"directories": known}, indent=1) + "\n"
            target.write(self.record, data.encode())

"""The journal of all writes: one line of JSON before each, one after it; blocks.

It is what `mppdbus writes` shows, what `undo` goes back by, and what the budget counts.
A line is on the disk before its command is on the line to the inverter, so a crash
leaves at most a write whose end is not known, never one that nobody knows of.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from mppdbus.errors import NotWritten, TooSoon

MOST_A_DAY = 50  # writes of one setting: each wears the inverter's memory a little
APART = 60.0  # s between two automatic writes of one setting, at least
LARGEST = 1 << 20  # bytes; then the older half goes
INTERRUPTED = "not known: mppdbus ended before it could read it back"


@dataclass(frozen=True, slots=True)
class WrittenSetting:
    """One write. `accepted` None: neither ACK nor NAK came; `observed` was read back.

    `time` is local, with its offset; `unit` the serial number, else the port; `by` the
    user or the program. Writes of one plan share `plan`, the time when it began, and
    `rest` is what it had still to write then. `undoes` is the time of the write that
    this one takes back. `also` are the old values of what changed with it: a battery
    type sets voltages.
    """

    time: str
    unit: str
    model: str
    firmware: str
    setting: str
    command: str
    old: float | None
    value: float
    by: str
    accepted: bool | None = None
    observed: float | None = None
    why: str = INTERRUPTED
    plan: str = ""
    rest: dict[str, float] = field(default_factory=dict)
    undoes: str = ""
    also: dict[str, float] = field(default_factory=dict)
    automatic: bool = False  # by a rule or a BMS

    @property
    def done(self) -> bool:
        """Whether the inverter shows the value that was written."""
        return self.observed == self.value


FIELDS = frozenset(each.name for each in fields(WrittenSetting))
SAME = 0.005  # volts; what is printed with one or two decimals


def same(one: float | None, other: float | None) -> bool:
    """Compare two values as the inverter prints them; unknown is like nothing."""
    return one is not None and other is not None and abs(one - other) < SAME


class Journal:
    """The file writes.jsonl in the folder of the state."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "writes.jsonl"

    def begin(self, write: WrittenSetting) -> None:
        """Store a write that is about to be sent; raises `NotWritten` if it cannot."""
        self._add(write)

    def end(self, write: WrittenSetting) -> None:
        """Store how a write ended; it replaces the one that began."""
        self._add(write)

    def writes(self) -> list[WrittenSetting]:
        """Return all writes, the oldest first; damaged lines are left out."""
        found: dict[tuple[str, str, str], WrittenSetting] = {}
        for line in self._lines():
            try:
                told = json.loads(line)
                write = WrittenSetting(**{k: told[k] for k in FIELDS & told.keys()})
            except (ValueError, TypeError, AttributeError):
                continue
            found[write.time, write.unit, write.setting] = write
        return list(found.values())

    def settle(self, unit: str, values: Mapping[str, float | None]) -> None:
        """Settle the writes whose end is not known by what the inverter shows now.

        Of each setting only the last one counts: those before were written over.
        """
        last = {write.setting: write for write in self.writes() if write.unit == unit}
        for write in last.values():
            value = values.get(write.setting)
            if write.observed is not None or value is None:
                continue
            if same(value, write.value):
                value, found = write.value, "it was written"
            elif same(value, write.old):
                found = "it was not written"
            else:
                found = "the inverter shows another value"
            self.end(replace(write, observed=value, why=f"read later: {found}"))

    def check_budget(
        self,
        unit: str,
        setting: str,
        now: datetime,
        *,
        writes: int = 1,
        automatic: bool = False,
    ) -> None:
        """Raise `NotWritten` if a setting may not be written so often again today.

        An automatic write must also be `APART` s after the last automatic one, or
        `TooSoon` is raised.
        """
        own = [
            write
            for write in self.writes()
            if write.unit == unit and write.setting == setting
        ]
        today = now.date().isoformat()
        count = sum(write.time.startswith(today) for write in own)
        if count + writes > MOST_A_DAY:
            raise NotWritten(
                f"{setting}: written {count} times today, and {MOST_A_DAY} a day is "
                "the most, as each write wears the inverter's memory; try tomorrow"
            )
        if automatic and any(write.automatic and _just(write, now) for write in own):
            raise TooSoon(
                f"{setting}: automatic writes of it are {APART:g} s apart at least"
            )

    def _lines(self) -> Iterator[bytes]:
        try:
            yield from self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return
        except OSError as error:
            raise NotWritten(f"{self.path} cannot be read: {error.strerror}") from error

    def _add(self, write: WrittenSetting) -> None:
        line = (json.dumps(asdict(write), ensure_ascii=False) + "\n").encode()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._alone():
                self._make_room()
                with self.path.open("ab") as file:
                    if file.tell() and not self._ends_well():
                        line = b"\n" + line  # the power went in the middle of one
                    file.write(line)
                    file.flush()
                    os.fsync(file.fileno())
                self._leave_to_owner(self.path)
        except OSError as error:
            raise NotWritten(
                f"{self.path}: the journal cannot be written ({error.strerror}), and "
                "without it nothing is written to the inverter"
            ) from error

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other programs of ours out: the daemon and a command may both write."""
        lock = self.path.with_name(f"{self.path.name}.lock")
        with lock.open("ab") as file:
            self._leave_to_owner(lock)
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _leave_to_owner(self, path: Path) -> None:
        """Give a file that root has made to the user that the service runs as."""
        owner = self.path.parent.stat()
        if os.geteuid() == 0 and owner.st_uid != path.stat().st_uid:
            os.chown(path, owner.st_uid, owner.st_gid)

    def _ends_well(self) -> bool:
        with self.path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"

    def _make_room(self) -> None:
        """Drop the older half of a journal that is too large, in one step."""
        if not self.path.exists() or self.path.stat().st_size < LARGEST:
            return
        text = self.path.read_bytes()
        kept = text[text.index(b"\n", len(text) // 2) + 1 :]
        new = self.path.with_name(f"{self.path.name}.new")
        with new.open("wb") as file:
            file.write(kept)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path)


def _just(write: WrittenSetting, now: datetime) -> bool:
    """Tell whether a write is younger than `APART`; a clock may have been set back."""
    try:
        age = (now - datetime.fromisoformat(write.time)).total_seconds()
    except (ValueError, TypeError):
        return False
    return 0 <= age < APART


def described(write: WrittenSetting) -> dict[str, Any]:
    """Return a write for scripts."""
    return {**asdict(write), "done": write.done}

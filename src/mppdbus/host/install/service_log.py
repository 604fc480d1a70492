"""The log that multilog keeps on Venus OS, with times that people read."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from mppdbus.host.install import venus_paths as paths
from mppdbus.host.install.changes import InstallTarget

LOOK_EVERY = 0.5  # s
# A TAI64N label is @, 16 hexadecimal digits for seconds, 8 for nanoseconds. multilog
# counts ten seconds more than UTC, and from 2^62.
_EPOCH = (1 << 62) + 10
_LABEL = 25  # characters


def readable(line: str) -> str:
    """Return a line of multilog with its time in local time."""
    label, _, text = line.partition(" ")
    if label.startswith("@") and len(label) == _LABEL:
        with suppress(ValueError, OverflowError, OSError):
            seconds = int(label[1:17], 16) - _EPOCH
            moment = datetime.fromtimestamp(seconds, UTC).astimezone()
            return f"{moment:%Y-%m-%d %H:%M:%S} {text}"
    return line


def last_lines(target: InstallTarget, count: int) -> tuple[list[str], int]:
    """Return the last lines of the log, and how many bytes `current` had.

    Lines also come from files that were full.
    """
    folder = target.at(paths.LOG)
    lines: list[str] = []
    size = 0
    for path in sorted([*folder.glob("@*"), folder / "current"]):
        with suppress(OSError):
            data = path.read_bytes()
            lines += data.decode("utf-8", "replace").splitlines()
            size = len(data) if path.name == "current" else 0
    return [readable(line) for line in lines[-count:]] if count > 0 else [], size


def follow(target: InstallTarget, place: int) -> Iterator[str]:
    """Yield lines as they come, for ever, also when multilog begins another file.

    `place` is how many bytes of `current` are known.
    """
    path = target.at(paths.CURRENT_LOG)
    number = _inode(path)
    rest = b""
    while True:
        if _inode(path) != number:
            number, place, rest = _inode(path), 0, b""
        with suppress(OSError), path.open("rb") as file:
            file.seek(place)
            data = file.read()
            place += len(data)
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                yield readable(line.decode("utf-8", "replace"))
        time.sleep(LOOK_EVERY)


def _inode(path: Path) -> int:
    with suppress(OSError):
        return os.stat(path).st_ino  # noqa: PTH116
    return 0

"""Waits for the daemon to die or to hang, and then makes its inverters safe.

A process of its own, which the daemon starts and feeds by a pipe while it follows a
BMS. It needs no D-Bus. What a write takes is only loaded when one is to be made.

    python -m mppdbus.control.dead_man FOLDER

The daemon writes lines to its standard input: its `Orders` as JSON when they change, an
empty line as a sign of life.
"""

import asyncio
import fcntl
import logging
import os
import select
import signal
import sys
import time
from enum import Enum
from pathlib import Path

from mppdbus.control.dead_man_orders import Orders

SLICES = 8  # a machine that stands still is not taken for a daemon that hangs
LOCK = "follow.lock"  # in the folder of the state; held by who follows a BMS

log = logging.getLogger("mppdbus.dead_man")


class Loss(Enum):
    """What happened to the daemon."""

    ENDED = "has ended"
    HANGS = "hangs"


class FollowLock:
    """Held by the one process that follows a BMS, or makes safe in its place."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK
        self._fd: int | None = None

    def take(self) -> bool:
        """Take it, and tell whether it is ours now. Raises `OSError`."""
        if self._fd is None:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(fd)
                return False
            self._fd = fd
        return True

    def release(self) -> None:
        """Give it back."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def watch(pipe: int) -> tuple[Loss, Orders]:
    """Return when the daemon has ended, or is silent for too long; blocks."""
    orders, rest, missed = Orders(), b"", 0
    while True:
        ready, _, _ = select.select([pipe], [], [], orders.silence / SLICES)
        if not ready:
            missed += 1
            if missed >= SLICES and orders.units:
                return Loss.HANGS, orders
            continue
        missed = 0
        data = os.read(pipe, 65536)
        if not data:
            return Loss.ENDED, orders
        *lines, rest = (rest + data).split(b"\n")
        for line in filter(None, lines):
            orders = Orders.read(line)


def main(folder: Path) -> int:
    """Wait, and act if it must be; return the exit code."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the daemon says when to end
    daemon = os.getppid()
    loss, orders = watch(sys.stdin.fileno())
    if not orders.units:
        return 0
    if loss is Loss.HANGS and os.getppid() == daemon:  # else it has ended meanwhile
        log.error("mppdbus hangs: no sign of life for %g s; killed", orders.silence)
        os.kill(daemon, signal.SIGKILL)
        while os.getppid() == daemon:  # then it holds neither port nor lock
            time.sleep(0.05)
    else:
        time.sleep(orders.grace)
    lock = FollowLock(folder)
    if not lock.take():
        return 0  # it was started again, and follows
    log.error("mppdbus %s while it followed a BMS: the safe settings", loss.value)
    return _act(orders, folder)


def _act(orders: Orders, folder: Path) -> int:
    from mppdbus.control.safe_writer import make_all_safe  # noqa: PLC0415 - see above

    return 0 if asyncio.run(make_all_safe(orders.units, folder)) else 1


if __name__ == "__main__":
    logging.basicConfig(
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s", stream=sys.stderr
    )
    sys.exit(main(Path(sys.argv[1])))

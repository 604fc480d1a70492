"""A receiver that keeps what it is told, and the far ends of the pipes."""

import asyncio
import os
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Recorder:
    """What a transport told: its pieces of data, and its ends."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.ends: list[Exception | None] = []
        self.pieces_at_end = 0

    def data_received(self, data: bytes) -> None:
        self.pieces.append(data)

    def connection_lost(self, error: Exception | None) -> None:
        self.ends.append(error)
        self.pieces_at_end = len(self.pieces)

    @property
    def data(self) -> bytes:
        return b"".join(self.pieces)


async def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait for something that real I/O brings about."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)


class Pty:
    """A raw pseudo-terminal: we are the inverter at `master`."""

    def __init__(self) -> None:
        self.master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)
        os.set_blocking(self.master, False)

    @property
    def slave(self) -> int:
        return self._slave

    def unplug(self) -> None:
        for fd in (self._slave, self.master):
            if fd >= 0:
                os.close(fd)
        self._slave = self.master = -1

    async def read(self, count: int) -> bytes:
        """Read what a driver wrote, `count` bytes of it."""
        data = bytearray()

        def complete() -> bool:
            try:
                data.extend(os.read(self.master, count - len(data)))
            except BlockingIOError:
                return False
            return len(data) >= count

        await until(complete)
        return bytes(data)


@contextmanager
def pty_pair() -> Iterator[Pty]:
    pty = Pty()
    try:
        yield pty
    finally:
        pty.unplug()

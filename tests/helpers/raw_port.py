"""A pty that answers as a function says, and knows the speed it is opened with."""

from __future__ import annotations

import asyncio
import os
import termios
import tty
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

SPEEDS = {
    getattr(termios, f"B{baud}"): baud
    for baud in (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)
}
Answer = Callable[[bytes, int], bytes]  # of a request and the speed in baud


@asynccontextmanager
async def raw_port(path: Path, answer: Answer) -> AsyncIterator[None]:
    """Serve on a pty that is linked at `path`; requests end in CR."""
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    path.symlink_to(os.ttyname(slave))
    buffer = b""

    def readable() -> None:
        nonlocal buffer
        buffer += os.read(master, 4096)
        *requests, buffer = buffer.split(b"\r")
        speed = SPEEDS[termios.tcgetattr(slave)[5]]
        for request in requests:
            if reply := answer(request, speed):
                os.write(master, reply)

    loop = asyncio.get_running_loop()
    loop.add_reader(master, readable)
    try:
        yield
    finally:
        loop.remove_reader(master)
        path.unlink()
        os.close(master)
        os.close(slave)

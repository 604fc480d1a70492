"""Clients that know nothing of the driver, and a loop whose time is not real."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import re
import selectors
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from helpers.processes import MPPDBUS
from mppdbus.commands.simulate import add_arguments
from mppdbus.protocol.framing import ResponseFramer, encode_request
from mppdbus.simulator.line.line import Line
from mppdbus.simulator.line.simulator import Simulator
from mppdbus.simulator.unit.inverter import SimulatedInverter

T = TypeVar("T")


def shape(payload: bytes) -> bytes:
    """Return a payload with every digit made 9."""
    return re.sub(rb"[0-9]", b"9", payload)


def payloads(data: bytes) -> list[bytes]:
    return [frame.payload for frame in ResponseFramer().feed(data) if frame.intact]


def inverter_of(simulator: Simulator) -> SimulatedInverter:
    assert isinstance(simulator.source, SimulatedInverter)
    return simulator.source


class _WarpSelector(selectors.DefaultSelector):
    """Does not wait, but moves the time on to the next timer."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        self.now += timeout or 0.0
        return super().select(0)


class WarpLoop(asyncio.SelectorEventLoop):
    """An event loop in which sleeping takes no time."""

    def __init__(self) -> None:
        self._warp = _WarpSelector()
        super().__init__(self._warp)

    def time(self) -> float:
        return self._warp.now


def warped(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    with asyncio.Runner(loop_factory=WarpLoop) as runner:
        return runner.run(main())


class Wire:
    """The far end of a `Line`: what was sent, and when each byte came."""

    def __init__(self, simulator: Simulator, *, report: int = 0) -> None:
        self.pieces: list[tuple[float, bytes]] = []
        self.gone: list[float] = []
        self._loop = asyncio.get_running_loop()
        self.line = Line(simulator, self._take, self.gone.append, report=report)

    @property
    def data(self) -> bytes:
        return b"".join(piece for _, piece in self.pieces)

    async def ask(self, command: str, seconds: float = 30.0) -> bytes:
        """Ask; return all that came within `seconds` of the loop's time."""
        del self.pieces[:]
        self.line.feed(encode_request(command))
        await asyncio.sleep(seconds)
        return self.data

    def _take(self, data: bytes) -> None:
        self.pieces.append((self._loop.time(), data))


def ask_once(simulator: Simulator, command: str, seconds: float = 30.0) -> bytes:
    """Return the reply to one command on a new line, without waiting."""

    async def main() -> bytes:
        return await Wire(simulator).ask(command, seconds)

    return warped(main)


async def read_until(fd: int, end: bytes, seconds: float = 30.0) -> bytes:
    """Read from a non-blocking descriptor until `end` has come."""
    loop = asyncio.get_running_loop()
    data = bytearray()
    done: asyncio.Future[None] = loop.create_future()

    def readable() -> None:
        piece = os.read(fd, 256)
        data.extend(piece)
        if done.done():
            return
        if not piece:
            done.set_exception(EOFError("the port has gone"))
        elif end in data:
            done.set_result(None)

    loop.add_reader(fd, readable)
    try:
        async with asyncio.timeout(seconds):
            await done
    finally:
        loop.remove_reader(fd)
    return bytes(data)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[int]:
    fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        yield fd
    finally:
        os.close(fd)


async def ask(fd: int, command: str, end: bytes = b"\r") -> bytes:
    os.write(fd, encode_request(command))
    return await read_until(fd, end)


def arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(words)


@asynccontextmanager
async def process(*words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`mppdbus simulate …`, killed if the test does not end it."""
    started = await asyncio.create_subprocess_exec(
        *(*MPPDBUS, "simulate", *words),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield started
    finally:
        with contextlib.suppress(ProcessLookupError):
            started.kill()
        await started.communicate()


async def first_line(reader: asyncio.StreamReader | None) -> str:
    assert reader is not None
    return (await asyncio.wait_for(reader.readline(), 60)).decode().rstrip()

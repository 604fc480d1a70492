"""A stand-in for a hidraw device: reports of 8 bytes over a pair of sockets."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from mppdbus.simulator.line.line import Line
from mppdbus.simulator.line.simulator import Simulator

REPORT = 8


@dataclass(frozen=True, slots=True)
class HidPort:
    """`client_fd` behaves like an open /dev/hidraw: one report per read and write."""

    client_fd: int


@asynccontextmanager
async def serve_hid(simulator: Simulator) -> AsyncIterator[HidPort]:
    """Serve on a socket pair that keeps reports apart, as hidraw does.

    The client's end is non-blocking and belongs to the caller's driver while this
    lasts; a driver that closes it should be given an `os.dup` of it.
    """
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    theirs.setblocking(False)

    def send(data: bytes) -> None:
        for at in range(0, len(data), REPORT):
            with contextlib.suppress(BlockingIOError, BrokenPipeError):
                ours.send(data[at : at + REPORT])

    def hang_up(_seconds: float) -> None:
        loop.remove_reader(ours)
        ours.close()

    line = Line(simulator, send, hang_up, report=REPORT)

    def readable() -> None:
        if data := ours.recv(64):
            line.feed(without_report_number(data))
        else:
            loop.remove_reader(ours)

    loop.add_reader(ours, readable)
    try:
        yield HidPort(theirs.fileno())
    finally:
        line.close()
        if ours.fileno() >= 0:
            loop.remove_reader(ours)
        ours.close()
        theirs.close()


def without_report_number(report: bytes) -> bytes:
    """Return the data of one write, as the kernel does: a leading 00 is no data."""
    return report[1:] if report[:1] == b"\x00" else report


def without_report_numbers(data: bytes) -> bytes:
    """Return the data of several writes that arrived as one stream."""
    parts = []
    while data:
        size = REPORT + 1 if data[0] == 0 else REPORT
        parts.append(without_report_number(data[:size]))
        data = data[size:]
    return b"".join(parts)

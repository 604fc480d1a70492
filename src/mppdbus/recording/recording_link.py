"""A link that keeps every byte that passes over its line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from mppdbus.inverter.link import Link
from mppdbus.recording.reply_quality import Exchange
from mppdbus.transport import open_transport
from mppdbus.transport.port_url import PortUrl


@dataclass(slots=True)
class Attempt:
    """A request, and the bytes that have come since; times of the loop in s."""

    request: bytes
    sent: float
    last: float
    response: bytearray = field(default_factory=bytearray)
    final: bool = True


class RecordingLink(Link):
    """A link that keeps all requests and replies, and the time of each byte."""

    sleeps = False

    def __init__(self, name: str, *, patience: float) -> None:
        super().__init__(name, patience=patience)
        self.recorded: list[Attempt] = []
        self._clock = asyncio.get_running_loop().time
        self._began = self._clock()

    def data_received(self, data: bytes) -> None:
        """Keep the bytes of the last request, and take them as any link does."""
        if self.recorded:
            self.recorded[-1].response += data
            self.recorded[-1].last = self._clock()
        super().data_received(data)

    def send(self, data: bytes) -> None:
        """Begin an attempt, and send the request."""
        now = self._clock()
        self.recorded.append(Attempt(data, now, now))
        super().send(data)

    def exchanges(self) -> list[Exchange]:
        """Return all exchanges so far."""
        return [
            Exchange(
                command=attempt.request[:-3].decode("ascii"),
                request=attempt.request,
                response=bytes(attempt.response),
                t_ms=round((attempt.sent - self._began) * 1000),
                ms=round((attempt.last - attempt.sent) * 1000),
                final=attempt.final,
            )
            for attempt in self.recorded
        ]


@asynccontextmanager
async def recording_link(
    port: PortUrl, *, name: str, baud: int, patience: float
) -> AsyncIterator[RecordingLink]:
    """Open a port to record; raises `PortError`. `patience` is in s."""
    link = RecordingLink(name, patience=patience)
    try:
        link.attach(await open_transport(port, link, baud=baud))
        yield link
    finally:
        await link.close()

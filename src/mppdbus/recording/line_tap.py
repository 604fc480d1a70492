"""Keeps every byte that passes between a link and its port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from mppdbus.inverter.link import Link
from mppdbus.recording.reply_quality import Exchange
from mppdbus.transport import Transport, open_transport
from mppdbus.transport.port_url import PortUrl


@dataclass(slots=True)
class Attempt:
    """A request, and the bytes that have come since; times of the loop in s."""

    request: bytes
    sent: float
    last: float
    response: bytearray = field(default_factory=bytearray)
    final: bool = True


class Tap:
    """Stands between a link and its port, and keeps all requests and replies.

    To the link it is the transport, to the port the receiver.
    """

    def __init__(self, link: Link, clock: Callable[[], float]) -> None:
        self.attempts: list[Attempt] = []
        self._link = link
        self._clock = clock
        self._began = clock()
        self._port: Transport | None = None

    def attach(self, port: Transport) -> None:
        """Stand between the link and an open port."""
        self._port = port
        self._link.attach(self)

    def exchanges(self) -> list[Exchange]:
        """Return all exchanges so far."""
        return [self._exchange(attempt) for attempt in self.attempts]

    def _exchange(self, attempt: Attempt) -> Exchange:
        return Exchange(
            command=attempt.request[:-3].decode("ascii"),
            request=attempt.request,
            response=bytes(attempt.response),
            t_ms=round((attempt.sent - self._began) * 1000),
            ms=round((attempt.last - attempt.sent) * 1000),
            final=attempt.final,
        )

    # -- as a receiver ----------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Keep the bytes, and pass them on to the link."""
        if self.attempts:
            self.attempts[-1].response += data
            self.attempts[-1].last = self._clock()
        self._link.data_received(data)

    def connection_lost(self, error: Exception | None) -> None:
        """Pass the loss on to the link."""
        self._link.connection_lost(error)

    # -- as a transport ---------------------------------------------------------

    @property
    def _open(self) -> Transport:
        assert self._port is not None  # noqa: S101 - the link has us only once it is
        return self._port

    @property
    def label(self) -> str:
        """The port as people write it."""
        return self._open.label

    @property
    def byte_time(self) -> float:
        """Seconds that one byte takes."""
        return self._open.byte_time

    @property
    def sends_zero_as_one(self) -> bool:
        """Whether a byte 00 would not reach the inverter."""
        return self._open.sends_zero_as_one

    def write(self, data: bytes) -> None:
        """Begin an attempt, and send the request."""
        now = self._clock()
        self.attempts.append(Attempt(data, now, now))
        self._open.write(data)

    def pause_reading(self) -> None:
        """Do nothing: the time of each byte is wanted."""

    def resume_reading(self) -> None:
        """Do nothing: reading is never paused."""

    def discard_input(self) -> None:
        """Drop the bytes that were not delivered yet."""
        self._open.discard_input()

    async def close(self) -> None:
        """Close the port."""
        await self._open.close()


@asynccontextmanager
async def tapped(
    port: PortUrl, *, name: str, baud: int, patience: float
) -> AsyncIterator[tuple[Link, Tap]]:
    """Open a port with a tap on it; raises `PortError`. `patience` is in s."""
    link = Link(name, patience=patience)
    tap = Tap(link, asyncio.get_running_loop().time)
    try:
        tap.attach(await open_transport(port, tap, baud=baud))
        yield link, tap
    finally:
        await link.close()

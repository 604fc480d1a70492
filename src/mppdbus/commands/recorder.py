"""Asks an inverter everything that can be asked safely, and keeps every byte."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from mppdbus.commands.target import Target
from mppdbus.errors import (
    LinkError,
    NoReply,
    PortLost,
    ProtocolError,
    Refused,
    UnknownLayout,
)
from mppdbus.inverter.link import Link, Priority
from mppdbus.inverter.optional_queries import probe
from mppdbus.protocol.optional_queries import CAPABILITIES, Capabilities
from mppdbus.protocol.queries import base_command, decode
from mppdbus.protocol.replies.fields import Reading
from mppdbus.recording import Exchange
from mppdbus.transport import Transport, open_transport

HELLO_ATTEMPTS = 3  # some units lose the first request after a pause
ALWAYS = ("QID", "QVFW", "QPIRI", "QFLAG", "QPIGS", "QMOD", "QPIWS")
LIVE = ("QPIGS", "QPIGS2", "QMOD", "QPIWS")
SLOTS = range(1, 10)  # of a parallel set, beside the unit itself


@dataclass(slots=True)
class Attempt:
    """A request on its way, and what has come since."""

    request: bytes
    sent: float
    last: float
    response: bytearray = field(default_factory=bytearray)
    final: bool = True


class Tap:
    """Between a link and its port: sees every request and every byte.

    To the link it is the transport, to the port the receiver.
    """

    def __init__(self, link: Link, clock: Callable[[], float]) -> None:
        self.attempts: list[Attempt] = []
        self._link = link
        self._clock = clock
        self._began = clock()
        self._port: Transport | None = None

    def attach(self, port: Transport) -> None:
        """Use an open port."""
        self._port = port
        self._link.attach(self)

    def exchanges(self) -> list[Exchange]:
        """Return what was seen so far."""
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
        """Keep and pass on."""
        if self.attempts:
            self.attempts[-1].response += data
            self.attempts[-1].last = self._clock()
        self._link.data_received(data)

    def connection_lost(self, error: Exception | None) -> None:
        """Pass on."""
        self._link.connection_lost(error)

    # -- as a transport ---------------------------------------------------------

    @property
    def _open(self) -> Transport:
        assert self._port is not None  # noqa: S101 - the link has us only once it is
        return self._port

    @property
    def label(self) -> str:
        """What a person calls the port."""
        return self._open.label

    @property
    def byte_time(self) -> float:
        """Seconds that one byte takes."""
        return self._open.byte_time

    @property
    def sends_zero_as_one(self) -> bool:
        """Whether a byte 00 would be lost on its way."""
        return self._open.sends_zero_as_one

    def write(self, data: bytes) -> None:
        """Begin an attempt."""
        now = self._clock()
        self.attempts.append(Attempt(data, now, now))
        self._open.write(data)

    def pause_reading(self) -> None:
        """Do nothing: a recording wants to know when each byte came."""

    def resume_reading(self) -> None:
        """Do nothing, as nothing was paused."""

    def discard_input(self) -> None:
        """Drop what was not delivered."""
        self._open.discard_input()

    async def close(self) -> None:
        """Close the port."""
        await self._open.close()


@asynccontextmanager
async def tapped(target: Target, *, patience: float) -> AsyncIterator[tuple[Link, Tap]]:
    """Open the port with a tap on it; raises `PortError`."""
    link = Link(target.name, patience=patience)
    tap = Tap(link, asyncio.get_running_loop().time)
    try:
        tap.attach(await open_transport(target.port, tap, baud=target.baud))
        yield link, tap
    finally:
        await link.close()


class Recorder:
    """Asks in an order that makes sense; `told` hears of each query before it is sent.

    Nothing but queries is ever sent. What an inverter does not answer is no error.
    """

    def __init__(self, link: Link, tap: Tap, told: Callable[[str], None]) -> None:
        self.readings: dict[str, Reading] = {}
        self.capabilities = Capabilities()
        self._link = link
        self._tap = tap
        self._told = told

    async def interview(self, now: datetime) -> None:
        """Ask all once; raises `NoReply` or `OtherProtocol` when nobody is there."""
        await self._hello()
        for query in ALWAYS:
            await self._try(query)
        self.capabilities = await probe(self._ask, CAPABILITIES, now=now)
        for query in ("QPGS0", "QP2GS0"):
            if self.capabilities.has(query):
                await self._slots(query.rstrip("0"))

    async def live(self, enough: Callable[[int], bool]) -> None:
        """Ask the live values over and over; `enough` is asked after each cycle."""
        cycle = 0
        while not enough(cycle):
            for query in LIVE:
                if query not in CAPABILITIES or self.capabilities.has(query):
                    await self._try(query)
            cycle += 1

    async def _hello(self) -> None:
        known = (Refused, UnknownLayout)  # somebody is there
        try:
            with suppress(*known):
                await self._ask("QPI", attempts=HELLO_ATTEMPTS)
        except NoReply:
            with suppress(*known):
                await self._ask("QPIGS", attempts=1)

    async def _slots(self, base: str) -> None:
        """Ask for the other units of a set, up to the first that is not there."""
        for number in SLOTS:
            reading = await self._try(f"{base}{number}")
            if reading is None or getattr(reading, "exists", True) is False:
                return

    async def _try(self, query: str) -> Reading | None:
        """Ask twice at most; None for any failure but a lost port."""
        try:
            return await self._ask(query, attempts=2)
        except PortLost:
            raise
        except (LinkError, ProtocolError):
            return None

    async def _ask(
        self, query: str, wait: float = 0.0, *, attempts: int = 1
    ) -> Reading:
        del wait  # the patience of the link is short enough
        if not is_query(query):
            raise ValueError(f"{query} is no query")
        self._told(query)
        before = len(self._tap.attempts)
        try:
            reading = await self._link.exchange(
                query,
                partial(decode, query),
                priority=Priority.ASK,
                attempts=attempts,
            )
        except UnknownLayout as error:
            if error.partial is not None:
                self.readings[base_command(query)] = error.partial
            raise
        finally:
            for attempt in self._tap.attempts[before:-1]:
                attempt.final = False
        self.readings[base_command(query)] = reading
        return reading


def is_query(command: str) -> bool:
    """Tell whether a command only asks: all setters begin with another letter."""
    return command.startswith("Q") or command == "VERFW:"

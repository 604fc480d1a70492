"""One exchange at a time over a transport: turn by priority, time-out, retry.

The link knows bytes and frames, not what they mean. While a reply is on its way at a
known pace it sleeps instead of being woken for every byte, which is a tenth of the CPU.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TypeVar

from mppdbus.errors import (
    CorruptReply,
    EchoedRequest,
    LinkError,
    MppdbusError,
    NoReply,
    PortLost,
    UnknownLayout,
)
from mppdbus.inverter.timing import Pace
from mppdbus.protocol.framing import Flaw, Frame, ResponseFramer, encode_request
from mppdbus.protocol.other_protocols import foreign
from mppdbus.transport import Transport

wire_log = logging.getLogger("mppdbus.wire")

T = TypeVar("T")

LONGEST_REPLY = 150  # bytes; QPGS of the MAX has 143
LATE = 0.5  # s for which a reply may still come after its time
BRIEF = 0.5  # of the patience, for what need not be answered
SETTLE = 0.2  # s of silence before a retry, so that a late reply has passed


class Priority(IntEnum):
    """Who goes first when several wait for the line."""

    WRITE = 0  # a setter waits only for the exchange in flight
    ASK = 1  # somebody looks at a terminal
    POLL = 2


@dataclass(slots=True)
class LinkStats:
    """What the line did since it was opened; counts, and seconds."""

    exchanges: int = 0
    retries: int = 0
    timeouts: int = 0
    corrupt: int = 0
    failures: int = 0  # exchanges that failed for good
    wakeups: int = 0
    last_exchange: float | None = None  # s, of the last good one

    @property
    def quality(self) -> float | None:
        """Share of attempts that gave a good reply, 0 to 100 %."""
        bad = self.timeouts + self.corrupt
        good = self.exchanges - self.failures
        return 100.0 * good / (good + bad) if good + bad else None


@dataclass(slots=True)
class _Attempt:
    """One request on its way."""

    command: str
    reply: asyncio.Future[bytes]
    sent: float
    limit: float  # s from `sent` in which a reply as long as the last is complete
    longest: float  # s in which any reply is
    strays: list[Frame] = field(default_factory=list)
    timers: list[asyncio.TimerHandle] = field(default_factory=list)
    wakeups: int = 0
    received: int = 0


@dataclass(slots=True)
class _Owed:
    """A reply that nobody waits for any more, but that may still come."""

    command: str
    until: float
    passed: asyncio.Event = field(default_factory=asyncio.Event)


class Link:
    """The one user of a transport; itself the transport's receiver.

    `patience` is how many seconds an inverter may think before its reply counts as
    missing; the time on the wire comes on top.
    """

    def __init__(self, name: str, *, patience: float = 1.0, attempts: int = 2) -> None:
        self.name = name
        self.stats = LinkStats()
        self.lost: asyncio.Event = asyncio.Event()
        self.patience = patience
        self.brief = BRIEF * patience  # for what need not be answered
        self._attempts = attempts
        self._transport: Transport | None = None
        self._error: Exception | None = None
        self._framer = ResponseFramer()
        self._now: _Attempt | None = None
        self._owed: _Owed | None = None
        self._pace = Pace()
        self._busy = False
        self._queue: list[tuple[Priority, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def attach(self, transport: Transport) -> None:
        """Use an open transport."""
        self._transport = transport

    async def close(self) -> None:
        """Close the transport; exchanges in flight fail with `PortLost`."""
        self.connection_lost(None)
        if self._transport is not None:
            await self._transport.close()

    # -- what the transport tells ---------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Take bytes; outside an exchange they are what is still owed, or nobody's."""
        self.stats.wakeups += 1
        if wire_log.isEnabledFor(logging.DEBUG):
            wire_log.debug("%s < %s", self.name, data.hex(" "))
        frames, attempt = self._framer.feed(data), self._now
        if attempt is None:
            if frames and self._owed is not None:
                self._owed.passed.set()
            return
        attempt.wakeups += 1
        attempt.received += len(data)
        for frame in frames:
            if not attempt.reply.done():
                self._judge(attempt, frame)

    def connection_lost(self, error: Exception | None) -> None:
        """The port is gone: the exchange in flight and all later ones fail."""
        if not self.lost.is_set():
            self._error = error
            self.lost.set()
        if self._now is not None and not self._now.reply.done():
            self._now.reply.set_exception(self._port_lost())
        if self._owed is not None:
            self._owed.passed.set()

    # -- what the inverter object asks ------------------------------------------

    async def exchange(
        self,
        command: str,
        accept: Callable[[bytes], T],
        *,
        priority: Priority = Priority.POLL,
        attempts: int | None = None,
        patience: float | None = None,
    ) -> T:
        """Send `command` and return what `accept` makes of its reply.

        `accept` may raise `CorruptReply` or `UnknownLayout`: the reply may belong to
        somebody else's request, so it is asked once more. Raises `LinkError` when all
        attempts failed. Setters pass ``attempts=1``: they are never repeated blindly.
        `patience` in s replaces that of the link, for what need not be answered.
        """
        if self._busy:
            await self._await_turn(priority)
        self._busy = True
        try:
            most = attempts or self._attempts
            return await self._exchange(command, accept, most, patience)
        finally:
            self._pass_on()

    async def _exchange(
        self,
        command: str,
        accept: Callable[[bytes], T],
        most: int,
        patience: float | None,
    ) -> T:
        """Make up to `most` attempts."""
        self.stats.exchanges += 1
        for number in range(1, most + 1):
            try:
                return accept(await self._attempt(command, number, patience))
            except PortLost:
                self.stats.failures += 1
                raise
            except (LinkError, UnknownLayout) as error:
                self._count(error)
                if number == most:
                    self.stats.failures += 1
                    raise
                self.stats.retries += 1
                wire_log.debug("%s: %s; attempt %d", self.name, error, number)
                await asyncio.sleep(SETTLE)
        raise AssertionError  # the loop returns or raises

    # -- one attempt ----------------------------------------------------------

    async def _attempt(
        self, command: str, number: int, patience: float | None
    ) -> bytes:
        await self._let_pass(command)
        transport = self._transport
        if transport is None or self.lost.is_set():
            raise self._port_lost()
        request = _request(command, number, zero_as_one=transport.sends_zero_as_one)
        loop = asyncio.get_running_loop()
        self._framer.reset()
        transport.discard_input()
        wire = transport.byte_time
        attempt = self._begin(loop, command, len(request), wire, patience)
        self._now = attempt
        if wire_log.isEnabledFor(logging.DEBUG):
            wire_log.debug("%s > %s", self.name, request.hex(" "))
        transport.write(request)
        self._set_timers(loop, transport, attempt)
        try:
            payload = await attempt.reply
        except (NoReply, asyncio.CancelledError):
            self._owed = self._missed(attempt, loop.time())
            raise
        finally:
            self._now = None
            for timer in attempt.timers:
                timer.cancel()
            transport.resume_reading()
        took = loop.time() - attempt.sent
        self.stats.last_exchange = took
        self._pace.learn(command, took, attempt.received, attempt.wakeups)
        return payload

    def _begin(
        self,
        loop: asyncio.AbstractEventLoop,
        command: str,
        request_length: int,
        byte_time: float,
        patience: float | None,
    ) -> _Attempt:
        think = self.patience if patience is None else patience
        known = self._pace.length(command) or LONGEST_REPLY
        limit, longest = (
            (request_length + length) * byte_time + think
            for length in (known, LONGEST_REPLY)
        )
        reply: asyncio.Future[bytes] = loop.create_future()
        return _Attempt(command, reply, loop.time(), limit, longest)

    def _missed(self, attempt: _Attempt, now: float) -> _Owed:
        """Note that a reply was given up."""
        end = attempt.sent + attempt.limit
        return _Owed(attempt.command, end + LATE if now >= end else end)

    async def _let_pass(self, command: str) -> None:
        """Wait for the reply to another command that is owed, while it may come.

        Many replies look alike, and it would be taken for that of `command`.
        """
        owed = self._owed
        if owed is not None and owed.command != command:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(owed.until):
                    await owed.passed.wait()
        self._owed = None

    def _set_timers(
        self,
        loop: asyncio.AbstractEventLoop,
        transport: Transport,
        attempt: _Attempt,
    ) -> None:
        """Sleep through the known part of the reply, and bound the whole."""
        at, timers = attempt.sent, attempt.timers
        timers.append(loop.call_at(at + attempt.limit, self._overdue, loop, attempt))
        quiet = self._pace.quiet(attempt.command)
        if quiet > transport.byte_time:
            transport.pause_reading()
            timers.append(loop.call_at(at + quiet, transport.resume_reading))

    def _judge(self, attempt: _Attempt, frame: Frame) -> None:
        """Take a frame as the reply, as its failure, or as a stray."""
        reply, command = attempt.reply, attempt.command
        if frame.flaw is None:
            reply.set_result(frame.payload)
        elif frame.flaw is Flaw.CHECKSUM:
            text = f"{command}: bad checksum in {frame.payload[-24:].hex(' ')}"
            reply.set_exception(CorruptReply(text))
        else:
            attempt.strays.append(frame)  # the true reply may follow an echo or noise

    def _overdue(self, loop: asyncio.AbstractEventLoop, attempt: _Attempt) -> None:
        """Give up, unless a longer reply than the last one is just arriving."""
        if attempt.received and attempt.limit < attempt.longest:
            attempt.limit = attempt.longest
            end = attempt.sent + attempt.limit
            attempt.timers.append(loop.call_at(end, self._give_up, attempt))
        else:
            self._give_up(attempt)

    def _give_up(self, attempt: _Attempt) -> None:
        """Say why nothing came of an attempt."""
        if attempt.reply.done():
            return
        command, flaws = attempt.command, {frame.flaw for frame in attempt.strays}
        told = [other for frame in attempt.strays if (other := foreign(frame))]
        error: MppdbusError
        if told:
            error = type(told[0])(f"{command}: {told[0]}")
        elif Flaw.ECHO in flaws:
            error = EchoedRequest(
                f"{command}: only the request itself came back; check the wiring: "
                "TX and RX are connected, or the adapter echoes"
            )
        elif attempt.received:
            error = CorruptReply(
                f"{command}: {attempt.received} bytes, but no reply among them; wrong "
                "speed, a bad cable, or no PI30 inverter (some models speak Modbus)"
            )
        else:
            error = NoReply(f"{command}: no reply within {attempt.limit:.1f} s")
        attempt.reply.set_exception(error)

    def _count(self, error: Exception) -> None:
        if isinstance(error, NoReply):
            self.stats.timeouts += 1
        else:
            self.stats.corrupt += 1

    def _port_lost(self) -> PortLost:
        if isinstance(self._error, PortLost):
            return PortLost(str(self._error))  # it names the port and the reason
        label = self._transport.label if self._transport else self.name
        return PortLost(f"{label} is closed")

    # -- turns --------------------------------------------------------------------

    async def _await_turn(self, priority: Priority) -> None:
        turn = asyncio.get_running_loop().create_future()
        heapq.heappush(self._queue, (priority, next(self._order), turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        """Give the line to whoever waits with the highest priority."""
        while self._queue:
            turn = heapq.heappop(self._queue)[2]
            if not turn.done():
                turn.set_result(None)
                return  # stays busy: the line changes hands
        self._busy = False


def _request(command: str, number: int, *, zero_as_one: bool) -> bytes:
    """Encode, and on a retry send a 00 of the checksum the other way.

    Firmware disagrees on whether it can receive a 00 (see `framing`).
    """
    if number % 2 == 0:
        zero_as_one = not zero_as_one
    return encode_request(command, zero_as_one=zero_as_one)

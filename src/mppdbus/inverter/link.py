"""One exchange at a time over a transport: turn by priority, time-out, retry.

The link knows bytes and frames, not what they mean. While a reply is on its way at a
known pace it sleeps instead of being woken for every byte, which is a tenth of the CPU.
"""

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
from mppdbus.inverter import timing
from mppdbus.inverter.timing import LONGEST_REPLY, ReplyTimes
from mppdbus.protocol.framing import Flaw, Frame, ResponseFramer, encode_request
from mppdbus.protocol.other_protocols import foreign
from mppdbus.transport import Transport

wire_log = logging.getLogger("mppdbus.wire")

T = TypeVar("T")


class Priority(IntEnum):
    """Which request goes first when several wait for the line."""

    WRITE = 0  # a setter waits only for the exchange in flight
    ASK = 1  # a person waits for the answer
    POLL = 2


@dataclass(slots=True)
class LinkStats:
    """Statistics of the line since it was opened: counts, and seconds."""

    exchanges: int = 0
    retries: int = 0
    lost: int = 0  # attempts without a good reply
    failures: int = 0  # exchanges that failed for good
    wakeups: int = 0
    last_exchange: float | None = None  # s, of the last good one

    @property
    def quality(self) -> float | None:
        """Share of attempts that gave a good reply, 0 to 100 %."""
        good = self.exchanges - self.failures
        return 100.0 * good / (good + self.lost) if good + self.lost else None


def _in_log(frame: Frame) -> str:
    """Return a received frame as text for the log, other bytes as hex escapes."""
    text = ascii(frame.payload)[2:-1]
    return f"({text}" if frame.intact else f"{text} [{frame.flaw}]"


@dataclass(slots=True)
class _Request:
    """One request under way, and the frames received for it."""

    command: str
    reply: asyncio.Future[bytes]
    sent: float
    limit: float  # s from `sent` until a reply as long as the last is complete
    longest: float  # s from `sent` until any reply is complete
    strays: list[Frame] = field(default_factory=list)
    timers: list[asyncio.TimerHandle] = field(default_factory=list)
    wakeups: int = 0
    received: int = 0

    def judge(self, frame: Frame) -> None:
        """Take a frame as the reply, as an error, or as a stray."""
        if frame.flaw is None:
            self.reply.set_result(frame.payload)
        elif frame.flaw is Flaw.CHECKSUM and foreign(frame) is None:
            text = f"{self.command}: bad checksum in {frame.payload[-24:].hex(' ')}"
            self.reply.set_exception(CorruptReply(text))
        else:
            self.strays.append(frame)  # the true reply may follow an echo or noise

    def overdue(self) -> None:
        """Give up, unless a reply longer than the last one is arriving."""
        if self.received and self.limit < self.longest:
            self.limit = self.longest
            end = self.sent + self.limit
            loop = asyncio.get_running_loop()
            self.timers.append(loop.call_at(end, self.give_up))
        else:
            self.give_up()

    def give_up(self) -> None:
        """Fail with the reason."""
        if not self.reply.done():
            self.reply.set_exception(self._why_not())

    def _why_not(self) -> MppdbusError:
        command = self.command
        for frame in self.strays:
            if other := foreign(frame):
                return type(other)(f"{command}: {other}")
        if any(frame.flaw is Flaw.ECHO for frame in self.strays):
            return EchoedRequest(
                f"{command}: only the request itself came back; check the wiring: "
                "TX and RX are connected, or the adapter echoes"
            )
        if self.received:
            return CorruptReply(
                f"{command}: {self.received} bytes, but no reply among them; wrong "
                "speed, a bad cable, or no PI30 inverter (some models speak Modbus)"
            )
        return NoReply(f"{command}: no reply within {self.limit:.1f} s")


@dataclass(slots=True)
class _Owed:
    """A late reply that may still come until the loop time `until`."""

    command: str
    until: float
    passed: asyncio.Event = field(default_factory=asyncio.Event)


class Link:
    """The only user of a transport, which delivers to it.

    `patience` is how many seconds an inverter may think before its reply counts as
    missing; the time on the wire comes on top.
    """

    sleeps = True  # while a reply is on its way at a known pace

    def __init__(
        self, name: str, *, patience: float = 1.0, attempts: int = timing.ATTEMPTS
    ) -> None:
        self.name = name
        self.stats = LinkStats()
        self.lost: asyncio.Event = asyncio.Event()
        self.patience = patience
        self.brief = timing.BRIEF * patience  # s, for optional queries
        self._attempts = attempts
        self._transport: Transport | None = None
        self._error: Exception | None = None
        self._framer = ResponseFramer()
        self._now: _Request | None = None
        self._owed: _Owed | None = None
        self._times = ReplyTimes()
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
        """Take bytes; outside an exchange they belong to a late reply."""
        self.stats.wakeups += 1
        frames, request = self._framer.feed(data), self._now
        if frames and wire_log.isEnabledFor(logging.DEBUG):
            for frame in frames:
                wire_log.debug("%s < %s", self.name, _in_log(frame))
        if request is None:
            if frames and self._owed is not None:
                self._owed.passed.set()
            return
        request.wakeups += 1
        request.received += len(data)
        for frame in frames:
            if not request.reply.done():
                request.judge(frame)

    def connection_lost(self, error: Exception | None) -> None:
        """Note that the port is lost: the present exchange and all later ones fail."""
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
        another request, so it is asked once more. Raises `LinkError` when all attempts
        failed. Setters pass ``attempts=1``: they are never repeated blindly.
        `patience` in s replaces that of the link, for optional queries.
        """
        if self._busy:
            await self._await_turn(priority)
        self._busy = True
        self.stats.exchanges += 1
        number, most = 1, attempts or self._attempts
        think = self.patience if patience is None else patience
        try:
            while True:
                try:
                    return accept(await self._ask(command, number, think))
                except PortLost:
                    self.stats.failures += 1
                    raise
                except (LinkError, UnknownLayout) as error:
                    self.stats.lost += 1
                    if number == most:
                        self.stats.failures += 1
                        raise
                    self.stats.retries += 1
                    wire_log.debug("%s: %s; attempt %d", self.name, error, number)
                    number += 1
                    await asyncio.sleep(timing.SETTLE)
        finally:
            self._pass_on()

    # -- one request ----------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Write a request to the transport."""
        if wire_log.isEnabledFor(logging.DEBUG):
            wire_log.debug("%s > %s", self.name, ascii(data)[2:-1])
        if self._transport is not None:
            self._transport.write(data)

    async def _ask(self, command: str, number: int, think: float) -> bytes:
        """Send a request for the `number`th time and return the payload of its reply.

        `think` is the s that the inverter may take before it answers.
        """
        if self._owed is not None:
            await self._let_pass(self._owed, command)
        transport = self._transport
        if transport is None or self.lost.is_set():
            raise self._port_lost()
        # Firmware disagrees on whether it can receive a 00 in the checksum (see
        # `framing`): so a retry sends it the other way.
        zero_as_one = transport.sends_zero_as_one ^ (number % 2 == 0)
        data = encode_request(command, zero_as_one=zero_as_one)
        self._framer.reset()
        transport.discard_input()
        request = self._now = self._begin(transport, command, len(data), think)
        self.send(data)
        loop = asyncio.get_running_loop()
        try:
            payload = await request.reply
        except (NoReply, asyncio.CancelledError):
            end, late = request.sent + request.limit, timing.LATE_REPLY
            self._owed = _Owed(command, end + late if loop.time() >= end else end)
            raise
        finally:
            self._now = None
            for timer in request.timers:
                timer.cancel()
            transport.resume_reading()
        took = self.stats.last_exchange = loop.time() - request.sent
        self._times.learn(command, took, request.received, request.wakeups)
        return payload

    def _begin(
        self, transport: Transport, command: str, length: int, think: float
    ) -> _Request:
        """Set the time-out of a request, and sleep while its reply is still arriving.

        `length` is the number of bytes of the request.
        """
        loop = asyncio.get_running_loop()
        wire, known = transport.byte_time, self._times.length(command) or LONGEST_REPLY
        request = _Request(
            command,
            loop.create_future(),
            sent=loop.time(),
            limit=(length + known) * wire + think,
            longest=(length + LONGEST_REPLY) * wire + think,
        )
        end = request.sent + request.limit
        request.timers.append(loop.call_at(end, request.overdue))
        quiet = self._times.quiet(command)
        if self.sleeps and wire < quiet < request.limit:
            transport.pause_reading()
            end_of_sleep = request.sent + quiet
            request.timers.append(loop.call_at(end_of_sleep, transport.resume_reading))
        return request

    async def _let_pass(self, owed: _Owed, command: str) -> None:
        """Wait until the late reply to another command has come, or its time is over.

        Many replies look alike, so it could be taken for the reply to `command`.
        """
        if owed.command != command:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(owed.until):
                    await owed.passed.wait()
        self._owed = None

    def _port_lost(self) -> PortLost:
        if isinstance(self._error, PortLost):
            return PortLost(str(self._error))  # its text has the port and the reason
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
        """Give the line to the waiting request with the highest priority."""
        while self._queue:
            turn = heapq.heappop(self._queue)[2]
            if not turn.done():
                turn.set_result(None)
                return  # stays busy: the line changes hands
        self._busy = False

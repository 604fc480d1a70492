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
from enum import IntEnum
from typing import Any, TypeVar

from mppdbus.errors import LinkError, NoReply, PortLost, Refused, UnknownLayout
from mppdbus.inverter import timing
from mppdbus.inverter.link_stats import LinkStats
from mppdbus.inverter.pending_reply import (
    DoubtfulReply,
    OwedReplies,
    PendingReply,
    log_frames,
    wire_log,
)
from mppdbus.inverter.reply_owners import ReplyOwners
from mppdbus.inverter.timing import LONGEST_REPLY, ReplyTimes
from mppdbus.protocol.framing import BARE, ResponseFramer, encode_request
from mppdbus.transport import Transport

T = TypeVar("T")


class Priority(IntEnum):
    """Which request goes first when several wait for the line."""

    WRITE = 0  # a setter waits only for the exchange in flight
    ASK = 1  # a person waits for the answer
    POLL = 2


class Link:
    """The only user of a transport, which delivers to it.

    `patience` is how many seconds an inverter may think before its reply counts as
    missing; the time on the wire comes on top.
    """

    sleeps = True  # while a reply is on its way at a known pace

    def __init__(
        self,
        name: str,
        *,
        patience: float = 1.0,
        attempts: int = timing.ATTEMPTS,
        stats: LinkStats | None = None,
    ) -> None:
        self.name = name
        self.stats = stats or LinkStats()
        self.lost: asyncio.Event = asyncio.Event()
        self.patience = patience
        self.silent = True  # until the first byte comes
        self._attempts = attempts
        self._transport: Transport | None = None
        self._error: Exception | None = None
        self._framer = ResponseFramer()
        self._pending: PendingReply[Any] | None = None
        self._owed = OwedReplies()
        self._last: tuple[str, bytes] = ("", b"")  # the last command and its reply
        self._owners = ReplyOwners()
        self._heard = 0.0  # the time of the last byte that nobody waited for
        self._untidy = 0.0  # until then the line is drained before each request
        self._slow = False  # replies stop in their middle
        self._times = ReplyTimes()
        self._busy = False
        self._queue: list[tuple[Priority, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._log = logging.getLogger(f"mppdbus.{name}")

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
        self.silent = False
        now = asyncio.get_running_loop().time()
        if self._pending is not None:
            self._pending.take(data, now)
            return
        self._heard = now
        if frames := self._framer.feed(data):
            if wire_log.isEnabledFor(logging.DEBUG):
                log_frames(self.name, frames)
            self._dropped([frame.payload for frame in frames], now)

    def connection_lost(self, error: Exception | None) -> None:
        """Note that the port is lost: the present exchange and all later ones fail."""
        if not self.lost.is_set():
            self._error = error
            self.lost.set()
        if self._pending is not None and not self._pending.reply.done():
            self._pending.reply.set_exception(self._port_lost())
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
        known: bool = True,
    ) -> T:
        """Send `command` and return what `accept` makes of its reply.

        `accept` may raise `Refused`, `CorruptReply` or `UnknownLayout`: the frame may
        belong to another request, so a better one is waited for, and the command is
        sent once more. Raises `LinkError` when all attempts failed. Setters pass
        ``attempts=1`` and `Priority.WRITE`: they are never repeated blindly. `patience`
        in s replaces that of the link, for optional queries. `known` says that the unit
        answers this command: silence is then a failure of the line, and NAK is asked
        again. So is a query whose short reply came for another one before.
        """
        if self._busy:
            await self._await_turn(priority)
        self._busy = True
        stats = self.stats
        stats.exchanges += 1
        number, most = 1, attempts or self._attempts
        think = self._times.usual(self.patience) if patience is None else patience
        try:
            while True:
                doubting = number == 1 and priority is not Priority.WRITE
                try:
                    return await self._ask(
                        command, accept, number, think, doubting=doubting
                    )
                except PortLost:
                    raise
                except DoubtfulReply:
                    stats.good += 1
                except Refused:
                    stats.good += 1
                    if not known or number == most:
                        raise
                except (LinkError, UnknownLayout) as error:
                    if getattr(error, "partial", None) is not None:
                        stats.good += 1  # no better one has come
                        raise
                    stats.lost += 1
                    stats.failures += known or not isinstance(error, NoReply)
                    if number == most:
                        raise
                    wire_log.debug("%s: %s; attempt %d", self.name, error, number)
                stats.retries += 1
                number += 1
                await self._drain(timing.SETTLE, asyncio.get_running_loop().time())
        finally:
            self._pass_on()

    def expect_strays(self) -> None:
        """Drain the line before each request for a while.

        After a setter some units send their replies one late.
        """
        self._heard = asyncio.get_running_loop().time()
        self._untidy = max(self._untidy, self._heard + timing.AFTER_WRITE)

    @property
    def brief(self) -> float:
        """The s that a unit may think about a query that it may lack."""
        return self._times.brief(self.patience)

    # -- one request ----------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Write a request to the transport."""
        if wire_log.isEnabledFor(logging.DEBUG):
            wire_log.debug("%s > %s", self.name, ascii(data)[2:-1])
        if self._transport is not None:
            self._transport.write(data)

    async def _ask(
        self,
        command: str,
        accept: Callable[[bytes], T],
        number: int,
        think: float,
        *,
        doubting: bool,
    ) -> T:
        """Send a request for the `number`th time and return the result of its reply.

        `think` is the s that the inverter may take before it answers.
        """
        loop = asyncio.get_running_loop()
        if self._untidy or self._owed.count:
            await self._tidy_up(number)
        transport = self._transport
        if transport is None or self.lost.is_set():
            raise self._port_lost()
        # Firmware disagrees on whether it can receive a 00 in the checksum (see
        # `framing`): so a retry sends it the other way.
        zero_as_one = transport.sends_zero_as_one ^ (number % 2 == 0)
        bare = command in BARE and number % 2 == 0
        data = encode_request(command, zero_as_one=zero_as_one, bare=bare)
        self._framer.reset()
        transport.discard_input()
        pending = self._begin(transport, command, accept, len(data), think)
        pending.doubting = doubting
        self._pending = pending
        quiet = self._times.quiet(command) if self.sleeps else 0.0
        # After a failed attempt its reply may still come, and early.
        if number == 1 and transport.byte_time < quiet < pending.limit:
            transport.pause_reading()
            end = pending.sent + quiet
            pending.timers.append(loop.call_at(end, self._wake, transport, pending))
        else:
            self._set_time_out(pending)
        self.send(data)
        try:
            result = await pending.reply
        except (LinkError, UnknownLayout, asyncio.CancelledError) as error:
            self._still_owed(pending, error, loop.time())
            raise
        finally:
            self._pending = None
            for timer in pending.timers:
                timer.cancel()
            transport.resume_reading()
            if pending.dropped:
                self._dropped(pending.dropped, pending.heard)
        self._answered(pending, number, loop.time() - pending.sent)
        return result

    def _begin(
        self,
        transport: Transport,
        command: str,
        accept: Callable[[bytes], T],
        length: int,
        think: float,
    ) -> PendingReply[T]:
        """Return what to wait for after a request of `length` bytes."""
        loop = asyncio.get_running_loop()
        wire, known = transport.byte_time, self._times.length(command) or LONGEST_REPLY
        return PendingReply(
            self.name,
            command,
            accept,
            self._framer,
            sent=loop.time(),
            limit=(length + known) * wire + think,
            longest=(length + LONGEST_REPLY) * wire + think,
            hold=timing.HOLD * self.patience,
            pause=timing.PAUSE * min(1.0, self.patience),
            doubtful=self._doubtful,
        )

    def _wake(self, transport: Transport, pending: PendingReply[Any]) -> None:
        """Read what has come while we slept; mostly that is all."""
        transport.resume_reading()
        if not pending.reply.done():
            self._set_time_out(pending)

    def _set_time_out(self, pending: PendingReply[Any]) -> None:
        end, loop = pending.sent + pending.limit, asyncio.get_running_loop()
        pending.timers.append(loop.call_at(end, pending.overdue))

    def _answered(self, pending: PendingReply[Any], number: int, took: float) -> None:
        """Learn from a reply, and whether one more may come: to an earlier attempt."""
        command, stats = pending.command, self.stats
        stats.good += 1
        stats.last_exchange = took
        if number == 1 and self._transport is not None:
            sent = len(encode_request(command))
            wire = (sent + pending.received) * self._transport.byte_time
            self._times.thought(took - wire)
        payload = pending.payload
        self._last = command, payload
        self._owners.answered(command, payload)
        if pending.slow:
            self._tell_slow(command, took)
            return
        if self._owed.count:
            usual = self._times.quiet(command)
            if usual and took >= usual:
                self._owed.came(self._owed.count)  # too late for the earlier attempt
            else:
                self._owed.until = pending.sent + pending.limit
        if number == 1:
            self._times.learn(command, took, pending.received, pending.wakeups)

    def _still_owed(
        self, pending: PendingReply[Any], error: BaseException, now: float
    ) -> None:
        """Note that the reply to a failed request may still come."""
        end = pending.sent + pending.limit
        if isinstance(error, NoReply):
            self._owed.owe(max(end, now) + timing.LATE_REPLY)
        elif isinstance(error, asyncio.CancelledError | UnknownLayout):
            self._owed.owe(end)

    def _tell_slow(self, command: str, took: float) -> None:
        """Say once that replies stop in their middle."""
        if not self._slow:
            self._slow = True
            self._log.info(
                "slow line: the reply to %s stopped half-way and took %.1f s; such "
                "replies are waited for",
                command,
                took,
            )

    # -- frames that nobody asked for -------------------------------------------

    def _dropped(self, payloads: list[bytes], now: float) -> None:
        """Count frames that are no reply to a request under way, and know them again.

        A short one may fit many questions; it is from now on doubtful for all of them.
        """
        self.stats.dropped += len(payloads)
        self._heard = now
        self._untidy = now + timing.UNTIDY
        self._owed.came(len(payloads))
        for payload in payloads:
            self._owners.strayed(payload)

    def _doubtful(self, command: str, payload: bytes) -> bool:
        """Tell whether a payload may be the reply to another question."""
        last, before = self._last
        if payload == before and command != last:
            return True
        drained = bool(self._untidy)
        return self._owners.doubtful(command, payload, drained=drained)

    async def _tidy_up(self, number: int) -> None:
        """Let late replies pass, and drain the line where such frames came.

        Many replies look alike, so a late one could be taken for the next one. A retry
        does not wait: the late reply answers it.
        """
        if self._owed.count and number == 1:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._owed.until):
                    await self._owed.passed.wait()
            self._owed = OwedReplies()
        now = asyncio.get_running_loop().time()
        if now < self._untidy:
            await self._drain(timing.QUIET, self._heard)
        else:
            self._untidy = 0.0

    async def _drain(self, quiet: float, since: float) -> None:
        """Wait until no byte has come for `quiet` s, from the time `since` on."""
        loop = asyncio.get_running_loop()
        end = loop.time() + timing.LONGEST_DRAIN
        self._heard = max(self._heard, since)
        while True:
            rest = min(self._heard + quiet, end) - loop.time()
            if rest <= 0:
                return
            await asyncio.sleep(rest)

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

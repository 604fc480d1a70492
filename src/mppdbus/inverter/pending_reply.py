"""One request under way: which of the frames that come is its reply."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from mppdbus.errors import (
    CorruptReply,
    EchoedRequest,
    MppdbusError,
    NoReply,
    Refused,
    UnknownLayout,
)
from mppdbus.inverter import timing
from mppdbus.inverter.reply_owners import SHORT
from mppdbus.protocol.framing import Flaw, Frame, ResponseFramer
from mppdbus.protocol.other_protocols import foreign

T = TypeVar("T")
wire_log = logging.getLogger("mppdbus.wire")


def log_frames(name: str, frames: list[Frame]) -> None:
    """Log received frames of a line, other bytes than text as hex escapes."""
    for frame in frames:
        text = ascii(frame.payload)[2:-1]
        said = f"({text}" if frame.intact else f"{text} [{frame.flaw}]"
        wire_log.debug("%s < %s", name, said)


class DoubtfulReply(CorruptReply):
    """The reply came for another command before, and no better one has come."""


@dataclass(slots=True)
class PendingReply(Generic[T]):
    """A request, and the frames received for it; times are those of the loop.

    `accept` makes the result of a payload. Where it raises `Refused`, `CorruptReply` or
    `UnknownLayout`, the frame may belong to an earlier question; so may a payload that
    came for another one before, as `doubtful` tells. Such a frame counts only if no
    better one begins within `hold` s. `pause` is for how many s a begun reply may stop.
    If `doubting`, a short one ends in `DoubtfulReply`.
    """

    name: str  # of the line, for the log
    command: str
    accept: Callable[[bytes], T]
    framer: ResponseFramer
    sent: float
    limit: float  # s from `sent` until a reply as long as the last is complete
    longest: float  # s from `sent` until any reply is complete
    hold: float
    pause: float
    doubtful: Callable[[str, bytes], bool]
    reply: asyncio.Future[T] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    payload: bytes = b""  # of the reply
    strays: list[Frame] = field(default_factory=list)
    timers: list[asyncio.TimerHandle] = field(default_factory=list)
    heard: float = 0.0  # the time of the last byte
    wakeups: int = 0
    received: int = 0
    dropped: list[bytes] = field(default_factory=list)  # what is not the reply
    slow: bool = False  # it stopped after it had begun, and was waited for
    doubting: bool = False
    _second_best: MppdbusError | tuple[T] | None = None
    _holding: asyncio.TimerHandle | None = None

    def take(self, data: bytes, now: float) -> None:
        """Take bytes that came at the time `now`."""
        self.wakeups += 1
        self.received += len(data)
        self.heard = now
        frames = self.framer.feed(data)
        if frames and wire_log.isEnabledFor(logging.DEBUG):
            log_frames(self.name, frames)
        for frame in frames:
            if self.reply.done():
                self.dropped.append(frame.payload)
            else:
                self._judge(frame)

    def _judge(self, frame: Frame) -> None:
        """Take a frame as the reply, as an error, or as a stray."""
        if frame.flaw is None:
            try:
                result = self.accept(frame.payload)
            except (Refused, CorruptReply, UnknownLayout) as error:
                strange = isinstance(error, UnknownLayout)
                if strange and self.doubtful(self.command, frame.payload):
                    error = CorruptReply(f"{self.command}: a reply to another command")
                self._hold(error, frame.payload)
            except Exception as error:  # noqa: BLE001 - the caller gets it
                self.reply.set_exception(error)
            else:
                if self.doubtful(self.command, frame.payload):
                    self._hold((result,), frame.payload)
                else:
                    if self._second_best is not None:
                        self.dropped.append(self.payload)
                    self.payload = frame.payload
                    self.reply.set_result(result)
        elif frame.flaw is Flaw.CHECKSUM and foreign(frame) is None:
            text = f"{self.command}: bad checksum in {frame.payload[-24:].hex(' ')}"
            self.reply.set_exception(CorruptReply(text))
        else:
            self.strays.append(frame)  # the true reply may follow an echo or noise

    # -- waiting for a better one ---------------------------------------------------

    def _hold(self, found: MppdbusError | tuple[T], payload: bytes) -> None:
        """Settle for `found` if nothing better begins to come soon."""
        if self._second_best is not None:
            self.dropped.append(self.payload)
        self._second_best, self.payload = found, payload
        if self._holding is not None:
            self._holding.cancel()
        loop = asyncio.get_running_loop()
        self._holding = loop.call_at(self.heard + self.hold, self._held)
        self.timers.append(self._holding)

    def _held(self) -> None:
        if not self.framer.begun:
            self.give_up()

    # -- time-out -------------------------------------------------------------------

    def overdue(self) -> None:
        """Give up, unless a reply is arriving: one longer than the last, or slow."""
        end = self.sent + self.limit
        if self.received and self.limit < self.longest:
            self.limit = self.longest
            end = self.sent + self.limit
        elif self.framer.begun:
            end = min(self.heard + self.pause, end + timing.LONGEST_PAUSES)
            self.slow = True
        loop = asyncio.get_running_loop()
        if end > loop.time():
            self.timers.append(loop.call_at(end, self.overdue))
        else:
            self.give_up()

    def give_up(self) -> None:
        """Settle for the second best, or fail with the reason."""
        if self.reply.done():
            return
        match self._second_best:
            case None:
                self.reply.set_exception(self._why_not())
            case (_,) if self.doubting and len(self.payload) <= SHORT:
                text = f"{self.command}: a reply to another command"
                self.reply.set_exception(DoubtfulReply(text))
            case (result,):
                self.reply.set_result(result)
            case error:
                self.reply.set_exception(error)

    def _why_not(self) -> MppdbusError:
        command = self.command
        for frame in self.strays:
            if other := foreign(frame):
                return type(other)(f"{command}: {other}")
        if any(frame.flaw is Flaw.ECHO for frame in self.strays):
            return EchoedRequest(
                f"{command}: only the request itself came back; check the wiring: "
                "TX and RX are connected, or the adapter echoes; a UPS that speaks "
                "Megatec (Q1), not PI30, also sends back what it does not know"
            )
        if self.received:
            return CorruptReply(
                f"{command}: {self.received} bytes, but no reply among them; wrong "
                "speed, a bad cable, or no PI30 inverter (some models speak Modbus)"
            )
        return NoReply(f"{command}: no reply within {self.limit:.1f} s")


@dataclass(slots=True)
class OwedReplies:
    """Replies to earlier requests that may still come, until the loop time `until`."""

    count: int = 0
    until: float = 0.0
    passed: asyncio.Event = field(default_factory=asyncio.Event)

    def owe(self, until: float) -> None:
        """Note that one more may come."""
        self.count += 1
        self.until = max(self.until, until)
        self.passed.clear()

    def came(self, count: int) -> None:
        """Note frames that nobody waits for."""
        self.count = max(0, self.count - count)
        if not self.count:
            self.passed.set()

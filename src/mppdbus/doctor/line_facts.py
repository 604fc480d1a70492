"""Gathers facts of a line by asking: who answers, at which speed, and how well.

Everything sent is a query. All functions end within a bounded time, and raise nothing
but `PortError`.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from mppdbus.doctor.facts import Heard, LineFacts
from mppdbus.errors import (
    CorruptReply,
    EchoedRequest,
    MppdbusError,
    NoReply,
    OtherProtocol,
    PortError,
    ProtocolError,
    Refused,
)
from mppdbus.inverter.detection import SURE, Detection, detect, linked
from mppdbus.inverter.link import Link
from mppdbus.inverter.modbus_probe import Listener
from mppdbus.protocol.queries import decode
from mppdbus.protocol.replies.fields import Reading
from mppdbus.protocol.replies.settings import SerialNumber
from mppdbus.protocol.replies.status import GeneralStatus
from mppdbus.transport import open_transport
from mppdbus.transport.port_url import PortUrl

BAUDS = (9600, 19200, 4800, 1200, 115200, 38400, 57600, 2400)  # the likeliest first
BRIEF = 0.5  # s that an inverter may think at another speed
SAMPLES, MORE_SAMPLES = 10, 30  # queries for the quality; more after a failure
SAMPLING = 15.0  # s at most
FOREIGN_PATIENCE = 0.6  # s
DEADLINE = 40.0  # s for all of it
# What other protocols are asked with → their name, and how their replies begin.
FOREIGN = (
    (b"^P005PI\x71\x8b\r", b"^D", "PI18"),
    (b"Q1\r", b"(", "the Megatec protocol of a UPS"),
)
UNHEARD = (Heard.NOTHING, Heard.NOISE, Heard.DAMAGED, Heard.ECHO)
Tell = Callable[[str], None]


@dataclass(slots=True)
class _LineSample:
    """What became of the queries for the quality, in their turn."""

    outcomes: list[Heard] = field(default_factory=list)
    strays: int = 0
    zeros: bool = False
    trackers: int | None = None

    def share(self, *wanted: Heard) -> float:
        """Return how many of them came to this, in %."""
        return 100 * sum(one in wanted for one in self.outcomes) / len(self.outcomes)

    @property
    def worse(self) -> bool | None:
        """Tell whether the later half failed more; None without a failure."""
        half = len(self.outcomes) // 2
        first, second = (
            sum(one is not Heard.PI30 for one in part)
            for part in (self.outcomes[:half], self.outcomes[half:])
        )
        return second > first if first or second else None


async def ask(
    port: PortUrl, baud: int, patience: float | None, tell: Tell
) -> LineFacts:
    """Ask at a port that nobody else uses; raises `PortError`."""
    tell("asking who is there")
    found = await detect(port, baud=baud, patience=patience)
    facts = _first(found, baud)
    if found.found and found.mute is None:
        tell("looking at the quality of the line")
        sample = await _sample(port, baud, patience)
        if sample.outcomes:
            facts = replace(
                facts,
                attempts=len(sample.outcomes),
                damaged=sample.share(Heard.DAMAGED),
                missing=sample.share(Heard.NOTHING),
                worse=sample.worse,
            )
        facts = replace(
            facts, strays=sample.strays, zeros=sample.zeros, trackers=sample.trackers
        )
    if facts.heard in UNHEARD:
        facts = await _look_further(port, facts, tell)
    return facts


def _first(found: Detection, baud: int) -> LineFacts:
    """Return what the detection says."""
    error = found.error
    if isinstance(error, PortError):
        raise error
    if error is not None:
        heard = heard_from(error, silent=found.silent)
        other = str(error) if heard is Heard.OTHER else ""
        return LineFacts(baud=baud, heard=heard, said=str(error), other=other)
    who, said = found.identification, found.readings.get("QID")
    number = said.serial if isinstance(said, SerialNumber) else ""
    return LineFacts(
        baud=baud,
        heard=Heard.PI30,
        mute=str(found.mute or ""),
        model=found.model,
        serial=found.serial,
        bogus_serial=number if found.serial is None else "",
        dialect=who.dialect.name,
        proven_dialect=who.dialect.name if who.confidence >= SURE else "",
        confidence=who.confidence,
        strange=tuple(sorted(found.strange)),
        rated_power=getattr(
            found.readings.get("QPIRI"), "ac_output_rating_active_power", None
        ),
    )


def heard_from(error: MppdbusError, *, silent: bool) -> Heard:
    """Return what an error of a line says; `silent`: no byte came."""
    match error:
        case OtherProtocol():
            return Heard.OTHER
        case EchoedRequest():
            return Heard.ECHO
        case Refused():
            return Heard.REFUSED
        case CorruptReply():
            return Heard.DAMAGED if "bad checksum" in str(error) else Heard.NOISE
    return Heard.NOTHING if silent or isinstance(error, NoReply) else Heard.NOISE


# -- quality -------------------------------------------------------------------------


async def _sample(port: PortUrl, baud: int, patience: float | None) -> _LineSample:
    """Ask QPIGS some times; longer after a failure."""
    sample, most = _LineSample(), SAMPLES
    with suppress(TimeoutError):
        async with (
            asyncio.timeout(SAMPLING),
            linked(port, baud=baud, patience=patience) as link,
        ):
            while len(sample.outcomes) < most:
                outcome, reading = await _outcome(link, "QPIGS")
                sample.outcomes.append(outcome)
                sample.strays = link.stats.dropped
                if outcome is not Heard.PI30:
                    most = MORE_SAMPLES
                elif isinstance(reading, GeneralStatus):
                    values = reading.model_dump().values()
                    numbers = [one for one in values if isinstance(one, int | float)]
                    sample.zeros = not any(numbers)
            sample.trackers = await _trackers(link)
    return sample


async def _outcome(link: Link, query: str) -> tuple[Heard, Reading | None]:
    try:
        reading = await link.exchange(
            query, lambda payload: decode(query, payload), attempts=1
        )
    except PortError:
        raise
    except NoReply:
        return Heard.NOTHING, None
    except CorruptReply:
        return Heard.DAMAGED, None
    except Refused:
        return Heard.REFUSED, None
    except (ProtocolError, MppdbusError):
        return Heard.PI30, None
    return Heard.PI30, reading


async def _trackers(link: Link) -> int | None:
    """Return 2 where QPIGS2 is answered, 1 where it is refused twice."""
    said = [(await _outcome(link, "QPIGS2"))[0] for _ in range(2)]
    if Heard.PI30 in said:
        return 2
    return 1 if said == [Heard.REFUSED] * 2 else None


# -- where PI30 is not heard ---------------------------------------------------------


async def _look_further(port: PortUrl, facts: LineFacts, tell: Tell) -> LineFacts:
    """Try other speeds, then other protocols; each with one query."""
    if port.scheme == "serial" and facts.heard is not Heard.ECHO:
        found = await find_speed(port, facts.baud, tell)
        if found is not None:
            return replace(facts, baud_found=found)
    if port.scheme == "hidraw" or facts.heard not in (Heard.NOTHING, Heard.ECHO):
        return facts
    tell("trying other protocols")
    for request, begins, name in FOREIGN:
        reply = await _reply(port, facts.baud, request)
        if reply.startswith(begins) and not reply.startswith(b"(NAK"):
            said = f"the device speaks {name}, not PI30"
            return replace(facts, heard=Heard.OTHER, other=name, said=said)
    return facts


async def find_speed(port: PortUrl, tried: int, tell: Tell) -> int | None:
    """Return the baud at which PI30 is answered, other than `tried`, if there is one.

    Raises `PortError`; takes about 5 s where nothing answers.
    """
    for baud in BAUDS:
        if baud != tried:
            tell(f"trying {baud} baud")
            if await _answers_at(port, baud):
                return baud
    return None


async def _answers_at(port: PortUrl, baud: int) -> bool:
    async with linked(port, baud=baud, patience=BRIEF) as link:
        outcome, _ = await _outcome(link, "QPI")
    return outcome in (Heard.PI30, Heard.REFUSED)


async def _reply(port: PortUrl, baud: int, request: bytes) -> bytes:
    listener = Listener()
    transport = await open_transport(port, listener, baud=baud)
    try:
        return await listener.replies(transport, request, FOREIGN_PATIENCE)
    finally:
        await transport.close()

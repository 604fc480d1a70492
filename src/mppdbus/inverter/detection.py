"""Finds the inverter at a port by the few queries that tell it from other devices.

`connected` opens a port, `Interview` identifies the unit, and `detect` does both and
closes the port again.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from mppdbus.errors import (
    LinkError,
    MppdbusError,
    PortLost,
    ProtocolError,
    UnknownLayout,
)
from mppdbus.inverter import timing
from mppdbus.inverter.capability_probe import probe_capabilities
from mppdbus.inverter.device import Inverter
from mppdbus.inverter.interviewer import Interviewer
from mppdbus.inverter.known_queries import ROUNDS
from mppdbus.inverter.link import Link, Priority
from mppdbus.inverter.modbus_probe import find_modbus, speaks_modbus
from mppdbus.protocol.evidence import Evidence
from mppdbus.protocol.identification import Identification, identify
from mppdbus.protocol.optional_queries import Capabilities
from mppdbus.protocol.queries import base_command, decode
from mppdbus.protocol.replies.fields import Reading
from mppdbus.protocol.replies.settings import ModelName, SerialNumber
from mppdbus.protocol.serial_numbers import bogus_serial
from mppdbus.transport import open_transport
from mppdbus.transport.port_url import PortUrl

BAUD = 2400  # of all PI30 inverters, unless their user has changed it
SURE = 0.85  # confidence from which longer replies are not asked for
NAMING = ("QMN", "QGMN", "QVFW")
LONGER = ("QPIRI", "QPIGS", "QPIWS")


def name_of(port: PortUrl) -> str:
    """Return the name of an inverter while only its port is known."""
    return Path(port.path).name or port.label


@asynccontextmanager
async def linked(
    port: PortUrl, *, name: str = "", baud: int = BAUD, patience: float | None = None
) -> AsyncIterator[Link]:
    """Open a port for as long as the context lasts; raises `PortError`.

    `name` is for messages. `patience` is the s that the inverter may think; None: the
    default of this kind of port.
    """
    link = Link(
        name or name_of(port), patience=patience or timing.PATIENCE[port.scheme]
    )
    try:
        link.attach(await open_transport(port, link, baud=baud))
        yield link
    finally:
        await link.close()


@asynccontextmanager
async def connected(
    port: PortUrl,
    *,
    name: str = "",
    baud: int = BAUD,
    patience: float | None = None,
    dialect: str = "auto",
) -> AsyncIterator[Inverter]:
    """Open a port as `linked` does, and yield the inverter at it."""
    async with linked(port, name=name, baud=baud, patience=patience) as link:
        clock = asyncio.get_running_loop().time
        yield Inverter(link.name, link, clock, dialect=dialect)


@dataclass(slots=True)
class Answers:
    """The answers of an inverter: readings and payloads by query."""

    readings: dict[str, Reading] = field(default_factory=dict)
    payloads: dict[str, bytes] = field(default_factory=dict)
    strange: set[str] = field(default_factory=set)  # answered in an unknown layout
    capabilities: Capabilities = field(default_factory=Capabilities)

    @property
    def identification(self) -> Identification:
        """The family by the readings of known layouts."""
        known = {q: r for q, r in self.readings.items() if q not in self.strange}
        status = self.payloads.get("QPIGS") if "QPIGS" in known else None
        return identify(Evidence.gather(known, status, self.strange))

    @property
    def serial(self) -> str | None:
        """The serial number; None if many units have the same one."""
        reading = self.readings.get("QID")
        if not isinstance(reading, SerialNumber) or bogus_serial(reading.serial):
            return None
        return reading.serial

    @property
    def model(self) -> str:
        """The inverter's own model name, else its family."""
        reading = self.readings.get("QMN")
        if isinstance(reading, ModelName):
            return reading.model
        return self.identification.family


class Interview(Interviewer):
    """Identifies an inverter and finds its queries; stores all in `answers`."""

    def __init__(self, link: Link, answers: Answers | None = None) -> None:
        super().__init__()
        self.answers = Answers() if answers is None else answers
        self._link = link

    async def read(
        self, query: str, *, attempts: int | None = None, patience: float | None = None
    ) -> Reading:
        """Ask, and store the reading, or the readable part of it.

        `None` means the link's own number of attempts and its patience in s. Raises as
        `Link.exchange` does.
        """
        answers, name = self.answers, base_command(query)

        def accept(payload: bytes) -> Reading:
            answers.payloads[name] = payload
            return decode(query, payload)

        try:
            reading = await self._link.exchange(
                query,
                accept,
                priority=Priority.ASK,
                attempts=attempts,
                patience=patience,
            )
        except MppdbusError as error:
            self.known.fail(query, error, asyncio.get_running_loop().time())
            if isinstance(error, UnknownLayout) and error.partial is not None:
                answers.readings[name] = error.partial
                if not error.report.proven:
                    answers.strange.add(name)
            raise
        self.known.answer(query)
        answers.readings[name] = reading
        answers.strange.discard(name)
        return reading

    async def ask_until_sure(self, queries: Iterable[str]) -> None:
        """Ask the queries that have no reading yet, until the family is sure."""
        for query in queries:
            if self.answers.identification.confidence >= SURE:
                return
            if query not in self.answers.readings:
                await self.try_read(query, attempts=1)

    async def ask_optional(
        self, *, now: datetime | None = None, patience: float | None = None
    ) -> None:
        """Ask each query that may be absent, twice where it is not answered.

        `now` is as in `probe_capabilities`.
        """
        ask = partial(self.read, attempts=1, patience=patience)
        self.answers.capabilities = await probe_capabilities(ask, now=now)


@dataclass(slots=True, kw_only=True)
class Detection(Answers):
    """The inverter at a port and its answers, or the error."""

    port: PortUrl
    answered_after: float | None = None  # s, the first reply
    error: MppdbusError | None = None
    silent: bool = False  # no byte was received
    mute: MppdbusError | None = None  # why an inverter gives no live values

    @property
    def found(self) -> bool:
        """True when an inverter that speaks PI30 is there."""
        return self.answered_after is not None and self.error is None


async def detect(
    port: PortUrl,
    *,
    baud: int = BAUD,
    patience: float | None = None,
    deadline: float = timing.DETECTION,
    thorough: bool = False,
) -> Detection:
    """Ask who is at a port; returns within `deadline` s and closes the port.

    If no byte comes, it also asks in Modbus, which takes a second more. `thorough` also
    asks the optional queries; each one without an answer takes its time-out.
    `patience` is as in `connected`.
    """
    result = Detection(port=port)
    try:
        async with linked(port, baud=baud, patience=patience) as link:
            interview = Interview(link, result)
            try:
                async with asyncio.timeout(deadline):
                    await _introduce(interview, link, result)
            except TimeoutError:  # NoReply is one, too
                result.silent = link.silent
                if result.answered_after is None:
                    raise
            result.mute = await _why_mute(interview)
            if thorough:
                await interview.ask_optional(patience=link.brief)
    except MppdbusError as error:
        result.error = error
    except TimeoutError:
        if result.answered_after is None:
            result.error = LinkError(f"no valid reply within {deadline:g} s")
    if result.silent:
        await _ask_in_modbus(result, baud)
    return result


async def _introduce(interview: Interview, link: Link, result: Detection) -> None:
    """Ask QPI or QPIGS, then queries for the unit's name, then for its family."""
    try:
        known = await interview.hello(attempts=1)
    except PortLost:
        raise
    except LinkError:  # some units lose the first request after a pause
        await asyncio.sleep(timing.SETTLE)
        patience = min(timing.SECOND_HELLO, link.patience)
        known = await interview.hello(attempts=1, patience=patience)
    if not known:  # all PI30 units know QPIGS
        try:
            await interview.read("QPIGS")
        except UnknownLayout as error:
            if error.partial is None:
                raise
    result.answered_after = link.stats.last_exchange
    for _ in range(ROUNDS):
        if not interview.serial_is_sure:
            await interview.ask_serial(attempts=1)
        await interview.ask_again(NAMING, attempts=1)
    for _ in range(ROUNDS):
        await interview.ask_until_sure(LONGER)


async def _why_mute(interview: Interview) -> MppdbusError | None:
    """Return why there are no live values, after asking in two rounds; else None."""
    why: MppdbusError | None = None
    for _ in range(2):
        if "QPIGS" in interview.answers.readings:
            return None
        try:
            await interview.read("QPIGS", attempts=1)
        except PortLost:
            raise
        except (LinkError, ProtocolError) as error:
            why = error
            await asyncio.sleep(timing.SETTLE)
    return None if "QPIGS" in interview.answers.readings else why


async def _ask_in_modbus(result: Detection, baud: int) -> None:
    try:
        if found := await find_modbus(result.port, baud):
            result.error = speaks_modbus(found, result.port)
    except MppdbusError as error:
        result.error = error

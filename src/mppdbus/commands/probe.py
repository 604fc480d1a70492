"""Who is at a port: the few questions that tell an inverter from something else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from mppdbus.commands.readout import kind_of
from mppdbus.commands.target import Target, connected
from mppdbus.errors import (
    LinkError,
    MppdbusError,
    OtherProtocol,
    ProtocolError,
    Refused,
    UnknownLayout,
)
from mppdbus.inverter import Inverter
from mppdbus.link import Priority
from mppdbus.protocol.dialects import Evidence, Identification, bogus_serial, identify
from mppdbus.protocol.fields import Reading
from mppdbus.protocol.models_settings import ModelName, SerialNumber

DEADLINE = 4.3  # s after which a port has said enough
SURE = 0.85  # of the family: the longer replies are not asked for
NAMING = ("QID", "QMN", "QGMN", "QVFW")
LONGER = ("QPIRI", "QPIGS", "QPIWS")


@dataclass(slots=True)
class Probe:
    """What was found at a port: readings of an inverter, or the error."""

    target: Target
    readings: dict[str, Reading] = field(default_factory=dict)
    answered_after: float | None = None  # s, the first reply
    error: MppdbusError | None = None

    @property
    def found(self) -> bool:
        """True when an inverter that speaks PI30 is there."""
        return self.answered_after is not None and self.error is None

    @property
    def identification(self) -> Identification:
        """What the readings tell of the family."""
        return identify(Evidence.gather(self.readings))

    @property
    def serial(self) -> str | None:
        """The serial number, unless it is one that many units give."""
        reading = self.readings.get("QID")
        if not isinstance(reading, SerialNumber) or bogus_serial(reading.serial):
            return None
        return reading.serial

    @property
    def model(self) -> str:
        """What the inverter calls itself, else its family."""
        reading = self.readings.get("QMN")
        if isinstance(reading, ModelName):
            return reading.model
        return self.identification.family

    def evidence(self) -> Iterator[str]:
        """Yield why this is what it is thought to be."""
        said = self.readings.get("QID")
        if self.serial is None and isinstance(said, SerialNumber):
            yield f"QID {said.serial}: a number that many units give"
        yield from self.identification.reasons

    def record(self) -> dict[str, Any]:
        """Return it for scripts."""
        port = {"port": str(self.target.port)}
        if self.error is not None:
            return {**port, "error": f"{kind_of(self.error)}: {self.error}"}
        found = self.identification
        return {
            **port,
            "model": self.model,
            "serial": self.serial,
            "dialect": found.dialect.name,
            "confidence": found.confidence,
            "family": found.family,
            "ms": round((self.answered_after or 0.0) * 1000),
            "evidence": list(self.evidence()),
        }


async def probe(target: Target, *, deadline: float = DEADLINE) -> Probe:
    """Ask who is at a port; returns within `deadline` s and closes the port."""
    result = Probe(target)
    try:
        async with asyncio.timeout(deadline), connected(target) as inverter:
            await _interview(inverter, result)
    except TimeoutError as error:
        if isinstance(error, MppdbusError):  # NoReply is one of them
            result.error = error
        elif result.answered_after is None:
            result.error = LinkError(f"no valid reply within {deadline:g} s")
    except MppdbusError as error:
        result.error = error
    return result


async def _interview(inverter: Inverter, result: Probe) -> None:
    try:
        result.readings["QPI"] = await inverter.read("QPI", priority=Priority.ASK)
    except Refused:  # some PI30 units do not know QPI, but all know QPIGS
        result.readings["QPIGS"] = await inverter.read("QPIGS", priority=Priority.ASK)
    result.answered_after = inverter.link.stats.last_exchange
    for query in (*NAMING, *LONGER):
        if query in result.readings:
            continue
        if query in LONGER and result.identification.confidence >= SURE:
            break
        try:
            reading = await inverter.read(query, priority=Priority.ASK, attempts=1)
        except OtherProtocol:
            raise
        except (LinkError, ProtocolError, UnknownLayout):
            continue
        result.readings[query] = reading

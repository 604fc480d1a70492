"""Who is at a port: the few questions that tell an inverter from something else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from mppdbus.commands.target import Target, connected
from mppdbus.errors import (
    LinkError,
    MppdbusError,
    OtherProtocol,
    PortLost,
    ProtocolError,
    Refused,
    UnknownLayout,
    kind_of,
)
from mppdbus.inverter.device import Inverter
from mppdbus.inverter.link import SETTLE, Priority
from mppdbus.inverter.modbus_probe import find_modbus, speaks_modbus
from mppdbus.inverter.optional_queries import probe as probe_all
from mppdbus.protocol.dialects import Evidence, Identification, bogus_serial, identify
from mppdbus.protocol.optional_queries import (
    CAPABILITIES,
    THINKING,
    Capabilities,
    Outcome,
)
from mppdbus.protocol.replies.fields import Reading
from mppdbus.protocol.replies.settings import ModelName, SerialNumber

DEADLINE = 4.3  # s after which a port has said enough
BRIEF = 0.5  # s that a unit may think when it is asked who it is once more
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
    capabilities: Capabilities | None = None  # only where they were asked for
    silent: bool = False  # not a single byte came

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
            **self._known(),
        }

    def _known(self) -> dict[str, Any]:
        if self.capabilities is None:
            return {}
        outcomes = self.capabilities.outcomes
        return {"capabilities": {query: str(what) for query, what in outcomes.items()}}

    def answers(self) -> list[str]:
        """Return in words what the unit answers and what it does not."""
        if self.capabilities is None:
            return []
        by: dict[Outcome, list[str]] = {}
        for query, what in self.capabilities.outcomes.items():
            by.setdefault(what, []).append(query)
        return [f"{what}: {' '.join(queries)}" for what, queries in by.items()]


async def probe(
    target: Target, *, deadline: float = DEADLINE, thorough: bool = False
) -> Probe:
    """Ask who is at a port; returns within `deadline` s and closes the port.

    Where not a byte came it asks in Modbus, too, for a second more. `thorough` also
    asks what an inverter knows beyond the common queries, which takes as long again as
    there are queries that it leaves unanswered.
    """
    result = await _in_pi30(target, deadline, thorough=thorough)
    if result.silent:
        try:
            if found := await find_modbus(target.port, target.baud):
                result.error = speaks_modbus(found, target.port)
        except MppdbusError as error:
            result.error = error
    return result


async def _in_pi30(target: Target, deadline: float, *, thorough: bool) -> Probe:
    result = Probe(target)
    try:
        async with connected(target) as inverter:
            try:
                async with asyncio.timeout(deadline):
                    await _interview(inverter, result)
            except TimeoutError:  # NoReply is one of them
                result.silent = not inverter.link.stats.wakeups
                raise
            if thorough:
                await _capabilities(inverter, result)
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
        result.readings["QPI"] = await _hello(inverter)
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


async def _hello(inverter: Inverter) -> Reading:
    """Ask QPI; once more if need be, which may have been lost, and then briefly."""
    try:
        return await inverter.read("QPI", priority=Priority.ASK, attempts=1)
    except PortLost:
        raise
    except LinkError:
        await asyncio.sleep(SETTLE)
        patience = min(BRIEF, inverter.link.patience)
        return await inverter.read(
            "QPI", priority=Priority.ASK, attempts=1, patience=patience
        )


async def _capabilities(inverter: Inverter, result: Probe) -> None:
    """Ask each query that may be absent once, with a short time-out."""

    async def ask(query: str, wait: float) -> Reading:
        patience = min(wait, inverter.link.patience)
        return await inverter.read(
            query, priority=Priority.ASK, attempts=1, patience=patience
        )

    known = await probe_all(ask, (*CAPABILITIES,), thinking=THINKING)
    result.capabilities = known
    for query, reading in known.readings.items():
        result.readings.setdefault(query, reading)

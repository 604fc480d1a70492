"""A simulated unit without a line, as control knows it: for thousands of writes."""

# ruff: noqa: ANN401 - arguments that are left out

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from mppdbus.control.known_unit import KnownUnit
from mppdbus.control.settings import QUERIES
from mppdbus.errors import MppdbusError, NoReply
from mppdbus.inverter.link import Link
from mppdbus.protocol.dialects import DIALECTS
from mppdbus.protocol.evidence import Evidence
from mppdbus.protocol.identification import Identification, identify
from mppdbus.protocol.queries import decode
from mppdbus.protocol.replies.fields import Reading
from mppdbus.simulator.unit.inverter import SimulatedInverter

T = TypeVar("T")
NAMING = ("QPI", "QMN", "QGMN", "QVFW", "QPIGS", "QPIGS2", "QPIWS")


class DirectLink(Link):
    """A link without a line, as fast as the simulated unit."""

    def __init__(self, inverter: SimulatedInverter) -> None:
        super().__init__("direct")
        self.inverter = inverter

    async def exchange(self, command: str, accept: Callable[[bytes], T], **_: Any) -> T:
        said = self.inverter.answer(command)
        if said is None:
            raise NoReply(command)
        return accept(said.encode())


class DirectUnit(KnownUnit):
    """A simulated unit as control knows it."""

    def __init__(self, inverter: SimulatedInverter, dialect: str = "") -> None:
        """Take the family from the replies, or from the user (`dialect`)."""
        self.name = inverter.serial
        self._dialect = DIALECTS.get(dialect)
        self._link = DirectLink(inverter)
        self._readings: dict[str, Reading] = {}

    link = property(lambda self: self._link)
    firmware = property(lambda _: "1")
    model = property(lambda self: self.found.family)

    @property
    def found(self) -> Identification:
        found = identify(Evidence.gather(self._readings))
        if self._dialect is None:
            return found
        return replace(found, dialect=self._dialect, confidence=1.0, strongest=1.0)

    def readings(self) -> Mapping[str, Reading]:
        return self._readings

    def age(self, query: str) -> float:
        del query
        return float("inf")

    async def read(self, query: str) -> Reading | None:
        try:
            self._readings[query] = await self._link.exchange(
                query, lambda payload: decode(query, payload)
            )
        except MppdbusError:
            return None
        return self._readings[query]

    async def learn(self) -> DirectUnit:
        for query in (*NAMING, *QUERIES):
            await self.read(query)
        return self

"""An inverter as control needs it: what is known of it, and how it is asked."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace

from mppdbus.control.settings import QUERIES
from mppdbus.errors import LinkError, PortLost, ProtocolError
from mppdbus.inverter.detection import Interview
from mppdbus.inverter.device import Inverter
from mppdbus.inverter.link import Link, Priority
from mppdbus.protocol.identification import Identification
from mppdbus.protocol.replies.fields import Reading
from mppdbus.protocol.replies.settings import Firmware

UNSURE = 0.0  # confidence in a family while the readings contradict each other


class KnownUnit(ABC):
    """One inverter; `name` tells it from others in the journal."""

    name: str

    @property
    @abstractmethod
    def link(self) -> Link:
        """Its line, which may be another one after a reconnection."""

    @property
    @abstractmethod
    def found(self) -> Identification:
        """Its family, and how sure that is."""

    @property
    @abstractmethod
    def model(self) -> str:
        """Its model; "" while unknown."""

    @property
    @abstractmethod
    def firmware(self) -> str:
        """Its firmware; "" while unknown."""

    @abstractmethod
    def readings(self) -> Mapping[str, Reading]:
        """Return the last readings of known layout, by query."""

    @abstractmethod
    def age(self, query: str) -> float:
        """Return how old a reading is, s; infinite if it must be asked anew."""

    @abstractmethod
    async def read(self, query: str) -> Reading | None:
        """Ask, and keep the reading; None if none comes. Raises `PortLost`."""


class InterviewedUnit(KnownUnit):
    """An inverter at a free port. `found` replaces what its replies tell."""

    def __init__(
        self, name: str, link: Link, interview: Interview, found: Identification
    ) -> None:
        self.name = name
        self._link, self._interview, self._found = link, interview, found

    @property
    def link(self) -> Link:
        """Its line."""
        return self._link

    @property
    def found(self) -> Identification:
        """Its family, and how sure that is."""
        return self._found

    @property
    def model(self) -> str:
        """Its model, else its family."""
        return self._interview.answers.model

    @property
    def firmware(self) -> str:
        """Its firmware; "" while unknown."""
        reading = self._interview.answers.readings.get("QVFW")
        return reading.firmware if isinstance(reading, Firmware) else ""

    def readings(self) -> Mapping[str, Reading]:
        """Return the last readings of known layout, by query."""
        answers = self._interview.answers
        return {k: v for k, v in answers.readings.items() if k not in answers.strange}

    def age(self, query: str) -> float:
        """Return infinity: nobody reads the settings again by himself."""
        del query
        return float("inf")

    async def read(self, query: str) -> Reading | None:
        """Ask, and keep the reading; None if none comes. Raises `PortLost`."""
        return await self._interview.try_read(query)


class PolledUnit(KnownUnit):
    """The inverter of a session, which the poller reads all the time."""

    def __init__(self, name: str, inverter: Inverter) -> None:
        self.name = name
        self._inverter = inverter

    @property
    def link(self) -> Link:
        """Its line, which may be another one after a reconnection."""
        return self._inverter.link

    @property
    def found(self) -> Identification:
        """Its family; not sure where the last replies tell another one."""
        found, dialect = self._inverter.identification, self._inverter.dialect
        if found.dialect is dialect:
            return found
        return replace(found, dialect=dialect, confidence=UNSURE)

    @property
    def model(self) -> str:
        """Its model, else its family."""
        return self._inverter.identity.model or self.found.family

    @property
    def firmware(self) -> str:
        """Its firmware; "" while unknown."""
        return self._inverter.identity.firmware or ""

    def readings(self) -> Mapping[str, Reading]:
        """Return the last readings of known layout of `QUERIES`."""
        known = self._inverter.readings.proven()
        return {query: known[query] for query in QUERIES if query in known}

    def age(self, query: str) -> float:
        """Return how old the last reading is, s; infinite if there is none."""
        return self._inverter.readings.age(query)

    async def read(self, query: str) -> Reading | None:
        """Ask, and keep the reading; None if none comes. Raises `PortLost`."""
        inverter = self._inverter
        known = query in inverter.known.answered
        try:
            return await inverter.read(
                query,
                attempts=None if known else 1,
                patience=None if known else inverter.link.brief,
                priority=Priority.ASK,
            )
        except PortLost:
            raise
        except (LinkError, ProtocolError):
            return None

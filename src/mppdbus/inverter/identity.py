"""The identity of a unit: its numbers, names and dialect."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from mppdbus.inverter.parallel_set import OTHERS
from mppdbus.model.snapshot import Identity
from mppdbus.protocol.dialect import Dialect
from mppdbus.protocol.dialects import DIALECTS, UNKNOWN_FAMILY
from mppdbus.protocol.evidence import Evidence
from mppdbus.protocol.identification import Identification, identify
from mppdbus.protocol.replies.fields import Reading
from mppdbus.protocol.replies.settings import ProtocolId, SerialNumber
from mppdbus.protocol.serial_numbers import bogus_serial


class DeviceIdentity:
    """The known identity of a unit; `dialect` is a name, or "auto" to detect it."""

    def __init__(self, dialect: str) -> None:
        self.known = Identity()
        self.fixed = DIALECTS.get(dialect)  # set by the config
        self.dialect: Dialect = self.fixed or UNKNOWN_FAMILY
        self._last_serial: str | None = None
        self._confidence = 0.0
        self._rival: Dialect | None = None  # what the last readings told instead
        self.weighed: set[str] = set()  # queries used to detect the dialect

    def introduce(self, reading: Reading) -> None:
        """Take QPI or QID; a serial number that many units share is ignored.

        A number counts when it comes twice in a row, and stays: another one is another
        unit.
        """
        if isinstance(reading, ProtocolId):
            self.known = replace(self.known, protocol=reading.protocol)
        elif self.known.serial is None and isinstance(reading, SerialNumber):
            serial, before = reading.serial, self._last_serial
            self._last_serial = serial
            if serial == before and not bogus_serial(serial):
                self.known = replace(self.known, serial=serial)

    def refine(
        self,
        readings: Mapping[str, Reading],
        status_payload: bytes | None,
        strange: Iterable[str] = (),
    ) -> Identification:
        """Update dialect and names from all readings, by query, and the bytes of QPIGS.

        `strange` are the queries that were answered in an unknown layout.
        A new kind of reply may change the dialect. New values of the same replies do so
        only with at least the old confidence, and if the next ones tell the same.
        Returns the result with its reasons.
        """
        own = {query: each for query, each in readings.items() if query not in OTHERS}
        evidence = Evidence.gather(own, status_payload, strange)
        found = identify(replace(evidence, protocol=self.known.protocol))
        more = not readings.keys() <= self.weighed
        same = found.dialect in (self.dialect, self._rival)
        sure = same and found.confidence >= self._confidence
        self._rival = found.dialect
        if self.fixed is None and (more or sure):
            self._confidence = found.confidence
            self.dialect = found.dialect
        self.known = replace(
            self.known,
            model=evidence.model_name or self.known.model,
            model_number=evidence.model_number or self.known.model_number,
            firmware=evidence.firmware or self.known.firmware,
            dialect=self.dialect.name,
        )
        if self.fixed is not None:  # the user knows
            return replace(found, dialect=self.fixed, confidence=1.0, strongest=1.0)
        return found

    @property
    def unknown(self) -> Identification:
        """What is found before anything was read."""
        return Identification(self.dialect, 0.0, (), self.dialect.title, None)

"""Who a unit is: its numbers and names, and the dialect that its replies show."""

from collections.abc import Mapping
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
    """What is known of who a unit is; `dialect` is a name, or "auto" to find it out."""

    def __init__(self, dialect: str) -> None:
        self.known = Identity()
        self.fixed = DIALECTS.get(dialect)  # by the config
        self.dialect: Dialect = self.fixed or UNKNOWN_FAMILY
        self._confidence = 0.0
        self.weighed: set[str] = set()  # the queries that the dialect was found by

    def introduce(self, protocol: Reading | None, serial: Reading | None) -> None:
        """Take QPI and QID; a number that many units give is none."""
        if isinstance(protocol, ProtocolId):
            self.known = replace(self.known, protocol=protocol.protocol)
        if isinstance(serial, SerialNumber) and not bogus_serial(serial.serial):
            self.known = replace(self.known, serial=serial.serial)

    def refine(
        self, readings: Mapping[str, Reading], status_payload: bytes | None
    ) -> Identification:
        """Take dialect and names from all readings, by query, and the bytes of QPIGS.

        More replies know better; the same ones with other values only if they are sure.
        Returns what the evidence shows, and why.
        """
        own = {query: each for query, each in readings.items() if query not in OTHERS}
        evidence = Evidence.gather(own, status_payload)
        found = identify(replace(evidence, protocol=self.known.protocol))
        more = not readings.keys() <= self.weighed
        if self.fixed is None and (more or found.confidence >= self._confidence):
            self._confidence = found.confidence
            self.dialect = found.dialect
        self.known = replace(
            self.known,
            model=evidence.model_name or self.known.model,
            model_number=evidence.model_number or self.known.model_number,
            firmware=evidence.firmware or self.known.firmware,
            dialect=self.dialect.name,
        )
        return replace(found, dialect=self.fixed or found.dialect)

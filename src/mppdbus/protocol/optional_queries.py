"""The optional queries, one row each, and which of them one unit has; pure.

`documents` are the letters of the documents that list a query. The files in `dialects`
say which families answer or refuse it; for others it is unknown: ask once and remember.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from mppdbus.protocol.replies.fields import Reading


@dataclass(frozen=True, slots=True)
class Capability:
    """An optional query, and its reply.

    A query with `date`, a format of strftime, takes a date as its argument.
    """

    query: str
    answers: str
    documents: str = ""
    date: str = ""

    def command(self, now: datetime | None = None) -> str | None:
        """Return what to send; None for a dated query while `now` is not known."""
        if not self.date:
            return self.query
        return None if now is None else self.query + now.strftime(self.date)


_ROWS = (
    Capability("QMN", "model name", "C D E F G"),
    Capability("QGMN", "model number", "C D E F G H"),
    Capability("QSID", "serial number of more than 14 characters", "C D E F G H"),
    Capability("QVFW2", "firmware of the solar charger", "A B C D E H"),
    Capability("QVFW3", "firmware of the remote panel", "B C D E F G"),
    Capability("QVFW4", "firmware of a third solar charger", "B"),
    Capability("VERFW:", "firmware of the Bluetooth module", "C D E F G"),
    Capability("QDI", "factory defaults", "A B C D E F G H"),
    Capability("QMCHGCR", "legal values of the charge current", "A B C D E F G H"),
    Capability(
        "QMUCHGCR", "legal values of the utility charge current", "A B C D E F G H"
    ),
    Capability("QMSCHGCR", "legal values of the solar charge current", "B"),
    Capability("QPIGS2", "second tracker, or second phase", "B F G H"),
    Capability("QBEQI", "battery equalization", "C D E F G H"),
    Capability("Q1", "charge stage and temperatures, undocumented"),
    Capability("QOPM", "output mode", "A B H"),
    Capability("QBOOT", "a bootloader is present", "A B"),
    Capability("QT", "the inverter's clock", "C D E F G"),
    Capability("QET", "PV energy ever", "D E F G"),
    Capability("QEY", "PV energy of a year", "D E F G", date="%Y"),
    Capability("QEM", "PV energy of a month", "D E F G", date="%Y%m"),
    Capability("QED", "PV energy of a day", "D E F G", date="%Y%m%d"),
    Capability("QLT", "load energy ever", "D E F G"),
    Capability("QLY", "load energy of a year", "D E F G", date="%Y"),
    Capability("QLM", "load energy of a month", "D E F G", date="%Y%m"),
    Capability("QLD", "load energy of a day", "D E F G", date="%Y%m%d"),
    Capability("QPGS0", "this unit in its parallel set", "A B D E F G H"),
    Capability("QP2GS0", "its trackers 2 and 3, or its second phase", "B H"),
    Capability("Q2PGS0", "its feed-in", "E"),
    Capability("QBMS", "what the BMS says", "D E F G"),
    Capability("QDOP", "the second output", "D"),
    Capability("QOPPT", "output priority by the hour", "C D E F G"),
    Capability("QCHPT", "charger priority by the hour", "C D E F G"),
    Capability("QOPCHT", "both priorities by the hour", "E"),
    Capability("QBATCD", "how the battery may be used", "E"),
    Capability("QLED", "the LED strip", "E F G"),
    Capability("QWFS", "Wi-Fi works", "D G"),
    Capability("QCST", "charging stages", "B"),
    Capability("QCVT", "time at constant voltage", "B"),
    Capability("QCHGS", "charge current and limits, of a UPS"),
    Capability("QMD", "model and ratings, of a UPS"),
    Capability("QBV", "battery voltage and percent, of a UPS"),
    Capability("QWS", "warnings, of a UPS"),
    Capability("QBT", "unknown, of a UPS"),
    Capability("QGR", "unknown, of a UPS"),
    Capability("QFS", "fault values, of a UPS"),
    Capability("QPICF", "unknown"),
    Capability("QPIHF", "unknown"),
    Capability("QLITH0", "what the BMS of a REVO says", "I"),
    Capability("QALL", "all values of a REVO, with a sum for checksum", "I"),
)

CAPABILITIES: MappingProxyType[str, Capability] = MappingProxyType(
    {row.query: row for row in _ROWS}
)


class Outcome(StrEnum):
    """The answer to a query that a unit may lack."""

    ANSWERED = "answered"
    STRANGE = "unknown layout"  # answered, but the words have no known meaning
    REFUSED = "NAK"
    SILENT = "silent"
    DAMAGED = "damaged"  # bytes came, but it is unknown whether the unit has it


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Which queries of `CAPABILITIES` one unit has, and their readings."""

    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    readings: Mapping[str, Reading] = field(default_factory=dict)

    def has(self, query: str) -> bool | None:
        """Tell whether the unit answers a query; None if that is not known."""
        match self.outcomes.get(query):
            case Outcome.ANSWERED | Outcome.STRANGE:
                return True
            case Outcome.REFUSED | Outcome.SILENT:
                return False
            case _:
                return None

    @property
    def unsupported(self) -> frozenset[str]:
        """The queries that need not be asked again before the next connection."""
        return frozenset(query for query in self.outcomes if self.has(query) is False)

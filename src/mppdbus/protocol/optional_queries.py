"""The queries that a unit need not know, one row each, and what one unit knows; pure.

`documents` are the letters of the papers that list a query. Which families answer or
refuse it stands in their files in `dialects`; of all others it is not known: ask once
and remember.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from mppdbus.protocol.replies.fields import Reading


@dataclass(frozen=True, slots=True)
class Capability:
    """A query that may be absent: what it answers, and who has it.

    `longest` is the longest reply on record or on paper in bytes, with checksum and
    end. A query with `date`, a format of strftime, takes a date as its argument.
    """

    query: str
    answers: str
    longest: int
    documents: str = ""
    date: str = ""

    def command(self, now: datetime | None = None) -> str | None:
        """Return what to send; None for a dated query while `now` is not known."""
        if not self.date:
            return self.query
        return None if now is None else self.query + now.strftime(self.date)


_ROWS = (
    Capability("QMN", "model name", 30, "C D E F G"),
    Capability("QGMN", "model number", 7, "C D E F G H"),
    Capability("QSID", "serial number of more than 14 characters", 26, "C D E F G H"),
    Capability("QVFW2", "firmware of the solar charger", 20, "A B C D E H"),
    Capability("QVFW3", "firmware of the remote panel", 20, "B C D E F G"),
    Capability("QVFW4", "firmware of a third solar charger", 20, "B"),
    Capability("VERFW:", "firmware of the Bluetooth module", 20, "C D E F G"),
    Capability("QDI", "factory defaults", 100, "A B C D E F G H"),
    Capability("QMCHGCR", "legal values of the charge current", 68, "A B C D E F G H"),
    Capability(
        "QMUCHGCR", "legal values of the utility charge current", 68, "A B C D E F G H"
    ),
    Capability("QMSCHGCR", "legal values of the solar charge current", 68, "B"),
    Capability("QPIGS2", "second tracker, or second phase", 113, "B F G H"),
    Capability("QBEQI", "battery equalization", 50, "C D E F G H"),
    Capability("Q1", "charge stage and temperatures, undocumented", 120),
    Capability("QOPM", "output mode", 6, "A B H"),
    Capability("QBOOT", "a bootloader is present", 5, "A B"),
    Capability("QT", "the inverter's clock", 18, "C D E F G"),
    Capability("QET", "PV energy ever", 12, "D E F G"),
    Capability("QEY", "PV energy of a year", 12, "D E F G", date="%Y"),
    Capability("QEM", "PV energy of a month", 12, "D E F G", date="%Y%m"),
    Capability("QED", "PV energy of a day", 12, "D E F G", date="%Y%m%d"),
    Capability("QLT", "load energy ever", 12, "D E F G"),
    Capability("QLY", "load energy of a year", 12, "D E F G", date="%Y"),
    Capability("QLM", "load energy of a month", 12, "D E F G", date="%Y%m"),
    Capability("QLD", "load energy of a day", 12, "D E F G", date="%Y%m%d"),
    Capability("QPGS0", "this unit in its parallel set", 150, "A B D E F G H"),
    Capability("QP2GS0", "its trackers 2 and 3, or its second phase", 100, "B H"),
    Capability("Q2PGS0", "its feed-in", 24, "E"),
    Capability("QBMS", "what the BMS says", 43, "D E F G"),
    Capability("QDOP", "the second output", 60, "D"),
    Capability("QOPPT", "output priority by the hour", 68, "C D E F G"),
    Capability("QCHPT", "charger priority by the hour", 68, "C D E F G"),
    Capability("QOPCHT", "both priorities by the hour", 113, "E"),
    Capability("QBATCD", "how the battery may be used", 7, "E"),
    Capability("QLED", "the LED strip", 100, "E F G"),
    Capability("QWFS", "Wi-Fi works", 5, "D G"),
    Capability("QCST", "charging stages", 6, "B"),
    Capability("QCVT", "time at constant voltage", 7, "B"),
    Capability("QCHGS", "charge current and limits, of a UPS", 27),
    Capability("QMD", "model and ratings, of a UPS", 60),
    Capability("QBV", "battery voltage and percent, of a UPS", 16),
    Capability("QWS", "warnings, of a UPS", 100),
    Capability("QBT", "unknown, of a UPS", 60),
    Capability("QGR", "unknown, of a UPS", 60),
    Capability("QFS", "fault values, of a UPS", 120),
    Capability("QPICF", "unknown", 60),
    Capability("QPIHF", "unknown", 60),
    Capability("QLITH0", "what the BMS of a REVO says", 100, "I"),
    Capability("QALL", "all values of a REVO, with a sum for checksum", 120, "I"),
)

CAPABILITIES: MappingProxyType[str, Capability] = MappingProxyType(
    {row.query: row for row in _ROWS}
)


class Outcome(StrEnum):
    """What became of a query that need not exist."""

    ANSWERED = "answered"
    STRANGE = "unknown layout"  # answered, but nobody can say what the words mean
    REFUSED = "NAK"
    SILENT = "silent"
    DAMAGED = "damaged"  # something came, so nothing is known


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one unit knows, by the names of `CAPABILITIES`; `readings` by query."""

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

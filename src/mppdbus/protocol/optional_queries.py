"""The queries that a unit need not know, one row each, and what one unit knows; pure.

`documents` are the letters of the papers that list a query, `seen` and `refused` the
dialects of units that were watched answering it, or refusing it with NAK or silence.
A family in neither is not known: ask once and remember.
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
    seen: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    date: str = ""

    def command(self, now: datetime | None = None) -> str | None:
        """Return what to send; None for a dated query while `now` is not known."""
        if not self.date:
            return self.query
        return None if now is None else self.query + now.strftime(self.date)


def _row(
    query: str,
    answers: str,
    longest: int,
    documents: str = "",
    *,
    seen: str = "",
    refused: str = "",
    date: str = "",
) -> Capability:
    families = tuple(seen.split()), tuple(refused.split())
    return Capability(query, answers, longest, documents, *families, date)


_ROWS = (
    _row("QMN", "model name", 30, "C D E F G",
         seen="pi30vm3 pi30max pi30king pi30lv pi30clone pi30vmii"),
    _row("QGMN", "model number", 7, "C D E F G H",
         seen="pi30max pi30king pi30lv pi30vm3", refused="pi30vmii"),
    _row("QSID", "serial number of more than 14 characters", 26, "C D E F G H",
         seen="pi30vm3 pi30max pi30vmii"),
    _row("QVFW2", "firmware of the solar charger", 20, "A B C D E H",
         seen="pi30ms pi30king pi30vmii", refused="pi30vm3"),
    _row("QVFW3", "firmware of the remote panel", 20, "B C D E F G",
         seen="pi30vm3 pi30max", refused="pi30clone"),
    _row("QVFW4", "firmware of a third solar charger", 20, "B", refused="pi30vm3"),
    _row("VERFW:", "firmware of the Bluetooth module", 20, "C D E F G", seen="pi30max"),
    _row("QDI", "factory defaults", 100, "A B C D E F G H",
         seen="pi30 pi30ms pi30duo pi30vm3 pi30king pi30max pi30vmii"),
    _row("QMCHGCR", "legal values of the charge current", 68, "A B C D E F G H",
         seen="pi30 pi30vm3 pi30max pi30vmii pi30clone"),
    _row("QMUCHGCR", "legal values of the utility charge current", 68,
         "A B C D E F G H", seen="pi30 pi30vm3 pi30max pi30vmii pi30clone"),
    _row("QMSCHGCR", "legal values of the solar charge current", 68, "B"),
    _row("QPIGS2", "second tracker, or second phase", 113, "B F G H",
         seen="pi30max pi30duo pi41", refused="pi30 pi30clone pi30max pi30vm3"),
    _row("QBEQI", "battery equalization", 50, "C D E F G H",
         seen="pi30vm3 pi30max pi30king pi30clone pi30vmii pi30vm4"),
    _row("Q1", "charge stage and temperatures, undocumented", 120,
         seen="pi30 pi30ms pi30vm3 pi30king pi30max pi30lv pi30clone pi30vmii"),
    _row("QOPM", "output mode", 6, "A B H", seen="pi30 pi30king pi30vmii"),
    _row("QBOOT", "a bootloader is present", 5, "A B", seen="pi30 pi30vmii"),
    _row("QT", "the inverter's clock", 18, "C D E F G", seen="pi30max pi30king pi30vm3",
         refused="pi30clone pi30vmii"),
    _row("QET", "PV energy ever", 12, "D E F G", seen="pi30vm3 pi30max pi30king",
         refused="pi30clone pi30vmii"),
    _row("QEY", "PV energy of a year", 12, "D E F G", seen="pi30vm3 pi30max pi30king",
         refused="pi30clone pi30vmii", date="%Y"),
    _row("QEM", "PV energy of a month", 12, "D E F G", seen="pi30vm3 pi30max pi30king",
         refused="pi30clone pi30vmii", date="%Y%m"),
    _row("QED", "PV energy of a day", 12, "D E F G", seen="pi30vm3 pi30max pi30king",
         refused="pi30clone pi30vmii", date="%Y%m%d"),
    _row("QLT", "load energy ever", 12, "D E F G", seen="pi30max",
         refused="pi30vm3 pi30clone pi30vmii"),
    _row("QLY", "load energy of a year", 12, "D E F G", seen="pi30max",
         refused="pi30clone pi30vmii", date="%Y"),
    _row("QLM", "load energy of a month", 12, "D E F G", seen="pi30max",
         refused="pi30clone pi30vmii", date="%Y%m"),
    _row("QLD", "load energy of a day", 12, "D E F G", seen="pi30max",
         refused="pi30clone pi30vmii", date="%Y%m%d"),
    _row("QPGS0", "this unit in its parallel set", 150, "A B D E F G H",
         seen="pi30 pi30ms pi30max pi30lv pi41", refused="pi41"),
    _row("QP2GS0", "its trackers 2 and 3, or its second phase", 100, "B H",
         seen="pi30duo pi41"),
    _row("Q2PGS0", "its feed-in", 24, "E"),
    _row("QBMS", "what the BMS says", 43, "D E F G", seen="pi30king"),
    _row("QDOP", "the second output", 60, "D", seen="pi30vm3 pi30max"),
    _row("QOPPT", "output priority by the hour", 68, "C D E F G", seen="pi30max"),
    _row("QCHPT", "charger priority by the hour", 68, "C D E F G", seen="pi30max"),
    _row("QOPCHT", "both priorities by the hour", 113, "E"),
    _row("QBATCD", "how the battery may be used", 7, "E", refused="pi30max pi30clone"),
    _row("QLED", "the LED strip", 100, "E F G", seen="pi30max"),
    _row("QWFS", "Wi-Fi works", 5, "D G", seen="pi30max"),
    _row("QCST", "charging stages", 6, "B"),
    _row("QCVT", "time at constant voltage", 7, "B"),
    _row("QCHGS", "charge current and limits, of a UPS", 27),
    _row("QMD", "model and ratings, of a UPS", 60, seen="pi30vmii"),
    _row("QBV", "battery voltage and percent, of a UPS", 16, seen="pi30vmii"),
    _row("QWS", "warnings, of a UPS", 100, seen="pi30vmii"),
    _row("QBT", "unknown, of a UPS", 60, seen="pi30vmii"),
    _row("QGR", "unknown, of a UPS", 60, seen="pi30vmii"),
    _row("QFS", "fault values, of a UPS", 120, seen="pi30vmii"),
    _row("QPICF", "unknown", 60, refused="pi30vmii"),
    _row("QPIHF", "unknown", 60, refused="pi30vmii"),
    _row("QLITH0", "what the BMS of a REVO says", 100, "I", seen="revo"),
    _row("QALL", "all values of a REVO, with a sum for checksum", 120, "I",
         seen="revo"),
)  # fmt: skip

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

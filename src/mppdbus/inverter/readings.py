"""Keeps the last reading of each query, and accepts replies of unknown layout."""

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any, cast

from mppdbus.errors import CorruptReply, ProtocolError, UnknownLayout
from mppdbus.protocol.plausibility import Plausibility, Remark
from mppdbus.protocol.queries import Queries, decode
from mppdbus.protocol.replies.fields import Reading
from mppdbus.protocol.replies.settings import Flags, Ratings, RatingsRevo
from mppdbus.protocol.replies.status import (
    DeviceMode,
    GeneralStatus,
    SecondPhase,
    SecondTracker,
    SecondTrackerDuo,
    Warnings,
)
from mppdbus.protocol.vanished import Vanished

# The queries of a snapshot, and the models of their readings.
SHOWN: Mapping[str, tuple[type[Reading], ...]] = {
    "QPIGS": (GeneralStatus,),
    "QPIGS2": (SecondTracker, SecondTrackerDuo, SecondPhase),
    "QMOD": (DeviceMode,),
    "QPIWS": (Warnings,),
    "QPIRI": (Ratings, RatingsRevo),
    "QFLAG": (Flags,),
}


@dataclass(frozen=True, slots=True)
class KeptReading:
    """A reading as received, its plausible part, and its time."""

    reading: Reading
    plausible: Reading
    time: float  # s of the caller's clock
    battery_fitted: bool  # False: it shows a voltage that no such battery has
    proven: Reading | None  # the last one of a known layout, which shows the family


class Readings:
    """Decodes the replies of one unit; `kept` is the last good reading of each query.

    A reply with odd words, or more or fewer of them, is read as far as the layout is
    sure. One of unknown length proves nothing about the family. `payloads` are the last
    bytes of each query. Each problem is logged once.
    """

    def __init__(self, name: str, clock: Callable[[], float]) -> None:
        self.filter = Plausibility(awaits_ratings=True)
        self.kept: dict[str, KeptReading] = {}
        self.payloads: dict[str, bytes] = {}
        self.doubted: dict[str, tuple[Reading, float]] = {}  # with their times, in s
        self._vanished = Vanished()
        self._clock = clock
        self.strange: set[str] = set()  # queries whose last reply proves nothing
        self._accepted: dict[str, int] = {}  # unknown layouts, by their number of words
        self._misfits: dict[str, bytes] = {}  # payloads that fit no known layout
        self._log = logging.getLogger(f"mppdbus.{name}")
        self._logged: set[str] = set()

    # -- decoding -------------------------------------------------------------------

    def decode(self, layouts: Queries, query: str, payload: bytes) -> Reading:
        """Return the reading of a reply; raises as `protocol.queries.decode` does.

        A reply of an unknown layout is read only if one of as many words was accepted.
        """
        try:
            reading = decode(query, payload, layouts)
        except UnknownLayout as error:
            self._misfits[query] = payload
            if self._accepted.get(query) != len(payload.split()):
                raise
            return self._partial(query, error)
        self.payloads[query] = payload
        self.strange.discard(query)
        return reading

    def accept(self, query: str, error: UnknownLayout) -> Reading:
        """Return the readable part of an unknown layout, and accept it from now on.

        Raises `error` if nothing can be read, and `CorruptReply` for another number of
        words than the unit has answered with before.
        """
        if error.partial is None:
            raise error
        known = query in self.kept and query not in self._accepted
        if known and not error.report.proven:
            raise CorruptReply(str(error)) from error
        self._accepted[query] = len(self._misfits[query].split())
        return self._partial(query, error)

    def _partial(self, query: str, error: UnknownLayout) -> Reading:
        self.complain(query, error)
        self.payloads[query] = self._misfits[query]
        self.strange.add(query)
        if error.report.proven:
            self.strange.discard(query)
        return cast("Reading", error.partial)

    def complain(self, query: str, error: UnknownLayout) -> None:
        """Log an unknown layout or an odd word, once, with the words of the reply."""
        words = self._misfits[query].decode("ascii", "backslashreplace")
        odd = next(iter(error.report.unparsed), "") if error.report else ""
        self._log_once(logging.WARNING, f"{query} {odd}", f"{error}: {words}")

    def _log_once(self, level: int, key: str, text: str) -> None:
        if key not in self._logged:
            self._logged.add(key)
            self._log.log(level, "%s", text)

    # -- keeping --------------------------------------------------------------------

    def keep(self, query: str, reading: Reading) -> None:
        """Store a reading, unless it is to be doubted, and its plausible part.

        Another reading that says the same, or a new mode, confirms a doubtful one.
        """
        now = self._clock()
        mode = getattr(self.last("QMOD"), "mode", None)
        if missing := self._vanished.doubts(query, reading, now, mode):
            self.doubted[query] = reading, now
            text = f"{query}: {', '.join(sorted(missing))} gone at once: not yet shown"
            self._log_once(logging.INFO, f"{query} gone", text)
            return
        self.doubted.pop(query, None)
        self._store(query, reading, now)
        if query == "QMOD" and self.doubted:
            self._confirm(getattr(reading, "mode", None))

    def _confirm(self, mode: str | None) -> None:
        """Store the doubtful readings that a new mode confirms."""
        for query, (reading, time) in list(self.doubted.items()):
            if self._vanished.confirms(query, reading, time, mode):
                del self.doubted[query]
                self._store(query, reading, time)

    def _store(self, query: str, reading: Reading, now: float) -> None:
        """Store a reading and its plausible part; log implausible fields once."""
        plausible, remarks = self.filter.check(reading, now)
        fitted = True
        for code, alike in groupby(remarks, key=attrgetter("code")):
            fitted = fitted and code != "no_battery"
            if code != "unrated":  # a second at each start
                self._log_remarks(query, list(alike))
        if isinstance(reading, DeviceMode) and not reading.known:
            text = (
                f"QMOD: no document explains mode {reading.mode!r}; the state is "
                "unknown. Please send a recording; its place is one row of "
                "src/mppdbus/protocol/modes.py"
            )
            self._log_once(logging.WARNING, "mode", text)
        proven: Reading | None = reading
        if query in self.strange:
            proven = self.kept[query].proven if query in self.kept else None
        self.kept[query] = KeptReading(reading, plausible, now, fitted, proven)

    def check_anew(self, query: str) -> None:
        """Check the last reading of `query` again, by ratings that came after it."""
        if (kept := self.kept.get(query)) is not None:
            self._store(query, kept.reading, kept.time)

    def _log_remarks(self, query: str, remarks: list[Remark]) -> None:
        """Log remarks for the same reason in one line, each field once."""
        new = [r for r in remarks if f"{r.code} {r.field}" not in self._logged]
        if new:
            self._logged |= {f"{r.code} {r.field}" for r in new}
            others = ", ".join(remark.field for remark in new[1:])
            also = f" (the same for {others})" if others else ""
            self._log.info("%s: %s%s", query, new[0].text, also)

    def last(self, query: str) -> Reading | None:
        """Return the last reading of `query` as it came, however old."""
        kept = self.kept.get(query)
        return kept.reading if kept else None

    def age(self, query: str) -> float:
        """Return the age of the last reading in s, infinite if there is none."""
        kept = self.kept.get(query)
        return self._clock() - kept.time if kept else float("inf")

    def proven(self) -> dict[str, Reading]:
        """Return the last reading of a known layout of every query."""
        return {
            query: kept.proven
            for query, kept in self.kept.items()
            if kept.proven is not None
        }

    def fresh(self, keep: Mapping[str, float]) -> dict[str, Any]:
        """Return the plausible readings in `SHOWN` that are younger than `keep` s.

        The readings are of the models in `SHOWN`.
        """
        now, found = self._clock(), {}
        for query, models in SHOWN.items():
            kept = self.kept.get(query)
            if kept is None or kept.time < now - keep[query]:
                continue
            if isinstance(kept.plausible, models):
                found[query] = kept.plausible
        return found

    def read_anew(self, before: Queries, after: Queries) -> None:
        """Decode stored replies again after the dialect changed.

        QPIGS is dropped, as live values come again at once. The others are decoded from
        their bytes, and keep their time.
        """
        for query, kept in list(self.kept.items()):
            if after.get(query) == before.get(query):
                continue
            del self.kept[query]
            if query != "QPIGS" and query in self.payloads:
                with suppress(ProtocolError, CorruptReply):
                    again = self.decode(after, query, self.payloads[query])
                    self._store(query, again, kept.time)

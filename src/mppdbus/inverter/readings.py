"""Keeps the last reading of each query, and accepts replies of unknown layout."""

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, cast

from mppdbus.errors import CorruptReply, ProtocolError, UnknownLayout
from mppdbus.protocol.plausibility import Plausibility
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

NEVER_FITS = 4  # replies in a row with the same wrong words: not damage
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
    battery_fitted: bool  # False: it shows 0 to 3 V where a battery goes


class Readings:
    """Decodes the replies of one unit; `kept` is the last good reading of each query.

    A reply that fits no known layout may be damaged, or belong to another request. If
    it comes again in the same shape, it is this unit's layout. `payloads` are the last
    bytes of each query. Each problem is logged once.
    """

    def __init__(self, name: str, clock: Callable[[], float]) -> None:
        self.filter = Plausibility()
        self.kept: dict[str, KeptReading] = {}
        self.payloads: dict[str, bytes] = {}
        self._clock = clock
        self._accepted: set[str] = set()  # queries whose unknown layout came twice
        self._unfit: dict[str, tuple[tuple[str, ...], int]] = {}
        self._log = logging.getLogger(f"mppdbus.{name}")
        self._logged: set[str] = set()

    # -- decoding -------------------------------------------------------------------

    def decode(self, layouts: Queries, query: str, payload: bytes) -> Reading:
        """Return the reading of a reply; raises as `protocol.queries.decode` does."""
        self.payloads[query] = payload
        try:
            return decode(query, payload, layouts)
        except UnknownLayout as error:
            if query in self._accepted and error.partial is not None:
                return cast("Reading", error.partial)
            raise
        except CorruptReply as error:
            return self._repeated(query, error)

    def accept(self, query: str, error: UnknownLayout) -> Reading:
        """Return the readable part of an unknown layout, and accept it from now on.

        Raises `error` if nothing can be read.
        """
        if error.partial is None:
            raise error
        self.complain(query, error)
        self._accepted.add(query)
        return cast("Reading", error.partial)

    def complain(self, query: str, error: UnknownLayout) -> None:
        """Log an unknown layout, once, with the words of the reply."""
        words = self.payloads[query].decode("ascii", "backslashreplace")
        self._log_once(logging.WARNING, query, f"{error}: {words}")

    def _repeated(self, query: str, error: CorruptReply) -> Reading:
        """Return the rest of a reply whose same words never fit; else raise `error`."""
        if error.partial is None:
            raise error
        unfit = tuple(error.report.unparsed)
        before, times = self._unfit.get(query, ((), 0))
        times = times + 1 if unfit == before else 1
        self._unfit[query] = unfit, times
        if times < NEVER_FITS:
            raise error
        self._log_once(logging.WARNING, f"{query} {unfit}", str(error))
        return cast("Reading", error.partial)

    def _log_once(self, level: int, key: str, text: str) -> None:
        if key not in self._logged:
            self._logged.add(key)
            self._log.log(level, "%s", text)

    # -- keeping --------------------------------------------------------------------

    def keep(self, query: str, reading: Reading) -> None:
        """Store a reading and its plausible part; log implausible fields once."""
        now = self._clock()
        plausible, remarks = self.filter.check(reading, now)
        for remark in remarks:
            key, text = f"{remark.code} {remark.field}", f"{query}: {remark.text}"
            self._log_once(logging.INFO, key, text)
        if isinstance(reading, DeviceMode) and not reading.known:
            text = (
                f"QMOD: no document explains mode {reading.mode!r}; the state is "
                "unknown. Please send a recording; its place is one row of "
                "src/mppdbus/protocol/modes.py"
            )
            self._log_once(logging.WARNING, "mode", text)
        fitted = all(remark.code != "no_battery" for remark in remarks)
        self.kept[query] = KeptReading(reading, plausible, now, fitted)

    def last(self, query: str) -> Reading | None:
        """Return the last reading of `query` as it came, however old."""
        kept = self.kept.get(query)
        return kept.reading if kept else None

    def latest(self) -> dict[str, Reading]:
        """Return the last reading of every query as it came, however old."""
        return {query: kept.reading for query, kept in self.kept.items()}

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
                    self.keep(query, self.decode(after, query, self.payloads[query]))
                    self.kept[query] = replace(self.kept[query], time=kept.time)

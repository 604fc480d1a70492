"""Doubts a reply in which voltages are gone that were there a moment ago. Pure.

Some units answer now and then with a sound reply of zeros, most often one of a set.
Mains, output or battery are gone only when another reply says so too, or when the mode
has changed and agrees.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mppdbus.protocol.modes import MODES, Operation, Supply
from mppdbus.protocol.replies.fields import Reading
from mppdbus.protocol.replies.settings import Ratings, RatingsRevo
from mppdbus.protocol.replies.status import DeviceMode, Warnings

REMEMBERED = 60.0  # s after which a reading is too old to be compared
REPLIES = 2  # in a row that say so, before it is believed
REPLIES_AGAINST_MODE = 3  # the same while the mode contradicts them

# V or Hz: what was at least the first number, and is below the second, has gone.
MAINS: dict[str, tuple[float, float]] = {
    "grid_voltage": (30.0, 30.0),
    "grid_frequency": (30.0, 30.0),
}
OUTPUT: dict[str, tuple[float, float]] = {
    "ac_output_voltage": (30.0, 30.0),
    "ac_output_frequency": (30.0, 30.0),
}
LIVE = {
    **MAINS,
    **OUTPUT,
    "battery_voltage": (5.0, 5.0),
    "bus_voltage": (100.0, 10.0),
    "pv_input_voltage": (60.0, 5.0),
    "pv2_voltage": (60.0, 5.0),
    "pv3_voltage": (60.0, 5.0),
}
RATED = {"ac_output_rating_voltage": (30.0, 30.0), "battery_rating_voltage": (5.0, 5.0)}
ANY = LIVE | RATED
NEVER_DOUBTED = (DeviceMode, Warnings)


@dataclass(slots=True)
class _Series:
    """The last believed reading of a kind, its time, and the doubts since then."""

    believed: Reading | None = None
    time: float = 0.0
    missing: frozenset[str] = frozenset()  # in the doubtful readings since
    replies: int = 0
    mode: str | None = None  # at the first of them


class Vanished:
    """Compares the readings of each query to one inverter with those before."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, str | None], _Series] = {}

    def doubts(
        self, query: str, reading: Reading, now: float, mode: str | None
    ) -> frozenset[str]:
        """Return the fields that are gone; none if the reading is to be believed.

        `now` is in s, `mode` the letter of the last QMOD. A reading that says the mode
        itself is compared with that.
        """
        if isinstance(reading, NEVER_DOUBTED):
            return frozenset()
        values = vars(reading)
        mode = values.get("mode", mode)
        series = self._series_of(query, reading)
        if not _any_gone(values):
            self._believe(series, reading, now)
            return frozenset()
        against = frozenset(_against(reading, mode))
        missing = against | frozenset(_gone(reading, series, now))
        if missing:
            again = bool(missing & series.missing)
            series.mode = series.mode if again else mode
            series.replies = series.replies + 1 if again else 1
            series.missing = missing
            if series.replies < (REPLIES_AGAINST_MODE if against else REPLIES):
                return missing
        self._believe(series, reading, now)
        return frozenset()

    def confirms(
        self, query: str, reading: Reading, now: float, mode: str | None
    ) -> bool:
        """Tell whether a new mode confirms the last doubtful reading; believe it then.

        `now` is the time of the reading in s.
        """
        series = self._series_of(query, reading)
        changed = mode is not None and mode != series.mode
        if not series.missing or not changed or [*_against(reading, mode)]:
            return False
        self._believe(series, reading, now)
        return True

    def _series_of(self, query: str, reading: Reading) -> _Series:
        key = query, vars(reading).get("serial")
        if key not in self._series:
            self._series[key] = _Series()
        return self._series[key]

    @staticmethod
    def _believe(series: _Series, reading: Reading, now: float) -> None:
        series.believed, series.time = reading, now
        series.missing, series.replies = frozenset(), 0


def _any_gone(values: Mapping[str, Any]) -> bool:
    """Tell whether any field is so low that there is something to compare."""
    for name, (_, gone) in ANY.items():
        value = values.get(name)
        if value is not None and value < gone:
            return True
    return False


def _gone(reading: Reading, series: _Series, now: float) -> Iterator[str]:
    """Yield the fields that are zero, but were not in the last believed reading."""
    rated = isinstance(reading, Ratings | RatingsRevo)
    if series.believed is None or (not rated and now - series.time > REMEMBERED):
        return
    before, after = vars(series.believed), vars(reading)
    for name, (there, gone) in (RATED if rated else LIVE).items():
        was, value = before.get(name), after.get(name)
        if was is not None and value is not None and was >= there and value < gone:
            yield name


def _against(reading: Reading, mode: str | None) -> Iterator[str]:
    """Yield the fields that are zero, although the mode needs them.

    Ratings need theirs in every mode.
    """
    if isinstance(reading, Ratings | RatingsRevo):
        needed: Mapping[str, tuple[float, float]] = RATED
    elif (row := MODES.get(mode or "")) is None:
        return
    elif row.supply is Supply.MAINS:
        needed = MAINS | OUTPUT
    elif row.operation is Operation.INVERTING:
        needed = OUTPUT
    else:
        return
    values = vars(reading)
    for name, (_, gone) in needed.items():
        value = values.get(name)
        if value is not None and value < gone:
            yield name

"""Thirty-one days of one inverter, by the site's own calendar. Pure.

The caller gives the date. The energy between two samples belongs to the day of the
second one, so at midnight at most the energy of one poll goes to the wrong day.

Clocks step. A date before 2024 comes from a clock that is not set yet: the day goes on.
A step forward begins one new day; days keep their dates, so skipped days show as
missing. A step backward begins no day: the present day goes on under its date. When a
midnight passes on a clock that is still behind, that clock counts as right, and an old
day with its date is continued.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Annotated

from pydantic import Field

from mppdbus.model.energy.flows import Amount
from mppdbus.model.energy.integrator import Step
from mppdbus.model.energy.meter_follower import DAY_STEP, Follower
from mppdbus.model.energy.sample import Sample
from mppdbus.model.power import Flow
from mppdbus.model.victron_codes import State

DAYS = 31
FIRST_DATE = date(2024, 1, 1)
MOST_A_DAY = 300.0  # kWh of PV; twice what the largest units could make
CLOCKS_AGREE = timedelta(minutes=90)  # summer time not set on one clock, and drift

Extreme = Annotated[float, Field(allow_inf_nan=False)] | None


@dataclass(slots=True)
class TrackerDay:
    """One tracker on one day: kWh, W, V."""

    count: Amount = 0.0
    max_power: Extreme = None
    max_voltage: Extreme = None


@dataclass(slots=True)
class Day:
    """One day: energy in kWh, the highest and lowest in W, V and A, minutes by stage.

    `when` is the date; None until a clock is set.
    """

    when: date | None = None
    pv: Follower = field(default_factory=Follower)
    max_power: Extreme = None
    max_pv_voltage: Extreme = None
    max_battery_voltage: Extreme = None
    min_battery_voltage: Extreme = None
    max_battery_current: Extreme = None  # A, charging
    minutes_in_bulk: Amount = 0.0
    minutes_in_absorption: Amount = 0.0
    minutes_in_float: Amount = 0.0
    trackers: list[TrackerDay] = field(default_factory=list)

    def tracker(self, index: int) -> TrackerDay:
        """Return the day of a tracker, new if there was none."""
        while len(self.trackers) <= index:
            self.trackers.append(TrackerDay())
        return self.trackers[index]


@dataclass(slots=True)
class Overall:
    """The highest and lowest V since the first start."""

    max_pv_voltage: Extreme = None
    max_battery_voltage: Extreme = None
    min_battery_voltage: Extreme = None


@dataclass(slots=True)
class History:
    """The days; the first of `days` is today, the others have no order."""

    days: Annotated[list[Day], Field(min_length=1)] = field(
        default_factory=lambda: [Day()]
    )
    overall: Overall = field(default_factory=Overall)
    behind: date | None = None  # date of a clock that was set back

    @property
    def today(self) -> Day:
        """The day that is being counted."""
        return self.days[0]

    @property
    def available(self) -> int:
        """The number of days from the oldest day that can be shown to today."""
        today = self.today.when
        if today is None:
            return 1
        ages = ((today - day.when).days for day in self.days if day.when is not None)
        return 1 + max((age for age in ages if 0 <= age < DAYS), default=0)

    def day(self, age: int) -> Day | None:
        """Return the day `age` days ago, 0 is today; None if nothing is known of it."""
        if age == 0 or self.today.when is None:
            return self.today if age == 0 else None
        return self._dated(self.today.when - timedelta(days=age))

    def turn(self, today: date) -> None:
        """Take the date with every sample; begin a new day when the date changes."""
        if today < FIRST_DATE:
            return
        current = self.today.when = self.today.when or today
        passed = self.behind is not None and self.behind < today < current
        if today > current or passed:
            self._begin(today)
            current = today
        self.behind = today if today < current else None

    def add(self, step: Step, pv: float) -> None:
        """Add a step to today, and `pv` kWh of yield, corrected by the meter."""
        self.today.pv.add(pv)
        for index, kwh in enumerate(step.trackers):
            if kwh is not None:
                self.today.tracker(index).count += kwh

    def spend(self, seconds: float, stage: State | None) -> None:
        """Add the time that the battery was in a stage of charging."""
        minutes = seconds / 60.0
        match stage:
            case State.BULK:
                self.today.minutes_in_bulk += minutes
            case State.ABSORPTION:
                self.today.minutes_in_absorption += minutes
            case State.FLOAT:
                self.today.minutes_in_float += minutes

    def observe(self, before: Sample, now: Sample) -> None:
        """Update the highest and lowest values from two samples in a row.

        A record needs both samples, so one bad reading makes none.
        """
        day, overall = self.today, self.overall
        day.max_power = _top(day.max_power, before.flow.pv_total, now.flow.pv_total)
        volts = _most(before.pv_voltages), _most(now.pv_voltages)
        day.max_pv_voltage = _top(day.max_pv_voltage, *volts)
        overall.max_pv_voltage = _top(overall.max_pv_voltage, *volts)
        self._observe_battery(before, now)
        for index, pair in enumerate(zip(before.flow.pv, now.flow.pv, strict=False)):
            tracker = day.tracker(index)
            tracker.max_power = _top(tracker.max_power, *pair)
        pairs = zip(before.pv_voltages, now.pv_voltages, strict=False)
        for index, pair in enumerate(pairs):
            tracker = day.tracker(index)
            tracker.max_voltage = _top(tracker.max_voltage, *pair)

    def read_day(self, when: date, kwh: float) -> None:
        """Take the yield of a day from the inverter's own meter, QED.

        Today's yield follows the meter, as the total does. For a past day the value of
        the meter replaces ours; a day that we did not count is added.
        """
        current = self.today.when
        if current is None or not 0.0 < kwh <= MOST_A_DAY:
            return
        if when == current:
            self.today.pv.read(kwh, most=MOST_A_DAY, step=DAY_STEP)
            return
        if not 0 < (current - when).days < DAYS:
            return
        day = self._dated(when)
        if day is None:
            day = Day(when)
            self.days.append(day)
            self._forget_the_farthest()
        day.pv.close(kwh)

    def _observe_battery(self, before: Sample, now: Sample) -> None:
        day, overall = self.today, self.overall
        volts = before.flow.battery_voltage, now.flow.battery_voltage
        amps = _charging(before.flow), _charging(now.flow)
        day.max_battery_voltage = _top(day.max_battery_voltage, *volts)
        day.min_battery_voltage = _bottom(day.min_battery_voltage, *volts)
        overall.max_battery_voltage = _top(overall.max_battery_voltage, *volts)
        overall.min_battery_voltage = _bottom(overall.min_battery_voltage, *volts)
        day.max_battery_current = _top(day.max_battery_current, *amps)

    def _dated(self, when: date) -> Day | None:
        return next((day for day in self.days if day.when == when), None)

    def _begin(self, today: date) -> None:
        """Begin a day, or continue the stored day of that date."""
        day = self._dated(today) or Day(today)
        self.days = [day, *(other for other in self.days if other is not day)]
        self._forget_the_farthest()

    def _forget_the_farthest(self) -> None:
        """Drop the days farthest from today, beyond those that can be shown."""
        today = self.today.when
        if today is None or len(self.days) <= DAYS:
            return
        rest = [day for day in self.days[1:] if day.when is not None]
        rest.sort(key=lambda day: abs(today - (day.when or today)))
        self.days = [self.today, *rest[: DAYS - 1]]


def clocks_agree(inverter: datetime, ours: datetime) -> bool:
    """Tell whether the days of the inverter's clock (QT) are those of ours.

    Both in local time without zone. If they differ, QED is of other days: ignore it.
    """
    return abs(inverter - ours) <= CLOCKS_AGREE


def _charging(flow: Flow) -> float | None:
    return None if flow.battery_current is None else max(flow.battery_current, 0.0)


def _most(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _top(known: float | None, one: float | None, two: float | None) -> float | None:
    return _record(known, one, two, within=min, over=max)


def _bottom(known: float | None, one: float | None, two: float | None) -> float | None:
    return _record(known, one, two, within=max, over=min)


def _record(
    known: float | None,
    one: float | None,
    two: float | None,
    *,
    within: Callable[[float, float], float],
    over: Callable[[float, float], float],
) -> float | None:
    if one is None or two is None:
        return known
    shown = within(one, two)
    return shown if known is None else over(known, shown)

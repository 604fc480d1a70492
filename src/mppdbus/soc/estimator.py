"""The state of charge of a battery that no shunt and no BMS watches. Pure.

Amperes are counted; whatever tells more corrects the count and what it rests on: a full
battery, an empty one, the voltage at rest, and the user.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from mppdbus.errors import ConfigError
from mppdbus.victron import State

from .filter import (
    CHARGE,
    CHARGE_ROW,
    EFFICIENCY,
    HIDDEN,
    OFFSET,
    OWN,
    Filter,
)
from .lessons import Lessons
from .marks import Watch
from .meter import MOST_A, Amps, Reading, judge, reading, real
from .model import BatteryModel
from .state import Anchor, SocState, pack, unpack
from .words import FULL, UNKNOWN, explain

LONGEST_S = 150.0  # between two readings that still count as one stretch
BRIDGED_S = 900.0  # so long things are taken to have gone on as before
AWAY_S = 3600.0  # after this, what the voltage says is worth a look at once
UNKNOWN_AWAY_S = 86400.0
LOOK_S = 900.0  # between two looks at the voltage
HOUR, DAY = 3600.0, 86400.0

START = (50.0, 30.0)  # % and its uncertainty, before anything is known
OFFSET_SIGMA = 0.8  # A
OWN_W, OWN_SIGMA = 0.9, 0.5  # W of consumption per V of the battery
HIDDEN_W, HIDDEN_SIGMA = 25.0, 25.0
SOC_BOUNDS = (-20.0, 120.0)
OVER, UNDER = 104.0, 0.0  # %: here the count contradicts itself
WANDER_H = 1.0  # for so long an error of the current goes on, as a rule
DRIFT_A2, DRIFT_W2 = 0.004, 25.0  # a day
UNSEEN = 5.0  # % an hour that a battery may gain or lose unseen
UNSEEN_MOST = 40.0  # %
BY_HAND = 2.0  # %: how well people know
OVERRULES = 95.0  # %: who says less does not believe in a full battery
SURE, WILD = 15.0, 30.0  # %: least uncertainty of a first look, at rest and not

_NOTHING = Amps(0.0)


@dataclass(slots=True)
class _Times:
    """How long ago the count began, how much of it was missed, and the last full."""

    age: float = 0.0
    unseen: float = 0.0
    full: float | None = None

    def go_on(self, seconds: float) -> None:
        self.age += seconds
        if self.full is not None:
            self.full += seconds


class SocEstimator:
    """Follows one battery; feed it every reading, also the missing ones.

    `state` is what an earlier one kept, and `away` for how many seconds nobody looked
    since then; None if that is not known.
    """

    def __init__(
        self,
        battery: BatteryModel,
        state: SocState | None = None,
        *,
        away: float | None = None,
    ) -> None:
        self.battery = battery
        self._filter = _fresh(battery)
        self._anchor, self._anchor_soc = Anchor.GUESS, START[0]
        self._times = _Times()
        self._known = False
        self._now: float | None = None
        self._gap_s = 0.0
        self._last = _NOTHING
        self._look_s = self._old_s = 0.0  # since looking at the voltage, growing old
        self._holding = False
        self._overruled = False  # the user does not believe that it is full
        if state is not None and state.sound:
            self._restore(state, away)
        ohms = state.ohms if self._known and state else None
        self._lessons = Lessons(battery, self._filter, ohms)
        self._watch = Watch(battery)

    @property
    def soc(self) -> float | None:
        """State of charge, 0 to 100 %; None before the first reading."""
        if not self._known:
            return None
        return min(max(self._filter.values[CHARGE], 0.0), 100.0)

    @property
    def margin(self) -> float | None:
        """± % that hold 19 times of 20; None as `soc`."""
        return min(2 * self._sigma(self._gap_s), 100.0) if self._known else None

    @property
    def confidence(self) -> float:
        """1 is certain; 0 is not known, or ± 50 % and more."""
        return max(1.0 - (self.margin or 100.0) / 50.0, 0.0)

    @property
    def full(self) -> bool:
        """Whether the battery is full now."""
        return self._known and self._holding

    @property
    def offset(self) -> float:
        """A that the inverter's reading is too high, as far as known."""
        return self._filter.values[OFFSET]

    @property
    def current(self) -> float | None:
        """A into the battery by our best knowledge; None while not read.

        Estimated where the inverter rounds, and reads 0 at small loads.
        """
        return self._last.amps if self._now is not None and not self._gap_s else None

    @property
    def why(self) -> str:
        """One or two plain sentences about where the value comes from."""
        if not self._known:
            return UNKNOWN
        if self._holding:
            return FULL
        return explain(
            self._anchor,
            self.margin or 0.0,
            age_s=self._times.age,
            unseen_s=self._times.unseen,
            full_age_s=self._times.full,
            offset=self.offset,
        )

    @property
    def state(self) -> SocState | None:
        """What to keep; None as `soc`."""
        if not self._known:
            return None
        values, covariance = pack(self._filter)
        return SocState(
            chemistry=self.battery.chemistry,
            units=self.battery.units,
            values=values,
            covariance=covariance,
            anchor=self._anchor,
            anchor_soc=self._anchor_soc,
            age_s=round(self._times.age),
            unseen_s=round(self._times.unseen),
            gap_s=round(self._gap_s),
            full_age_s=self._times.full,
            ohms=self._lessons.ohms,
            amps=self._last.amps,
        )

    def use(self, battery: BatteryModel) -> None:
        """Go on with another model of the same battery: other settings of a charger."""
        self.battery = self._lessons.battery = battery
        self._watch = Watch(battery)

    def correct(self, soc: float) -> None:
        """Take the user's word, 0 to 100 %; raises `ConfigError` for anything else."""
        if not 0 <= soc <= 100:
            raise ConfigError(f"a state of charge is 0 to 100 %, not {soc}")
        self._filter.settle(soc, BY_HAND)
        self._overruled = self._holding and soc < OVERRULES
        self._holding = False
        self._known, self._gap_s = True, 0.0
        self._begin(Anchor.HAND)

    def feed(
        self,
        voltage: float | None,
        current: float | None,
        now: float,
        *,
        stage: State | None = None,
        load_w: float | None = None,
        pv_w: float | None = None,
        mode: str | None = None,
        under_voltage: bool = False,
        missing: float = 0.0,
    ) -> None:
        """Take a reading of V and A (positive charging), at `now` s of a steady clock.

        All units of the bank as one: sums of current, load and sun; `missing` is the
        share of the units that these lack. `mode` is the letter of QMOD, `stage` how it
        is being charged, `under_voltage` QPIWS a14. None and what no battery can have
        is taken for not read. Raises ValueError, and takes nothing, when the clock went
        backwards.
        """
        if not math.isfinite(now):
            raise ValueError(f"{now} is no time")
        if self._now is not None and now < self._now:
            raise ValueError(f"time went backwards, from {self._now} s to {now} s")
        seconds = 0.0 if self._now is None else now - self._now
        self._now = now
        self._gap_s += seconds
        self._times.go_on(seconds)
        battery = self.battery
        volts, amps = float(voltage or 0.0), float(current or 0.0)
        if not real(current, MOST_A * battery.units) or not battery.plausible(volts):
            return
        at = reading(battery, volts, amps, load_w=load_w, pv_w=pv_w, mode=mode)
        if missing:
            self._doubt(missing, min(self._gap_s, LONGEST_S))
        self._take(at, stage, under_voltage=under_voltage)

    def _take(self, at: Reading, stage: State | None, *, under_voltage: bool) -> None:
        elapsed, self._gap_s = self._gap_s, 0.0
        likely = judge(at, self.battery.units, self._filter)
        rest_v = at.volts - likely.amps * self._lessons.ohms
        first, self._known = not self._known, True
        if elapsed <= BRIDGED_S and not first:
            self._count(likely, elapsed)
        self._last = likely
        if elapsed > LONGEST_S or first:
            self._miss(elapsed)
        if elapsed > AWAY_S or first:
            most = 2 * self.battery.cell.rest_current * self.battery.capacity_ah
            calm = abs(likely.amps) <= most
            soc, sigma = self.battery.soc_at(rest_v, 2.0)
            self._look(soc, max(sigma, SURE if calm else WILD), Anchor.GUESS)
        seen = elapsed if elapsed <= LONGEST_S and not first else 0.0
        self._watch.feed(at.volts, likely.amps, rest_v, seen, stage)
        floating = self._watch.floating and at.volts >= self.battery.float_reached_v
        self._lessons.feed(at, seen, floating=floating)
        self._mark(rest_v, seen, likely.amps, under_voltage=under_voltage)

    def _count(self, likely: Amps, seconds: float) -> None:
        """Let what flowed then and flows now have flowed for `seconds`, in the mean."""
        kept = self._filter
        amps = (likely.amps + self._last.amps) / 2
        pairs = zip(likely.slopes, self._last.slopes, strict=True)
        slopes = [(one + other) / 2 for one, other in pairs]
        per_amp = 100.0 * seconds / HOUR / self.battery.capacity_ah
        gain = per_amp * (kept.values[EFFICIENCY] if amps > 0 else 1.0)
        rest = (gain * slopes[OWN], gain * slopes[HIDDEN])
        row = (0.0, gain * slopes[OFFSET], per_amp * max(amps, 0.0), *rest)
        kept.advance(gain * amps, row)
        drift = per_amp * likely.blur
        kept.blur(CHARGE, 2 * drift**2 * WANDER_H * HOUR / max(seconds, 1.0))
        self._grow_old(seconds)
        if kept.values[CHARGE] > OVER:
            kept.observe(CHARGE_ROW, 100.0, 1.5)
        elif kept.values[CHARGE] < UNDER:
            kept.observe(CHARGE_ROW, 3.0, 3.0)

    def _grow_old(self, seconds: float) -> None:
        """Trust the lessons of long ago less; in steps of some minutes."""
        self._old_s += seconds
        if self._old_s < LOOK_S:
            return
        kept, units = self._filter, self.battery.units
        days, self._old_s = units**2 * self._old_s / DAY, 0.0
        kept.blur(OFFSET, DRIFT_A2 * days, (OFFSET_SIGMA * units) ** 2)
        for unknown in (OWN, HIDDEN):
            kept.blur(unknown, DRIFT_W2 * days, (HIDDEN_SIGMA * units) ** 2)

    def _doubt(self, missing: float, seconds: float) -> None:
        """Take note that a part of what flowed in the last `seconds` was not seen."""
        sigma = UNSEEN * missing
        more = 2 * sigma**2 * WANDER_H * seconds / HOUR
        self._filter.blur(CHARGE, more, UNSEEN_MOST**2)
        self._times.unseen += missing * seconds

    def _miss(self, seconds: float) -> None:
        """Take note that nobody saw the last `seconds`."""
        sigma = UNSEEN * seconds / HOUR
        self._filter.blur(CHARGE, sigma * sigma, UNSEEN_MOST**2)
        self._times.unseen += seconds
        self._watch = Watch(self.battery)
        self._lessons.forget()
        self._holding = False

    def _mark(
        self, rest_v: float, seconds: float, amps: float, *, under_voltage: bool
    ) -> None:
        battery, watch = self.battery, self._watch
        self._look_s += seconds
        if watch.charged or watch.floating:
            if not self._overruled:
                self._fill()
            return
        self._holding = self._overruled = False
        if self._look_s < LOOK_S:
            return
        if watch.at_knee:
            self._empty(*battery.soc_at(rest_v, 2.0, least=battery.cell.foot))
        elif under_voltage and amps <= 0:
            volts = battery.cutoff_v or battery.cell.knee_v * battery.in_series
            self._empty(battery.soc_at(volts, 0.0)[0] + 3.0, 8.0)
        elif watch.rested:
            self._look(*battery.soc_at(rest_v, 1.0), Anchor.REST)
        else:
            return
        self._look_s = 0.0

    def _fill(self) -> None:
        """Take note that the battery is full, and learn from what the count said."""
        soc, sigma = self.battery.when_charged
        if not self._watch.charged:
            least = self.battery.when_floating
            soc, sigma = min(max(self._filter.values[CHARGE], least), 100.0), 1.5
        if not self._holding:
            self._filter.observe(CHARGE_ROW, soc, sigma)
        self._holding = True
        self._filter.settle(soc, sigma)
        self._times.full = 0.0
        self._begin(Anchor.FULL)

    def _empty(self, soc: float, sigma: float) -> None:
        """Take note that there is no more than `soc` in it."""
        above = self._filter.values[CHARGE] - soc
        if above > 2 * sigma:
            self._filter.settle(soc, sigma)
            self._begin(Anchor.LOW)
        elif above > 0:
            self._look(soc, sigma, Anchor.LOW)

    def _look(self, soc: float, sigma: float, anchor: Anchor) -> None:
        """Take a hint about the charge, if it is worth more than the count."""
        if self._sigma() <= sigma:
            return
        self._filter.blur(CHARGE, self._capacity_sigma() ** 2)
        self._filter.observe(CHARGE_ROW, soc, sigma)
        self._begin(anchor)

    def _begin(self, anchor: Anchor) -> None:
        self._anchor, self._anchor_soc = anchor, self._filter.values[CHARGE]
        self._times.age = self._times.unseen = 0.0

    def _capacity_sigma(self) -> float:
        moved = abs(self._filter.values[CHARGE] - self._anchor_soc)
        return self.battery.capacity_blur * moved

    def _sigma(self, unseen_s: float = 0.0) -> float:
        """Return the standard deviation of the charge, %."""
        unseen = UNSEEN * unseen_s / HOUR if unseen_s > LONGEST_S else 0.0
        own = self._filter.sigma(CHARGE)
        sigma = math.hypot(own, self._capacity_sigma(), unseen)
        return max(min(sigma, UNSEEN_MOST), own)

    def _restore(self, state: SocState, away: float | None) -> None:
        unpack(state, self._filter)
        battery = self.battery
        if (state.chemistry, state.units) != (battery.chemistry, battery.units):
            soc, sigma = self._filter.values[CHARGE], self._filter.sigma(CHARGE)
            self._filter = _fresh(self.battery)
            self._filter.settle(soc, sigma)
        self._anchor, self._anchor_soc = state.anchor, state.anchor_soc
        self._times = _Times(state.age_s, state.unseen_s, state.full_age_s)
        self._last = Amps(state.amps or 0.0)
        known = away is not None and math.isfinite(away) and away >= 0
        away = float(away or 0.0) if known else UNKNOWN_AWAY_S
        self._gap_s = max(state.gap_s, 0.0) + away
        self._times.go_on(away)
        self._known = True


def _fresh(battery: BatteryModel) -> Filter:
    """Return a filter that knows what is typical."""
    mean, sigma = battery.cell.efficiency
    if battery.efficiency is not None:
        mean, sigma = battery.efficiency, 0.002
    own_w, own_sigma = _own(battery)
    units = battery.units
    reach = 3 * OFFSET_SIGMA * units
    return Filter(
        (START[0], 0.0, mean, own_w, HIDDEN_W * units),
        (START[1], OFFSET_SIGMA * units, sigma, own_sigma, HIDDEN_SIGMA * units),
        (
            SOC_BOUNDS,
            (-reach, reach),
            (mean - 4 * sigma, 1.0),
            (0.0, 5 * own_w),
            (0.0, 5 * HIDDEN_W * units),
        ),
    )


def _own(battery: BatteryModel) -> tuple[float, float]:
    scale = battery.nominal_voltage * battery.units
    return OWN_W * scale, OWN_SIGMA * scale

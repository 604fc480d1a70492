"""The state of charge of a battery that no shunt and no BMS watches. Pure.

Amperes are counted; whatever tells more corrects the count and what it rests on: a full
battery, an empty one, the voltage at rest, and the user.
"""

from __future__ import annotations

import math
from dataclasses import replace

from mppdbus.errors import ConfigError
from mppdbus.model.battery.charge_marks import Smooth, Watch
from mppdbus.model.battery.current_meter import (
    MOST_A,
    Amps,
    Reading,
    judge,
    reading,
    real,
)
from mppdbus.model.battery.description import BatteryModel
from mppdbus.model.battery.estimator_state import Anchor, SocState, Times, pack, unpack
from mppdbus.model.battery.kalman_filter import (
    CHARGE,
    CHARGE_ROW,
    EFFICIENCY,
    HIDDEN,
    OFFSET,
    OWN,
)
from mppdbus.model.battery.learning import Lessons
from mppdbus.model.battery.rest_voltage import guess, look
from mppdbus.model.battery.sentence import FULL, UNKNOWN, explain
from mppdbus.model.battery.typical_values import START, fresh, grow_old
from mppdbus.model.victron_codes import State

LONGEST_S = 150.0  # between two readings that still count as one stretch
AWAY_S = 3600.0  # so long things are taken to have gone on; then the voltage counts
UNKNOWN_AWAY_S = 86400.0
LOOK_S = 900.0  # between two looks at the voltage
HOUR = 3600.0

OVER, UNDER = 104.0, 0.0  # %: here the count contradicts itself
OVER_BLUR = 1.5  # %
WANDER_H = 1.0  # for so long an error of the current goes on, as a rule
UNSEEN = 5.0  # % an hour that a battery may gain or lose unseen
UNSEEN_MOST = 40.0  # %
USUAL_S = 1800.0  # over so long what flows is averaged, for when nobody looks
BRIDGE_BLUR = 0.3  # of what is taken to have flowed unseen
BY_HAND = 2.0  # %: how well people know
OVERRULES = 95.0  # %: who says less does not believe in a full battery

_NOTHING = Amps(0.0)


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
        self._filter = fresh(battery)
        self._anchor, self._anchor_soc = Anchor.GUESS, START[0]
        self._times = Times()
        self._known = False
        self._now: float | None = None
        self._gap_s = 0.0
        self._last = _NOTHING
        self._usual = Smooth(span_s=USUAL_S)
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
            mean_amps=self._usual.value,
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
        if elapsed <= LONGEST_S and not first:
            self._count(likely, elapsed)
        elif elapsed <= AWAY_S and not first:
            self._bridge(likely, elapsed)
        self._last = likely
        if elapsed > LONGEST_S or first:
            self._miss(elapsed)
        if elapsed > AWAY_S or first:
            self._guess(rest_v, likely.amps, first=first)
        seen = elapsed if elapsed <= LONGEST_S and not first else 0.0
        self._usual.feed(likely.amps, seen)
        self._watch.feed(at.volts, likely.amps, rest_v, seen, stage)
        settled = self._watch.settled and at.volts >= self.battery.float_reached_v
        self._lessons.feed(at, seen, floating=settled)
        self._mark(rest_v, seen, likely.amps, under_voltage=under_voltage)

    def _guess(self, rest_v: float, amps: float, *, first: bool) -> None:
        """See what the voltage says after a time that nobody saw."""
        soc, sigma = guess(self.battery, rest_v, amps, self._filter)
        if not first:
            self._look(soc, sigma, Anchor.GUESS)
            return
        self._filter.settle(soc, sigma)
        self._begin(Anchor.GUESS)

    def _bridge(self, likely: Amps, seconds: float) -> None:
        """Let what flows as a rule have flowed for `seconds` that nobody saw.

        The middle one of before, now, and the mean before: a kettle is none of it.
        """
        usual = replace(likely, amps=self._usual.value or 0.0)
        middle = sorted((likely, self._last, usual), key=lambda one: one.amps)[1]
        self._last = middle
        self._count(middle, seconds)
        moved = 100 * middle.amps * seconds / HOUR / self.battery.capacity_ah
        self._filter.blur(CHARGE, (BRIDGE_BLUR * moved) ** 2, UNSEEN_MOST**2)

    def _count(self, likely: Amps, seconds: float) -> None:
        """Let what flowed then and flows now have flowed for `seconds`, in the mean."""
        kept = self._filter
        amps = (likely.amps + self._last.amps) / 2
        pairs = zip(likely.slopes, self._last.slopes, strict=True)
        slopes = [(one + other) / 2 for one, other in pairs]
        per_amp = 100.0 * seconds / HOUR / self.battery.capacity_ah
        gain = per_amp * (kept.values[EFFICIENCY] if amps > 0 else 1.0)
        rest = (gain * slopes[OWN], gain * slopes[HIDDEN])
        row = (0.0, gain * slopes[OFFSET], per_amp * max(amps, 0.0), *rest, 0.0)
        kept.advance(gain * amps, row)
        drift = per_amp * likely.blur
        kept.blur(CHARGE, 2 * drift**2 * WANDER_H * HOUR / max(seconds, 1.0))
        self._grow_old(seconds)
        if kept.values[CHARGE] > OVER:
            blur = math.hypot(OVER_BLUR, self._capacity_sigma())
            kept.observe(CHARGE_ROW, 100.0, blur)
        elif kept.values[CHARGE] < UNDER:
            self._count_less_than_none()

    def _count_less_than_none(self) -> None:
        """Bring back a count below empty: it is wrong, or the capacity."""
        kept, foot = self._filter, self.battery.cell.foot
        kept.blur(CHARGE, self._capacity_sigma() ** 2, UNSEEN_MOST**2)
        blur = math.hypot(foot, 100 * self.battery.capacity_blur)
        if not kept.hint(CHARGE_ROW, foot / 2, blur):
            kept.values[CHARGE] = UNDER
        self._anchor_soc = kept.values[CHARGE]

    def _grow_old(self, seconds: float) -> None:
        """Trust the lessons of long ago less; in steps of some minutes."""
        self._old_s += seconds
        if self._old_s < LOOK_S:
            return
        grow_old(self._filter, self.battery, self._old_s)
        self._old_s = 0.0

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
            self._rest(rest_v)
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
            blur = math.hypot(sigma, self._capacity_sigma())
            self._filter.observe(CHARGE_ROW, soc, blur)
        self._holding = True
        self._filter.settle(soc, sigma)
        self._times.full = 0.0
        self._begin(Anchor.FULL)

    def _empty(self, soc: float, sigma: float) -> None:
        """Take note that there is no more than `soc` in it; none has less than none."""
        soc = max(soc, sigma / 2)
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

    def _rest(self, rest_v: float) -> None:
        """Let the voltage at rest tell of the charge, or learn of it."""
        kept, rest = self._filter, look(self.battery, rest_v, self._filter)
        if self._sigma() <= rest.spread:
            sigma = math.hypot(rest.sigma, self._capacity_sigma())
            kept.hint(rest.row, rest.value, sigma)
            return
        kept.blur(CHARGE, self._capacity_sigma() ** 2)
        kept.observe(rest.row, rest.value, rest.sigma)
        self._begin(Anchor.REST)

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
            self._filter = fresh(self.battery)
            self._filter.settle(soc, sigma)
        self._anchor, self._anchor_soc = state.anchor, state.anchor_soc
        self._times = Times(state.age_s, state.unseen_s, state.full_age_s)
        self._last = Amps(state.amps or 0.0)
        self._usual.value = state.mean_amps
        known = away is not None and math.isfinite(away) and away >= 0
        away = float(away or 0.0) if known else UNKNOWN_AWAY_S
        self._gap_s = max(state.gap_s, 0.0) + away
        self._times.go_on(away)
        self._known = True

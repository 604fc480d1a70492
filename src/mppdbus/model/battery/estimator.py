"""The state of charge of a battery that no shunt and no BMS watches. Pure.

An extended Kalman filter (`battery_filter`). The charge is predicted from the current
(`current_meter`, `charge_count`). A full battery, an empty one, the voltage at rest and
the user correct it (`reference_points`), and also correct what the count uses: offset,
efficiency and capacity.
"""

import math
from dataclasses import replace

from mppdbus.errors import ConfigError
from mppdbus.model.battery.battery_filter import OFFSET, SHIFT
from mppdbus.model.battery.battery_model import BatteryModel
from mppdbus.model.battery.charge_count import LONGEST_S, ChargeCount
from mppdbus.model.battery.chemistries import Chemistry
from mppdbus.model.battery.current_meter import (
    MOST_A,
    BatteryReading,
    CurrentEstimate,
    battery_reading,
    estimate_current,
    real,
)
from mppdbus.model.battery.estimator_state import SocState
from mppdbus.model.battery.learning import MeterLearner
from mppdbus.model.battery.reference_points import (
    ReferencePoints,
    RunningMean,
    guess_charge,
)
from mppdbus.model.battery.state_of_charge import FULL, UNKNOWN, Anchor, explain
from mppdbus.model.power import Losses
from mppdbus.model.victron_codes import State

AWAY_S = 3600.0  # s of a gap that the usual current bridges; then the voltage counts
UNKNOWN_AWAY_S = 86400.0
LOOK_S = 900.0  # between two corrections by the voltage
USUAL_S = 1800.0  # s over which the current is averaged, to bridge gaps
FLOATING_SIGMA = 1.5  # %
BY_HAND = 2.0  # %: uncertainty of the user's value
GROSS = 30.0  # %: least difference to the voltage that makes it doubtful
OVERRULES = 95.0  # %: a lower value of the user overrules "full"


class SocEstimator:
    """Follows one battery; feed it every reading, also the missing ones.

    `state` is the stored state of an earlier estimator, `away` the s since it was
    stored; None if that is not known.
    """

    def __init__(
        self,
        battery: BatteryModel,
        state: SocState | None = None,
        *,
        away: float | None = None,
    ) -> None:
        self.battery = battery
        self._count = ChargeCount(battery)
        self._known = False
        self._now: float | None = None
        self._gap_s = 0.0
        self._last = CurrentEstimate(0.0)
        self._rest_v: float | None = None  # of the last reading
        self._usual = RunningMean(span_s=USUAL_S)
        self._look_s = 0.0  # since the last correction by the voltage
        self._holding = False
        self._overruled = False  # the user says that it is not full
        if state is not None and state.sound:
            self._restore(state, away)
        ohms = state.ohms if self._known and state else None
        self._learner = MeterLearner(battery, self._count.filter, ohms)
        self._points = ReferencePoints(battery)

    @property
    def soc(self) -> float | None:
        """State of charge, 0 to 100 %; None before the first reading."""
        return min(max(self._count.percent, 0.0), 100.0) if self._known else None

    @property
    def margin(self) -> float | None:
        """Uncertainty, ± %, with a probability of 95 %; None while `soc` is None."""
        return min(2 * self._count.sigma(self._gap_s), 100.0) if self._known else None

    @property
    def confidence(self) -> float:
        """Confidence, 0 to 1; 0 if unknown, or if the margin is 50 % or more."""
        return max(1.0 - (self.margin or 100.0) / 50.0, 0.0)

    @property
    def full(self) -> bool:
        """Whether the battery is full now."""
        return self._known and self._holding

    @property
    def offset(self) -> float:
        """Learned offset of the inverter's current reading: A that it is too high."""
        return self._count.filter.values[OFFSET]

    @property
    def current(self) -> float | None:
        """Current into the battery, A; None while not read.

        Estimated, because the inverter rounds, and reads 0 at small loads.
        """
        return self._last.amps if self._now is not None and not self._gap_s else None

    @property
    def why(self) -> str:
        """One or two plain sentences about where the value comes from."""
        if not self._known:
            return UNKNOWN
        if self._holding:
            return FULL
        times = self._count.times
        return explain(
            self._count.anchor,
            self.margin or 0.0,
            age_s=times.age,
            unseen_s=times.unseen,
            full_age_s=times.full,
            offset=self.offset,
        )

    @property
    def state(self) -> SocState | None:
        """The state to store; None while `soc` is None."""
        if not self._known:
            return None
        return replace(
            self._count.state(),
            gap_s=round(self._gap_s),
            ohms=self._learner.ohms,
            amps=self._last.amps,
            mean_amps=self._usual.value,
        )

    def use(self, battery: BatteryModel) -> None:
        """Use a new model of the same battery, after the charger's settings changed."""
        self.battery = self._count.battery = self._learner.battery = battery
        self._points = ReferencePoints(battery)

    def correct(self, soc: float) -> None:
        """Set the charge to the user's value, %; `ConfigError` if not 0 to 100.

        One that the voltage contradicts is taken too, but with a margin that reaches
        as far as what the voltage says.
        """
        if not 0 <= soc <= 100:
            raise ConfigError(f"a state of charge is 0 to 100 %, not {soc}")
        apart = self._contradicted(soc)
        self._overruled = self._holding and soc < OVERRULES
        self._holding = False
        self._known, self._gap_s = True, 0.0
        self._count.begin(soc, max(BY_HAND, apart / 2), Anchor.HAND)

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
        losses: Losses | None = None,
        under_voltage: bool = False,
        missing: float = 0.0,
        panel: float | None = None,
    ) -> None:
        """Take a reading of V and A (positive charging), at `now` s of a steady clock.

        Values are sums over all units of the bank: current, load, PV and `losses` (None
        until they are learned). `missing` is the share of units without a reading.
        `mode` is the letter of QMOD, `stage` the charging stage,
        `under_voltage` QPIWS a14, `panel` the inverter's own percent. None and
        impossible values count as not read. Raises ValueError, and changes nothing,
        when the clock went backwards.
        """
        if not math.isfinite(now):
            raise ValueError(f"{now} is no time")
        if self._now is not None and now < self._now:
            raise ValueError(f"time went backwards, from {self._now} s to {now} s")
        seconds = 0.0 if self._now is None else now - self._now
        self._now = now
        self._gap_s += seconds
        self._count.times.go_on(seconds)
        battery = self.battery
        volts, amps = float(voltage or 0.0), float(current or 0.0)
        if not real(current, MOST_A * battery.units) or not battery.plausible(volts):
            return
        balance = {"load_w": load_w, "pv_w": pv_w}
        at = battery_reading(battery, volts, amps, mode=mode, losses=losses, **balance)
        if missing:
            self._count.miss_units(missing, min(self._gap_s, LONGEST_S))
        self._take(at, stage, panel, under_voltage=under_voltage)

    def _take(
        self,
        at: BatteryReading,
        stage: State | None,
        panel: float | None,
        *,
        under_voltage: bool,
    ) -> None:
        elapsed, self._gap_s = self._gap_s, 0.0
        likely = estimate_current(at, self.battery.units, self._count.filter)
        rest_v = at.volts - likely.amps * self._learner.ohms
        self._rest_v = rest_v
        first, self._known = not self._known, True
        seen = elapsed if elapsed <= LONGEST_S and not first else 0.0
        if elapsed <= LONGEST_S and not first:
            self._count.advance(self._last, likely, elapsed)
        elif elapsed <= AWAY_S and not first:
            self._count.bridge(self._usual_current(likely), elapsed)
        self._last = likely
        if elapsed > LONGEST_S or first:
            self._miss(elapsed)
        if elapsed > AWAY_S or first:
            self._guess(rest_v, likely.amps, panel, first=first)
        self._usual.feed(likely.amps, seen)
        self._points.feed(at.volts, likely.amps, rest_v, seen, stage)
        settled = self._points.settled and at.volts >= self.battery.float_reached_v
        self._learner.feed(at, seen, floating=settled)
        self._correct(rest_v, seen, likely.amps, under_voltage=under_voltage)

    def _contradicted(self, soc: float) -> float:
        """Return how many % a value is off what is measured; 0 if that is no wonder."""
        if self._holding:
            return 100.0 - soc if soc < 100.0 - GROSS else 0.0
        if self._rest_v is None:
            return 0.0
        battery, apart = self.battery, 100.0
        kinds: tuple[BatteryModel, ...] = (battery,)
        if battery.voltage_blur:  # the chemistry is a guess: it may be any
            each = (Chemistry.AGM, Chemistry.LFP)
            kinds = tuple(replace(battery, chemistry=kind) for kind in each)
        for kind in kinds:
            shift = self._count.filter.values[SHIFT] * kind.in_series
            seen, sigma = kind.first_guess(self._rest_v - shift, self._last.amps)
            off = abs(soc - seen)
            apart = min(apart, off if off > max(2 * sigma, GROSS) else 0.0)
        return apart

    def _usual_current(self, likely: CurrentEstimate) -> CurrentEstimate:
        """Return the usual current, without short peaks.

        It is the median of the last current, this one, and the running mean.
        """
        usual = replace(likely, amps=self._usual.value or 0.0)
        return sorted((likely, self._last, usual), key=lambda one: one.amps)[1]

    def _miss(self, seconds: float) -> None:
        self._count.miss(seconds)
        self._points = ReferencePoints(self.battery)
        self._learner.forget()
        self._holding = False

    def _guess(
        self, rest_v: float, amps: float, panel: float | None, *, first: bool
    ) -> None:
        """Estimate the charge by the voltage, after a long gap or at first start."""
        count, panel = self._count, panel if first else None
        soc, sigma = guess_charge(self.battery, rest_v, amps, count.filter, panel)
        (count.begin if first else count.correct)(soc, sigma, Anchor.GUESS)

    def _correct(
        self, rest_v: float, seconds: float, amps: float, *, under_voltage: bool
    ) -> None:
        """Correct the count where the battery is full, nearly empty or at rest."""
        battery, points, count = self.battery, self._points, self._count
        self._look_s += seconds
        if points.charged or points.floating:
            if not self._overruled:
                self._fill()
            return
        self._holding = self._overruled = False
        if self._look_s < LOOK_S:
            return
        if points.at_knee:
            count.empty(*battery.soc_at(rest_v, 2.0, least=battery.cell.foot))
        elif under_voltage and amps <= 0:
            volts = battery.cutoff_v or battery.cell.knee_v * battery.in_series
            count.empty(battery.soc_at(volts, 0.0)[0] + 3.0, 8.0)
        elif points.rested:
            count.rest(rest_v)
        else:
            return
        self._look_s = 0.0

    def _fill(self) -> None:
        battery = self.battery
        soc, sigma = battery.when_charged
        if not self._points.charged:
            least = battery.soc_at(battery.float_reached_v, 0.0)[0]
            soc, sigma = min(max(self._count.percent, least), 100.0), FLOATING_SIGMA
        self._count.fill(soc, sigma, again=self._holding)
        self._holding = True

    def _restore(self, state: SocState, away: float | None) -> None:
        self._count.restore(state)
        self._last = CurrentEstimate(state.amps or 0.0)
        self._usual.value = state.mean_amps
        known = away is not None and math.isfinite(away) and away >= 0
        away = float(away or 0.0) if known else UNKNOWN_AWAY_S
        self._gap_s = max(state.gap_s, 0.0) + away
        self._count.times.go_on(away)
        self._known = True

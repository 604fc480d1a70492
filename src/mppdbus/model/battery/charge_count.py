"""The count of charge: predicted by current, corrected by reference points. Pure.

The Kalman filter of one battery, and where its count began (the anchor). The charge
moved since then has the same relative uncertainty as the capacity.
"""

import math

from mppdbus.model.battery.battery_filter import (
    CHARGE,
    CHARGE_ROW,
    EFFICIENCY,
    HIDDEN,
    OFFSET,
    START_SOC,
    BatteryFilter,
)
from mppdbus.model.battery.battery_model import BatteryModel
from mppdbus.model.battery.current_meter import CurrentEstimate
from mppdbus.model.battery.estimator_state import SocState, Times
from mppdbus.model.battery.reference_points import read_rest_voltage
from mppdbus.model.battery.state_of_charge import Anchor

LONGEST_S = 150.0  # s; a longer pause between two readings is a gap
OLDER_S = 900.0  # s between two increases of the variances
HOUR = 3600.0

OVER, UNDER = 104.0, 0.0  # %: beyond, the count is wrong
OVER_BLUR = 1.5  # %
WANDER_H = 1.0  # h that an error of the current typically lasts
UNSEEN = 5.0  # % an hour that a battery may gain or lose unseen
UNSEEN_MOST = 40.0  # %
BRIDGE_BLUR = 0.3  # part of the current assumed in a gap


class ChargeCount:
    """The charge of one battery in %, how sure it is, and since when it is counted."""

    def __init__(self, battery: BatteryModel) -> None:
        self.battery = battery
        self.filter = BatteryFilter.of(battery)
        self.anchor, self._anchor_soc = Anchor.GUESS, START_SOC
        self.times = Times()
        self._old_s = 0.0

    @property
    def percent(self) -> float:
        """The counted charge in %; it may be outside 0 to 100 for a while."""
        return self.filter.values[CHARGE]

    def sigma(self, unseen_s: float = 0.0) -> float:
        """Return the standard deviation, %, also after `unseen_s` without a reading."""
        unseen = UNSEEN * unseen_s / HOUR if unseen_s > LONGEST_S else 0.0
        own = self.filter.sigma(CHARGE)
        sigma = math.hypot(own, self._capacity_sigma(), unseen)
        return max(min(sigma, UNSEEN_MOST), own)

    # -- prediction -------------------------------------------------------------------

    def advance(
        self, before: CurrentEstimate, now: CurrentEstimate, seconds: float
    ) -> None:
        """Count the mean of two currents over `seconds`."""
        known = self.filter
        amps = (now.amps + before.amps) / 2
        pairs = zip(now.slopes, before.slopes, strict=True)
        slopes = [(one + other) / 2 for one, other in pairs]
        per_amp = 100.0 * seconds / HOUR / self.battery.capacity_ah
        gain = per_amp * (known.values[EFFICIENCY] if amps > 0 else 1.0)
        stored = per_amp * max(amps, 0.0)
        row = (0.0, gain * slopes[OFFSET], stored, gain * slopes[HIDDEN], 0.0)
        known.predict(gain * amps, row)
        drift = per_amp * now.sigma
        known.add_noise(CHARGE, 2 * drift**2 * WANDER_H * HOUR / max(seconds, 1.0))
        self._grow_old(seconds)
        if self.percent > OVER:
            sigma = math.hypot(OVER_BLUR, self._capacity_sigma())
            known.update(CHARGE_ROW, 100.0, sigma)
        elif self.percent < UNDER:
            self._back_to_empty()

    def bridge(self, usual: CurrentEstimate, seconds: float) -> None:
        """Count an assumed current over a gap of `seconds`."""
        self.advance(usual, usual, seconds)
        moved = 100 * usual.amps * seconds / HOUR / self.battery.capacity_ah
        self.filter.add_noise(CHARGE, (BRIDGE_BLUR * moved) ** 2, UNSEEN_MOST**2)

    def miss(self, seconds: float) -> None:
        """Note a gap of `seconds` without readings."""
        self.filter.add_noise(CHARGE, (UNSEEN * seconds / HOUR) ** 2, UNSEEN_MOST**2)
        self.times.unseen += seconds

    def miss_units(self, share: float, seconds: float) -> None:
        """Note that a share of the units had no readings for `seconds`."""
        more = 2 * (UNSEEN * share) ** 2 * WANDER_H * seconds / HOUR
        self.filter.add_noise(CHARGE, more, UNSEEN_MOST**2)
        self.times.unseen += share * seconds

    def _back_to_empty(self) -> None:
        """Correct a count below empty: the count or the capacity is wrong."""
        foot, known = self.battery.cell.foot, self.filter
        known.add_noise(CHARGE, self._capacity_sigma() ** 2, UNSEEN_MOST**2)
        sigma = math.hypot(foot, 100 * self.battery.capacity_blur)
        if not known.update_if_better(CHARGE_ROW, foot / 2, sigma):
            known.values[CHARGE] = UNDER
        self._anchor_soc = self.percent

    def _grow_old(self, seconds: float) -> None:
        self._old_s += seconds
        if self._old_s >= OLDER_S:
            self.filter.grow_old(self.battery, self._old_s)
            self._old_s = 0.0

    # -- correction -------------------------------------------------------------------

    def begin(self, soc: float, sigma: float, anchor: Anchor) -> None:
        """Restart the count at `soc` %; learned values stay."""
        self.filter.set_charge(soc, sigma)
        self._anchor_at(anchor)

    def fill(self, soc: float, sigma: float, *, again: bool) -> None:
        """Note that the battery is full; the first time, learn from the count."""
        if not again:
            blur = math.hypot(sigma, self._capacity_sigma())
            self.filter.update(CHARGE_ROW, soc, blur)
        self.times.full = 0.0
        self.begin(soc, sigma, Anchor.FULL)

    def empty(self, soc: float, sigma: float) -> None:
        """Note that the charge is at most `soc` %; it cannot be below 0."""
        soc = max(soc, sigma / 2)
        above = self.percent - soc
        if above > 2 * sigma:
            self.begin(soc, sigma, Anchor.LOW)
        elif above > 0:
            self.correct(soc, sigma, Anchor.LOW)

    def correct(self, soc: float, sigma: float, anchor: Anchor) -> None:
        """Use a measurement of the charge if it is more certain than the count."""
        if self.sigma() <= sigma:
            return
        self.filter.add_noise(CHARGE, self._capacity_sigma() ** 2)
        self.filter.update(CHARGE_ROW, soc, sigma)
        self._anchor_at(anchor)

    def rest(self, rest_v: float) -> None:
        """Correct the charge, or learn the voltage shift, by the rest voltage."""
        known = self.filter
        rest = read_rest_voltage(self.battery, rest_v, known)
        if self.sigma() <= rest.spread:
            sigma = math.hypot(rest.sigma, self._capacity_sigma())
            known.update_if_better(rest.row, rest.value, sigma)
            return
        known.add_noise(CHARGE, self._capacity_sigma() ** 2)
        known.update(rest.row, rest.value, rest.sigma)
        self._anchor_at(Anchor.REST)

    def _anchor_at(self, anchor: Anchor) -> None:
        self.anchor, self._anchor_soc = anchor, self.percent
        self.times.age = self.times.unseen = 0.0

    def _capacity_sigma(self) -> float:
        moved = abs(self.percent - self._anchor_soc)
        return self.battery.capacity_blur * moved

    # -- storage ----------------------------------------------------------------------

    def state(self) -> SocState:
        """Return the count's part of the stored state."""
        values, covariance = self.filter.pack()
        return SocState(
            chemistry=self.battery.chemistry,
            units=self.battery.units,
            values=values,
            covariance=covariance,
            anchor=self.anchor,
            anchor_soc=self._anchor_soc,
            age_s=round(self.times.age),
            unseen_s=round(self.times.unseen),
            full_age_s=self.times.full,
        )

    def restore(self, state: SocState) -> None:
        """Go on from a stored state; for another battery only its charge is used."""
        self.filter.unpack(state.values, state.covariance)
        battery = self.battery
        if (state.chemistry, state.units) != (battery.chemistry, battery.units):
            soc, sigma = self.percent, self.filter.sigma(CHARGE)
            self.filter = BatteryFilter.of(battery)
            self.filter.set_charge(soc, sigma)
        self.anchor, self._anchor_soc = state.anchor, state.anchor_soc
        self.times = Times(state.age_s, state.unseen_s, state.full_age_s)

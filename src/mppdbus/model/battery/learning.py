"""What the readings teach about the meter, the hidden load and the resistance. Pure.

`model.losses` learns own consumption as the meter shows it: less the meter's offset.
A typical own consumption, and the powers while the battery floats, separate the two.
The errors of these are the same all day, so each is used only while it is more certain
than the filter.
"""

import math
from dataclasses import dataclass, field

from mppdbus.model.battery.battery_filter import OFFSET_ROW, BatteryFilter
from mppdbus.model.battery.battery_model import BatteryModel
from mppdbus.model.battery.current_meter import BatteryReading, typical_losses

WINDOW_S = 600.0
BALANCE_BLUR = 0.3  # A, besides the errors of the powers
FLOAT_BLUR = 0.3  # A
SURE_A = 0.2  # of a unit: own consumption this certain shows the offset
FLOAT_BLUR_W = 12.0
CLEAR_AMPS = 3.0  # A of a unit, from which the meter never reads 0
STEP_S, STEP_C = 65.0, 0.04  # a step of the load that shows the resistance
OHMS_SHARE = 0.1


@dataclass(slots=True)
class WindowMean:
    """An average over a stretch of time."""

    seconds: float = 0.0
    sums: list[float] = field(default_factory=list)

    def feed(self, seconds: float, *values: float) -> tuple[float, ...] | None:
        """Add values that lasted `seconds`; return the averages when it is complete."""
        if not self.sums:
            self.sums = [0.0] * len(values)
        self.seconds += seconds
        self.sums = [s + v * seconds for s, v in zip(self.sums, values, strict=True)]
        if self.seconds < WINDOW_S:
            return None
        means = tuple(s / self.seconds for s in self.sums)
        self.clear()
        return means

    def clear(self) -> None:
        """Begin the stretch anew."""
        self.seconds, self.sums = 0.0, []


class MeterLearner:
    """Corrects a filter by averages, and learns the resistance of the battery."""

    def __init__(
        self, battery: BatteryModel, taught: BatteryFilter, ohms: float | None
    ) -> None:
        self.battery, self._filter = battery, taught
        self.ohms = ohms or battery.ohms
        self._balance, self._float_a, self._float_w = (WindowMean() for _ in range(3))
        self._before: BatteryReading | None = None

    def forget(self) -> None:
        """Restart the averages after a gap."""
        self._before = None
        for mean in (self._balance, self._float_a, self._float_w):
            mean.clear()

    def feed(self, at: BatteryReading, seconds: float, *, floating: bool) -> None:
        """Take a reading that stands for the last `seconds`."""
        self._learn_ohms(at, seconds)
        self._before = at
        sigma = at.losses.own_sigma or 0.0
        if at.losses.known and sigma <= SURE_A * self.battery.units * at.volts:
            self._learn_from_losses(at)
        if at.surplus_w is not None and self._clear(at):
            self._learn_from_balance(at, seconds)
        if floating:
            self._learn_from_float(at, seconds)
        else:
            self._float_a.clear()
            self._float_w.clear()

    def _clear(self, at: BatteryReading) -> bool:
        return abs(at.amps) >= CLEAR_AMPS * self.battery.units

    def _learn_from_losses(self, at: BatteryReading) -> None:
        """Learn the meter's offset: typical own consumption less the learned one."""
        typical, own = typical_losses(self.battery), at.losses
        sigma = math.hypot(typical.own_sigma or 0.0, own.own_sigma or 0.0)
        offset = (typical.own_w - own.own_w) / at.volts
        self._filter.update_if_better(OFFSET_ROW, offset, sigma / at.volts)

    def _learn_from_balance(self, at: BatteryReading, seconds: float) -> None:
        """Learn the hidden load and the meter's offset from the rest of the balance.

        Losses that are learned contain the offset already; typical ones do not.
        """
        typical = 0.0 if at.losses.known else 1.0
        left = (at.surplus_w or 0.0) - at.amps * at.volts
        means = self._balance.feed(
            seconds, left, at.surplus_sigma_w, -at.volts * typical, float(at.hidden)
        )
        if means is None:
            return
        left, blur, by_offset, hidden = means
        rounding = BALANCE_BLUR * self.battery.units * at.volts
        row = (0.0, by_offset, 0.0, hidden, 0.0)
        self._filter.update_if_better(row, left, math.hypot(rounding, blur))

    def _learn_from_float(self, at: BatteryReading, seconds: float) -> None:
        battery = self.battery
        takes = battery.cell.floating * battery.capacity_ah
        means = self._float_a.feed(seconds, at.amps, float(at.zero))
        # A reading of 0 may hide a small discharge.
        if means is not None and means[1] < 0.2:
            sigma = math.hypot(FLOAT_BLUR * battery.units, takes)
            self._filter.update_if_better(OFFSET_ROW, means[0] - takes, sigma)
        if at.surplus_w is None or not at.losses.known:
            self._float_w.clear()
            return
        power = at.surplus_w - takes * at.volts
        means = self._float_w.feed(seconds, power, at.surplus_sigma_w, float(at.hidden))
        if means is not None:
            floor = FLOAT_BLUR_W * battery.units + takes * at.volts
            row = (0.0, at.volts, 0.0, means[2], 0.0)
            self._filter.update_if_better(row, means[0], math.hypot(floor, means[1]))

    def _learn_ohms(self, at: BatteryReading, seconds: float) -> None:
        """Learn the resistance from a step of the discharge current."""
        before, battery = self._before, self.battery
        if before is None or seconds > STEP_S or max(at.amps, before.amps) > 0:
            return
        step = at.amps - before.amps
        if abs(step) < max(5.0 * battery.units, STEP_C * battery.capacity_ah):
            return
        ohms = (at.volts - before.volts) / step
        if 0.2 * battery.ohms <= ohms <= 5 * battery.ohms:
            self.ohms += OHMS_SHARE * (ohms - self.ohms)

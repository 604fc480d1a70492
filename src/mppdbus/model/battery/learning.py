"""What the readings teach about the unknowns besides the charge. Pure.

The balance of powers tells the meter's offset less the inverter's own consumption, a
battery that floats tells each of them. The errors of these are the same all day, so
each is only a hint.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from mppdbus.model.battery.current_meter import Reading
from mppdbus.model.battery.description import BatteryModel
from mppdbus.model.battery.kalman_filter import OFFSET_ROW, Filter

WINDOW_S = 600.0
BALANCE_BLUR = 0.3  # A, besides the errors of the powers
FLOAT_BLUR = 0.3  # A
FLOAT_BLUR_W = 12.0
CLEAR_AMPS = 3.0  # from here on no unit reads 0
STEP_S, STEP_C = 65.0, 0.04  # a step of the load that shows the resistance
OHMS_SHARE = 0.1


@dataclass(slots=True)
class Mean:
    """An average over a stretch of time."""

    seconds: float = 0.0
    sums: list[float] = field(default_factory=list)

    def feed(self, seconds: float, *values: float) -> tuple[float, ...] | None:
        """Take what was for `seconds`; return the averages when it is long enough."""
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


class Lessons:
    """Teaches a filter; learns the resistance of the battery."""

    def __init__(self, battery: BatteryModel, kept: Filter, ohms: float | None) -> None:
        self.battery, self._filter = battery, kept
        self.ohms = ohms or battery.ohms
        self._balance, self._floating = Mean(), Mean()
        self._float_w = Mean()
        self._before: Reading | None = None

    def forget(self) -> None:
        """Start the averages anew, after a time that nobody saw."""
        self._before = None
        for mean in (self._balance, self._floating, self._float_w):
            mean.clear()

    def feed(self, at: Reading, seconds: float, *, floating: bool) -> None:
        """Take a reading that stands for the last `seconds`."""
        self._learn_ohms(at, seconds)
        self._before = at
        clear = abs(at.amps) >= CLEAR_AMPS * self.battery.units
        if clear and at.surplus_w is not None:
            self._learn_from_balance(at, seconds)
        if floating:
            self._learn_from_float(at, seconds)
        else:
            self._floating.clear()
            self._float_w.clear()

    def _learn_from_balance(self, at: Reading, seconds: float) -> None:
        volts = at.volts
        apart = at.amps - (at.surplus_w or 0.0) / volts
        means = self._balance.feed(
            seconds, apart, 1 / volts, at.hidden / volts, at.surplus_blur_w / volts
        )
        if means is not None:
            apart, own, hidden, blur = means
            row = (0.0, 1.0, 0.0, -own, -hidden, 0.0)
            rounding = BALANCE_BLUR * self.battery.units
            self._filter.hint(row, apart, math.hypot(rounding, blur))

    def _learn_from_float(self, at: Reading, seconds: float) -> None:
        battery = self.battery
        takes = battery.cell.floating * battery.capacity_ah
        means = self._floating.feed(seconds, at.amps, float(at.zero))
        # A 0 may be a discharge that is not seen.
        if means is not None and means[1] < 0.2:
            blur = math.hypot(FLOAT_BLUR * battery.units, takes)
            self._filter.hint(OFFSET_ROW, means[0] - takes, blur)
        if at.surplus_w is None:
            self._float_w.clear()
            return
        power = at.surplus_w - takes * at.volts
        means = self._float_w.feed(seconds, power, at.surplus_blur_w, float(at.hidden))
        if means is not None:
            floor = FLOAT_BLUR_W * battery.units + takes * at.volts
            row = (0.0, 0.0, 0.0, 1.0, means[2], 0.0)
            self._filter.hint(row, means[0], math.hypot(floor, means[1]))

    def _learn_ohms(self, at: Reading, seconds: float) -> None:
        """Take the resistance from a step of the discharge."""
        before, battery = self._before, self.battery
        if before is None or seconds > STEP_S or max(at.amps, before.amps) > 0:
            return
        step = at.amps - before.amps
        if abs(step) < max(5.0 * battery.units, STEP_C * battery.capacity_ah):
            return
        ohms = (at.volts - before.volts) / step
        if 0.2 * battery.ohms <= ohms <= 5 * battery.ohms:
            self.ohms += OHMS_SHARE * (ohms - self.ohms)

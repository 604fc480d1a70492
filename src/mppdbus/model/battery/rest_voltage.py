"""What the voltage at rest tells: of the charge, or of this battery itself. Pure.

The curve of a chemistry is off by about the same for one battery at all times. So while
the charge is known well the voltage teaches by how much, and later tells more of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from mppdbus.model.battery.description import BatteryModel
from mppdbus.model.battery.kalman_filter import SHIFT, Filter, Row

LEAST_BLUR = 3.0  # %: no voltage tells more than this
NEAR_EMPTY = 25.0  # %: from here down, empty is a matter of opinion
SURE, WILD = 15.0, 30.0  # %: least uncertainty of a guess, with little current and not


@dataclass(frozen=True, slots=True)
class Rest:
    """A look at the voltage: that the sum of the unknowns by `row` is `value`, in %."""

    row: Row
    value: float
    sigma: float  # of the look itself
    spread: float  # of the charge by this look alone


def look(battery: BatteryModel, rest_v: float, kept: Filter) -> Rest:
    """Return what a rest voltage tells, by what is known of the battery."""
    cell, shift = battery.cell, kept.values[SHIFT]
    volts = rest_v - shift * battery.in_series
    soc, sigma = battery.soc_at(volts, cell.repeats / cell.blur, LEAST_BLUR)
    slope = sigma / cell.repeats
    foot = cell.foot * max(1.0 - soc / NEAR_EMPTY, 0.0)
    sigma = math.hypot(sigma, foot)
    spread = math.hypot(sigma, slope * kept.sigma(SHIFT))
    row = (1.0, 0.0, 0.0, 0.0, 0.0, slope)
    return Rest(row, soc + slope * shift, sigma, spread)


def guess(
    battery: BatteryModel, rest_v: float, amps: float, kept: Filter
) -> tuple[float, float]:
    """Return (charge, its uncertainty) in % by a voltage that may not be at rest."""
    calm = abs(amps) <= 2 * battery.cell.rest_current * battery.capacity_ah
    soc, sigma = battery.first_guess(rest_v - kept.values[SHIFT] * battery.in_series)
    return soc, max(sigma, SURE if calm else WILD)

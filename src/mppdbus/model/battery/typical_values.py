"""What is typical of the unknowns, and how fast lessons about them grow old. Pure."""

from __future__ import annotations

import math

from mppdbus.model.battery.chemistries import Cell
from mppdbus.model.battery.description import BatteryModel
from mppdbus.model.battery.kalman_filter import HIDDEN, OFFSET, OWN, SHIFT, Filter

START = (50.0, 30.0)  # % and its uncertainty, before anything is known
OFFSET_SIGMA = 0.8  # A
OWN_W, OWN_SIGMA = 0.9, 0.5  # W of consumption per V of the battery
HIDDEN_W, HIDDEN_SIGMA = 25.0, 25.0
SOC_BOUNDS = (-20.0, 120.0)
DRIFT_A2, DRIFT_W2, DRIFT_V2 = 0.004, 25.0, 4e-6  # a day
DAY = 86400.0


def fresh(battery: BatteryModel) -> Filter:
    """Return a filter that knows what is typical."""
    mean, sigma = battery.cell.efficiency
    if battery.efficiency is not None:
        mean, sigma = battery.efficiency, 0.002
    own_w, own_sigma = _own(battery)
    units, blur = battery.units, battery.cell.blur
    reach = 3 * OFFSET_SIGMA * units
    return Filter(
        (START[0], 0.0, mean, own_w, HIDDEN_W * units, 0.0),
        (
            *(START[1], OFFSET_SIGMA * units, sigma),
            *(own_sigma, HIDDEN_SIGMA * units, _shift(battery.cell)),
        ),
        (
            SOC_BOUNDS,
            (-reach, reach),
            (mean - 4 * sigma, 1.0),
            (0.0, 5 * own_w),
            (0.0, 5 * HIDDEN_W * units),
            (-3 * blur, 3 * blur),
        ),
    )


def grow_old(kept: Filter, battery: BatteryModel, seconds: float) -> None:
    """Trust the lessons of long ago less."""
    units, days = battery.units, seconds / DAY
    all_days = units**2 * days
    kept.blur(OFFSET, DRIFT_A2 * all_days, (OFFSET_SIGMA * units) ** 2)
    for unknown in (OWN, HIDDEN):
        kept.blur(unknown, DRIFT_W2 * all_days, (HIDDEN_SIGMA * units) ** 2)
    kept.blur(SHIFT, DRIFT_V2 * days, _shift(battery.cell) ** 2)


def _own(battery: BatteryModel) -> tuple[float, float]:
    scale = battery.nominal_voltage * battery.units
    return OWN_W * scale, OWN_SIGMA * scale


def _shift(cell: Cell) -> float:
    return math.sqrt(max(cell.blur**2 - cell.repeats**2, 0.0))

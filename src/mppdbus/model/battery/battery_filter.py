"""The extended Kalman filter of a battery: five unknowns, one of them the charge. Pure.

State vector: `Unknown`. Process model: the charge is the integral of the current; the
others stay, and are trusted less with time. Measurements: sums of the unknowns, one
number each. The covariances link the unknowns, so a full battery corrects the charge
and the meter's offset in one step.
"""

import math
from enum import IntEnum

from mppdbus.model.battery.battery_model import BatteryModel
from mppdbus.model.battery.chemistries import Cell
from mppdbus.model.kalman_filter import TINY, KalmanFilter, Row, dot


class Unknown(IntEnum):
    """The place of each unknown in the state vector."""

    CHARGE = 0  # %; may leave 0..100 until a measurement corrects it
    OFFSET = 1  # A that the meter reads too high
    EFFICIENCY = 2  # of the battery: Ah out per Ah in
    HIDDEN = 3  # W that the load takes while it reads 0
    SHIFT = 4  # V a cell: rest voltage above the curve of its chemistry


CHARGE, OFFSET, EFFICIENCY, HIDDEN, SHIFT = Unknown
SIZE = len(Unknown)
CHARGE_ROW: Row = (1.0, 0.0, 0.0, 0.0, 0.0)
OFFSET_ROW: Row = (0.0, 1.0, 0.0, 0.0, 0.0)

# Before anything is known: typical values and standard deviations, of one unit.
START_SOC, START_SIGMA = 50.0, 30.0  # %
OFFSET_SIGMA = 0.8  # A
HIDDEN_W, HIDDEN_SIGMA = 25.0, 25.0
SOC_BOUNDS = (-20.0, 120.0)
DRIFT_A2, DRIFT_W2, DRIFT_V2 = 0.004, 25.0, 4e-6  # variance that a day adds
DAY = 86400.0


class BatteryFilter(KalmanFilter):
    """The unknowns of a battery and its meter."""

    @classmethod
    def of(cls, battery: BatteryModel) -> "BatteryFilter":
        """Return a filter with typical values of such a battery and its meters."""
        mean, sigma = battery.cell.efficiency
        if battery.efficiency is not None:
            mean, sigma = battery.efficiency, 0.002
        units, blur = battery.units, battery.cell.blur
        offset, hidden = OFFSET_SIGMA * units, HIDDEN_SIGMA * units
        return cls(
            (START_SOC, 0.0, mean, HIDDEN_W * units, 0.0),
            (START_SIGMA, offset, sigma, hidden, _shift_sigma(battery.cell)),
            (
                SOC_BOUNDS,
                (-3 * offset, 3 * offset),
                (mean - 4 * sigma, 1.0),
                (0.0, 5 * HIDDEN_W * units),
                (-3 * blur, 3 * blur),
            ),
        )

    def predict(self, change: float, slopes: Row) -> None:
        """Change the charge by `change` %; its slope by each unknown is in `slopes`."""
        cov, (low, high) = self.cov, self.bounds[CHARGE]
        moved = [dot(slopes, line) for line in cov]
        self.values[CHARGE] = min(max(self.values[CHARGE] + change, low), high)
        own = cov[CHARGE][CHARGE] + 2 * moved[CHARGE] + dot(slopes, moved)
        cov[CHARGE][CHARGE] = max(own, TINY)
        for j in range(1, SIZE):
            cov[CHARGE][j] += moved[j]
            cov[j][CHARGE] = cov[CHARGE][j]

    def grow_old(self, battery: BatteryModel, seconds: float) -> None:
        """Increase the variances after `seconds`, at most to their initial values."""
        units, days = battery.units, seconds / DAY
        all_days = units**2 * days
        self.add_noise(OFFSET, DRIFT_A2 * all_days, (OFFSET_SIGMA * units) ** 2)
        self.add_noise(HIDDEN, DRIFT_W2 * all_days, (HIDDEN_SIGMA * units) ** 2)
        self.add_noise(SHIFT, DRIFT_V2 * days, _shift_sigma(battery.cell) ** 2)

    def set_charge(self, charge: float, sigma: float) -> None:
        """Set the charge, %; the other unknowns are not correlated with it any more."""
        self.values[CHARGE] = charge
        for j in range(SIZE):
            self.cov[CHARGE][j] = self.cov[j][CHARGE] = 0.0
        self.cov[CHARGE][CHARGE] = sigma * sigma
        self.clamp()


def _shift_sigma(cell: Cell) -> float:
    return math.sqrt(max(cell.blur**2 - cell.repeats**2, 0.0))

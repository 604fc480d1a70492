"""An extended Kalman filter over five unknowns of a battery and its meter. Pure.

State vector: `Unknown`. Process model: the charge is the integral of the current; the
others stay, and are trusted less with time. Measurements: sums of the unknowns, one
number each. What one unknown did to another stands in the covariances, so a full
battery corrects the charge and teaches the meter's offset in one step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import IntEnum

from mppdbus.model.battery.battery_model import BatteryModel
from mppdbus.model.battery.chemistries import Cell

Row = tuple[float, float, float, float, float]  # a factor for each unknown


class Unknown(IntEnum):
    """The place of each unknown in the state vector."""

    CHARGE = 0  # %; may leave 0..100 for as long as nothing contradicts
    OFFSET = 1  # A that the meter reads too high
    EFFICIENCY = 2  # of the battery: Ah out per Ah in
    HIDDEN = 3  # W that the load takes while it reads 0
    SHIFT = 4  # V a cell that the battery rests above the curve of its chemistry


CHARGE, OFFSET, EFFICIENCY, HIDDEN, SHIFT = Unknown
SIZE = len(Unknown)
CHARGE_ROW: Row = (1.0, 0.0, 0.0, 0.0, 0.0)
OFFSET_ROW: Row = (0.0, 1.0, 0.0, 0.0, 0.0)
HIDDEN_ROW: Row = (0.0, 0.0, 0.0, 1.0, 0.0)
UPPER = tuple((i, j) for i in range(SIZE) for j in range(i, SIZE))
TINY = 1e-9

# Before anything is known: typical values and standard deviations, of one unit.
START_SOC, START_SIGMA = 50.0, 30.0  # %
OFFSET_SIGMA = 0.8  # A
HIDDEN_W, HIDDEN_SIGMA = 25.0, 25.0
SOC_BOUNDS = (-20.0, 120.0)
DRIFT_A2, DRIFT_W2, DRIFT_V2 = 0.004, 25.0, 4e-6  # variance that a day adds
DAY = 86400.0


class KalmanFilter:
    """The values of the unknowns and their covariances."""

    def __init__(
        self,
        values: Sequence[float],
        sigmas: Sequence[float],
        bounds: Sequence[tuple[float, float]],
    ) -> None:
        self.values = list(values)
        self.bounds = tuple(bounds)
        self.cov = [[0.0] * SIZE for _ in range(SIZE)]
        for i, sigma in enumerate(sigmas):
            self.cov[i][i] = sigma * sigma
        self.clamp()

    @classmethod
    def of(cls, battery: BatteryModel) -> KalmanFilter:
        """Return a filter with what is typical of such a battery and its meters."""
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

    def sigma(self, unknown: Unknown) -> float:
        """Return the standard deviation of one unknown."""
        return math.sqrt(self.cov[unknown][unknown])

    def predict(self, change: float, slopes: Row) -> None:
        """Change the charge by `change` %; its slope by each unknown is in `slopes`."""
        cov, (low, high) = self.cov, self.bounds[CHARGE]
        moved = [_dot(slopes, line) for line in cov]
        self.values[CHARGE] = min(max(self.values[CHARGE] + change, low), high)
        own = cov[CHARGE][CHARGE] + 2 * moved[CHARGE] + _dot(slopes, moved)
        cov[CHARGE][CHARGE] = max(own, TINY)
        for j in range(1, SIZE):
            cov[CHARGE][j] += moved[j]
            cov[j][CHARGE] = cov[CHARGE][j]

    def add_noise(
        self, unknown: Unknown, variance: float, most: float = math.inf
    ) -> None:
        """Add to a variance, up to `most`; one that is greater already stays."""
        now = self.cov[unknown][unknown]
        self.cov[unknown][unknown] = max(now, min(now + variance, most))

    def grow_old(self, battery: BatteryModel, seconds: float) -> None:
        """Trust what was learned less after `seconds`; up to where it began."""
        units, days = battery.units, seconds / DAY
        all_days = units**2 * days
        self.add_noise(OFFSET, DRIFT_A2 * all_days, (OFFSET_SIGMA * units) ** 2)
        self.add_noise(HIDDEN, DRIFT_W2 * all_days, (HIDDEN_SIGMA * units) ** 2)
        self.add_noise(SHIFT, DRIFT_V2 * days, _shift_sigma(battery.cell) ** 2)

    def update(self, row: Row, value: float, sigma: float) -> None:
        """Take a measurement: the sum of the unknowns by `row` is `value`.

        More than three standard deviations are taken for three: a wrong reading is no
        reason to believe nonsense of the other unknowns.
        """
        moved = [_dot(row, line) for line in self.cov]
        spread = _dot(row, moved) + sigma * sigma
        most = 3 * math.sqrt(spread)
        surprise = min(max(value - _dot(row, self.values), -most), most)
        for i in range(SIZE):
            gain = moved[i] / spread
            self.values[i] += gain * surprise
            for j in range(SIZE):
                self.cov[i][j] -= gain * moved[j]
        self.clamp()

    def update_if_better(self, row: Row, value: float, sigma: float) -> bool:
        """Take a measurement only if the sum is known less well; tell whether it was.

        For measurements whose error is the same every time: the mean of many is not
        better than one.
        """
        known = _dot(row, [_dot(row, line) for line in self.cov])
        if known <= sigma * sigma:
            return False
        self.update(row, value, sigma)
        return True

    def set_charge(self, charge: float, sigma: float) -> None:
        """Set the charge, %; the other unknowns are not correlated with it any more."""
        self.values[CHARGE] = charge
        for j in range(SIZE):
            self.cov[CHARGE][j] = self.cov[j][CHARGE] = 0.0
        self.cov[CHARGE][CHARGE] = sigma * sigma
        self.clamp()

    def clamp(self) -> None:
        """Keep values and variances within bounds, whatever the rounding."""
        for i, (low, high) in enumerate(self.bounds):
            self.values[i] = min(max(self.values[i], low), high)
            self.cov[i][i] = max(self.cov[i][i], TINY)
        for i, j in UPPER:
            if i != j:
                most = 0.999 * math.sqrt(self.cov[i][i] * self.cov[j][j])
                both = (self.cov[i][j] + self.cov[j][i]) / 2
                both = min(max(both, -most), most)
                self.cov[i][j] = self.cov[j][i] = both


def _shift_sigma(cell: Cell) -> float:
    return math.sqrt(max(cell.blur**2 - cell.repeats**2, 0.0))


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    a, b, c, d, e = one  # written out: this is where the time goes
    u, v, w, x, y = other
    return a * u + b * v + c * w + d * x + e * y

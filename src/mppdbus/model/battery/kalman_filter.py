"""A few unknowns, and how well each is known: an extended Kalman filter. Pure.

All corrections are observations of one sum of the unknowns. What one unknown did to
another meanwhile stands in the covariances; so a full battery corrects the charge and
teaches the sensor's offset in one step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import IntEnum

Row = tuple[float, float, float, float, float, float]  # a factor for each unknown


class Unknown(IntEnum):
    """Where each of the unknowns stands."""

    CHARGE = 0  # %; may leave 0..100 for as long as nothing contradicts
    OFFSET = 1  # A that the meter reads too high
    EFFICIENCY = 2  # Ah out per Ah in
    OWN = 3  # W that the inverter takes for itself
    HIDDEN = 4  # W that the load takes while it reads 0
    SHIFT = 5  # V a cell that the battery rests above the curve of its chemistry


CHARGE, OFFSET, EFFICIENCY, OWN, HIDDEN, SHIFT = Unknown
SIZE = len(Unknown)
CHARGE_ROW: Row = (1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
OFFSET_ROW: Row = (0.0, 1.0, 0.0, 0.0, 0.0, 0.0)
UPPER = tuple((i, j) for i in range(SIZE) for j in range(i, SIZE))
TINY = 1e-9


class Filter:
    """The values and their covariances."""

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
        self.tidy()

    def sigma(self, unknown: Unknown) -> float:
        """Return the standard deviation of one of them."""
        return math.sqrt(self.cov[unknown][unknown])

    def variance(self, row: Row) -> float:
        """Return the variance of a sum."""
        return _dot(row, [_dot(row, line) for line in self.cov])

    def advance(self, change: float, slopes: Row) -> None:
        """Change the charge by `change`, which hangs on the unknowns by `slopes`."""
        cov, (low, high) = self.cov, self.bounds[CHARGE]
        moved = [_dot(slopes, line) for line in cov]
        self.values[CHARGE] = min(max(self.values[CHARGE] + change, low), high)
        own = cov[CHARGE][CHARGE] + 2 * moved[CHARGE] + _dot(slopes, moved)
        cov[CHARGE][CHARGE] = max(own, TINY)
        for j in range(1, SIZE):
            cov[CHARGE][j] += moved[j]
            cov[j][CHARGE] = cov[CHARGE][j]

    def blur(self, unknown: Unknown, variance: float, most: float = math.inf) -> None:
        """Add to a variance, up to `most`; what it already is stays."""
        now = self.cov[unknown][unknown]
        self.cov[unknown][unknown] = max(now, min(now + variance, most))

    def observe(self, row: Row, value: float, sigma: float) -> None:
        """Take note that the sum of the unknowns by `row` is `value`.

        More than three standard deviations are taken for three: what cannot be is no
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
        self.tidy()

    def hint(self, row: Row, value: float, sigma: float) -> bool:
        """Observe only what is better known than by us; tell whether it was.

        For observations whose error is the same every time: the mean of many is not
        better than one.
        """
        if self.variance(row) <= sigma * sigma:
            return False
        self.observe(row, value, sigma)
        return True

    def settle(self, charge: float, sigma: float) -> None:
        """Set the charge; what is known of the others does not hang on it any more."""
        self.values[CHARGE] = charge
        for j in range(SIZE):
            self.cov[CHARGE][j] = self.cov[j][CHARGE] = 0.0
        self.cov[CHARGE][CHARGE] = sigma * sigma
        self.tidy()

    def tidy(self) -> None:
        """Hold values and variances in bounds, whatever the rounding."""
        for i, (low, high) in enumerate(self.bounds):
            self.values[i] = min(max(self.values[i], low), high)
            self.cov[i][i] = max(self.cov[i][i], TINY)
        for i, j in UPPER:
            if i != j:
                most = 0.999 * math.sqrt(self.cov[i][i] * self.cov[j][j])
                both = (self.cov[i][j] + self.cov[j][i]) / 2
                both = min(max(both, -most), most)
                self.cov[i][j] = self.cov[j][i] = both


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    a, b, c, d, e, f = one  # written out: this is where the time goes
    u, v, w, x, y, z = other
    return a * u + b * v + c * w + d * x + e * y + f * z

"""An extended Kalman filter: a few unknowns, and how well each is known. Pure.

A measurement gives a sum of the unknowns, weighted by a row of factors. The covariances
link the unknowns, so one measurement may correct several of them.
"""

import math
from collections.abc import Sequence
from operator import mul

Row = tuple[float, ...]  # a factor for each unknown

TINY = 1e-9


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
        size = len(self.values)
        self.cov = [[0.0] * size for _ in range(size)]
        for i, sigma in enumerate(sigmas):
            self.cov[i][i] = sigma * sigma
        self.clamp()

    def sigma(self, unknown: int) -> float:
        """Return the standard deviation of one unknown."""
        return math.sqrt(self.cov[unknown][unknown])

    def value(self, row: Row) -> float:
        """Return a sum of the unknowns."""
        return dot(row, self.values)

    def variance(self, row: Row) -> float:
        """Return the variance of a sum."""
        return dot(row, [dot(row, line) for line in self.cov])

    def add_noise(self, unknown: int, variance: float, most: float = math.inf) -> None:
        """Increase a variance, at most to `most`; a greater one stays."""
        now = self.cov[unknown][unknown]
        self.cov[unknown][unknown] = max(now, min(now + variance, most))

    def update(self, row: Row, value: float, sigma: float) -> None:
        """Take a measurement: the sum of the unknowns by `row` is `value`.

        A deviation is limited to three standard deviations: a wrong reading must not
        spoil the other unknowns.
        """
        moved = [dot(row, line) for line in self.cov]
        spread = dot(row, moved) + sigma * sigma
        most = 3 * math.sqrt(spread)
        surprise = min(max(value - self.value(row), -most), most)
        for i, move in enumerate(moved):
            gain = move / spread
            self.values[i] += gain * surprise
            for j, other in enumerate(moved):
                self.cov[i][j] -= gain * other
        self.clamp()

    def update_if_better(self, row: Row, value: float, sigma: float) -> bool:
        """Use a measurement only if it is more certain than the sum; true if used.

        For measurements whose error is the same every time: the mean of many is not
        better than one.
        """
        if self.variance(row) <= sigma * sigma:
            return False
        self.update(row, value, sigma)
        return True

    def clamp(self) -> None:
        """Keep values and variances within bounds, whatever the rounding."""
        for i, (low, high) in enumerate(self.bounds):
            self.values[i] = min(max(self.values[i], low), high)
            self.cov[i][i] = max(self.cov[i][i], TINY)
        for i, j in upper_triangle(len(self.values)):
            if i != j:
                most = 0.999 * math.sqrt(self.cov[i][i] * self.cov[j][j])
                both = (self.cov[i][j] + self.cov[j][i]) / 2
                self.cov[i][j] = self.cov[j][i] = min(max(both, -most), most)

    def pack(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return values and the upper triangle of the covariance, in six digits."""
        upper = upper_triangle(len(self.values))
        return (
            tuple(six_digits(value) for value in self.values),
            tuple(six_digits(self.cov[i][j]) for i, j in upper),
        )

    def unpack(self, values: Sequence[float], covariance: Sequence[float]) -> None:
        """Go on from what `pack` returned."""
        self.values = list(values)
        upper = upper_triangle(len(self.values))
        for (i, j), value in zip(upper, covariance, strict=True):
            self.cov[i][j] = self.cov[j][i] = value
        self.clamp()


def upper_triangle(size: int) -> list[tuple[int, int]]:
    """Return the places of the upper triangle of a matrix, row by row."""
    return [(i, j) for i in range(size) for j in range(i, size)]


def are_sane(
    size: int,
    values: Sequence[float],
    covariance: Sequence[float],
    most: float,
    others: Sequence[float],
) -> bool:
    """Tell whether packed values have the right shape and plausible numbers."""
    shape = len(values) == size and len(covariance) == size * (size + 1) // 2
    numbers = (*values, *covariance, *others)
    return shape and all(math.isfinite(n) and abs(n) < most for n in numbers)


def six_digits(value: float) -> float:
    """Return a number as it is stored."""
    return float(f"{value:.6g}")


def dot(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the scalar product."""
    return float(sum(map(mul, one, other)))

"""What an estimator has to remember while the program does not run. Pure.

Plain numbers in dataclasses: pydantic's `TypeAdapter(SocState)` writes and reads it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from mppdbus.model.battery.chemistries import Chemistry
from mppdbus.model.battery.kalman_filter import SIZE, UPPER, KalmanFilter
from mppdbus.model.battery.state_of_charge import Anchor

INSANE = 1e10


@dataclass(slots=True)
class Times:
    """How long ago the count began, how much of it was missed, and the last full."""

    age: float = 0.0
    unseen: float = 0.0
    full: float | None = None

    def go_on(self, seconds: float) -> None:
        """Let time pass."""
        self.age += seconds
        if self.full is not None:
            self.full += seconds


@dataclass(slots=True)
class SocState:
    """All that is known of one battery; some 500 bytes as JSON.

    `values` and `covariance` are those of `filter.Unknown`, of the covariance the
    upper triangle by rows. Times in s.
    """

    chemistry: Chemistry
    values: tuple[float, ...]
    covariance: tuple[float, ...]
    anchor: Anchor = Anchor.GUESS
    anchor_soc: float = 50.0
    age_s: float = 0.0  # since the anchor
    unseen_s: float = 0.0  # of these
    gap_s: float = 0.0  # unseen at the end, and not reckoned with yet
    full_age_s: float | None = None  # since it was full; None: never seen
    ohms: float | None = None
    amps: float | None = None  # what flowed last
    mean_amps: float | None = None  # what flowed in the last half hour or so
    units: int = 1  # inverters that it was learned with

    @property
    def sound(self) -> bool:
        """Whether it can be gone on with: the right shape, and only sane numbers."""
        numbers = (*self.values, *self.covariance, self.anchor_soc, self.age_s)
        numbers += (self.unseen_s, self.gap_s)
        some = (self.full_age_s, self.ohms, self.amps, self.mean_amps)
        numbers += tuple(n for n in some if n is not None)
        shape = len(self.values) == SIZE and len(self.covariance) == len(UPPER)
        sane = all(math.isfinite(n) and abs(n) < INSANE for n in numbers)
        sane = sane and self.units >= 1
        return shape and sane and (self.ohms is None or self.ohms > 0)


def pack(kept: KalmanFilter) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return values and covariance of a filter in six digits."""
    values = tuple(_short(value) for value in kept.values)
    return values, tuple(_short(kept.cov[i][j]) for i, j in UPPER)


def unpack(state: SocState, kept: KalmanFilter) -> None:
    """Bring a fresh filter to what was kept of another."""
    kept.values = list(state.values)
    for (i, j), value in zip(UPPER, state.covariance, strict=True):
        kept.cov[i][j] = kept.cov[j][i] = value
    kept.clamp()


def _short(value: float) -> float:
    return float(f"{value:.6g}")

"""The state of an estimator that is stored while the program does not run. Pure.

Plain numbers in dataclasses: pydantic's `TypeAdapter(SocState)` writes and reads it.
"""

from dataclasses import dataclass

from mppdbus.model.battery.battery_filter import SIZE
from mppdbus.model.battery.chemistries import Chemistry
from mppdbus.model.battery.state_of_charge import Anchor
from mppdbus.model.kalman_filter import are_sane

INSANE = 1e10


@dataclass(slots=True)
class Times:
    """Seconds since the count began, of these without readings, and since full."""

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
    """The stored state of one battery; some 500 bytes as JSON.

    `values` and `covariance` are those of `BatteryFilter.pack`. Times in s.
    """

    chemistry: Chemistry
    values: tuple[float, ...]
    covariance: tuple[float, ...]
    anchor: Anchor = Anchor.GUESS
    anchor_soc: float = 50.0
    age_s: float = 0.0  # since the anchor
    unseen_s: float = 0.0  # part of `age_s` without readings
    gap_s: float = 0.0  # the gap at the end, not yet counted
    full_age_s: float | None = None  # since it was full; None: never seen
    ohms: float | None = None
    amps: float | None = None  # the last current
    mean_amps: float | None = None  # the mean of the last half hour or so
    units: int = 1  # number of inverters during learning

    @property
    def sound(self) -> bool:
        """Whether the state is usable: right shape, only plausible numbers."""
        some = (self.full_age_s, self.ohms, self.amps, self.mean_amps)
        others = [n for n in some if n is not None]
        others += (self.anchor_soc, self.age_s, self.unseen_s, self.gap_s)
        sane = are_sane(SIZE, self.values, self.covariance, INSANE, others)
        return sane and self.units >= 1 and (self.ohms is None or self.ohms > 0)

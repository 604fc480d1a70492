"""Which voltages a document allows for a setting; the inverter answers NAK outside."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Range:
    """Volts from `least` to `most` in steps of `step`, or exactly `values`.

    `zero`: 0 V is legal, too; as re-discharge voltage it means "when full".
    """

    least: float
    most: float
    step: float = 0.1
    values: tuple[float, ...] = ()
    zero: bool = False

    def allows(self, volts: float) -> bool:
        """Tell whether the documents allow this voltage."""
        if volts == 0:
            return self.zero
        if self.values:
            return volts in self.values
        steps = (volts - self.least) / self.step
        return self.least <= volts <= self.most and abs(steps - round(steps)) < 1e-6


Ranges = Mapping[int, Range]  # by the nominal voltage of the battery in V

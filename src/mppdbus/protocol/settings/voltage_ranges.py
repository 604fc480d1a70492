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


Ranges = Mapping[int, Range]  # by the nominal voltage of the battery in V

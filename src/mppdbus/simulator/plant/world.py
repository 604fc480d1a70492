"""The surroundings of the inverter: grid, load, sun."""

import math
from dataclasses import dataclass, field

SUNRISE, SUNSET = 6.0, 18.0
LOW_VOLTAGE = 140.0  # V; a unit for less is made for 100 to 127 V
_ACCEPTED = {0: (90.0, 280.0), 1: (170.0, 280.0)}  # V: appliance, UPS


@dataclass(slots=True)
class Grid:
    """The AC input; `on` False is a blackout, whatever the other values say."""

    on: bool = True
    volts: float = 230.0
    hz: float = 50.0
    nominal_v: float = 230.0

    def usable(self, input_range: int) -> bool:
        """Tell whether an inverter accepts it; one for 120 V has half these limits."""
        low, high = _ACCEPTED[input_range]
        volts = self.volts if self.nominal_v > LOW_VOLTAGE else 2 * self.volts
        return self.on and low <= volts <= high and 40.0 <= self.hz <= 65.0


@dataclass(slots=True)
class Load:
    """The load; its VA follow from the power factor unless given."""

    watts: float = 500.0
    va: float | None = None
    power_factor: float = 0.9
    first_leg: float = 1.0  # share of the watts on L1, of a unit with two legs

    def va_at(self, watts: float) -> float:
        """Return the VA while `watts` are served."""
        if self.va is None:
            return watts / self.power_factor
        return self.va * watts / self.watts if self.watts else 0.0


@dataclass(slots=True)
class Sun:
    """Watts that each tracker could make: fixed, or peaks of a clear day."""

    watts: list[float] = field(default_factory=lambda: [800.0])
    curve: bool = False

    def available(self, hour: float) -> list[float]:
        """Return the watts per tracker at `hour` (0 to 24) of the day."""
        share = day_curve(hour) if self.curve else 1.0
        return [watts * share for watts in self.watts]


def day_curve(hour: float) -> float:
    """Return the share of the peak on a clear day, 0 at night, 1 at noon."""
    if not SUNRISE < hour < SUNSET:
        return 0.0
    return math.pow(math.sin(math.pi * (hour - SUNRISE) / (SUNSET - SUNRISE)), 1.5)

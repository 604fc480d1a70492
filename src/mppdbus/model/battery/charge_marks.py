"""When the voltage and current themselves say how full the battery is. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mppdbus.model.battery.description import BatteryModel
from mppdbus.model.victron_codes import State

SMOOTH_S = 60.0
FULL_S = 120.0  # at bulk voltage with little current
FLOAT_S = 300.0  # the same at float voltage
SETTLED_S = 3600.0  # of floating: until then what it takes still falls
KNEE_S = 120.0
KNEE_CURRENT = 0.2  # of the capacity: with more the sag is not known well enough


@dataclass(slots=True)
class Smooth:
    """A value as an average of about the last `span_s`."""

    value: float | None = None
    span_s: float = SMOOTH_S

    def feed(self, value: float, seconds: float) -> float:
        """Take `value` as what was for `seconds`."""
        if self.value is None:
            self.value = value
        else:
            share = 1.0 - math.exp(-seconds / self.span_s)
            self.value += share * (value - self.value)
        return self.value


class Watch:
    """How long the battery has looked full, nearly empty, or at rest; in s."""

    def __init__(self, battery: BatteryModel) -> None:
        self._battery = battery
        self._volts, self._amps = Smooth(), Smooth()
        self._tail_s = self._float_s = 0.0
        self.knee_s = self.rested_s = 0.0

    @property
    def charged(self) -> bool:
        """Whether it takes hardly anything at bulk voltage."""
        return self._tail_s >= FULL_S

    @property
    def floating(self) -> bool:
        """Whether it takes hardly anything at float voltage."""
        return self._float_s >= FLOAT_S

    @property
    def settled(self) -> bool:
        """Whether it has floated for so long that it takes no more than for good."""
        return self._float_s >= SETTLED_S

    @property
    def rested(self) -> bool:
        """Whether the voltage is near that of rest."""
        return self.rested_s >= self._battery.cell.rest_s

    @property
    def at_knee(self) -> bool:
        """Whether the voltage has left the flat part of the curve for good."""
        return self.knee_s >= KNEE_S

    def feed(
        self,
        volts: float,
        amps: float,
        rest_v: float,
        seconds: float,
        stage: State | None,
    ) -> None:
        """Take what was for `seconds`; `rest_v` is without what the current adds."""
        battery = self._battery
        cell, capacity = battery.cell, battery.capacity_ah
        smooth_v = self._volts.feed(volts, seconds)
        smooth_a = self._amps.feed(amps, seconds)
        little = smooth_a <= battery.tail_a
        at_bulk = little and smooth_v >= battery.bulk_reached_v
        self._tail_s = self._tail_s + seconds if at_bulk else 0.0
        floats = stage is State.FLOAT and smooth_v >= battery.float_reached_v
        self._float_s = self._float_s + seconds if floats and little else 0.0
        low = rest_v < cell.knee_v * battery.in_series
        low = low and -KNEE_CURRENT * capacity <= amps <= 0
        self.knee_s = self.knee_s + seconds if low else 0.0
        rests = abs(amps) <= cell.rest_current * capacity
        if cell.charge_disturbs and amps > 0.01 * capacity:
            rests = False
        self.rested_s = self.rested_s + seconds if rests else 0.0

"""When voltage and current alone show how full the battery is. Pure.

Full, nearly empty, or at rest. One battery always differs from the curve of its
chemistry by about the same voltage. So the rest voltage shows this difference while the
charge is known well, and later corrects the charge.
"""

import math
from dataclasses import dataclass

from mppdbus.model.battery.battery_filter import SHIFT, BatteryFilter
from mppdbus.model.battery.battery_model import BatteryModel
from mppdbus.model.kalman_filter import Row
from mppdbus.model.victron_codes import State

SMOOTH_S = 60.0
FULL_S = 120.0  # at bulk voltage with little current
FLOAT_S = 300.0  # at float voltage with little current
SETTLED_S = 3600.0  # of floating, until the current no longer falls
KNEE_S = 120.0
KNEE_CURRENT = 0.2  # of the capacity; above it the voltage drop is too uncertain
LEAST_BLUR = 3.0  # %: least uncertainty of a charge by voltage
NEAR_EMPTY = 25.0  # %: below it the uncertainty grows up to `foot`
# %: how far the first value may be from the inverter's own, where the chemistry is
# a guess, and where it is known.
NEAR_PANEL, NEAR_ENOUGH = 8.0, 14.5
LEAD_RESTS = 90.0  # %: as lead, lithium at rest looks fuller than that
SURE, WILD = 15.0, 30.0  # %: least error of a guess, at little current and at more


@dataclass(slots=True)
class RunningMean:
    """A value as an average of about the last `span_s`."""

    value: float | None = None
    span_s: float = SMOOTH_S

    def feed(self, value: float, seconds: float) -> float:
        """Add a value that lasted `seconds`; return the mean."""
        if self.value is None:
            self.value = value
        else:
            share = 1.0 - math.exp(-seconds / self.span_s)
            self.value += share * (value - self.value)
        return self.value


class ReferencePoints:
    """How long the battery has looked full, nearly empty, or at rest; in s."""

    def __init__(self, battery: BatteryModel) -> None:
        self._battery = battery
        self._volts, self._amps = RunningMean(), RunningMean()
        self._tail_s = self._float_s = 0.0
        self.knee_s = self.rested_s = 0.0

    @property
    def charged(self) -> bool:
        """Whether the battery takes little current at bulk voltage: it is charged."""
        return self._tail_s >= FULL_S

    @property
    def floating(self) -> bool:
        """Whether the battery takes little current at float voltage."""
        return self._float_s >= FLOAT_S

    @property
    def settled(self) -> bool:
        """Whether the battery has floated so long that its current no longer falls."""
        return self._float_s >= SETTLED_S

    @property
    def rested(self) -> bool:
        """Whether the voltage is near the rest voltage."""
        return self.rested_s >= self._battery.cell.rest_s

    @property
    def at_knee(self) -> bool:
        """Whether the voltage has been below the flat part of the curve for a while."""
        return self.knee_s >= KNEE_S

    def feed(
        self,
        volts: float,
        amps: float,
        rest_v: float,
        seconds: float,
        stage: State | None,
    ) -> None:
        """Add a reading that lasted `seconds`; `rest_v` is its rest voltage."""
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


@dataclass(frozen=True, slots=True)
class RestReading:
    """A measurement by rest voltage: the sum of the unknowns by `row` is `value` %."""

    row: Row
    value: float
    sigma: float  # of the reading itself
    spread: float  # of the charge by this reading alone


def read_rest_voltage(
    battery: BatteryModel, rest_v: float, known: BatteryFilter
) -> RestReading:
    """Return the charge that a rest voltage tells, as a measurement for the filter."""
    cell, shift = battery.cell, known.values[SHIFT]
    volts = rest_v - shift * battery.in_series
    soc, sigma = battery.soc_at(volts, cell.repeats / cell.blur, LEAST_BLUR)
    slope = sigma / cell.repeats
    foot = cell.foot * max(1.0 - soc / NEAR_EMPTY, 0.0)
    sigma = math.hypot(sigma, foot)
    spread = math.hypot(sigma, slope * known.sigma(SHIFT))
    row = (1.0, 0.0, 0.0, 0.0, slope)
    return RestReading(row, soc + slope * shift, sigma, spread)


def guess_charge(
    battery: BatteryModel,
    rest_v: float,
    amps: float,
    known: BatteryFilter,
    panel: float | None = None,
) -> tuple[float, float]:
    """Return (charge, its uncertainty) in % by a voltage that may not be at rest.

    `panel` is the inverter's own percent, a second witness. The result stays near it,
    as this is what a user compares with; the more the two differ, the less is known.
    The voltage of lead with little current is the better witness.
    """
    calm = abs(amps) <= 2 * battery.cell.rest_current * battery.capacity_ah
    volts = rest_v - known.values[SHIFT] * battery.in_series
    soc, sigma = battery.first_guess(volts, amps)
    sigma = max(sigma, SURE if calm else WILD)
    if panel is None:
        return soc, sigma
    own = battery.cell.panel[0 if calm else 1]
    mean = (soc * own**2 + panel * sigma**2) / (own**2 + sigma**2)
    told = not battery.voltage_blur  # the chemistry
    lead = battery.chemistry.startswith("lead") and (told or soc < LEAD_RESTS)
    if lead and calm:
        mean = soc
    if not (lead and calm and told):
        near = NEAR_ENOUGH if lead or told else NEAR_PANEL
        mean = min(max(mean, panel - near), panel + near)
    # Both come from the same voltage: they may be wrong together.
    return mean, math.hypot(sigma, (soc - panel) / 2)

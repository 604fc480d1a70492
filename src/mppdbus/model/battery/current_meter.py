"""What flows into the battery, by a meter that counts whole amperes. Pure.

A reading of n A says that it is within half an ampere of n; 0 may also be a discharge
too small for the unit to see. Where in there, the balance of powers tells while nothing
comes from the mains: what the sun gives and the load does not take.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from mppdbus.model.battery.description import BatteryModel
from mppdbus.model.battery.kalman_filter import HIDDEN, OFFSET, OWN, Filter, Row
from mppdbus.model.power import BATTERY_MODES

ROUNDING = 0.29  # A: standard deviation of what whole amperes hide
MOST_A, MOST_W = 1000.0, 100_000.0  # of one unit: more is no reading
BLIND_W = 130.0  # a smaller discharge reads 0 on several units
POWER_BLUR = 0.03  # of the powers of sun and load: errors of meters and efficiency


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at the inverter; None where it does not say."""

    volts: float
    amps: float  # as read; positive charging
    surplus_w: float | None = None  # sun less load, at the DC side
    surplus_blur_w: float = 0.0
    hidden: bool = False  # the load reads 0, which a small one does

    @property
    def zero(self) -> bool:
        """Whether the meter says that nothing flows."""
        return self.amps == 0


@dataclass(frozen=True, slots=True)
class Amps:
    """A into the battery, its uncertainty, and how it hangs on the unknowns."""

    amps: float
    blur: float = 0.0
    slopes: Row = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


_AGAINST: Row = (0.0, -1.0, 0.0, 0.0, 0.0, 0.0)


def reading(
    battery: BatteryModel,
    volts: float,
    amps: float,
    *,
    load_w: float | None,
    pv_w: float | None,
    mode: str | None,
) -> Reading:
    """Return the reading, with the balance of powers where there is one."""
    most = MOST_W * battery.units
    if mode not in BATTERY_MODES or not (real(load_w, most) and real(pv_w, most)):
        return Reading(volts, amps)
    load, sun = max(load_w or 0.0, 0.0), max(pv_w or 0.0, 0.0)
    surplus = sun - load / battery.inverter_efficiency
    return Reading(volts, amps, surplus, POWER_BLUR * (load + sun), hidden=load == 0)


def judge(at: Reading, units: int, kept: Filter) -> Amps:
    """Return the likeliest current, by what the filter knows."""
    offset, half, blur = kept.values[OFFSET], 0.5 * units, ROUNDING * units
    middle = at.amps - offset
    low, high = middle - half, middle + half
    if at.zero:
        low = min(low, -BLIND_W * units / at.volts - offset)
        middle, blur = (low + high) / 2, (high - low) / math.sqrt(12)
    if at.surplus_w is None:
        if at.zero:
            return Amps(min(max(0.0, low), high), blur)
        return Amps(middle, blur, _AGAINST)
    row = (0.0, 0.0, 0.0, 1.0, float(at.hidden), 0.0)
    other = math.sqrt(at.surplus_blur_w**2 + kept.variance(row)) / at.volts
    share = blur**2 / (blur**2 + other**2)
    amps = middle + share * ((at.surplus_w - drain(kept, at)) / at.volts - middle)
    per_watt = -share / at.volts
    slopes = (0.0, share - 1.0, 0.0, per_watt, per_watt * at.hidden, 0.0)
    # What the unknowns add stands in the slopes already.
    left = math.hypot((1 - share) * blur, share * at.surplus_blur_w / at.volts)
    if low <= amps <= high:
        return Amps(amps, left, slopes)
    return Amps(min(max(amps, low), high), blur, _AGAINST)


def drain(kept: Filter, at: Reading) -> float:
    """Return the W that are taken besides what the inverter says of the load."""
    return kept.values[OWN] + (kept.values[HIDDEN] if at.hidden else 0.0)


def real(value: float | None, most: float) -> bool:
    """Tell whether something was read that can be."""
    return value is not None and -most <= value <= most

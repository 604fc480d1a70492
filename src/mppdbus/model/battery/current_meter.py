"""The current into the battery, from a meter of whole amperes. Pure.

A reading of n A means n ± 0.5 A; 0 may also be a discharge too small for the meter.
While nothing comes from the mains, the balance of powers (PV less load and own
consumption) gives the value within that range.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mppdbus.model.battery.battery_filter import HIDDEN, OFFSET, BatteryFilter
from mppdbus.model.battery.battery_model import BatteryModel
from mppdbus.model.kalman_filter import Row
from mppdbus.model.power import BATTERY_MODES, LOSSLESS, Losses

ROUNDING = 0.29  # A: standard deviation of rounding to whole amperes
MOST_A, MOST_W = 1000.0, 100_000.0  # of one unit: more is no reading
BLIND_W = 130.0  # a smaller discharge reads 0 on several units
POWER_BLUR = 0.03  # share of PV and load power: meter errors, efficiency
BALANCE_BLUR = 0.2  # A of a unit: an error of learned losses is the same all day
# Until the losses are learned: W of own consumption per V of the battery.
TYPICAL_OWN, TYPICAL_SIGMA = 0.9, 0.5
TYPICAL_EFFICIENCY = 0.93  # of DC to AC


@dataclass(frozen=True, slots=True)
class BatteryReading:
    """The readings of all units at one moment; None is unknown."""

    volts: float
    amps: float  # as read; positive charging
    surplus_w: float | None = None  # PV less load and own consumption, DC side
    surplus_sigma_w: float = 0.0
    hidden: bool = False  # the load reads 0; a small load may flow
    losses: Losses = LOSSLESS  # used for `surplus_w`

    @property
    def zero(self) -> bool:
        """Whether the meter reads 0."""
        return self.amps == 0


@dataclass(frozen=True, slots=True)
class CurrentEstimate:
    """A into the battery, the standard deviation, and its slope by each unknown."""

    amps: float
    sigma: float = 0.0
    slopes: Row = (0.0, 0.0, 0.0, 0.0, 0.0)


_LESS_OFFSET: Row = (0.0, -1.0, 0.0, 0.0, 0.0)


def typical_losses(battery: BatteryModel) -> Losses:
    """Return the typical losses of all units of a bank."""
    volts = battery.nominal_voltage * battery.units
    return Losses(
        TYPICAL_OWN * volts, TYPICAL_EFFICIENCY, own_sigma=TYPICAL_SIGMA * volts
    )


def total_losses(units: Sequence[Losses]) -> Losses | None:
    """Return the sum of all units' losses; None until all of them are learned."""
    sigmas = [unit.own_sigma for unit in units if unit.own_sigma is not None]
    if not units or len(sigmas) < len(units):
        return None
    return Losses(
        sum(unit.own_w for unit in units),
        sum(unit.efficiency for unit in units) / len(units),
        solar_efficiency=sum(unit.solar_efficiency for unit in units) / len(units),
        own_sigma=sum(sigmas),
        known=True,
    )


def battery_reading(
    battery: BatteryModel,
    volts: float,
    amps: float,
    *,
    load_w: float | None,
    pv_w: float | None,
    mode: str | None,
    losses: Losses | None,
) -> BatteryReading:
    """Return the reading, with the balance of powers where there is one.

    `losses` are those of all units, None while they are not learned.
    """
    most = MOST_W * battery.units
    if mode not in BATTERY_MODES or not (real(load_w, most) and real(pv_w, most)):
        return BatteryReading(volts, amps)
    load, sun = max(load_w or 0.0, 0.0), max(pv_w or 0.0, 0.0)
    losses = losses or typical_losses(battery)
    surplus = sun * losses.solar_efficiency - load / losses.efficiency - losses.own_w
    own_sigma = max(losses.own_sigma or 0.0, BALANCE_BLUR * volts * battery.units)
    sigma = math.hypot(POWER_BLUR * (load + sun), own_sigma)
    return BatteryReading(volts, amps, surplus, sigma, load == 0, losses)


def estimate_current(
    at: BatteryReading, units: int, known: BatteryFilter
) -> CurrentEstimate:
    """Return the most likely current, given the state of the filter.

    Learned own consumption contains what the meter reads too high (see `Losses`), so
    the balance then gives what the meter would show if it did not round.
    """
    offset, half, sigma = known.values[OFFSET], 0.5 * units, ROUNDING * units
    middle = at.amps - offset
    low, high = middle - half, middle + half
    if at.zero:
        low = min(low, -BLIND_W * units / at.volts - offset)
        middle, sigma = (low + high) / 2, (high - low) / math.sqrt(12)
    if at.surplus_w is None:
        if at.zero:
            return CurrentEstimate(min(max(0.0, low), high), sigma)
        return CurrentEstimate(middle, sigma, _LESS_OFFSET)
    hidden_sigma = known.sigma(HIDDEN) * at.hidden
    other = math.hypot(at.surplus_sigma_w, hidden_sigma) / at.volts
    share = sigma**2 / (sigma**2 + other**2)
    balance = (at.surplus_w - known.values[HIDDEN] * at.hidden) / at.volts
    by_offset = share - 1.0
    if at.losses.known:
        balance, by_offset = balance - offset, -1.0
    amps = middle + share * (balance - middle)
    slopes = (0.0, by_offset, 0.0, -share * at.hidden / at.volts, 0.0)
    # The slopes already contain the effect of the unknowns.
    left = math.hypot((1 - share) * sigma, share * at.surplus_sigma_w / at.volts)
    if low <= amps <= high:
        return CurrentEstimate(amps, left, slopes)
    return CurrentEstimate(min(max(amps, low), high), sigma, _LESS_OFFSET)


def real(value: float | None, most: float) -> bool:
    """Tell whether a plausible value was read."""
    return value is not None and -most <= value <= most

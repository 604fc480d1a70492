"""Readings → one consistent power flow. Pure.

PI30 measures the load, the battery (in whole amperes) and PV, but never mains power.
That is derived from the balance, and marked so; the unit's losses are included as soon
as `losses` has learned them. Measured values stay as they are.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from mppdbus.model.snapshot import Snapshot
from mppdbus.protocol.dialects import DIALECTS
from mppdbus.protocol.modes import MODES, Supply, letters
from mppdbus.protocol.replies.status import (
    GeneralStatus,
    SecondPhase,
    SecondTracker,
    SecondTrackerDuo,
)

BATTERY_MODES = letters(Supply.BATTERY)
UNSHOWN = 0.4  # A: the most that a meter of whole amperes shows as 0
MAINS_PRESENT = 30.0  # V; some units show 1.0 V without mains (f0015)


class Origin(StrEnum):
    """Where a value comes from."""

    MEASURED = "measured"
    DERIVED = "derived"
    ESTIMATED = "estimated"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Losses:
    """Own consumption and losses of a unit; by default none.

    `own_w` is own consumption as the battery meter shows it: less the W that this meter
    reads too high, so the two cancel out wherever both are used. `efficiency` is that
    between DC and AC, `solar_efficiency` that of the PV charger, `hidden_a` the A by
    which the battery meter shows too little in both directions.
    """

    own_w: float = 0.0
    efficiency: float = 1.0
    known: bool = False  # False: they are not used yet
    solar_efficiency: float = 1.0
    hidden_a: float = 0.0
    own_sigma: float | None = None  # W: standard deviation of `own_w`; None: unknown

    def to_dc(self, power: float) -> float:
        """Return the W on the AC side for `power`, W, that the DC side takes.

        Negative: that it gives.
        """
        return power / self.efficiency if power > 0 else power * self.efficiency


LOSSLESS = Losses()


@dataclass(slots=True)
class Flow:
    """Powers in W, currents in A; battery positive while charging; None = unknown.

    Nobody changes one that `flow` has returned.
    `losses` are own consumption and conversion; `hidden_load` is what the output takes
    while the load reads 0 on battery: both estimates, None until they can be made.
    """

    load: float | None = None
    load_origin: Origin = Origin.UNKNOWN
    pv: tuple[float | None, ...] = ()
    pv_total: float | None = None
    pv_origin: Origin = Origin.UNKNOWN
    battery_voltage: float | None = None
    battery_current: float | None = None
    battery_power: float | None = None
    mains_present: bool | None = None
    mains_used: bool | None = None  # the unit is connected to the mains
    mains_voltage: float | None = None  # V and Hz as measured: 0 without mains
    mains_frequency: float | None = None
    mains_power: float | None = None
    mains_current: float | None = None
    mains_origin: Origin = Origin.UNKNOWN
    mains_current_origin: Origin = Origin.UNKNOWN
    losses: float | None = None
    hidden_load: float | None = None


def flow(
    snapshot: Snapshot, losses: Losses | None = None, *, trickle: float = 0.0
) -> Flow:
    """Return the power flow of one unit; `losses` are used once they are known.

    `trickle` is the battery's float current, A, used where the meter shows 0 on mains.
    """
    status = snapshot.status
    if status is None:
        return Flow()
    charge, discharge = (
        status.battery_charging_current,
        status.battery_discharge_current,
    )
    current = None
    if charge is not None and discharge is not None:
        current = float(charge - discharge)
    pv, origin = _pv(status, snapshot)
    total = known_sum(pv) if snapshot.trackers is not None else None
    load: float | None = status.ac_output_active_power
    if leg_count(snapshot) > 1:
        load = known_sum([leg.power for leg in legs(snapshot)])
    found = Flow(
        load=load,
        load_origin=Origin.UNKNOWN if load is None else Origin.MEASURED,
        pv=pv,
        pv_total=total,
        pv_origin=Origin.UNKNOWN if total is None else origin,
        battery_voltage=status.battery_voltage,
        battery_current=current,
        battery_power=_product(status.battery_voltage, current),
        mains_present=mains_present(snapshot),
        mains_used=mains_used(snapshot),
        mains_voltage=status.grid_voltage,
        mains_frequency=status.grid_frequency,
    )
    known = losses if losses and losses.known else LOSSLESS
    _derive(found, status, snapshot, known, min(trickle, UNSHOWN))
    return found


def _derive(
    found: Flow,
    status: GeneralStatus,
    snapshot: Snapshot,
    losses: Losses,
    trickle: float,
) -> None:
    """Add what follows from the measured values; those stay as they are."""
    dc_side = _dc_side(found, snapshot, losses, trickle)
    mains, origin = _mains(found, dc_side, losses)
    current, current_origin = status.grid_input_current, Origin.MEASURED
    if current is None and mains is not None and status.grid_voltage is not None:
        current = mains / status.grid_voltage if found.mains_present else 0.0
        current_origin = origin
    if losses.known and dc_side is not None and found.load is not None:
        found.losses = _lost(found, dc_side, losses)
        found.hidden_load = _hidden_load(found, snapshot, dc_side, losses)
    found.mains_power, found.mains_origin = mains, origin
    found.mains_current = current
    found.mains_current_origin = Origin.UNKNOWN if current is None else current_origin


def mains_present(snapshot: Snapshot) -> bool | None:
    """Tell whether there is voltage at the AC input."""
    status = snapshot.status
    if status is None or status.grid_voltage is None:
        return None
    return status.grid_voltage >= MAINS_PRESENT


def mains_used(snapshot: Snapshot) -> bool | None:
    """Tell whether the unit draws power from the mains: by its mode, or by b0."""
    mode = MODES.get(snapshot.mode or "")
    if mode is None or snapshot.status is None:
        return None  # also for a letter that no document explains
    if mode.supply is Supply.MAINS:
        return mains_present(snapshot)
    if mode.supply is Supply.SWITCHED_OFF:
        return bool(mains_present(snapshot) and snapshot.status.ac_charging)
    return False


def _dc_side(
    found: Flow, snapshot: Snapshot, losses: Losses, trickle: float
) -> float | None:
    """Return battery power less PV power, W; < 0: surplus on the DC side."""
    if found.pv_total is None:
        return None
    sun = found.pv_total * losses.solar_efficiency
    if not snapshot.battery_fitted:
        return -sun
    power, current, volts = (
        found.battery_power,
        found.battery_current,
        found.battery_voltage,
    )
    if power is None or current is None or volts is None:
        return None
    if current:  # the meter shows too little in both directions
        return power + math.copysign(losses.hidden_a * volts, current) - sun
    return (trickle * volts if found.mains_used else power) - sun


def _mains(
    found: Flow, dc_side: float | None, losses: Losses
) -> tuple[float | None, Origin]:
    """Return mains power, W: load, DC side and own consumption.

    The load is fed directly; only power to or from the DC side is converted.
    """
    if found.mains_used is None:
        return None, Origin.UNKNOWN
    if not found.mains_used:
        return 0.0, Origin.DERIVED
    if found.load is None or dc_side is None:
        return None, Origin.UNKNOWN
    guessed = found.pv_origin is Origin.ESTIMATED and found.pv_total != 0
    power = max(0.0, found.load + losses.to_dc(dc_side) + losses.own_w)
    return power, Origin.ESTIMATED if guessed else Origin.DERIVED


def _lost(found: Flow, dc_side: float, losses: Losses) -> float | None:
    """Return the power that becomes heat, W; None in an unknown mode."""
    if found.mains_used is None or found.load is None:
        return None
    sun = (found.pv_total or 0.0) * (1 - losses.solar_efficiency)
    converted = found.load * (1 / losses.efficiency - 1)
    if found.mains_used:
        converted = losses.to_dc(dc_side) - dc_side
    return max(0.0, losses.own_w + sun + converted)


def _hidden_load(
    found: Flow, snapshot: Snapshot, dc_side: float, losses: Losses
) -> float | None:
    """Return the real load, W, on battery while the load reads 0.

    None if the battery current reads 0 too.
    """
    seen = bool(found.battery_current) and snapshot.battery_fitted
    if snapshot.mode not in BATTERY_MODES or found.load != 0 or not seen:
        return None
    return max(0.0, -dc_side - losses.own_w) * losses.efficiency


def _pv(
    status: GeneralStatus, snapshot: Snapshot
) -> tuple[tuple[float | None, ...], Origin]:
    """Return the power of each tracker: field 20, and QPIGS2 for the others."""
    first: float | None = status.pv_charging_power
    origin = Origin.MEASURED
    if first is None:
        # The layout of 17 words has no PV power; its PV current is battery-side.
        first = _product(status.scc_battery_voltage, status.pv_input_current)
        origin = Origin.ESTIMATED
    trackers = snapshot.trackers or 1
    if trackers == 1:
        return (first,), origin
    match snapshot.second:
        case SecondTrackerDuo() as second:
            return (first, second.pv2_power, second.pv3_power)[:trackers], origin
        case SecondTracker() as second:
            return (first, second.pv2_power), origin
        case SecondPhase() as second:
            power = _product(second.pv2_voltage, second.pv2_current)
            return (first, power), Origin.ESTIMATED
    return (first, None), origin


def _product(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one * other


def known_sum(values: Sequence[float | None]) -> float | None:
    """Return the sum; None if any value is unknown, or there are none."""
    if not values or None in values:
        return None
    return sum(cast("Sequence[float]", values))


def known_mean(values: Sequence[float | None]) -> float | None:
    """Return the mean of the known values; None if there are none."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


# -- the phases of the output: one, or the two that a PI41 makes --------------------


@dataclass(frozen=True, slots=True)
class Leg:
    """One phase of a unit's output: V, A, W, Hz, VA; None = unknown."""

    voltage: float | None = None
    current: float | None = None
    power: float | None = None
    frequency: float | None = None
    apparent: float | None = None

    @classmethod
    def of(cls, output: GeneralStatus | SecondPhase | None) -> "Leg":
        """Return what a reply says of the phase; A is VA / V, none without voltage."""
        if output is None:
            return cls()
        volts, apparent = output.ac_output_voltage, output.ac_output_apparent_power
        current = None
        if volts is not None and apparent is not None:
            current = apparent / volts if volts else 0.0
        power, frequency = output.ac_output_active_power, output.ac_output_frequency
        return cls(volts, current, power, frequency, apparent)


def legs(snapshot: Snapshot) -> tuple[Leg, ...]:
    """Return L1 of a unit's output, and L2 where one unit makes both (PI41).

    While L2 of such a unit is unknown, all its values are None.
    """
    first = Leg.of(snapshot.status)
    if isinstance(snapshot.second, SecondPhase):
        return first, Leg.of(snapshot.second)
    return (first, *[Leg()] * (leg_count(snapshot) - 1))


def leg_count(snapshot: Snapshot) -> int:
    """Return how many legs a unit's output has."""
    if isinstance(snapshot.second, SecondPhase):
        return 2
    dialect = DIALECTS.get(snapshot.identity.dialect or "")
    return dialect.phases if dialect else 1

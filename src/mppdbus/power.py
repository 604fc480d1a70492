"""Readings → one consistent power flow. Pure.

PI30 measures the load, the battery (in whole amperes) and PV, never what is drawn
from the mains: that is derived from the balance, without losses, and says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .protocol.models import MODES, SecondPhase, SecondTracker, SecondTrackerDuo
from .snapshot import Snapshot

MAINS_MODES = frozenset("LYE")  # line, bypass, ECO
OUTPUT_OFF_MODES = frozenset("SC")  # standby, charging: on mains only if b0 says so
MAINS_PRESENT = 30.0  # V; some units show 1.0 V without mains (f0015)


class Origin(StrEnum):
    """Where a value comes from."""

    MEASURED = "measured"
    DERIVED = "derived"
    ESTIMATED = "estimated"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Flow:
    """Powers in W, currents in A; battery positive while charging; None = unknown."""

    load: float | None = None
    pv: tuple[float | None, ...] = ()
    pv_total: float | None = None
    pv_origin: Origin = Origin.UNKNOWN
    battery_voltage: float | None = None
    battery_current: float | None = None
    battery_power: float | None = None
    mains_present: bool | None = None
    mains_used: bool | None = None  # the unit is connected to the mains
    mains_power: float | None = None
    mains_current: float | None = None
    mains_origin: Origin = Origin.UNKNOWN


def flow(snapshot: Snapshot) -> Flow:
    """Return the power flow of one unit."""
    status = snapshot.status
    if status is None:
        return Flow()
    load = _float(status.ac_output_active_power)
    current = _difference(
        status.battery_charging_current, status.battery_discharge_current
    )
    battery = _product(status.battery_voltage, current)
    pv, origin = _pv(snapshot)
    total = _sum(pv) if snapshot.trackers is not None else None
    used = mains_used(snapshot)
    taken = battery if snapshot.battery_fitted else 0.0
    mains, mains_origin = _mains(used, load, taken, total)
    return Flow(
        load=load,
        pv=pv,
        pv_total=total,
        pv_origin=origin if total is not None else Origin.UNKNOWN,
        battery_voltage=status.battery_voltage,
        battery_current=current,
        battery_power=battery,
        mains_present=mains_present(snapshot),
        mains_used=used,
        mains_power=mains,
        mains_current=_quotient(mains, status.grid_voltage),
        mains_origin=mains_origin,
    )


def mains_present(snapshot: Snapshot) -> bool | None:
    """Tell whether there is voltage at the AC input."""
    status = snapshot.status
    if status is None or status.grid_voltage is None:
        return None
    return status.grid_voltage >= MAINS_PRESENT


def mains_used(snapshot: Snapshot) -> bool | None:
    """Tell whether the unit takes from the mains: by its mode, or by b0."""
    if snapshot.mode not in MODES or snapshot.status is None:
        return None  # also for a letter that no document explains
    if snapshot.mode in MAINS_MODES:
        return mains_present(snapshot)
    if snapshot.mode in OUTPUT_OFF_MODES:
        return bool(mains_present(snapshot) and snapshot.status.ac_charging)
    return False


def _mains(
    used: bool | None,  # noqa: FBT001 - three states, not a switch
    load: float | None,
    battery: float | None,
    pv: float | None,
) -> tuple[float | None, Origin]:
    if used is None:
        return None, Origin.UNKNOWN
    if not used:
        return 0.0, Origin.DERIVED
    if load is None or battery is None or pv is None:
        return None, Origin.UNKNOWN
    return max(0.0, load + battery - pv), Origin.DERIVED


def _pv(snapshot: Snapshot) -> tuple[tuple[float | None, ...], Origin]:
    """Return the power of each tracker: field 20, and QPIGS2 for the others."""
    status, second = snapshot.status, snapshot.second
    if status is None:
        return (), Origin.UNKNOWN
    first, origin = _float(status.pv_charging_power), Origin.MEASURED
    if first is None:
        # The layout of 17 words has no PV power; its PV current is battery-side.
        first = _product(status.scc_battery_voltage, status.pv_input_current)
        origin = Origin.ESTIMATED
    if (snapshot.trackers or 1) < 2:
        return (first,), origin
    match second:
        case SecondTrackerDuo():
            rest = (_float(second.pv2_power), _float(second.pv3_power))
            return (first, *rest[: (snapshot.trackers or 2) - 1]), origin
        case SecondTracker():
            return (first, _float(second.pv2_power)), origin
        case SecondPhase():
            power = _product(second.pv2_voltage, second.pv2_current)
            return (first, power), Origin.ESTIMATED
    return (first, None), origin


def _float(value: float | None) -> float | None:
    return None if value is None else float(value)


def _difference(plus: float | None, minus: float | None) -> float | None:
    return None if plus is None or minus is None else float(plus - minus)


def _product(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one * other


def _quotient(power: float | None, voltage: float | None) -> float | None:
    if power is None or voltage is None:
        return None
    return power / voltage if voltage >= MAINS_PRESENT else 0.0


def _sum(values: tuple[float | None, ...]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) and known else None

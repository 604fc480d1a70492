"""TABLES: our own paths, below /Mppdbus: where values come from, how the line does.

Each quantity has one row that says whether it is measured, derived or estimated.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from mppdbus.model.power import Origin
from mppdbus.model.views import SystemView, UnitView, joined
from mppdbus.venus.dbus.items import Value
from mppdbus.venus.tables.row import (
    FINE_PERCENT,
    INT,
    NUM,
    PERCENT,
    SECONDS,
    TEXT,
    WATT,
    Row,
    rounded,
)
from mppdbus.venus.tables.unit import (
    Source,
    alarms,
    flow,
    mains,
    output_current,
    status,
    who,
)

# -- origins -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Quantity:
    """What has an origin, and the paths that it is about."""

    name: str
    origin: Callable[[UnitView], Origin]
    of: str


def _if_known(read: Source, origin: Origin) -> Callable[[UnitView], Origin]:
    return lambda view: Origin.UNKNOWN if read(view) is None else origin


def _energy(view: UnitView) -> Origin:
    """Return the origin of what is counted: that of what is counted now."""
    if view.counters is None:
        return Origin.UNKNOWN
    origins = (view.flow.pv_origin, view.flow.mains_origin)
    return Origin.ESTIMATED if Origin.ESTIMATED in origins else Origin.DERIVED


QUANTITIES: tuple[Quantity, ...] = (
    Quantity("AcIn", lambda v: v.flow.mains_origin, "/Ac/In/1/*/P"),
    Quantity("AcInCurrent", lambda v: v.flow.mains_current_origin, "/Ac/In/1/*/I"),
    Quantity(
        "AcInVoltage",
        _if_known(mains("grid_voltage"), Origin.MEASURED),
        "/Ac/In/1/*/V and F",
    ),
    Quantity("Load", lambda v: v.flow.load_origin, "/Ac/Out/*/P"),
    Quantity(
        "AcOutVoltage",
        _if_known(status("ac_output_voltage"), Origin.MEASURED),
        "/Ac/Out/*/V, F and S",
    ),
    Quantity("AcOutCurrent", _if_known(output_current, Origin.DERIVED), "/Ac/Out/*/I"),
    Quantity(
        "Battery",
        _if_known(flow("battery_voltage"), Origin.MEASURED),
        "/Dc/0/Voltage and Current",
    ),
    Quantity(
        "BatteryPower",
        _if_known(flow("battery_power"), Origin.DERIVED),
        "/Dc/0/Power",
    ),
    Quantity("Yield", lambda v: v.flow.pv_origin, "/Yield/Power and /Pv/*/P"),
    Quantity(
        "PvVoltage",
        _if_known(status("pv_input_voltage"), Origin.MEASURED),
        "/Pv/V and /Pv/*/V",
    ),
    Quantity(
        "Energy",
        _energy,
        "/Energy/*, /Yield/User and System, /History/*",
    ),
    Quantity(
        "State",
        lambda v: Origin.UNKNOWN if v.state is None else Origin.DERIVED,
        "/State and /Mode",
    ),
)
_ORDER = (Origin.MEASURED, Origin.DERIVED, Origin.ESTIMATED, Origin.UNKNOWN)
_RANK = {origin: rank for rank, origin in enumerate(_ORDER)}


def _least_certain(origins: list[Origin]) -> Origin:
    return max(origins, key=_RANK.__getitem__, default=Origin.UNKNOWN)


def _row(quantity: Quantity) -> Row[UnitView]:
    origin = quantity.origin
    return Row(
        f"/Mppdbus/Origin/{quantity.name}",
        TEXT,
        lambda view: origin(view).value,
        about=f"of {quantity.of}",
    )


def _system_row(quantity: Quantity) -> Row[SystemView]:
    """Return the row of the least certain of all units that answer."""
    origin = quantity.origin

    def source(system: SystemView) -> Value:
        return joined(system.online, origin, _least_certain).value

    return Row(
        f"/Mppdbus/Origin/{quantity.name}",
        TEXT,
        source,
        about=f"of {quantity.of}: the least certain of the units",
    )


# -- charge --------------------------------------------------------------------------


def _charge(name: str, digits: int) -> Callable[[UnitView | SystemView], Value]:
    return lambda view: rounded(getattr(view.charge, name), digits)


CHARGE: tuple[Row[UnitView | SystemView], ...] = (
    Row("/Mppdbus/Origin/Soc", TEXT, lambda v: v.charge.origin, "", "a sentence"),
    Row(
        "/Mppdbus/Soc/Margin",
        NUM,
        _charge("margin", 1),
        FINE_PERCENT,
        "± of /Soc that holds 19 times of 20; the estimate's own",
    ),
    Row(
        "/Mppdbus/Soc/Confidence",
        NUM,
        _charge("confidence", 2),
        about="0 to 1, of the estimate of /Soc",
    ),
)

# -- line ----------------------------------------------------------------------------

AGE_STEP, AGE_FINE = 5.0, 60.0  # s; beyond a minute in steps of a minute


def age(seconds: float | None) -> float | None:
    """Return an age rounded up so far that it does not change with every poll."""
    if seconds is None:
        return None
    step = AGE_STEP if seconds <= AGE_FINE else AGE_FINE
    return step * math.ceil(max(seconds, 0.1) / step)


LINK: tuple[Row[UnitView], ...] = (
    Row(
        "/Mppdbus/Link/Quality",
        NUM,
        lambda v: rounded(v.snapshot.link.quality, 1),
        FINE_PERCENT,
        "good replies of all attempts",
    ),
    Row(
        "/Mppdbus/Link/Failures",
        INT,
        lambda v: v.snapshot.link.failures,
        about="attempts without a good reply",
    ),
    Row(
        "/Mppdbus/Link/Age",
        NUM,
        lambda v: age(v.snapshot.link.age),
        SECONDS,
        "the last QPIGS is at most as old; 5 s is the finest step",
    ),
)

# -- complaints ----------------------------------------------------------------------


def _fault(view: UnitView) -> Value:
    return _words(view, view.alarm_state.fault)


def _warnings(view: UnitView) -> Value:
    return _words(view, "; ".join(view.alarm_state.texts))


def _words(view: UnitView, text: str | None) -> Value:
    """Return what is on, or an empty text where it is known that nothing is."""
    return text or (None if view.error_code is None else "")


# -- tables --------------------------------------------------------------------------

OWN: tuple[Row[UnitView], ...] = (
    Row(
        "/Mppdbus/Dialect",
        TEXT,
        lambda v: v.snapshot.identity.dialect,
        "",
        "family",
        part=who,
    ),
    Row("/Mppdbus/Mode", TEXT, lambda v: v.snapshot.mode, "", "QMOD, the letter"),
    Row(
        "/Mppdbus/Load",
        NUM,
        status("load_percent"),
        PERCENT,
        "QPIGS `load_percent`",
    ),
    Row(
        "/Mppdbus/Fault",
        TEXT,
        _fault,
        about="what stopped it, in words; empty: nothing",
        part=alarms,
    ),
    Row(
        "/Mppdbus/Warnings",
        TEXT,
        _warnings,
        about="QPIWS, in words; empty: none",
        part=alarms,
    ),
    Row(
        "/Mppdbus/Losses",
        NUM,
        flow("losses", 0),
        WATT,
        "estimated: own consumption and conversion, once learned",
    ),
    Row(
        "/Mppdbus/HiddenLoad",
        NUM,
        flow("hidden_load", 0),
        WATT,
        "estimated: what the output takes while its load reads 0",
    ),
    *LINK,
    *CHARGE,
    *(_row(quantity) for quantity in QUANTITIES),
)
SYSTEM_OWN: tuple[Row[SystemView], ...] = (
    *CHARGE,
    *(_system_row(quantity) for quantity in QUANTITIES),
)

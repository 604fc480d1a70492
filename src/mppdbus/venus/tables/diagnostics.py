"""TABLES: our own paths, below /Mppdbus: origin of values, quality of the line.

Each quantity has one row that says whether it is measured, derived or estimated.
"""

import math
from collections.abc import Callable
from operator import attrgetter
from typing import Any, NamedTuple

from mppdbus.model.alarms.levels import AlarmState
from mppdbus.model.power import Origin
from mppdbus.model.views import SystemView, UnitView
from mppdbus.venus.tables.row import (
    AMP,
    FINE_PERCENT,
    INT,
    NUM,
    PERCENT,
    SECONDS,
    TEXT,
    WATT,
    Row,
    V,
)
from mppdbus.venus.tables.unit import (
    ALARMS,
    CHARGE_OF,
    IDENTITY,
    QPIGS,
    RATINGS,
    flow_row,
    output_current,
)

# -- origins -------------------------------------------------------------------------

_MEASURED, _DERIVED, _UNKNOWN = Origin.MEASURED, Origin.DERIVED, Origin.UNKNOWN


class Origins(NamedTuple):
    """The origin of each quantity; they mostly stay the same from reply to reply."""

    AcIn: Origin = _UNKNOWN
    AcInCurrent: Origin = _UNKNOWN
    AcInVoltage: Origin = _UNKNOWN
    Load: Origin = _UNKNOWN
    AcOutVoltage: Origin = _UNKNOWN
    AcOutCurrent: Origin = _UNKNOWN
    Battery: Origin = _UNKNOWN
    BatteryPower: Origin = _UNKNOWN
    Yield: Origin = _UNKNOWN
    PvVoltage: Origin = _UNKNOWN
    Energy: Origin = _UNKNOWN  # of the counters: that of the power counted now
    State: Origin = _UNKNOWN


def origins(view: UnitView) -> Origins:
    """Return the origins of what a unit shows."""
    flow, status, counted = view.flow, view.snapshot.status, view.counters is not None
    guessed = Origin.ESTIMATED in (flow.pv_origin, flow.mains_origin)
    energy = Origin.ESTIMATED if guessed else _DERIVED
    volts = amps = sun = None
    if status is not None:
        volts, sun = status.ac_output_voltage, status.pv_input_voltage
        amps = output_current(status)
    return Origins(
        flow.mains_origin,
        flow.mains_current_origin,
        _UNKNOWN if flow.mains_voltage is None else _MEASURED,
        flow.load_origin,
        _UNKNOWN if volts is None else _MEASURED,
        _UNKNOWN if amps is None else _DERIVED,
        _UNKNOWN if flow.battery_voltage is None else _MEASURED,
        _UNKNOWN if flow.battery_power is None else _DERIVED,
        flow.pv_origin,
        _UNKNOWN if sun is None else _MEASURED,
        energy if counted else _UNKNOWN,
        _UNKNOWN if view.state is None else _DERIVED,
    )


_ORDER = (_MEASURED, _DERIVED, Origin.ESTIMATED, _UNKNOWN)


def system_origins(system: SystemView) -> Origins:
    """Return the least certain origin of each quantity among the units that answer."""
    of_units = [origins(view) for view in system.online] or [Origins()]
    if len(of_units) == 1:
        return of_units[0]
    worst = (max(each, key=_ORDER.index) for each in zip(*of_units, strict=True))
    return Origins(*worst)


_PATHS = {
    "AcIn": "/Ac/In/1/*/P",
    "AcInCurrent": "/Ac/In/1/*/I",
    "AcInVoltage": "/Ac/In/1/*/V and F",
    "Load": "/Ac/Out/*/P",
    "AcOutVoltage": "/Ac/Out/*/V, F and S",
    "AcOutCurrent": "/Ac/Out/*/I",
    "Battery": "/Dc/0/Voltage and Current",
    "BatteryPower": "/Dc/0/Power",
    "Yield": "/Yield/Power and /Pv/*/P",
    "PvVoltage": "/Pv/V and /Pv/*/V",
    "Energy": "/Energy/*, /Yield/User and System, /History/*",
    "State": "/State and /Mode",
}
"""The paths of each quantity, for docs/dbus.md."""


def _origin(name: str, remark: str, of: Callable[[V], Origins]) -> Row[V]:
    path, about = f"/Mppdbus/Origin/{name}", f"of {_PATHS[name]}{remark}"
    return Row(path, TEXT, name, "", about, of)


ORIGINS = tuple(_origin(name, "", origins) for name in Origins._fields)
_LEAST_CERTAIN = tuple(
    _origin(name, ": the least certain of the units", system_origins)
    for name in Origins._fields
)

# -- charge --------------------------------------------------------------------------

_MARGIN = "± of /Soc that holds 19 times of 20; the estimate's own"
_CONFIDENCE = "0 to 1, of the estimate of /Soc"
CHARGE: tuple[Row[Any], ...] = (
    Row("/Mppdbus/Origin/Soc", TEXT, "origin", "", "a sentence", CHARGE_OF),
    Row("/Mppdbus/Soc/Margin", NUM, "margin", FINE_PERCENT, _MARGIN, CHARGE_OF, 1),
    Row("/Mppdbus/Soc/Confidence", NUM, "confidence", "", _CONFIDENCE, CHARGE_OF, 2),
)

# -- line ----------------------------------------------------------------------------

AGE_STEP, AGE_FINE = 5.0, 60.0  # s; beyond a minute in steps of a minute


def age(seconds: float | None) -> float | None:
    """Return an age rounded up so far that it does not change with every poll."""
    if seconds is None:
        return None
    step = AGE_STEP if seconds <= AGE_FINE else AGE_FINE
    return step * math.ceil(max(seconds, 0.1) / step)


_LINK: Callable[[UnitView], Any] = attrgetter("snapshot.link")
_AGE: Callable[[UnitView], Any] = attrgetter("snapshot.link.age")
_QUALITY = "good replies of the attempts of the last hour"
_QPIGS_AGE = "the last QPIGS is at most as old; 5 s is the finest step"
_FAILURES = "attempts without a good reply since the start, over all connections"
_INTERVAL = "between two readings, of a unit that another one tells of"
LINK: tuple[Row[UnitView], ...] = (
    Row("/Mppdbus/Link/Quality", NUM, "quality", FINE_PERCENT, _QUALITY, _LINK, 1),
    Row("/Mppdbus/Link/Failures", INT, "failures", "", _FAILURES, _LINK),
    Row("/Mppdbus/Link/Age", NUM, age, SECONDS, _QPIGS_AGE, _AGE),
    Row("/Mppdbus/Link/Interval", NUM, "interval", SECONDS, _INTERVAL, _LINK, 0),
)

# -- complaints ----------------------------------------------------------------------


def _fault(alarms: AlarmState) -> str | None:
    return alarms.fault or _nothing(alarms)


def _warnings(alarms: AlarmState) -> str | None:
    return "; ".join(alarms.texts) or _nothing(alarms)


def _nothing(alarms: AlarmState) -> str | None:
    """Return "" if it is known that nothing is active."""
    return "" if alarms.known else None


# -- tables --------------------------------------------------------------------------

DOCTOR = "/Mppdbus/Doctor"


def _of_self_check(_: UnitView) -> None:
    """Return nothing: the check, which is made now and then, shows the sentence."""


_SENTENCE = "what is wrong and what helps, every 10 s; empty: all is well"
_STOPPED = "what stopped it, in words; empty: nothing"
_WARNINGS = "QPIWS, in words; empty: none"
_RATED = "QPIRI `grid_rating_current`: what the AC input is made for"
_LOSSES = "estimated: own consumption and conversion, once learned"
_HIDDEN = "estimated: what the output takes while its load reads 0"
OWN: tuple[Row[UnitView], ...] = (
    Row(DOCTOR, TEXT, _of_self_check, "", _SENTENCE),
    Row("/Mppdbus/Dialect", TEXT, "dialect", "", "family", IDENTITY),
    Row("/Mppdbus/Mode", TEXT, "snapshot.mode", "", "QMOD, the letter"),
    Row("/Mppdbus/Load", NUM, "load_percent", PERCENT, "QPIGS `load_percent`", QPIGS),
    Row("/Mppdbus/Fault", TEXT, _fault, "", _STOPPED, ALARMS),
    Row("/Mppdbus/Warnings", TEXT, _warnings, "", _WARNINGS, ALARMS),
    flow_row("/Mppdbus/Losses", "losses", WATT, _LOSSES, 0),
    flow_row("/Mppdbus/HiddenLoad", "hidden_load", WATT, _HIDDEN, 0),
    Row("/Mppdbus/InputRating", NUM, "grid_rating_current", AMP, _RATED, RATINGS),
    *LINK,
    *CHARGE,
    *ORIGINS,
)
SYSTEM_OWN: tuple[Row[SystemView], ...] = (*CHARGE, *_LEAST_CERTAIN)

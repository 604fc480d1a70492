"""TABLES: our own paths, below /Mppdbus: origin of values, quality of the line.

Each quantity has one row that says whether it is measured, derived or estimated.
"""

import math
from collections.abc import Callable
from operator import attrgetter, itemgetter
from typing import Any

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
)
from mppdbus.venus.tables.unit import (
    ALARMS,
    CHARGE_OF,
    FLOW,
    IDENTITY,
    QPIGS,
    RATINGS,
    flow_row,
    output_current,
)

# -- origins -------------------------------------------------------------------------


def _energy(view: UnitView) -> Origin | None:
    """Return the origin of the counters: that of the power counted now."""
    if view.counters is None:
        return None
    origins = (view.flow.pv_origin, view.flow.mains_origin)
    return Origin.ESTIMATED if Origin.ESTIMATED in origins else Origin.DERIVED


_MEASURED, _DERIVED = Origin.MEASURED, Origin.DERIVED
_OUT_VOLTAGE, _BATTERY = "/Ac/Out/*/V, F and S", "/Dc/0/Voltage and Current"
_COUNTED = "/Energy/*, /Yield/User and System, /History/*"


def _origin(
    name: str,
    about: str,
    of: Callable[[UnitView], Any] | None,
    source: Callable[[Any], Any] | str,
    known: Origin | None = None,
) -> Row[UnitView]:
    """Return the row of the origin of a quantity, whose paths `about` names.

    With `known`, `source` is the quantity itself; it has that origin while known.
    """
    path, about = f"/Mppdbus/Origin/{name}", f"of {about}"
    return Row(path, TEXT, source, "", about, of, known=known, unknown=Origin.UNKNOWN)


ORIGINS: tuple[Row[UnitView], ...] = (
    _origin("AcIn", "/Ac/In/1/*/P", FLOW, "mains_origin"),
    _origin("AcInCurrent", "/Ac/In/1/*/I", FLOW, "mains_current_origin"),
    _origin("AcInVoltage", "/Ac/In/1/*/V and F", FLOW, "mains_voltage", _MEASURED),
    _origin("Load", "/Ac/Out/*/P", FLOW, "load_origin"),
    _origin("AcOutVoltage", _OUT_VOLTAGE, QPIGS, "ac_output_voltage", _MEASURED),
    _origin("AcOutCurrent", "/Ac/Out/*/I", QPIGS, output_current, _DERIVED),
    _origin("Battery", _BATTERY, FLOW, "battery_voltage", _MEASURED),
    _origin("BatteryPower", "/Dc/0/Power", FLOW, "battery_power", _DERIVED),
    _origin("Yield", "/Yield/Power and /Pv/*/P", FLOW, "pv_origin"),
    _origin("PvVoltage", "/Pv/V and /Pv/*/V", QPIGS, "pv_input_voltage", _MEASURED),
    _origin("Energy", _COUNTED, None, _energy),
    _origin("State", "/State and /Mode", None, "state", _DERIVED),
)
_ORDER = (_MEASURED, _DERIVED, Origin.ESTIMATED, Origin.UNKNOWN)
_NO_ORIGINS = (Origin.UNKNOWN,) * len(ORIGINS)


def _origins(view: UnitView) -> tuple[Origin, ...]:
    return tuple([row.raw(view) or Origin.UNKNOWN for row in ORIGINS])


def system_origins(system: SystemView) -> tuple[Origin, ...]:
    """Return the least certain origin of each quantity among the units that answer."""
    of_units = [_origins(view) for view in system.online] or [_NO_ORIGINS]
    if len(of_units) == 1:
        return of_units[0]
    return tuple(max(each, key=_ORDER.index) for each in zip(*of_units, strict=True))


_LEAST_CERTAIN = tuple(
    Row(
        row.path,
        TEXT,
        itemgetter(number),
        "",
        f"{row.about}: the least certain of the units",
        system_origins,
    )
    for number, row in enumerate(ORIGINS)
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

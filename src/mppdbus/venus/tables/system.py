"""TABLES: all inverters of the hybrid profile as one system.

/Settings/Ess/Mode is never 0 or 1: with those, systemcalc runs the charge schedules of
the GX on us ("Scheduled charge active"), and gui-v2 shows their pages and a minimum
SoC, all without effect. With 2 and 3 it does nothing (measured in the lab).
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from operator import methodcaller
from typing import Any

from mppdbus.model.alarms.effects import ALARM_LEVELS, Level
from mppdbus.model.phases import PHASES, by_phase
from mppdbus.model.victron_codes import State
from mppdbus.model.views import SystemView, UnitView
from mppdbus.venus.tables.diagnostics import SYSTEM_OWN
from mppdbus.venus.tables.row import (
    INT,
    LEVELS,
    NUM,
    PERCENT,
    STATE_NAMES,
    TEXT,
    Row,
    ToControl,
    fixed,
)
from mppdbus.venus.tables.unit import (
    AC_INPUT,
    CHARGE_OF,
    CUSTOM_NAME,
    NO_LIMIT,
    PROCESS,
    UNIT,
    UNIT_OF,
    alarm_level,
    mode_row,
)

# -- the parts of a system that rows look at -------------------------------------------


@dataclass(frozen=True, slots=True)
class Standing:
    """The values of a system that mostly stay the same from reply to reply."""

    of_units: tuple[object, ...]
    system: SystemView = field(compare=False)


def standing(system: SystemView) -> Standing:
    """Return all that is no measured value."""
    of_units = [
        (
            *(view.unit, view.snapshot.online, view.snapshot.status is None),
            *(view.state, view.mode, view.legs, view.own_input),
            *(view.alarm_state, view.snapshot.ratings),
        )
        for view in system.units
    ]
    return Standing(tuple(of_units), system)


@cache
def _of_first(of: Callable[[UnitView], Any]) -> Callable[[SystemView], Any]:
    """Return the function that gives a part of the first unit, one for all its rows."""
    return lambda system: of(system.units[0])


# -- where values come from ----------------------------------------------------------


def _name(part: Standing) -> str:
    """Name the system after its only unit, or after how many of its units answer."""
    units, online = part.system.units, len(part.system.online)
    if len(units) == 1:
        return units[0].unit.called
    count = f"{len(units)} inverters"
    return count if online in (0, len(units)) else f"{online} of {count}"


def _connected(part: Standing) -> bool:
    return bool(part.system.online)


def _phases(part: Standing) -> int:
    return 1 if len(by_phase(part.system)) <= 1 else PHASES


def _rotation(part: Standing) -> int | None:
    system = part.system
    turns = len(by_phase(system)) == PHASES
    return None if turns or not system.online else int(Level.OK)


# -- rows of a kind ------------------------------------------------------------------

_LEAD = "of the unit with the lowest instance that answers"
_MODE = f"{_LEAD}; of a single one it can be written as its own"
_ESS = (
    "of a single unit whose output priority can be written: 2 while the mains feed the "
    "loads first, else 3. 2 sets utility first, 1 SBU"
)
_STATE = f"2 if any has a fault; {_LEAD}; 255 is unknown"
_CALLED = "the name of the only unit, or what the user has written"
_PHASES = "1, or 3 if more than one has a unit or a leg: the GUI shows nothing for 2"
_ACTIVE = "0 as soon as one unit is on mains, else 240"
_ROTATION = "0 on fewer than three phases, which have none; no query tells it of three"
_GRID_LOST = "QPIWS `line_fail` of any unit, while the GX monitors for grid failure"
ESS_MODE: Row[object] = Row(
    "/Settings/Ess/Mode",
    INT,
    lambda _: None,
    "",
    _ESS,
    write=ToControl("ess_mode"),
    minimum=0,
    maximum=3,
)
_OF_UNIT = {row.path: row for row in (*UNIT, *AC_INPUT)}


def _first(path: str) -> Row[SystemView]:
    """Return a row with the value of the unit with the lowest instance."""
    row = _OF_UNIT[path]
    of = _of_first(row.of or UNIT_OF)
    return Row(path, row.kind, row.get, row.text, "the first unit's", of)


def _sum(path: str, of: str = "") -> Row[SystemView]:
    """Return a row with the sum of a row over all units."""
    row = _OF_UNIT[of or path]
    source = methodcaller("total", row.raw)
    return Row(path, NUM, source, row.text, "sum of all units", digits=row.digits)


def _mean(path: str) -> Row[SystemView]:
    """Return a row with the mean of a row over all units."""
    row = _OF_UNIT[path]
    source = methodcaller("mean", row.raw)
    return Row(path, NUM, source, row.text, "mean of all units", digits=row.digits)


def _of_one_battery(row: Row[SystemView]) -> Row[SystemView]:
    """Return a row that is unknown where the units have different batteries."""
    source = lambda system: row.get(system) if system.one_battery else None  # noqa: E731
    return replace(row, source=source)


def _alarm(name: str) -> Row[SystemView]:
    path, about = f"/Alarms/{name}", "the highest level of all units"
    level = lambda part: part.system.alarm(name)  # noqa: E731
    return Row(path, INT, level, LEVELS, about, standing)


# -- tables --------------------------------------------------------------------------

SYSTEM: tuple[Row[SystemView], ...] = (
    *PROCESS,
    _first("/Mgmt/Connection"),
    fixed("/DeviceInstance", INT, 0, "", "generator start/stop looks there"),
    _first("/ProductName"),
    Row("/CustomName", TEXT, _name, "", _CALLED, standing, write=CUSTOM_NAME),
    _first("/FirmwareVersion"),
    _first("/Serial"),
    Row("/Connected", INT, _connected, "", "1 while any answers", standing),
    mode_row("system.mode", _MODE, standing),
    ESS_MODE,
    Row(
        *("/State", INT, "system.state", STATE_NAMES, _STATE, standing),
        unknown=State.UNAVAILABLE,
    ),
    fixed("/Capabilities/HasAcPassthroughSupport", INT, 0),
    fixed("/Capabilities/HasDynamicEssSupport", INT, 0),
    _first("/Ac/NumberOfAcInputs"),
    Row("/Ac/NumberOfPhases", INT, _phases, "", _PHASES, standing),
    _first("/Ac/In/1/Type"),
    _sum("/Ac/In/1/P", "/Ac/In/1/{phase}/P"),
    NO_LIMIT,
    fixed("/Ac/In/1/CurrentLimitIsAdjustable", INT, 0),
    Row("/Ac/ActiveIn/ActiveInput", INT, "system.active_input", "", _ACTIVE, standing),
    _sum("/Ac/Out/P", "/Ac/Out/{phase}/P"),
    _of_one_battery(_mean("/Dc/0/Voltage")),
    _of_one_battery(_sum("/Dc/0/Current")),
    _sum("/Dc/0/Power"),
    Row("/Soc", NUM, "percent", PERCENT, "`/Mppdbus/Origin/Soc`", CHARGE_OF, 1),
    _alarm("HighTemperature"),
    _alarm("Overload"),
    Row("/Alarms/PhaseRotation", INT, _rotation, LEVELS, _ROTATION, standing),
    Row("/Alarms/GridLost", INT, lambda _: None, LEVELS, _GRID_LOST),
    *(alarm_level(name, of_units=True) for name in ALARM_LEVELS["multi"]),
    *SYSTEM_OWN,
)

SYSTEM_PHASE: tuple[Row[SystemView], ...] = (
    _mean("/Ac/In/1/{phase}/V"),
    _mean("/Ac/In/1/{phase}/F"),
    _sum("/Ac/In/1/{phase}/P"),
    _sum("/Ac/In/1/{phase}/I"),
    _mean("/Ac/Out/{phase}/V"),
    _mean("/Ac/Out/{phase}/F"),
    _sum("/Ac/Out/{phase}/P"),
    _sum("/Ac/Out/{phase}/I"),
)

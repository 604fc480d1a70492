"""TABLES: all inverters of the hybrid profile as one system."""

from mppdbus.model.alarms.effects import ALARM_LEVELS
from mppdbus.model.phases import by_phase
from mppdbus.model.views import SystemView
from mppdbus.venus.tables.diagnostics import SYSTEM_OWN
from mppdbus.venus.tables.row import (
    AMP,
    INT,
    LEVELS,
    NUM,
    PERCENT,
    STATE_NAMES,
    TEXT,
    Row,
    ToSetting,
    fixed,
)
from mppdbus.venus.tables.unit import AC_INPUT, CHARGE_OF, PROCESS, UNIT, alarm_level

# -- where values come from ----------------------------------------------------------


def _name(system: SystemView) -> str:
    """Name the system after its only unit, or after what it is."""
    units = system.units
    return units[0].unit.called if len(units) == 1 else f"{len(units)} inverters"


def _limit_of_phase(system: SystemView) -> float | None:
    """Add up the ratings of the units on one phase, which the GUI shows for each."""
    if (lead := system.lead) is None:
        return None
    on_phase = system.part(lambda unit: unit.phase == lead.unit.phase)
    return on_phase.total(_OF_UNIT["/Ac/In/1/CurrentLimit"].raw)


# -- rows of a kind ------------------------------------------------------------------

_LEAD = "of the unit with the lowest instance that answers"
_OF_UNIT = {row.path: row for row in (*UNIT, *AC_INPUT)}


def _first(path: str) -> Row[SystemView]:
    """Return the row of what the unit with the lowest instance shows."""
    row = _OF_UNIT[path]
    source = lambda system: row.raw(system.units[0])  # noqa: E731
    return Row(path, row.kind, source, row.text, "the first unit's")


def _sum(path: str, of: str = "") -> Row[SystemView]:
    """Return the row of the sum of what a row of each unit shows."""
    row = _OF_UNIT[of or path]
    source = lambda system: system.total(row.raw)  # noqa: E731
    return Row(path, NUM, source, row.text, "sum of all units", digits=row.digits)


def _mean(path: str) -> Row[SystemView]:
    """Return the row of the mean of what a row of each unit shows."""
    row = _OF_UNIT[path]
    source = lambda system: system.mean(row.raw)  # noqa: E731
    return Row(path, NUM, source, row.text, "mean of all units", digits=row.digits)


def _alarm(name: str) -> Row[SystemView]:
    path, about = f"/Alarms/{name}", "the highest level of all units"
    return Row(path, INT, lambda system: system.alarm(name), LEVELS, about)


# -- tables --------------------------------------------------------------------------

SYSTEM: tuple[Row[SystemView], ...] = (
    *PROCESS,
    _first("/Mgmt/Connection"),
    fixed("/DeviceInstance", INT, 0, "", "generator start/stop looks there"),
    _first("/ProductName"),
    Row(
        "/CustomName",
        TEXT,
        _name,
        "",
        "the name of the only unit, or what the user has written",
        write=ToSetting("CustomName"),
    ),
    _first("/FirmwareVersion"),
    _first("/Serial"),
    Row("/Connected", INT, lambda s: bool(s.online), "", "1 while any answers"),
    Row("/Mode", INT, "mode", "", _LEAD),
    Row("/State", INT, "state", STATE_NAMES, f"2 if any has a fault; {_LEAD}"),
    fixed("/Capabilities/HasAcPassthroughSupport", INT, 0),
    fixed("/Capabilities/HasDynamicEssSupport", INT, 0),
    _first("/Ac/NumberOfAcInputs"),
    Row(
        "/Ac/NumberOfPhases",
        INT,
        lambda s: len(by_phase(s)),
        about="how many phases have a unit, or a leg of one",
    ),
    _first("/Ac/In/1/Type"),
    _sum("/Ac/In/1/P", "/Ac/In/1/{phase}/P"),
    Row(
        "/Ac/In/1/CurrentLimit",
        NUM,
        _limit_of_phase,
        AMP,
        "sum of the units on one phase",
        digits=1,
    ),
    fixed("/Ac/In/1/CurrentLimitIsAdjustable", INT, 0),
    Row(
        "/Ac/ActiveIn/ActiveInput",
        INT,
        "active_input",
        about="0 as soon as one unit is on mains, else 240",
    ),
    _sum("/Ac/Out/P", "/Ac/Out/{phase}/P"),
    _mean("/Dc/0/Voltage"),
    _sum("/Dc/0/Current"),
    _sum("/Dc/0/Power"),
    Row("/Soc", NUM, "percent", PERCENT, "`/Mppdbus/Origin/Soc`", CHARGE_OF, digits=1),
    _alarm("HighTemperature"),
    _alarm("Overload"),
    Row(
        "/Alarms/GridLost",
        INT,
        lambda _: None,
        LEVELS,
        "QPIWS `line_fail` of any unit, if /Settings/AlarmLevel/GridLost lets it",
    ),
    *(alarm_level(name) for name in ALARM_LEVELS["acsystem"]),
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

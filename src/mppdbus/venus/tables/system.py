"""TABLES: all inverters of the hybrid profile as one system."""

from __future__ import annotations

from collections.abc import Callable

from mppdbus.model.alarms import ALARM_LEVELS
from mppdbus.model.phase_views import phases_of
from mppdbus.model.victron_codes import AcInput, firmware_number
from mppdbus.model.views import SystemView, UnitView
from mppdbus.venus.dbus.items import Value
from mppdbus.venus.tables.row import (
    AMP,
    DC_VOLT,
    HERTZ,
    INT,
    NUM,
    PERCENT,
    TEXT,
    VOLT,
    WATT,
    Row,
    firmware_text,
    fixed,
    level_text,
    rounded,
    state_text,
    to_setting,
)
from mppdbus.venus.tables.unit import (
    PROCESS,
    Source,
    alarm_level,
    flow,
    mains,
    output_current,
    product_name,
    rated_current,
    status,
)

SystemSource = Callable[[SystemView], Value]


def _sum(name: str, digits: int = 1) -> SystemSource:
    """Add up what the flow of each unit says."""
    return lambda s: rounded(s.total(lambda v: getattr(v.flow, name)), digits)


def _mean(read: Source, digits: int = 1) -> SystemSource:
    def number(view: UnitView) -> float | None:
        value = read(view)
        return value if isinstance(value, float) else None

    return lambda s: rounded(s.mean(number), digits)


def _who(system: SystemView) -> object:
    return [(view.unit, view.snapshot.identity) for view in system.units]


def _alarms(system: SystemView) -> object:
    return [view.alarm_state for view in system.online]


def _ratings(system: SystemView) -> object:
    return [(view.unit, view.snapshot.ratings) for view in system.live]


def _alarm(name: str) -> Row[SystemView]:
    return Row(
        f"/Alarms/{name}",
        INT,
        lambda s: s.alarm(name),
        level_text,
        "the highest level of all units",
        part=_alarms,
    )


def _limit_of_phase(system: SystemView) -> Value:
    """Add up the ratings of the units on one phase, which the GUI shows for each."""
    if system.lead is None:
        return None
    return rounded(system.on_phase(system.lead.unit.phase).total(rated_current), 1)


def system_name(system: SystemView) -> str:
    """Name the system after its only unit, or after what it is."""
    if len(system.units) == 1:
        return system.units[0].unit.called
    return f"{len(system.units)} inverters"


_FIRST = "the first unit's"
_LEAD = "of the unit with the lowest instance that answers"
_ALL = "sum of all units"
_EACH = "mean of all units"

SYSTEM: tuple[Row[SystemView], ...] = (
    *PROCESS,
    Row(
        "/Mgmt/Connection",
        TEXT,
        lambda s: s.units[0].unit.connection,
        about=_FIRST,
        part=_who,
    ),
    fixed("/DeviceInstance", INT, 0, "", "generator start/stop looks there"),
    Row(
        "/ProductName",
        TEXT,
        lambda s: product_name(s.units[0].snapshot),
        about=_FIRST,
        part=_who,
    ),
    Row(
        "/CustomName",
        TEXT,
        system_name,
        about="the name of the only unit, or what the user has written",
        write=to_setting("CustomName"),
        part=_who,
    ),
    Row(
        "/FirmwareVersion",
        INT,
        lambda s: firmware_number(s.units[0].snapshot.identity.firmware),
        firmware_text,
        _FIRST,
        part=_who,
    ),
    Row(
        "/Serial",
        TEXT,
        lambda s: s.units[0].snapshot.identity.serial,
        about=_FIRST,
        part=_who,
    ),
    Row("/Connected", INT, lambda s: int(bool(s.online)), "", "1 while any answers"),
    Row("/Mode", INT, lambda s: s.mode, "", _LEAD),
    Row("/State", INT, lambda s: s.state, state_text, f"2 if any has a fault; {_LEAD}"),
    fixed("/Capabilities/HasAcPassthroughSupport", INT, 0),
    fixed("/Capabilities/HasDynamicEssSupport", INT, 0),
    Row(
        "/Ac/NumberOfAcInputs",
        INT,
        lambda s: int(s.units[0].unit.ac_input != AcInput.NONE),
        about=_FIRST,
        part=_who,
    ),
    Row(
        "/Ac/NumberOfPhases",
        INT,
        lambda s: len(phases_of(s)),
        about="how many phases have a unit, or a leg of one",
    ),
    Row(
        "/Ac/In/1/Type",
        INT,
        lambda s: int(s.units[0].unit.ac_input),
        about=_FIRST,
        part=_who,
    ),
    Row("/Ac/In/1/P", NUM, _sum("mains_power"), WATT, _ALL),
    Row(
        "/Ac/In/1/CurrentLimit",
        NUM,
        _limit_of_phase,
        AMP,
        "sum of the units on one phase",
        part=_ratings,
    ),
    fixed("/Ac/In/1/CurrentLimitIsAdjustable", INT, 0),
    Row(
        "/Ac/ActiveIn/ActiveInput",
        INT,
        lambda s: s.active_input,
        about="0 as soon as one unit is on mains, else 240",
    ),
    Row("/Ac/Out/P", NUM, _sum("load"), WATT, _ALL),
    Row("/Dc/0/Voltage", NUM, _mean(flow("battery_voltage", 2), 2), DC_VOLT, _EACH),
    Row("/Dc/0/Current", NUM, _sum("battery_current"), AMP, _ALL),
    Row("/Dc/0/Power", NUM, _sum("battery_power"), WATT, _ALL),
    Row(
        "/Soc",
        NUM,
        lambda s: rounded(s.charge.percent, 1),
        PERCENT,
        "`/Mppdbus/Origin/Soc`",
    ),
    _alarm("HighTemperature"),
    _alarm("Overload"),
    Row(
        "/Alarms/GridLost",
        INT,
        lambda _: None,
        level_text,
        "QPIWS `line_fail` of any unit, if /Settings/AlarmLevel/GridLost lets it",
    ),
    *(alarm_level(name) for name in ALARM_LEVELS["acsystem"]),
    *(alarm_level(name, of_units=True) for name in ALARM_LEVELS["multi"]),
)

SYSTEM_PHASE: tuple[Row[SystemView], ...] = (
    Row("/Ac/In/1/{phase}/V", NUM, _mean(mains("grid_voltage")), VOLT, _EACH),
    Row("/Ac/In/1/{phase}/F", NUM, _mean(mains("grid_frequency")), HERTZ, _EACH),
    Row("/Ac/In/1/{phase}/P", NUM, _sum("mains_power"), WATT, _ALL),
    Row("/Ac/In/1/{phase}/I", NUM, _sum("mains_current", 2), AMP, _ALL),
    Row("/Ac/Out/{phase}/V", NUM, _mean(status("ac_output_voltage")), VOLT, _EACH),
    Row("/Ac/Out/{phase}/F", NUM, _mean(status("ac_output_frequency")), HERTZ, _EACH),
    Row("/Ac/Out/{phase}/P", NUM, _sum("load"), WATT, _ALL),
    Row(
        "/Ac/Out/{phase}/I",
        NUM,
        lambda s: rounded(s.total(output_current), 2),
        AMP,
        _ALL,
    ),
)

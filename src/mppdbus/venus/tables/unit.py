"""TABLES: what every inverter shows of itself, and what only one with an AC input does.

Rows of energy, of our own diagnostics and of the GUI's cards are in files beside this.
"""

from __future__ import annotations

from collections.abc import Callable

from mppdbus import __version__
from mppdbus.model.alarms import ALARM_LEVELS, DEFAULT_LEVELS
from mppdbus.model.alarms.effects import SHOW_ALL, SHOW_NONE
from mppdbus.model.phases import leg_count
from mppdbus.model.snapshot import Snapshot
from mppdbus.model.victron_codes import AcInput, firmware_number
from mppdbus.model.views import UnitView
from mppdbus.protocol.dialects import MODEL_NUMBERS
from mppdbus.venus.dbus.items import Value
from mppdbus.venus.tables.row import (
    AMP,
    DC_VOLT,
    HERTZ,
    INT,
    NUM,
    PERCENT,
    TEXT,
    VA,
    VOLT,
    WATT,
    Row,
    Text,
    alarm_level_text,
    firmware_text,
    fixed,
    hexadecimal,
    level_text,
    rounded,
    state_text,
    to_charge,
    to_setting,
    to_setting_of_units,
)

PRODUCT_ID = 0xBA44  # free of Victron's own ranges
FALLBACK_PRODUCT = "PI30 inverter"
Source = Callable[[UnitView], Value]

# -- where values come from ----------------------------------------------------------


def status(name: str) -> Source:
    """Return a source that reads a field of QPIGS."""

    def source(view: UnitView) -> Value:
        reading = view.snapshot.status
        value = None if reading is None else getattr(reading, name)
        return None if value is None else float(value)

    return source


def flow(name: str, digits: int = 1) -> Source:
    """Return a source that reads the power flow."""
    return lambda view: rounded(getattr(view.flow, name), digits)


def mains(name: str) -> Source:
    """Return a source of the AC input: unknown where there is no mains voltage."""
    read = status(name)
    return lambda view: read(view) if view.flow.mains_present else None


def output_current(view: UnitView) -> float | None:
    """Return VA / V of the output; no voltage, no current."""
    reading = view.snapshot.status
    if reading is None or reading.ac_output_apparent_power is None:
        return None
    if not reading.ac_output_voltage:
        return None if reading.ac_output_voltage is None else 0.0
    return reading.ac_output_apparent_power / reading.ac_output_voltage


def product_name(snapshot: Snapshot) -> str:
    """Return what QMN says, else what the number of QGMN stands for."""
    who = snapshot.identity
    model = MODEL_NUMBERS.get(who.model_number or "")
    return who.model or (model.name if model else FALLBACK_PRODUCT)


def rated_current(view: UnitView) -> float | None:
    """Return the A that the AC input is made for."""
    ratings = view.snapshot.ratings
    return ratings.grid_rating_current if ratings is not None else None


def _rated_power(view: UnitView) -> Value:
    ratings = view.snapshot.ratings
    power = ratings.ac_output_rating_active_power if ratings is not None else None
    return None if power is None else float(power)


def _pv_voltage(tracker: int | None) -> Source:
    """Return the voltage of a tracker; None stands for the only one of a unit."""

    def source(view: UnitView) -> Value:
        trackers, reading = view.snapshot.trackers, view.snapshot.status
        if trackers is None or reading is None or (trackers == 1) != (tracker is None):
            return None
        return _second_voltage(view) if tracker == 1 else reading.pv_input_voltage

    return source


def _second_voltage(view: UnitView) -> float | None:
    second = view.snapshot.second
    return second.pv2_voltage if second is not None else None


def _pv_power(tracker: int) -> Source:
    def source(view: UnitView) -> Value:
        pv = view.flow.pv
        if (view.snapshot.trackers or 1) < 2 or tracker >= len(pv):
            return None
        return rounded(pv[tracker], 1)

    return source


# -- parts: what seldom changes ------------------------------------------------------


def who(view: UnitView) -> object:
    """Return all that says who a unit is."""
    return view.unit, view.snapshot.identity


def alarms(view: UnitView) -> object:
    """Return all that a unit complains of."""
    return view.alarm_state


def ratings(view: UnitView) -> object:
    """Return what a unit is made for and set to."""
    return view.snapshot.ratings


# -- rows of a kind ------------------------------------------------------------------


def _qpigs(path: str, name: str, text: Text) -> Row[UnitView]:
    return Row(path, NUM, status(name), text, f"QPIGS `{name}`")


def _alarm(name: str) -> Row[UnitView]:
    return Row(
        f"/Alarms/{name}",
        INT,
        lambda view: view.alarms.get(name),
        level_text,
        "QPIWS, the fault code and QMOD, held for a moment",
        part=alarms,
    )


def alarm_level(name: str, *, of_units: bool = False) -> Row[object]:
    """Return the row of which levels of an alarm become notifications.

    It must always be valid: venus-platform takes an invalid one for "none". One
    `of_units` is set for every unit.
    """
    level, setting = DEFAULT_LEVELS[name], f"AlarmLevel/{name}"
    return Row(
        f"/Settings/AlarmLevel/{name}",
        INT,
        lambda _: level,
        alarm_level_text,
        f"the user's choice, {level} until then",
        fixed=True,
        write=to_setting_of_units(setting) if of_units else to_setting(setting),
        confirmable=True,
        minimum=SHOW_NONE,
        maximum=SHOW_ALL,
        default=level,
    )


# -- tables --------------------------------------------------------------------------

_QMOD = "QMOD, with the charging bits of QPIGS"
_INPUT = "the config, else the setting of the GX"
_BALANCE = "derived from load, battery and PV: PI30 does not measure it"

PROCESS: tuple[Row[object], ...] = (
    fixed("/Mgmt/ProcessName", TEXT, "mppdbus"),
    fixed("/Mgmt/ProcessVersion", TEXT, __version__, "", "version of mppdbus"),
    fixed("/ProductId", INT, PRODUCT_ID, hexadecimal),
    fixed("/HardwareVersion", TEXT, None, "", "unknown: no query tells it"),
    fixed("/ModeIsAdjustable", INT, 0, "", "PI30 has no such switch"),
)
WHO: tuple[Row[UnitView], ...] = (
    *PROCESS,
    Row(
        "/Mgmt/Connection", TEXT, lambda v: v.unit.connection, "", "the port", part=who
    ),
    Row(
        "/DeviceInstance",
        INT,
        lambda v: v.unit.instance,
        about="localsettings",
        part=who,
    ),
    Row(
        "/ProductName",
        TEXT,
        lambda v: product_name(v.snapshot),
        about="QMN, else QGMN",
        part=who,
    ),
    Row(
        "/CustomName",
        TEXT,
        lambda v: v.unit.called,
        about="the name in the config, or what the user has written",
        write=to_setting("CustomName"),
        part=who,
    ),
    Row(
        "/FirmwareVersion",
        INT,
        lambda v: firmware_number(v.snapshot.identity.firmware),
        firmware_text,
        "QVFW; 0x7270 stands for 72.70",
        part=who,
    ),
    Row("/Serial", TEXT, lambda v: v.snapshot.identity.serial, "", "QID", part=who),
    Row("/Connected", INT, lambda v: int(v.snapshot.online), "", "1 while it answers"),
    fixed("/IsInverterCharger", INT, 1),
)
LIVE: tuple[Row[UnitView], ...] = (
    Row("/Mode", INT, lambda v: v.mode, "", _QMOD),
    Row("/State", INT, lambda v: v.state, state_text, _QMOD),
    Row(
        "/Ac/NumberOfPhases",
        INT,
        lambda v: leg_count(v.snapshot),
        about="1, or the 2 legs of a PI41; /Settings/System/AcPhase says which one",
    ),
    _qpigs("/Ac/Out/{phase}/V", "ac_output_voltage", VOLT),
    Row(
        "/Ac/Out/{phase}/I",
        NUM,
        lambda v: rounded(output_current(v), 2),
        AMP,
        "derived: VA / V",
    ),
    Row("/Ac/Out/{phase}/P", NUM, flow("load"), WATT, "QPIGS `ac_output_active_power`"),
    _qpigs("/Ac/Out/{phase}/S", "ac_output_apparent_power", VA),
    _qpigs("/Ac/Out/{phase}/F", "ac_output_frequency", HERTZ),
    Row(
        "/Settings/System/AcPhase",
        INT,
        lambda v: v.unit.phase - 1,
        about="the config, else what the unit says of itself (QPIRI, QPGS)",
        part=who,
    ),
    Row(
        "/Dc/0/Voltage",
        NUM,
        flow("battery_voltage", 2),
        DC_VOLT,
        "QPIGS `battery_voltage`",
    ),
    Row(
        "/Dc/0/Current",
        NUM,
        flow("battery_current"),
        AMP,
        "QPIGS: charging less discharging current, whole amperes",
    ),
    Row("/Dc/0/Power", NUM, flow("battery_power"), WATT, "derived: V × A"),
    Row(
        "/Soc",
        NUM,
        lambda v: rounded(v.soc, 1),
        PERCENT,
        "as `/Mppdbus/Origin/Soc` says; what is written corrects the estimate",
        write=to_charge,
        confirmable=True,
        minimum=0.0,
        maximum=100.0,
    ),
    Row("/NrOfTrackers", INT, lambda v: v.snapshot.trackers, "", "QPIGS2: asked once"),
    Row(
        "/Yield/Power",
        NUM,
        flow("pv_total"),
        WATT,
        "QPIGS `pv_charging_power`, and QPIGS2; else estimated",
    ),
    Row("/Pv/V", NUM, _pv_voltage(None), VOLT, "QPIGS, of the only tracker"),
    Row("/Pv/0/V", NUM, _pv_voltage(0), VOLT, "QPIGS, of the first of several"),
    Row("/Pv/0/P", NUM, _pv_power(0), WATT, "QPIGS, of the first of several"),
    Row("/Pv/1/V", NUM, _pv_voltage(1), VOLT, "QPIGS2 `pv2_voltage`"),
    Row("/Pv/1/P", NUM, _pv_power(1), WATT, "QPIGS2 `pv2_power`"),
    Row(
        "/ErrorCode",
        INT,
        lambda v: v.error_code,
        about="the nearest of Victron's charger errors to a fault; 0 is none",
        part=alarms,
    ),
)
UNIT: tuple[Row[UnitView], ...] = (
    *WHO,
    *LIVE,
    *(_alarm(name) for name in ALARM_LEVELS["inverter"]),
    *(alarm_level(name) for name in ALARM_LEVELS["inverter"]),
)

_MORE_ALARMS = [
    name for name in ALARM_LEVELS["multi"] if name not in ALARM_LEVELS["inverter"]
]
AC_INPUT: tuple[Row[UnitView], ...] = (
    Row(
        "/Ac/In/1/{phase}/V",
        NUM,
        mains("grid_voltage"),
        VOLT,
        "QPIGS `grid_voltage`; unknown below 30 V",
    ),
    Row(
        "/Ac/In/1/{phase}/F",
        NUM,
        mains("grid_frequency"),
        HERTZ,
        "QPIGS `grid_frequency`; unknown below 30 V",
    ),
    Row("/Ac/In/1/{phase}/P", NUM, flow("mains_power"), WATT, _BALANCE),
    Row(
        "/Ac/In/1/{phase}/I",
        NUM,
        flow("mains_current", 2),
        AMP,
        "derived: W / V; measured by the few units that tell it",
    ),
    Row("/Ac/In/1/Type", INT, lambda v: int(v.unit.ac_input), "", _INPUT, part=who),
    Row(
        "/Ac/In/1/CurrentLimit",
        NUM,
        rated_current,
        AMP,
        "QPIRI `grid_rating_current`: what it is made for",
        part=ratings,
    ),
    fixed("/Ac/In/1/CurrentLimitIsAdjustable", INT, 0),
    Row(
        "/Ac/ActiveIn/ActiveInput",
        INT,
        lambda v: v.active_input,
        about="QMOD: 0 on mains, 240 off; the same for all units of a system",
    ),
    Row(
        "/Ac/NumberOfAcInputs",
        INT,
        lambda v: int(v.unit.ac_input != AcInput.NONE),
        about=_INPUT,
        part=who,
    ),
    Row(
        "/Ac/Out/{phase}/NominalInverterPower",
        NUM,
        _rated_power,
        WATT,
        "QPIRI `ac_output_rating_active_power`",
        part=ratings,
    ),
    *(_alarm(name) for name in _MORE_ALARMS),
    *(alarm_level(name) for name in _MORE_ALARMS),
)
STATUS: tuple[Row[UnitView], ...] = (
    Row(
        "/Status",
        INT,
        lambda v: int(v.snapshot.online),
        lambda x: "Running" if x else "Offline",
        "1 while it answers",
    ),
)

"""TABLES: the rows of every inverter, and those of inverters with an AC input.

Rows of energy, diagnostics and GUI cards are in other files of this folder.
"""

from collections.abc import Callable
from operator import attrgetter, itemgetter
from typing import Any

from mppdbus import __version__
from mppdbus.model.alarms.effects import (
    ALARM_LEVELS,
    DEFAULT_LEVELS,
    LOW_SOC,
    SHOW_ALL,
    SHOW_NONE,
)
from mppdbus.model.battery.state_of_charge import Charge
from mppdbus.model.snapshot import Identity
from mppdbus.model.victron_codes import AcInput, State, firmware_number
from mppdbus.model.views import SystemView, Unit, UnitView
from mppdbus.protocol.dialects import MODEL_NUMBERS
from mppdbus.protocol.replies.status import GeneralStatus
from mppdbus.venus.dbus.items import Text
from mppdbus.venus.tables.row import (
    AMP,
    DC_VOLT,
    HERTZ,
    INT,
    LEVELS,
    NUM,
    PERCENT,
    SHOWN_LEVELS,
    STATE_NAMES,
    TEXT,
    VA,
    VOLT,
    WATT,
    Row,
    ToCharge,
    ToControl,
    ToSetting,
    firmware_text,
    fixed,
    hexadecimal,
)

PRODUCT_ID = 0xBA44  # outside of Victron's own ranges
FALLBACK_PRODUCT = "PI30 inverter"

# -- the parts of a view that rows look at ---------------------------------------------

UNIT_OF: Callable[[UnitView], Any] = attrgetter("unit")
IDENTITY: Callable[[UnitView], Any] = attrgetter("snapshot.identity")
QPIGS: Callable[[UnitView], Any] = attrgetter("snapshot.status")
FLOW: Callable[[UnitView], Any] = attrgetter("flow")
ALARMS: Callable[[UnitView], Any] = attrgetter("alarm_state")
RATINGS: Callable[[UnitView], Any] = attrgetter("snapshot.ratings")
_FIRMWARE: Callable[[UnitView], Any] = attrgetter("snapshot.identity.firmware")
CHARGE_OF: Callable[[Any], Any] = attrgetter("charge")


def _only_tracker(view: UnitView) -> GeneralStatus | None:
    return view.snapshot.status if view.snapshot.trackers == 1 else None


def _only_leg(view: UnitView) -> Unit | None:
    return view.unit if view.legs == 1 else None


def _several_trackers(view: UnitView) -> GeneralStatus | None:
    return view.snapshot.status if view.snapshot.trackers not in (None, 1) else None


def _second_tracker(view: UnitView) -> Any:  # noqa: ANN401 - QPIGS2 of any family
    return view.snapshot.second if _several_trackers(view) is not None else None


def _several_powers(view: UnitView) -> tuple[float | None, ...] | None:
    return view.flow.pv if len(view.flow.pv) > 1 else None


# -- where values come from ----------------------------------------------------------


def output_current(status: GeneralStatus) -> float | None:
    """Return VA / V of the output, in A; 0 at 0 V."""
    if status.ac_output_apparent_power is None:
        return None
    if not status.ac_output_voltage:
        return None if status.ac_output_voltage is None else 0.0
    return status.ac_output_apparent_power / status.ac_output_voltage


def product_name(who: Identity) -> str:
    """Return the model name of QMN, else that of the number of QGMN."""
    model = MODEL_NUMBERS.get(who.model_number or "")
    return who.model or (model.name if model else FALLBACK_PRODUCT)


def _phase_setting(unit: Unit) -> int:
    return unit.phase - 1


def _input_count(unit: Unit) -> int:
    return int(unit.ac_input != AcInput.NONE)


# -- rows of a kind ------------------------------------------------------------------


def _qpigs(path: str, name: str, text: Text) -> Row[UnitView]:
    return Row(path, NUM, name, text, f"QPIGS `{name}`", QPIGS)


def _qpiri(path: str, name: str, text: Text) -> Row[UnitView]:
    return Row(path, NUM, name, text, f"QPIRI `{name}`", RATINGS)


def flow_row(
    path: str, name: str, text: Text, about: str, digits: int = 1
) -> Row[UnitView]:
    """Return the row of a field of the power flow."""
    return Row(path, NUM, name, text, about, FLOW, digits=digits)


def _alarm(name: str) -> Row[UnitView]:
    about = "QPIWS, the fault code and QMOD, held for a moment"
    level = lambda alarms: alarms.levels.get(name)  # noqa: E731
    return Row(f"/Alarms/{name}", INT, level, LEVELS, about, ALARMS)


def correction(
    path: str, source: Callable[[Charge], float | None] | str, about: str, digits: int
) -> Row[UnitView | SystemView]:
    """Return a row of the state of charge; what is written corrects the estimate."""
    return Row(
        path,
        NUM,
        source,
        PERCENT,
        about,
        CHARGE_OF,
        digits,
        write=ToCharge(),
        minimum=0.0,
        maximum=100.0,
        confirmable=True,
    )


def mode_row(
    source: str, about: str, of: Callable[[Any], Any] | None = None
) -> Row[Any]:
    """Return the row of the switch "Mode", with the numbers that the GUI has for it."""
    write = ToControl("mode")
    return Row(
        *("/Mode", INT, source, "", about, of), write=write, minimum=1, maximum=251
    )


def alarm_level(name: str, *, of_units: bool = False) -> Row[object]:
    """Return the row of the setting that tells which levels are notified.

    It must always be valid: venus-platform takes an invalid one for "none". With
    `of_units` a write sets it for every unit.
    """
    level = DEFAULT_LEVELS[name]
    return Row(
        f"/Settings/AlarmLevel/{name}",
        INT,
        lambda _: level,
        SHOWN_LEVELS,
        f"the user's choice, {level} until then",
        fixed=True,
        write=ToSetting(f"AlarmLevel/{name}", of_units),
        confirmable=True,
        minimum=SHOW_NONE,
        maximum=SHOW_ALL,
        default=level,
    )


# -- tables --------------------------------------------------------------------------

_QMOD = "QMOD, with the charging bits of QPIGS"
_MODE = f"{_QMOD}; 2 while the priorities are those of “inverter only”"
_ADJUSTABLE = "1 with `mode = true` in [control], where the priorities are proven"
_LIMIT = "QPIRI `max_charging_current`, where it can be written; else unknown"
_STATE = f"{_QMOD}; 255 is unknown, as the GUI takes an invalid one for Off"
_INPUT = "the config, else the setting of the GX"
_NAME = "the name in the config, or what the user has written"
_QVFW = "QVFW; 0x7270 stands for 72.70"
_PHASES = "1, or the 2 legs of a PI41; /Settings/System/AcPhase says which one"
_PHASE = (
    "the config, else what the unit says of itself (QPIRI, QPGS); unknown with two "
    "legs, as the GUI shows both only then"
)
_BATTERY = "QPIGS `battery_voltage`"
_CURRENT = "QPIGS: charging less discharging current, whole amperes"
_SOC = "as `/Mppdbus/Origin/Soc` says; what is written corrects the estimate"
_PV = "QPIGS `pv_charging_power`, and QPIGS2; else estimated"
_ERROR = (
    "the nearest of Victron's charger errors to a fault; 0 without a fault, unknown "
    "for one that has no such number"
)
_GRID_VOLTAGE = "QPIGS `grid_voltage`; 0 when the mains are lost"
_GRID_FREQUENCY = "QPIGS `grid_frequency`; 0 when the mains are lost"
_GRID_CURRENT = "derived: W / V; measured by the few units that tell it"
_NO_LIMIT = "unknown: PI30 has no limit of the input; its rating is none"
_LOW = (
    "our count: 1 below 20 %, 2 below 10 %; unknown while its margin is above 15 %, "
    "and where a battery has a service of its own"
)
_ACTIVE = "QMOD: 0 on mains, 240 off; the same for all units of a system"
_ONLY, _FIRST = "QPIGS, of the only tracker", "QPIGS, of the first of several"
_BALANCE = "derived from load, battery and PV: PI30 does not measure it"

_BASIC_ALARMS = [name for name in ALARM_LEVELS["inverter"] if name != LOW_SOC]
CUSTOM_NAME = ToSetting("CustomName")
PROCESS: tuple[Row[object], ...] = (
    fixed("/Mgmt/ProcessName", TEXT, "mppdbus"),
    fixed("/Mgmt/ProcessVersion", TEXT, __version__, "", "version of mppdbus"),
    fixed("/ProductId", INT, PRODUCT_ID, hexadecimal),
    fixed("/HardwareVersion", TEXT, None, "", "unknown: no query tells it"),
    Row("/ModeIsAdjustable", INT, lambda _: 0, "", _ADJUSTABLE),
)
CHARGE_LIMIT: Row[object] = Row(
    "/Settings/ChargeCurrentLimit",
    NUM,
    lambda _: None,
    AMP,
    _LIMIT,
    write=ToControl("charge_current_limit"),
    minimum=0.0,
    maximum=1000.0,
)
NO_LIMIT = fixed("/Ac/In/1/CurrentLimit", NUM, None, AMP, _NO_LIMIT)
SOC: Row[UnitView | SystemView] = correction("/Soc", "percent", _SOC, 1)
UNIT: tuple[Row[UnitView], ...] = (
    *PROCESS,
    Row("/Mgmt/Connection", TEXT, "connection", "", "the port", UNIT_OF),
    Row("/DeviceInstance", INT, "instance", "", "localsettings", UNIT_OF),
    Row("/ProductName", TEXT, product_name, "", "QMN, else QGMN", IDENTITY),
    Row("/CustomName", TEXT, "called", "", _NAME, UNIT_OF, write=CUSTOM_NAME),
    Row("/FirmwareVersion", INT, firmware_number, firmware_text, _QVFW, _FIRMWARE),
    Row("/Serial", TEXT, "serial", "", "QID", IDENTITY),
    Row("/Connected", INT, "snapshot.online", "", "1 while it answers"),
    fixed("/IsInverterCharger", INT, 1),
    mode_row("mode", _MODE),
    CHARGE_LIMIT,
    Row("/State", INT, "state", STATE_NAMES, _STATE, unknown=State.UNAVAILABLE),
    Row("/Ac/NumberOfPhases", INT, "legs", "", _PHASES),
    _qpigs("/Ac/Out/{phase}/V", "ac_output_voltage", VOLT),
    Row("/Ac/Out/{phase}/I", NUM, output_current, AMP, "derived: VA / V", QPIGS, 2),
    flow_row("/Ac/Out/{phase}/P", "load", WATT, "QPIGS `ac_output_active_power`"),
    _qpigs("/Ac/Out/{phase}/S", "ac_output_apparent_power", VA),
    _qpigs("/Ac/Out/{phase}/F", "ac_output_frequency", HERTZ),
    Row("/Settings/System/AcPhase", INT, _phase_setting, "", _PHASE, _only_leg),
    flow_row("/Dc/0/Voltage", "battery_voltage", DC_VOLT, _BATTERY, 2),
    flow_row("/Dc/0/Current", "battery_current", AMP, _CURRENT),
    flow_row("/Dc/0/Power", "battery_power", WATT, "derived: V × A"),
    SOC,
    Row("/NrOfTrackers", INT, "snapshot.trackers", "", "QPIGS2: asked once"),
    flow_row("/Yield/Power", "pv_total", WATT, _PV),
    Row("/Pv/V", NUM, "pv_input_voltage", VOLT, _ONLY, _only_tracker),
    Row("/Pv/0/V", NUM, "pv_input_voltage", VOLT, _FIRST, _several_trackers),
    Row("/Pv/0/P", NUM, itemgetter(0), WATT, _FIRST, _several_powers, 1),
    Row("/Pv/1/V", NUM, "pv2_voltage", VOLT, "QPIGS2 `pv2_voltage`", _second_tracker),
    Row("/Pv/1/P", NUM, itemgetter(1), WATT, "QPIGS2 `pv2_power`", _several_powers, 1),
    Row("/ErrorCode", INT, "error_code", "", _ERROR, ALARMS),
    *(_alarm(name) for name in _BASIC_ALARMS),
    Row(f"/Alarms/{LOW_SOC}", INT, "low", LEVELS, _LOW, CHARGE_OF),
    *(alarm_level(name) for name in ALARM_LEVELS["inverter"]),
)
_BASIC = ALARM_LEVELS["inverter"]
_MORE_ALARMS = [name for name in ALARM_LEVELS["multi"] if name not in _BASIC]
AC_INPUT: tuple[Row[UnitView], ...] = (
    flow_row("/Ac/In/1/{phase}/V", "mains_voltage", VOLT, _GRID_VOLTAGE, 3),
    flow_row("/Ac/In/1/{phase}/F", "mains_frequency", HERTZ, _GRID_FREQUENCY, 3),
    flow_row("/Ac/In/1/{phase}/P", "mains_power", WATT, _BALANCE),
    flow_row("/Ac/In/1/{phase}/I", "mains_current", AMP, _GRID_CURRENT, 2),
    Row("/Ac/In/1/Type", INT, "ac_input", "", _INPUT, UNIT_OF),
    NO_LIMIT,
    fixed("/Ac/In/1/CurrentLimitIsAdjustable", INT, 0),
    Row("/Ac/ActiveIn/ActiveInput", INT, "active_input", "", _ACTIVE),
    Row("/Ac/NumberOfAcInputs", INT, _input_count, "", _INPUT, UNIT_OF),
    _qpiri(
        "/Ac/Out/{phase}/NominalInverterPower", "ac_output_rating_active_power", WATT
    ),
    *(_alarm(name) for name in _MORE_ALARMS),
    *(alarm_level(name) for name in _MORE_ALARMS),
)
SHORT_CIRCUIT = _alarm("ShortCircuit")  # of an inverter: on its page, but no alarm
_RUNNING = {0: "Offline", 1: "Running"}
STATUS: Row[UnitView] = Row(
    "/Status", INT, "snapshot.online", _RUNNING, "1 while it answers"
)

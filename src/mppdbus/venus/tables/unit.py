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
    SHOW_ALL,
    SHOW_NONE,
)
from mppdbus.model.snapshot import Identity, Snapshot
from mppdbus.model.victron_codes import AcInput, firmware_number
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
CHARGE_OF: Callable[[Any], Any] = attrgetter("charge")


def only_tracker(view: UnitView) -> GeneralStatus | None:
    """Return QPIGS of a unit with one tracker."""
    return view.snapshot.status if view.snapshot.trackers == 1 else None


def several_trackers(view: UnitView) -> Snapshot | None:
    """Return the readings of a unit with several trackers."""
    snapshot = view.snapshot
    several = snapshot.trackers is not None and snapshot.trackers != 1
    return snapshot if several and snapshot.status is not None else None


def several_powers(view: UnitView) -> tuple[float | None, ...] | None:
    """Return the power of each tracker of a unit with several."""
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


def input_count(unit: Unit) -> int:
    """Return how many AC inputs a unit has."""
    return int(unit.ac_input != AcInput.NONE)


def _second_voltage(snapshot: Snapshot) -> float | None:
    second = snapshot.second
    return second.pv2_voltage if second is not None else None


# -- rows of a kind ------------------------------------------------------------------


def _qpigs(path: str, name: str, text: Text) -> Row[UnitView]:
    return Row(path, NUM, name, text, f"QPIGS `{name}`", QPIGS)


def flow_row(
    path: str, name: str, text: Text, about: str, digits: int = 1
) -> Row[UnitView]:
    """Return the row of a field of the power flow."""
    return Row(path, NUM, name, text, about, FLOW, digits=digits)


def _alarm(name: str) -> Row[UnitView]:
    return Row(
        f"/Alarms/{name}",
        INT,
        lambda alarms: alarms.levels.get(name),
        LEVELS,
        "QPIWS, the fault code and QMOD, held for a moment",
        ALARMS,
    )


def alarm_level(name: str, *, of_units: bool = False) -> Row[object]:
    """Return the row of the setting which levels of an alarm become notifications.

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
_INPUT = "the config, else the setting of the GX"
_MAINS = "QPIGS `grid_{}`; unknown below 30 V"
_RATED = "QPIRI `ac_output_rating_active_power`"
_ONLY, _FIRST = "QPIGS, of the only tracker", "QPIGS, of the first of several"
_BALANCE = "derived from load, battery and PV: PI30 does not measure it"

PROCESS: tuple[Row[object], ...] = (
    fixed("/Mgmt/ProcessName", TEXT, "mppdbus"),
    fixed("/Mgmt/ProcessVersion", TEXT, __version__, "", "version of mppdbus"),
    fixed("/ProductId", INT, PRODUCT_ID, hexadecimal),
    fixed("/HardwareVersion", TEXT, None, "", "unknown: no query tells it"),
    fixed("/ModeIsAdjustable", INT, 0, "", "PI30 has no such switch"),
)
SOC: Row[UnitView | SystemView] = Row(
    "/Soc",
    NUM,
    "percent",
    PERCENT,
    "as `/Mppdbus/Origin/Soc` says; what is written corrects the estimate",
    CHARGE_OF,
    digits=1,
    write=ToCharge(),
    confirmable=True,
    minimum=0.0,
    maximum=100.0,
)
UNIT: tuple[Row[UnitView], ...] = (
    *PROCESS,
    Row("/Mgmt/Connection", TEXT, "connection", "", "the port", UNIT_OF),
    Row("/DeviceInstance", INT, "instance", "", "localsettings", UNIT_OF),
    Row("/ProductName", TEXT, product_name, "", "QMN, else QGMN", IDENTITY),
    Row(
        "/CustomName",
        TEXT,
        "called",
        "",
        "the name in the config, or what the user has written",
        UNIT_OF,
        write=ToSetting("CustomName"),
    ),
    Row(
        "/FirmwareVersion",
        INT,
        firmware_number,
        firmware_text,
        "QVFW; 0x7270 stands for 72.70",
        attrgetter("snapshot.identity.firmware"),
    ),
    Row("/Serial", TEXT, "serial", "", "QID", IDENTITY),
    Row("/Connected", INT, "snapshot.online", "", "1 while it answers"),
    fixed("/IsInverterCharger", INT, 1),
    Row("/Mode", INT, "mode", "", _QMOD),
    Row("/State", INT, "state", STATE_NAMES, _QMOD),
    Row(
        "/Ac/NumberOfPhases",
        INT,
        "legs",
        about="1, or the 2 legs of a PI41; /Settings/System/AcPhase says which one",
    ),
    _qpigs("/Ac/Out/{phase}/V", "ac_output_voltage", VOLT),
    Row(
        "/Ac/Out/{phase}/I",
        NUM,
        output_current,
        AMP,
        "derived: VA / V",
        QPIGS,
        digits=2,
    ),
    flow_row("/Ac/Out/{phase}/P", "load", WATT, "QPIGS `ac_output_active_power`"),
    _qpigs("/Ac/Out/{phase}/S", "ac_output_apparent_power", VA),
    _qpigs("/Ac/Out/{phase}/F", "ac_output_frequency", HERTZ),
    Row(
        "/Settings/System/AcPhase",
        INT,
        lambda unit: unit.phase - 1,
        "",
        "the config, else what the unit says of itself (QPIRI, QPGS)",
        UNIT_OF,
    ),
    flow_row(
        "/Dc/0/Voltage", "battery_voltage", DC_VOLT, "QPIGS `battery_voltage`", digits=2
    ),
    flow_row(
        "/Dc/0/Current",
        "battery_current",
        AMP,
        "QPIGS: charging less discharging current, whole amperes",
    ),
    flow_row("/Dc/0/Power", "battery_power", WATT, "derived: V × A"),
    SOC,
    Row("/NrOfTrackers", INT, "snapshot.trackers", "", "QPIGS2: asked once"),
    flow_row(
        "/Yield/Power",
        "pv_total",
        WATT,
        "QPIGS `pv_charging_power`, and QPIGS2; else estimated",
    ),
    Row("/Pv/V", NUM, "pv_input_voltage", VOLT, _ONLY, only_tracker),
    Row("/Pv/0/V", NUM, "status.pv_input_voltage", VOLT, _FIRST, several_trackers),
    Row("/Pv/0/P", NUM, itemgetter(0), WATT, _FIRST, several_powers, digits=1),
    Row(
        "/Pv/1/V", NUM, _second_voltage, VOLT, "QPIGS2 `pv2_voltage`", several_trackers
    ),
    Row(
        "/Pv/1/P",
        NUM,
        itemgetter(1),
        WATT,
        "QPIGS2 `pv2_power`",
        several_powers,
        digits=1,
    ),
    Row(
        "/ErrorCode",
        INT,
        "error_code",
        "",
        "the nearest of Victron's charger errors to a fault; 0 is none",
        ALARMS,
    ),
    *(_alarm(name) for name in ALARM_LEVELS["inverter"]),
    *(alarm_level(name) for name in ALARM_LEVELS["inverter"]),
)

_MORE_ALARMS = [
    name for name in ALARM_LEVELS["multi"] if name not in ALARM_LEVELS["inverter"]
]
AC_INPUT: tuple[Row[UnitView], ...] = (
    flow_row("/Ac/In/1/{phase}/V", "mains_voltage", VOLT, _MAINS.format("voltage"), 3),
    flow_row(
        "/Ac/In/1/{phase}/F", "mains_frequency", HERTZ, _MAINS.format("frequency"), 3
    ),
    flow_row("/Ac/In/1/{phase}/P", "mains_power", WATT, _BALANCE),
    flow_row(
        "/Ac/In/1/{phase}/I",
        "mains_current",
        AMP,
        "derived: W / V; measured by the few units that tell it",
        digits=2,
    ),
    Row("/Ac/In/1/Type", INT, "ac_input", "", _INPUT, UNIT_OF),
    Row(
        "/Ac/In/1/CurrentLimit",
        NUM,
        "grid_rating_current",
        AMP,
        "QPIRI `grid_rating_current`: what it is made for",
        RATINGS,
    ),
    fixed("/Ac/In/1/CurrentLimitIsAdjustable", INT, 0),
    Row(
        "/Ac/ActiveIn/ActiveInput",
        INT,
        "active_input",
        about="QMOD: 0 on mains, 240 off; the same for all units of a system",
    ),
    Row("/Ac/NumberOfAcInputs", INT, input_count, "", _INPUT, UNIT_OF),
    Row(
        "/Ac/Out/{phase}/NominalInverterPower",
        NUM,
        "ac_output_rating_active_power",
        WATT,
        _RATED,
        RATINGS,
    ),
    *(_alarm(name) for name in _MORE_ALARMS),
    *(alarm_level(name) for name in _MORE_ALARMS),
)
STATUS: Row[UnitView] = Row(
    "/Status",
    INT,
    "snapshot.online",
    {0: "Offline", 1: "Running"},
    "1 while it answers",
)

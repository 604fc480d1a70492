"""The Victron side as tables: path, type, text, and where the value comes from.

A new path is a row. `source` is a pure function of a view and returns None for
unknown, which the bus shows as invalid. `{phase}` in a path is L1, L2 or L3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from mppdbus import __version__
from mppdbus.snapshot import Snapshot
from mppdbus.victron import AcInput, State, firmware_number

from .bus import Item, Kind, Value
from .views import SystemView, UnitView

PRODUCT_ID = 0xBA44  # free of Victron's own ranges
FALLBACK_PRODUCT = "PI30 inverter"
V = TypeVar("V", UnitView, SystemView)
Text = str | Callable[[object], str]


@dataclass(frozen=True, slots=True)
class Row(Generic[V]):
    """One path of a service."""

    path: str
    kind: Kind
    source: Callable[[V], Value]
    text: Text = ""
    paths: tuple[str, ...] = field(init=False, repr=False)  # on L1, L2 and L3

    def __post_init__(self) -> None:
        on_each = (self.path.replace("{phase}", f"L{number}") for number in (1, 2, 3))
        object.__setattr__(self, "paths", tuple(on_each))

    def item(self, phase: int) -> Item:
        """Return the leaf on the bus of a unit on `phase`."""
        return Item(self.path_on(phase), self.kind, self.text)

    def path_on(self, phase: int) -> str:
        """Return the path with the phase filled in."""
        return self.paths[phase - 1]


VOLT = "{:.1f} V"
DC_VOLT = "{:.2f} V"
AMP = "{:.1f} A"
WATT = "{:.0f} W"
VA = "{:.0f} VA"
HERTZ = "{:.1f} Hz"
PERCENT = "{:.0f} %"
LEVELS = ("OK", "Warning", "Alarm")
STATE_NAMES: dict[object, str] = {
    State.OFF: "Off",
    State.LOW_POWER: "Low power",
    State.FAULT: "Fault",
    State.BULK: "Bulk",
    State.ABSORPTION: "Absorption",
    State.FLOAT: "Float",
    State.PASSTHRU: "Passthru",
    State.INVERTING: "Inverting",
}


def hexadecimal(value: object) -> str:
    """Return 0xBA44."""
    return f"0x{value:X}" if isinstance(value, int) else "---"


def firmware_text(value: object) -> str:
    """Return 0x7270 as v72.70."""
    digits = f"{value:04X}" if isinstance(value, int) else ""
    return f"v{digits[:-2]}.{digits[-2:]}" if digits else "---"


def state_text(value: object) -> str:
    """Return the name of a state."""
    return STATE_NAMES.get(value, str(value))


def level_text(value: object) -> str:
    """Return the name of an alarm level."""
    return LEVELS[value] if isinstance(value, int) and 0 <= value < 3 else str(value)


def _round(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _status(name: str) -> Callable[[UnitView], Value]:
    """Return a source that reads a field of QPIGS."""

    def source(view: UnitView) -> Value:
        status = view.snapshot.status
        value = None if status is None else getattr(status, name)
        return None if value is None else float(value)

    return source


def _flow(name: str, digits: int = 1) -> Callable[[UnitView], Value]:
    """Return a source that reads the power flow."""

    def source(view: UnitView) -> Value:
        return _round(getattr(view.flow, name), digits)

    return source


def _alarm(name: str) -> Callable[[UnitView], Value]:
    return lambda view: view.alarms.get(name)


def _mains(name: str) -> Callable[[UnitView], Value]:
    """Return a source of the AC input: unknown where there is no mains voltage."""
    read = _status(name)
    return lambda view: read(view) if view.flow.mains_present else None


def output_current(view: UnitView) -> float | None:
    """Return VA / V of the output; no voltage, no current."""
    status = view.snapshot.status
    if status is None or status.ac_output_apparent_power is None:
        return None
    if not status.ac_output_voltage:
        return None if status.ac_output_voltage is None else 0.0
    return status.ac_output_apparent_power / status.ac_output_voltage


def product_name(snapshot: Snapshot) -> str:
    """Return what QMN says, else a general name."""
    return snapshot.identity.model or FALLBACK_PRODUCT


def _second_voltage(view: UnitView) -> float | None:
    second = view.snapshot.second
    return second.pv2_voltage if second is not None else None


def _pv_voltage(tracker: int | None) -> Callable[[UnitView], Value]:
    """Return the voltage of a tracker; None stands for the only one of a unit."""

    def source(view: UnitView) -> Value:
        trackers, status = view.snapshot.trackers, view.snapshot.status
        if trackers is None or status is None or (trackers == 1) != (tracker is None):
            return None
        return _second_voltage(view) if tracker == 1 else status.pv_input_voltage

    return source


def _pv_power(tracker: int) -> Callable[[UnitView], Value]:
    def source(view: UnitView) -> Value:
        pv = view.flow.pv
        if (view.snapshot.trackers or 1) < 2 or tracker >= len(pv):
            return None
        return pv[tracker]

    return source


def _rating_current(view: UnitView) -> Value:
    ratings = view.snapshot.ratings
    return ratings.grid_rating_current if ratings is not None else None


def _rating_power(view: UnitView) -> Value:
    ratings = view.snapshot.ratings
    power = ratings.ac_output_rating_active_power if ratings is not None else None
    return None if power is None else float(power)


def _constant(value: Value) -> Callable[[UnitView | SystemView], Value]:
    return lambda _: value


def _online(view: UnitView) -> int:
    return int(view.snapshot.online)


INT, NUM, TEXT = Kind.INT, Kind.DOUBLE, Kind.TEXT

COMMON: tuple[Row[UnitView], ...] = (
    Row("/Mgmt/ProcessName", TEXT, _constant("mppdbus")),
    Row("/Mgmt/ProcessVersion", TEXT, _constant(__version__)),
    Row("/Mgmt/Connection", TEXT, lambda v: v.unit.connection),
    Row("/DeviceInstance", INT, lambda v: v.unit.instance),
    Row("/ProductId", INT, _constant(PRODUCT_ID), hexadecimal),
    Row("/ProductName", TEXT, lambda v: product_name(v.snapshot)),
    Row("/CustomName", TEXT, lambda v: v.unit.name),
    Row(
        "/FirmwareVersion",
        INT,
        lambda v: firmware_number(v.snapshot.identity.firmware),
        firmware_text,
    ),
    Row("/HardwareVersion", TEXT, _constant(None)),
    Row("/Serial", TEXT, lambda v: v.snapshot.identity.serial),
    Row("/Connected", INT, _online),
    Row("/Mode", INT, lambda v: v.mode),
    Row("/ModeIsAdjustable", INT, _constant(0)),
    Row("/State", INT, lambda v: v.state, state_text),
    Row("/IsInverterCharger", INT, _constant(1)),
    Row("/Ac/NumberOfPhases", INT, _constant(1)),
    Row("/Ac/Out/{phase}/V", NUM, _status("ac_output_voltage"), VOLT),
    Row("/Ac/Out/{phase}/I", NUM, lambda v: _round(output_current(v), 2), AMP),
    Row("/Ac/Out/{phase}/P", NUM, _flow("load"), WATT),
    Row("/Ac/Out/{phase}/S", NUM, _status("ac_output_apparent_power"), VA),
    Row("/Ac/Out/{phase}/F", NUM, _status("ac_output_frequency"), HERTZ),
    Row("/Settings/System/AcPhase", INT, lambda v: v.unit.phase - 1),
    Row("/Dc/0/Voltage", NUM, _flow("battery_voltage", 2), DC_VOLT),
    Row("/Dc/0/Current", NUM, _flow("battery_current"), AMP),
    Row("/Dc/0/Power", NUM, _flow("battery_power"), WATT),
    Row("/Soc", NUM, lambda v: v.soc, PERCENT),
    Row("/NrOfTrackers", INT, lambda v: v.snapshot.trackers),
    Row("/Yield/Power", NUM, _flow("pv_total"), WATT),
    Row("/Pv/V", NUM, _pv_voltage(None), VOLT),
    Row("/Pv/0/V", NUM, _pv_voltage(0), VOLT),
    Row("/Pv/0/P", NUM, _pv_power(0), WATT),
    Row("/Pv/1/V", NUM, _pv_voltage(1), VOLT),
    Row("/Pv/1/P", NUM, _pv_power(1), WATT),
    Row("/ErrorCode", INT, lambda v: v.error_code),
    Row("/Alarms/LowVoltage", INT, _alarm("LowVoltage"), level_text),
    Row("/Alarms/HighVoltage", INT, _alarm("HighVoltage"), level_text),
    Row("/Alarms/LowVoltageAcOut", INT, _alarm("LowVoltageAcOut"), level_text),
    Row("/Alarms/HighVoltageAcOut", INT, _alarm("HighVoltageAcOut"), level_text),
    Row("/Alarms/HighTemperature", INT, _alarm("HighTemperature"), level_text),
    Row("/Alarms/Overload", INT, _alarm("Overload"), level_text),
    # Our own: where a value comes from, and how the line does.
    Row("/Mppdbus/Origin/Soc", TEXT, lambda v: v.charge.origin),
    Row("/Mppdbus/Origin/AcIn", TEXT, lambda v: str(v.flow.mains_origin)),
    Row("/Mppdbus/Origin/Yield", TEXT, lambda v: str(v.flow.pv_origin)),
    Row("/Mppdbus/Dialect", TEXT, lambda v: v.snapshot.identity.dialect),
    Row("/Mppdbus/Mode", TEXT, lambda v: v.snapshot.mode),
    Row("/Mppdbus/Load", NUM, _status("load_percent"), PERCENT),
    Row("/Mppdbus/Link/Failures", INT, lambda v: v.snapshot.link.failures),
    Row(
        "/Mppdbus/Link/Quality",
        NUM,
        lambda v: _round(v.snapshot.link.quality, 1),
        "{:.1f} %",
    ),
)


MULTI: tuple[Row[UnitView], ...] = (
    *COMMON,
    Row("/Ac/In/1/{phase}/V", NUM, _mains("grid_voltage"), VOLT),
    Row("/Ac/In/1/{phase}/F", NUM, _mains("grid_frequency"), HERTZ),
    Row("/Ac/In/1/{phase}/P", NUM, _flow("mains_power"), WATT),
    Row("/Ac/In/1/{phase}/I", NUM, _flow("mains_current", 2), AMP),
    Row("/Ac/In/1/Type", INT, lambda v: int(v.unit.ac_input)),
    Row("/Ac/In/1/CurrentLimit", NUM, _rating_current, AMP),
    Row("/Ac/In/1/CurrentLimitIsAdjustable", INT, _constant(0)),
    Row("/Ac/ActiveIn/ActiveInput", INT, lambda v: v.active_input),
    Row("/Ac/NumberOfAcInputs", INT, lambda v: int(v.unit.ac_input != AcInput.NONE)),
    Row("/Ac/Out/{phase}/NominalInverterPower", NUM, _rating_power, WATT),
    Row("/Alarms/ShortCircuit", INT, _alarm("ShortCircuit"), level_text),
)

INVERTER: tuple[Row[UnitView], ...] = (
    *COMMON,
    Row("/Status", INT, _online, lambda x: "Running" if x else "Offline"),
)


def _unit_sum(name: str, digits: int = 1) -> Callable[[SystemView], Value]:
    """Add up what `_flow` of each unit says."""
    return lambda s: _round(s.total(lambda v: getattr(v.flow, name)), digits)


def _unit_mean(
    read: Callable[[UnitView], Value], digits: int = 1
) -> Callable[[SystemView], Value]:
    def number(view: UnitView) -> float | None:
        value = read(view)
        return value if isinstance(value, float) else None

    return lambda s: _round(s.mean(number), digits)


def _limit_of_phase(system: SystemView) -> Value:
    """Add up the ratings of the units on one phase, which the GUI shows for each."""
    if system.lead is None:
        return None
    return system.on_phase(system.lead.unit.phase).total(_rated_amps)


def _rated_amps(view: UnitView) -> float | None:
    value = _rating_current(view)
    return value if isinstance(value, float) else None


def system_name(system: SystemView) -> str:
    """Name the system after its only unit, or after what it is."""
    if len(system.units) == 1:
        return system.units[0].unit.name
    return f"{len(system.units)} inverters"


SYSTEM: tuple[Row[SystemView], ...] = (
    Row("/Mgmt/ProcessName", TEXT, _constant("mppdbus")),
    Row("/Mgmt/ProcessVersion", TEXT, _constant(__version__)),
    Row("/Mgmt/Connection", TEXT, lambda s: s.units[0].unit.connection),
    Row("/DeviceInstance", INT, _constant(0)),
    Row("/ProductId", INT, _constant(PRODUCT_ID), hexadecimal),
    Row("/ProductName", TEXT, lambda s: product_name(s.units[0].snapshot)),
    Row("/CustomName", TEXT, system_name),
    Row(
        "/FirmwareVersion",
        INT,
        lambda s: firmware_number(s.units[0].snapshot.identity.firmware),
        firmware_text,
    ),
    Row("/HardwareVersion", TEXT, _constant(None)),
    Row("/Serial", TEXT, lambda s: s.units[0].snapshot.identity.serial),
    Row("/Connected", INT, lambda s: int(bool(s.online))),
    Row("/Mode", INT, lambda s: s.lead.mode if s.lead else None),
    Row("/ModeIsAdjustable", INT, _constant(0)),
    Row("/State", INT, lambda s: s.state, state_text),
    Row("/Capabilities/HasAcPassthroughSupport", INT, _constant(0)),
    Row("/Capabilities/HasDynamicEssSupport", INT, _constant(0)),
    Row(
        "/Ac/NumberOfAcInputs",
        INT,
        lambda s: int(s.units[0].unit.ac_input != AcInput.NONE),
    ),
    Row("/Ac/NumberOfPhases", INT, lambda s: len({v.unit.phase for v in s.units})),
    Row("/Ac/In/1/Type", INT, lambda s: int(s.units[0].unit.ac_input)),
    Row("/Ac/In/1/P", NUM, _unit_sum("mains_power"), WATT),
    Row("/Ac/In/1/CurrentLimit", NUM, _limit_of_phase, AMP),
    Row("/Ac/In/1/CurrentLimitIsAdjustable", INT, _constant(0)),
    Row("/Ac/ActiveIn/ActiveInput", INT, lambda s: s.active_input),
    Row("/Ac/Out/P", NUM, _unit_sum("load"), WATT),
    Row("/Dc/0/Voltage", NUM, _unit_mean(_flow("battery_voltage", 2), 2), DC_VOLT),
    Row("/Dc/0/Current", NUM, _unit_sum("battery_current"), AMP),
    Row("/Dc/0/Power", NUM, _unit_sum("battery_power"), WATT),
    Row("/Soc", NUM, lambda s: _round(s.mean(lambda v: v.soc), 1), PERCENT),
    Row(
        "/Alarms/HighTemperature", INT, lambda s: s.alarm("HighTemperature"), level_text
    ),
    Row("/Alarms/Overload", INT, lambda s: s.alarm("Overload"), level_text),
)

SYSTEM_PHASE: tuple[Row[SystemView], ...] = (
    Row("/Ac/In/1/{phase}/V", NUM, _unit_mean(_mains("grid_voltage")), VOLT),
    Row("/Ac/In/1/{phase}/F", NUM, _unit_mean(_mains("grid_frequency")), HERTZ),
    Row("/Ac/In/1/{phase}/P", NUM, _unit_sum("mains_power"), WATT),
    Row("/Ac/In/1/{phase}/I", NUM, _unit_sum("mains_current", 2), AMP),
    Row("/Ac/Out/{phase}/V", NUM, _unit_mean(_status("ac_output_voltage")), VOLT),
    Row("/Ac/Out/{phase}/F", NUM, _unit_mean(_status("ac_output_frequency")), HERTZ),
    Row("/Ac/Out/{phase}/P", NUM, _unit_sum("load"), WATT),
    Row("/Ac/Out/{phase}/I", NUM, lambda s: _round(s.total(output_current), 2), AMP),
)

"""What a warning or a fault amounts to on Venus OS; data only.

The keys are meanings (`WarningBit.name`, the text of a fault code), not numbers. The
tables of a family in `protocol` tell what its bits and codes mean.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Level(IntEnum):
    """An alarm level on the bus."""

    OK = 0
    WARNING = 1
    ALARM = 2


class Severity(StrEnum):
    """How bad a warning is; `EITHER` is an alarm only while the inverter has a fault.

    Documents disagree on which bits are faults, so a1 or mode F decides.
    """

    WARNING = "warning"
    EITHER = "either"
    ALARM = "alarm"


@dataclass(frozen=True, slots=True)
class Effect:
    """Where a warning shows: at /Alarms/`leaf`, as /ErrorCode `error`, or by a notice.

    `error` is a number of Victron's charger errors; it is set only by an alarm.
    """

    severity: Severity
    leaf: str | None = None
    error: int = 0


LEAVES = (
    "LowVoltage",
    "HighVoltage",
    "LowVoltageAcOut",
    "HighVoltageAcOut",
    "HighTemperature",
    "Overload",
    "ShortCircuit",
    "GridLost",
)

LOW_SOC = "LowSoc"  # by our own count, not by the inverter

# The service → its alarms that /Settings/AlarmLevel/<name> can silence.
ALARM_LEVELS: Mapping[str, tuple[str, ...]] = {
    "multi": (*LEAVES[:7], LOW_SOC),
    "inverter": (*LEAVES[:6], LOW_SOC),
}
SHOW_NONE, SHOW_ALARMS, SHOW_ALL = 0, 1, 2  # what such a setting may be
DEFAULT_LEVELS: Mapping[str, int] = {  # a battery that is used gets low now and then
    **dict.fromkeys(LEAVES[:7], SHOW_ALL),
    LOW_SOC: SHOW_ALARMS,
}

CHARGER_OVER_CURRENT = 18
PV_OVER_VOLTAGE = 33
PV_OVER_CURRENT = 34

INVERTER_FAULT = "inverter_fault"  # a1: no warning itself; makes other bits faults
LINE_FAIL = "line_fail"  # an alarm, if anybody wants it, but no fault
BATTERY_OPEN = "battery_open"  # counts only where there is or was a battery

_W, _E, _A = Severity
_NOTICE = Effect(_E)


def _trackers(name: str, effect: Effect) -> dict[str, Effect]:
    return {f"{name}{suffix}": effect for suffix in ("", "_2", "_3")}


# Warnings that are not listed are shown as text only: healthy units have them daily.
EFFECTS: Mapping[str, Effect] = {
    LINE_FAIL: Effect(_A, "GridLost"),
    "output_short": Effect(_E, "ShortCircuit"),
    "inverter_voltage_low": Effect(_A, "LowVoltageAcOut"),
    "inverter_voltage_high": Effect(_A, "HighVoltageAcOut"),
    "over_temperature": Effect(_E, "HighTemperature"),
    "battery_voltage_high": Effect(_E, "HighVoltage"),
    "overcharge": Effect(_E, "HighVoltage"),
    "battery_low_alarm": Effect(_W, "LowVoltage"),
    "battery_under_shutdown": Effect(_A, "LowVoltage"),
    BATTERY_OPEN: Effect(_A, "LowVoltage"),
    "overload": Effect(_E, "Overload"),
    **_trackers("battery_too_low_to_charge", Effect(_W, "LowVoltage")),
    "inverter_over_current": Effect(_E, error=CHARGER_OVER_CURRENT),
    **_trackers("pv_voltage_high", Effect(_E, error=PV_OVER_VOLTAGE)),
    **_trackers("mppt_overload_fault", Effect(_E, error=PV_OVER_CURRENT)),
    "bus_over": _NOTICE,
    "bus_under": _NOTICE,
    "bus_soft_start_fail": _NOTICE,
    "fan_locked": _NOTICE,
    "inverter_soft_start_fail": _NOTICE,
    "self_test_fail": _NOTICE,
    "dc_on_output": _NOTICE,
    "current_sensor_fail": _NOTICE,
    "battery_short": _NOTICE,
    "dcdc_over_current": _NOTICE,
    "eeprom_fault": Effect(_W),
    "slave_warning": Effect(_W),
    "high_ac_input": Effect(_W),
}

UNSAID = frozenset({"pv_loss"})  # not shown: on every night, always without panels

# The text of a fault code → where it shows; other codes show only as text.
FAULT_EFFECTS: Mapping[str, Effect] = {
    "over temperature": Effect(_A, "HighTemperature"),
    "battery voltage too high": Effect(_A, "HighVoltage"),
    "battery voltage too low": Effect(_A, "LowVoltage"),
    "battery connection open": Effect(_A, "LowVoltage"),
    "output short-circuited": Effect(_A, "ShortCircuit"),
    "output short-circuited or over temperature": Effect(_A, "ShortCircuit"),
    "output voltage too high": Effect(_A, "HighVoltageAcOut"),
    "output voltage too low": Effect(_A, "LowVoltageAcOut"),
    "overload time-out": Effect(_A, "Overload"),
    "inverter over-current": Effect(_A, error=CHARGER_OVER_CURRENT),
    "over-current": Effect(_A, error=CHARGER_OVER_CURRENT),
    "PV over-voltage": Effect(_A, error=PV_OVER_VOLTAGE),
    "PV voltage too high": Effect(_A, error=PV_OVER_VOLTAGE),
    "PV over-current": Effect(_A, error=PV_OVER_CURRENT),
    "PV charger over-current": Effect(_A, error=PV_OVER_CURRENT),
}

"""QPIWS: what the positions mean that several families share; data only.

The position gives the meaning; the length only gives the number of bits. Documents
disagree on which bits are faults; `warnings_of` needs a1 to call one a fault. The table
of a family is in its file, made of these parts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

WarningKind = Literal["warning", "fault", "fault_if_a1", "reserved", "code_digit"]
INVERTER_FAULT = 1  # the position that turns "fault_if_a1" into a fault


@dataclass(frozen=True, slots=True)
class WarningBit:
    """One position of QPIWS: its name for programs, its text for people."""

    name: str
    text: str
    kind: WarningKind = "warning"


WarningBits = Mapping[int, WarningBit]


def fault(name: str, text: str) -> WarningBit:
    """Return a bit that is a fault by all documents."""
    return WarningBit(name, text, "fault")


def either(name: str, text: str) -> WarningBit:
    """Return a bit that is a fault together with a1, else a warning."""
    return WarningBit(name, text, "fault_if_a1")


def table(*parts: Mapping[int, WarningBit]) -> WarningBits:
    """Merge tables; the later part wins."""
    merged: dict[int, WarningBit] = {}
    for part in parts:
        merged.update(part)
    return MappingProxyType(dict(sorted(merged.items())))


def all_at(positions: Iterable[int], bit: WarningBit) -> dict[int, WarningBit]:
    """Return the same bit at several positions."""
    return dict.fromkeys(positions, bit)


RESERVED = WarningBit("reserved", "reserved", "reserved")
CODE_DIGIT = WarningBit("fault_code", "a digit of the fault code", "code_digit")

PV_LOSS = WarningBit("pv_loss", "no PV power")  # on every night, so no alarm
OUTPUT_SHORT = "the output is short-circuited"

COMMON = {
    1: fault("inverter_fault", "inverter fault"),
    2: fault("bus_over", "bus voltage too high"),
    3: fault("bus_under", "bus voltage too low"),
    4: fault("bus_soft_start_fail", "bus soft start failed"),
    5: WarningBit("line_fail", "no mains"),
    7: fault("inverter_voltage_low", "output voltage too low"),
    8: fault("inverter_voltage_high", "output voltage too high"),
    9: either("over_temperature", "over temperature"),
    10: either("fan_locked", "a fan is locked"),
    11: either("battery_voltage_high", "battery voltage too high"),
    12: WarningBit("battery_low_alarm", "battery voltage low"),
    13: RESERVED,
    14: WarningBit("battery_under_shutdown", "battery too low, output shut down"),
    15: WarningBit("battery_derating", "power reduced for the battery"),
    16: either("overload", "overload"),
    17: WarningBit("eeprom_fault", "settings memory failed"),
    18: fault("inverter_over_current", "inverter over-current"),
    19: fault("inverter_soft_start_fail", "inverter soft start failed"),
    20: fault("self_test_fail", "self-test failed"),
    21: fault("dc_on_output", "DC voltage on the AC output"),
    23: fault("current_sensor_fail", "current sensor failed"),
}
BATTERY_OPEN = {22: fault("battery_open", "no battery connected")}
SHORT_WARNS = {6: WarningBit("output_short", OUTPUT_SHORT)}
SHORT_FAULTS = {6: fault("output_short", OUTPUT_SHORT)}
BATTERY_SHORT = fault("battery_short", "the battery is short-circuited")
POWER_LIMIT = WarningBit("power_limit", "power limited")


def tracker(first: int, number: int, suffix: str) -> dict[int, WarningBit]:
    """Return the four bits of a PV tracker, from position `first` on."""
    pv = f"PV{number}" if suffix else "PV"
    return {
        first: WarningBit(f"pv_voltage_high{suffix}", f"{pv} voltage too high"),
        first + 1: WarningBit(
            f"mppt_overload_fault{suffix}", f"{pv} charger stopped by overload"
        ),
        first + 2: WarningBit(
            f"mppt_overload_warning{suffix}", f"{pv} charger overloaded"
        ),
        first + 3: WarningBit(
            f"battery_too_low_to_charge{suffix}",
            f"battery voltage too low for the {pv} charger",
        ),
    }


FIRST_GENERATION = table(  # what A, B and H share
    {0: RESERVED},
    COMMON,
    SHORT_WARNS,
    BATTERY_OPEN,
    {24: BATTERY_SHORT, 25: POWER_LIMIT},
    tracker(26, 1, ""),
)
TAIL = {  # the last three of 36, on VM III (C, D, E) and VM IV (G)
    33: WarningBit("low_pv_energy", "PV energy low"),
    34: WarningBit("high_ac_input", "mains voltage too high during bus soft start"),
    35: WarningBit("equalization", "battery equalization is active"),
}

"""QPIWS: what each position means, one table per document; data only.

Position decides, the length only says how many there are. Documents disagree on what
is a fault; `dialects.warnings_of` calls one only what a1 confirms.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Kind = Literal["warning", "fault", "fault_if_a1", "reserved", "code_digit"]
INVERTER_FAULT = 1  # the position that turns "fault_if_a1" into a fault


@dataclass(frozen=True, slots=True)
class WarningBit:
    """One position of QPIWS: its name for programs, its text for people."""

    name: str
    text: str
    kind: Kind = "warning"


WarningBits = Mapping[int, WarningBit]


def _fault(name: str, text: str) -> WarningBit:
    return WarningBit(name, text, "fault")


def _either(name: str, text: str) -> WarningBit:
    return WarningBit(name, text, "fault_if_a1")


def _table(*parts: Mapping[int, WarningBit]) -> WarningBits:
    """Lay tables over each other; the later part wins."""
    merged: dict[int, WarningBit] = {}
    for part in parts:
        merged.update(part)
    return MappingProxyType(dict(sorted(merged.items())))


def _all(positions: Iterable[int], bit: WarningBit) -> dict[int, WarningBit]:
    return dict.fromkeys(positions, bit)


RESERVED = WarningBit("reserved", "reserved", "reserved")
CODE_DIGIT = WarningBit("fault_code", "a digit of the fault code", "code_digit")

PV_LOSS = WarningBit("pv_loss", "no PV power")  # every night: nobody's alarm
OUTPUT_SHORT = "the output is short-circuited"

_COMMON = {
    1: _fault("inverter_fault", "inverter fault"),
    2: _fault("bus_over", "bus voltage too high"),
    3: _fault("bus_under", "bus voltage too low"),
    4: _fault("bus_soft_start_fail", "bus soft start failed"),
    5: WarningBit("line_fail", "no mains"),
    7: _fault("inverter_voltage_low", "output voltage too low"),
    8: _fault("inverter_voltage_high", "output voltage too high"),
    9: _either("over_temperature", "over temperature"),
    10: _either("fan_locked", "a fan is locked"),
    11: _either("battery_voltage_high", "battery voltage too high"),
    12: WarningBit("battery_low_alarm", "battery voltage low"),
    13: RESERVED,
    14: WarningBit("battery_under_shutdown", "battery too low, output shut down"),
    15: WarningBit("battery_derating", "power reduced for the battery"),
    16: _either("overload", "overload"),
    17: WarningBit("eeprom_fault", "settings memory failed"),
    18: _fault("inverter_over_current", "inverter over-current"),
    19: _fault("inverter_soft_start_fail", "inverter soft start failed"),
    20: _fault("self_test_fail", "self-test failed"),
    21: _fault("dc_on_output", "DC voltage on the AC output"),
    23: _fault("current_sensor_fail", "current sensor failed"),
}
_BATTERY_OPEN = {22: _fault("battery_open", "no battery connected")}
_SHORT_WARNS = {6: WarningBit("output_short", OUTPUT_SHORT)}
_SHORT_FAULTS = {6: _fault("output_short", OUTPUT_SHORT)}
_BATTERY_SHORT = _fault("battery_short", "the battery is short-circuited")
_POWER_LIMIT = WarningBit("power_limit", "power limited")


def _tracker(first: int, number: int, suffix: str) -> dict[int, WarningBit]:
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


_FIRST = _table(  # what A, B and H share
    {0: RESERVED},
    _COMMON,
    _SHORT_WARNS,
    _BATTERY_OPEN,
    {24: _BATTERY_SHORT, 25: _POWER_LIMIT},
    _tracker(26, 1, ""),
)
_TAIL = {  # the last three of 36, on VM III (C, D, E) and VM IV (G)
    33: WarningBit("low_pv_energy", "PV energy low"),
    34: WarningBit("high_ac_input", "mains voltage too high during bus soft start"),
    35: WarningBit("equalization", "battery equalization is active"),
}

WARNINGS = _table(_FIRST, _all((30, 31), RESERVED))  # A: 32 characters
WARNINGS_DUO = _table(_FIRST, _tracker(30, 2, "_2"), _tracker(34, 3, "_3"))  # B: 38
WARNINGS_PI41 = _table(  # H: 32
    _FIRST,
    {
        13: _fault("overcharge", "battery overcharged"),
        30: WarningBit("slave_warning", "a slave unit warns"),
        31: RESERVED,
    },
)
WARNINGS_VM3 = _table(  # C (GK), D and E (VM III): 36
    {0: PV_LOSS},
    _COMMON,
    _SHORT_FAULTS,
    _BATTERY_OPEN,
    _all(range(24, 31), RESERVED),
    _all((31, 32), CODE_DIGIT),
    _TAIL,
)
WARNINGS_MKS2 = _table(  # D (MKS III), E (MKS II)
    {0: RESERVED},
    _COMMON,
    _SHORT_FAULTS,
    _BATTERY_OPEN,
    _all(range(24, 31), RESERVED),
    _all((32, 33), CODE_DIGIT),
)
WARNINGS_KING = _table(  # C (MK), D and E (King, MKS III): 36
    {0: PV_LOSS},
    _COMMON,
    _SHORT_FAULTS,
    _BATTERY_OPEN,
    {24: _BATTERY_SHORT, 25: _POWER_LIMIT},
    _tracker(26, 1, ""),
    {
        26: _either("pv_voltage_high", "PV voltage too high"),
        27: _fault("mppt_overload_fault", "PV charger stopped by overload"),
        30: _fault("dcdc_over_current", "DC/DC over-current"),
    },
    _all((32, 33), CODE_DIGIT),
)
WARNINGS_MAX = _table(  # F, G at 48 V: 36; others decode 26 to 33 as two trackers
    {0: PV_LOSS},
    _COMMON,
    _SHORT_FAULTS,
    _all(range(24, 31), RESERVED),
    {31: WarningBit("battery_weak", "battery weak")},
    _all((32, 33), CODE_DIGIT),
    {35: _TAIL[35]},
)
WARNINGS_VM4 = _table(  # G: VM IV, and F at 24 V: 36
    {0: PV_LOSS},
    _COMMON,
    _SHORT_FAULTS,
    _all(range(24, 31), RESERVED),
    _all((31, 32), CODE_DIGIT),
    _TAIL,
)

"""QPIWS bits and the mode → alarm levels of the paths that venus-platform watches.

Pure. Level 0 is fine, 1 a warning, 2 an alarm, None unknown: a missing reply is never
a warning, and neither are a0 (no PV: every night) and a22 (no battery) by themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from .protocol.models import Warnings
from .snapshot import Snapshot


class Level(IntEnum):
    """An alarm level on the bus."""

    OK = 0
    WARNING = 1
    ALARM = 2


INVERTER_FAULT = 1  # a1 turns a "fault or warning" bit into a fault

# Path below /Alarms: (bits that are alarms, bits that a1 decides, bits that warn).
TABLE: Mapping[str, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]] = {
    "LowVoltage": ((14,), (), (12, 29)),
    "HighVoltage": ((), (11,), ()),
    "LowVoltageAcOut": ((7,), (), ()),
    "HighVoltageAcOut": ((8,), (), ()),
    "HighTemperature": ((), (9,), ()),
    "Overload": ((), (16,), ()),
    "ShortCircuit": ((), (6,), ()),
}


def levels(snapshot: Snapshot) -> dict[str, int | None]:
    """Return the level of each alarm in `TABLE`; all None without QPIWS."""
    warnings = snapshot.warnings
    if warnings is None:
        return dict.fromkeys(TABLE)
    return {name: int(_level(warnings, *bits)) for name, bits in TABLE.items()}


def _level(
    warnings: Warnings,
    alarms: tuple[int, ...],
    either: tuple[int, ...],
    warn: tuple[int, ...],
) -> Level:
    if any(map(warnings.is_set, alarms)):
        return Level.ALARM
    if any(map(warnings.is_set, either)):
        return Level.ALARM if warnings.is_set(INVERTER_FAULT) else Level.WARNING
    return Level.WARNING if any(map(warnings.is_set, warn)) else Level.OK


# Fault bits without an alarm path of their own → Victron's charger error numbers.
ERROR_CODES: Mapping[int, int] = {18: 18, 26: 33, 27: 34}


def error_code(snapshot: Snapshot) -> int | None:
    """Return `/ErrorCode`: 0, or the charger error nearest to a fault bit."""
    warnings = snapshot.warnings
    if warnings is None:
        return None
    if not warnings.is_set(INVERTER_FAULT) and snapshot.mode != "F":
        return 0
    return next((n for bit, n in ERROR_CODES.items() if warnings.is_set(bit)), 0)

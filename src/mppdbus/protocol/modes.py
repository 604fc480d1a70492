"""The letters of QMOD, one row each; data only.

A letter means the same in all families (documents A to I). A row has all that the
program needs to know about a letter.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Supply(StrEnum):
    """What feeds the output."""

    MAINS = "mains"
    BATTERY = "battery and sun"  # nothing is taken from the mains
    SWITCHED_OFF = "switched off"  # but the mains may charge the battery: status bit b0
    NONE = "none"  # no power flows


class Operation(StrEnum):
    """What the inverter does."""

    OFF = "off"
    FAULT = "fault"
    POWER_SAVING = "power saving"
    INVERTING = "inverting"
    PASSING_THROUGH = "passing the mains through"


class Switch(StrEnum):
    """The position of a main switch with the same effect."""

    ON = "on"
    OFF = "off"
    CHARGER_ONLY = "charger only"


@dataclass(frozen=True, slots=True)
class OperatingMode:
    """A letter of QMOD; with `charges`, the charging stage is shown while charging."""

    letter: str
    name: str
    supply: Supply
    operation: Operation
    switch: Switch = Switch.ON
    charges: bool = False


_ROWS = (
    OperatingMode("P", "power on", Supply.NONE, Operation.OFF),
    OperatingMode(
        "S", "standby", Supply.SWITCHED_OFF, Operation.OFF, Switch.OFF, charges=True
    ),
    OperatingMode("L", "line", Supply.MAINS, Operation.PASSING_THROUGH, charges=True),
    OperatingMode("B", "battery", Supply.BATTERY, Operation.INVERTING),
    OperatingMode("F", "fault", Supply.NONE, Operation.FAULT),
    OperatingMode("H", "power saving", Supply.BATTERY, Operation.POWER_SAVING),
    OperatingMode("D", "shutdown", Supply.NONE, Operation.OFF, Switch.OFF),
    OperatingMode(
        "C", "charging", Supply.SWITCHED_OFF, Operation.PASSING_THROUGH,
        Switch.CHARGER_ONLY, charges=True,
    ),
    OperatingMode("Y", "bypass", Supply.MAINS, Operation.PASSING_THROUGH),
    OperatingMode("E", "ECO", Supply.MAINS, Operation.PASSING_THROUGH),
)  # fmt: skip

MODES: Mapping[str, OperatingMode] = MappingProxyType(
    {row.letter: row for row in _ROWS}
)
MODE_NAMES: Mapping[str, str] = MappingProxyType(
    {row.letter: row.name for row in _ROWS}
)


def letters(supply: Supply) -> frozenset[str]:
    """Return the letters of the modes in which `supply` feeds the output."""
    return frozenset(row.letter for row in _ROWS if row.supply is supply)

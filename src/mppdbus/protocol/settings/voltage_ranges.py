"""The voltages that the documents allow, per setter, family and battery; data only.

The inverter answers NAK outside. The documents of the MAX print none: a family that is
missing here has no proven range.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Range:
    """Volts from `least` to `most` in steps, or exactly `values`; 0 may be legal too.

    A legal 0 of the re-discharge voltage means "when full".
    """

    least: float
    most: float
    step: float = 0.1
    values: tuple[float, ...] = ()
    zero: bool = False

    def allows(self, volts: float) -> bool:
        """Tell whether the documents allow this voltage."""
        if volts == 0:
            return self.zero
        if self.values:
            return volts in self.values
        steps = (volts - self.least) / self.step
        return self.least <= volts <= self.most and abs(steps - round(steps)) < 1e-6


_RECHARGE_12 = Range(11, 12.8, values=(11, 11.3, 11.5, 11.8, 12, 12.3, 12.5, 12.8))
_REDISCHARGE_12 = Range(
    12, 14.5, zero=True,
    values=(12, 12.3, 12.5, 12.8, 13, 13.3, 13.5, 13.8, 14, 14.3, 14.5),
)  # fmt: skip

Ranges = Mapping[int, Range]  # by nominal voltage

_FIRST: Mapping[str, Ranges] = {  # A, B
    "battery_recharge_voltage": {
        12: _RECHARGE_12, 24: Range(22, 25.5, 0.5), 48: Range(44, 51, 1),
    },
    "battery_redischarge_voltage": {
        12: _REDISCHARGE_12,
        24: Range(24, 29, 0.5, zero=True),
        48: Range(48, 58, 1, zero=True),
    },
    "battery_under_voltage": {48: Range(40, 48)},
    "battery_bulk_voltage": {48: Range(48, 58.4)},
    "battery_float_voltage": {48: Range(48, 58.4)},
}  # fmt: skip
_VM3: Mapping[str, Ranges] = {  # C, and E for the VM III
    **_FIRST,
    "battery_under_voltage": {24: Range(21, 24), 48: Range(42, 48)},
    "battery_bulk_voltage": {24: Range(25, 31.5), 48: Range(48, 61)},
    "battery_float_voltage": {24: Range(25, 31.5), 48: Range(48, 61)},
    "equalization_voltage": {24: Range(25, 31.5, 0.01), 48: Range(48, 61, 0.01)},
}
_KING: Mapping[str, Ranges] = {  # E; 48 V also for the MKS II
    "battery_recharge_voltage": {24: Range(22, 28.5, 0.5), 48: Range(44, 57, 1)},
    "battery_redischarge_voltage": {
        24: Range(24, 33, 0.5, zero=True), 48: Range(48, 64, 1, zero=True),
    },
    "battery_under_voltage": {24: Range(20, 27), 48: Range(40, 54)},
    "battery_bulk_voltage": {24: Range(24, 32), 48: Range(48, 64)},
    "battery_float_voltage": {24: Range(24, 32), 48: Range(48, 64)},
    "equalization_voltage": {24: Range(24, 32, 0.01), 48: Range(48, 64, 0.01)},
}  # fmt: skip

RANGES: Mapping[str, Mapping[str, Ranges]] = {
    "pi30": _FIRST,
    "pi30ms": _FIRST,
    "pi30duo": _FIRST,
    "pi30vm3": _VM3,
    "pi30king": _KING,
    "pi30mks2": {name: {48: ranges[48]} for name, ranges in _KING.items()},
    "pi41": {**_FIRST, "equalization_voltage": {48: Range(48, 61, 0.01)}},
}

# Factory settings (QDI): recharge, float, bulk, cut-off, re-discharge in V.
FACTORY: Mapping[int, tuple[float, float, float, float, float]] = {
    12: (11.5, 13.5, 14.1, 10.5, 13.5),
    24: (23, 27, 28.2, 21, 27),
    48: (46, 54, 56.4, 42, 54),  # cut-off 44 on the MAX
}


def voltage_range(dialect: str, setting: str, nominal: int) -> Range | None:
    """Return the documented range of a setting; None where no document has one."""
    return RANGES.get(dialect, {}).get(setting, {}).get(nominal)

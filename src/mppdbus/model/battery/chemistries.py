"""TABLES: how the cells of each chemistry behave; data only, for 25 °C.

The curves are typical ones of data sheets. `blur` is how far a real battery differs,
mostly to the same side; `repeats` is how well its own voltages repeat.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum


class Chemistry(StrEnum):
    """What the battery is made of, as the configuration calls it."""

    AGM = "lead-agm"
    GEL = "lead-gel"
    FLOODED = "lead-flooded"
    LFP = "lithium-lfp"
    NMC = "lithium-nmc"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell; voltages in V a cell, currents and capacities in parts of C (Ah)."""

    counts: Mapping[int, tuple[int, ...]]  # cells in series by nominal system voltage
    nominal_v: float
    curve: tuple[tuple[float, float], ...]  # (state of charge in %, V at rest)
    blur: float  # V: how far a battery and its meter may be off the curve
    repeats: float  # V: how well the rest voltage repeats at the same charge
    knee_v: float  # below it the curve is steep, whatever the battery
    foot: float  # %: uncertainty below the knee; "empty" is vague for lead
    full_v: float  # charged at this voltage and more, little current means full
    float_v: float  # the same after hours of float
    tail: float  # the little current that means full
    rest_current: float  # below it the voltage shows the charge
    rest_s: float  # s at rest until the voltage shows the charge
    charge_disturbs: bool  # after charging, a surface charge must first decay
    ohms: float  # Ω of a battery of 1 V and 1 Ah, within minutes; scales as V / Ah
    efficiency: tuple[float, float]  # Ah out per Ah in, and its uncertainty
    floating: float  # the lasting float current of a full battery
    panel: tuple[float, float]  # %: uncertainty of the inverter's percent: calm, else


_LEAD_CELLS = {12: (6,), 24: (12,), 36: (18,), 48: (24,)}
_AGM = Cell(
    counts=_LEAD_CELLS,
    nominal_v=2.0,
    curve=((0, 1.945), (25, 2.0), (50, 2.053), (75, 2.1), (90, 2.128), (100, 2.142)),
    blur=0.022,
    repeats=0.008,
    knee_v=1.93,
    foot=8.0,
    full_v=2.33,
    float_v=2.2,
    tail=0.03,
    rest_current=0.04,
    rest_s=7200.0,
    charge_disturbs=True,
    ohms=0.12,
    efficiency=(0.95, 0.04),
    floating=0.001,
    panel=(30.0, 50.0),
)
_FLOODED = replace(
    _AGM,
    curve=(
        (0, 1.89), (10, 1.918), (30, 1.968), (50, 2.017), (70, 2.062), (90, 2.103),
        (100, 2.122),
    ),
    blur=0.028,
    repeats=0.01,
    knee_v=1.9,
    full_v=2.36,
    efficiency=(0.91, 0.05),
    floating=0.002,
)  # fmt: skip
_LFP = Cell(
    counts={12: (4,), 24: (8,), 36: (12,), 48: (15, 16)},
    nominal_v=3.2,
    curve=(
        (0, 2.6), (2, 2.9), (5, 3.05), (10, 3.17), (15, 3.21), (20, 3.235),
        (30, 3.265), (40, 3.285), (50, 3.295), (60, 3.305), (70, 3.32), (80, 3.33),
        (90, 3.335), (96, 3.345), (99, 3.37), (100, 3.42),
    ),
    blur=0.035,
    repeats=0.03,
    knee_v=3.1,
    foot=3.0,
    full_v=3.42,
    float_v=3.35,
    tail=0.05,
    rest_current=0.05,
    rest_s=1800.0,
    charge_disturbs=False,
    ohms=0.08,
    efficiency=(0.99, 0.007),
    floating=0.0002,  # its BMS consumes that
    panel=(40.0, 50.0),
)  # fmt: skip
_NMC = replace(
    _LFP,
    counts={12: (3,), 24: (7,), 36: (10,), 48: (13, 14)},
    nominal_v=3.65,
    curve=(
        (0, 3.0), (5, 3.35), (10, 3.47), (20, 3.57), (30, 3.62), (40, 3.66),
        (50, 3.71), (60, 3.79), (70, 3.88), (80, 3.98), (90, 4.07), (100, 4.18),
    ),
    blur=0.03,
    repeats=0.015,
    knee_v=3.4,
    full_v=4.1,
    float_v=4.05,
    efficiency=(0.995, 0.004),
)  # fmt: skip
CELLS: Mapping[Chemistry, Cell] = {
    Chemistry.AGM: _AGM,
    Chemistry.GEL: _AGM,
    Chemistry.FLOODED: _FLOODED,
    Chemistry.LFP: _LFP,
    Chemistry.NMC: _NMC,
}

"""A battery as the user and the inverter describe it, with derived values. Pure."""

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from mppdbus.errors import ConfigError
from mppdbus.model.battery.chemistries import CELLS, Cell, Chemistry

LEAST_BLUR = 5.0  # %: least uncertainty of a charge by voltage
GUESS_BLUR = 2 * math.sqrt(3)  # of a voltage at any time, twice that at rest
OHMS_BLUR = 0.5  # of the typical resistance
REACHED = 0.002  # of the target voltage: this close counts as reached


@dataclass(frozen=True)
class BatteryModel:
    """One bank of batteries, and the inverters that are its only meters.

    Voltages in V of the bank. `bulk_v`, `float_v` and `cutoff_v` are the inverter's
    settings (QPIRI), None while unknown. `units` inverters share the bank, and each
    adds its own rounding. `capacity_blur` is the uncertainty of the capacity, as a part
    of it. Raises `ConfigError` for impossible values.
    """

    chemistry: Chemistry
    capacity_ah: float
    nominal_voltage: float = 48.0
    cells: int | None = None  # in series; None: as many as the voltages suggest
    bulk_v: float | None = None
    float_v: float | None = None
    cutoff_v: float | None = None
    units: int = 1
    efficiency: float | None = None  # Ah out per Ah in; None: typical, and learned
    capacity_blur: float = 0.05  # nominal capacities are not exact
    voltage_blur: float = 0.0  # %: how far voltages mislead if it is another chemistry

    def __post_init__(self) -> None:
        if self.chemistry not in CELLS:
            raise ConfigError(
                f"battery chemistry {self.chemistry!r} is not known; "
                f"known are {', '.join(CELLS)}"
            )
        limits = {
            "capacity_ah": (1, 100_000),
            "nominal_voltage": (6, 1000),
            "units": (1, 9),
        }
        for name, (low, high) in limits.items():
            if not low <= getattr(self, name) <= high:
                raise ConfigError(f"battery {name} must be {low} to {high}")
        if self.efficiency is not None and not 0.5 <= self.efficiency <= 1:
            raise ConfigError("battery efficiency must be 0.5 to 1")
        if self.cells is not None and self.cells < 1:
            raise ConfigError("battery cells must be 1 or more")

    @cached_property
    def cell(self) -> Cell:
        """The data of one cell of this chemistry."""
        return CELLS[Chemistry(self.chemistry)]

    @cached_property
    def in_series(self) -> int:
        """Cells in series: 48 V of LFP are 15 or 16, which the bulk voltage tells."""
        if self.cells is not None:
            return self.cells
        system = min(self.cell.counts, key=lambda v: abs(v - self.nominal_voltage))
        counts = self.cell.counts[system]
        if abs(system - self.nominal_voltage) > 0.2 * system:
            return max(round(self.nominal_voltage / self.cell.nominal_v), 1)
        if self.bulk_v is None:
            return counts[-1]
        bulk_v, goal = self.bulk_v, self.cell.full_v + 0.08
        return min(counts, key=lambda n: abs(bulk_v / n - goal))

    @cached_property
    def ohms(self) -> float:
        """Typical resistance, Ω, with polarisation and cables."""
        return self.cell.ohms * self.in_series * self.cell.nominal_v / self.capacity_ah

    @cached_property
    def bulk_reached_v(self) -> float:
        """V from which the bulk voltage counts as reached."""
        bulk_v = self.bulk_v or self.cell.full_v * self.in_series
        return bulk_v * (1 - REACHED)

    @cached_property
    def float_reached_v(self) -> float:
        """V from which the float voltage counts as reached."""
        float_v = self.float_v or self.cell.float_v * self.in_series
        return float_v * (1 - REACHED)

    @cached_property
    def when_charged(self) -> tuple[float, float]:
        """State of charge and its uncertainty, %, when the bulk voltage is held.

        100 unless the user has set a voltage that is too low for that.
        """
        volts = self.bulk_reached_v
        if volts >= 0.995 * self.cell.full_v * self.in_series:
            return 100.0, 1.0
        return self.soc_at(volts, 0.0)[0], LEAST_BLUR

    @cached_property
    def tail_a(self) -> float:
        """A at which charging is complete; at least what the meters can resolve."""
        return max(self.cell.tail * self.capacity_ah, 2.0 * self.units)

    def plausible(self, voltage: float) -> bool:
        """Tell whether a battery can have this voltage; PI30 says 0..3 V if none."""
        share = voltage / (self.in_series * self.cell.nominal_v)
        return math.isfinite(share) and 0.65 <= share <= 1.45

    def soc_at(
        self, voltage: float, blur: float, least: float = LEAST_BLUR
    ) -> tuple[float, float]:
        """Return (state of charge, its uncertainty) in % by a rest voltage.

        `blur` times the chemistry's own is how far the voltage may be off. On the flat
        part of a curve that is a wide range.
        """
        volts, off = voltage / self.in_series, blur * self.cell.blur
        low, soc, high = (self._inverse(v) for v in (volts - off, volts, volts + off))
        sigma = max(high - soc, soc - low, least)
        return soc, math.hypot(sigma, self.voltage_blur)

    def first_guess(self, voltage: float, amps: float) -> tuple[float, float]:
        """Return the mean charge and its uncertainty in %, by one rest voltage.

        The curve is not straight, and the battery may not be at rest: the effect of
        `amps` was removed with a guessed resistance. So this is a mean over voltages
        around it (Gauss-Hermite quadrature with three points).
        """
        drop = OHMS_BLUR * abs(amps) * self.ohms / self.in_series
        volts = voltage / self.in_series
        off = math.hypot(GUESS_BLUR * self.cell.blur, drop)
        low, middle, high = (self._inverse(volts + n * off) for n in (-1, 0, 1))
        mean = (low + 4 * middle + high) / 6
        squares = ((low - mean) ** 2, 4 * (middle - mean) ** 2, (high - mean) ** 2)
        sigma = max(math.sqrt(sum(squares) / 6), LEAST_BLUR)
        return mean, math.hypot(sigma, self.voltage_blur)

    def _inverse(self, volts: float) -> float:
        for (soc0, v0), (soc1, v1) in pairwise(self.cell.curve):
            if volts <= v1:
                return max(soc0 + (volts - v0) / (v1 - v0) * (soc1 - soc0), 0.0)
        return 100.0

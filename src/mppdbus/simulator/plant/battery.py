"""A battery: a rest voltage behind an internal resistance. Pure."""

import math
from bisect import bisect_right
from dataclasses import dataclass
from enum import StrEnum

from mppdbus.simulator.unit.settings import Settings

TAIL = 0.02  # of the capacity: the current at which absorption is done
NEW_BULK_SOC = 95.0  # a floating battery is charged anew below this
TAPER_SOC = 95.0  # above it the charge current tapers off
# The premature-float bug, as analysed in the AEVA forum (t=4332).
LOW_CURRENT = 0.2  # of the charge-current setting
LOW_CURRENT_S = 50.0
NEAR_BULK_V = 0.5


class RestCurve(StrEnum):
    """The rest-voltage curve."""

    LFP = "lfp"
    LEAD = "lead"


class Phase(StrEnum):
    """The stage of the charger."""

    IDLE = "idle"
    BULK = "bulk"
    ABSORPTION = "absorption"
    FLOAT = "float"


# (state of charge in %, volts of a 12 V block at rest).
_CURVES = {
    RestCurve.LFP: (
        (0, 10.0),
        (5, 12.0),
        (10, 12.8),
        (20, 13.0),
        (50, 13.15),
        (90, 13.35),
        (100, 13.45),
    ),
    RestCurve.LEAD: (
        (0, 10.4),
        (10, 11.6),
        (20, 11.9),
        (50, 12.3),
        (90, 12.7),
        (100, 12.9),
    ),
}


@dataclass(slots=True)
class PlantBattery:
    """State of charge in %, currents in A and powers in W, both positive charging.

    `ohm` must not be 0.
    """

    nominal_v: float = 48.0
    capacity_ah: float = 200.0
    soc: float = 80.0
    ohm: float = 0.02
    chemistry: RestCurve = RestCurve.LFP
    phase: Phase = Phase.BULK
    absorbed_s: float = 0.0
    premature_float: bool = False
    low_current_s: float = 0.0

    @property
    def rest_v(self) -> float:
        """Volts without current."""
        curve = _CURVES[self.chemistry]
        right = min(bisect_right(curve, self.soc, key=lambda p: p[0]), len(curve) - 1)
        (x0, y0), (x1, y1) = curve[right - 1], curve[right]
        share = (self.soc - x0) / (x1 - x0)
        return (y0 + share * (y1 - y0)) * self.nominal_v / 12.0

    @property
    def charging_ohm(self) -> float:
        """Resistance while charging; it grows as the battery fills up."""
        span = 100.0 - TAPER_SOC
        return self.ohm * span / min(max(100.0 - self.soc, 0.02), span)

    def volts_at(self, amps: float) -> float:
        """Terminal volts while `amps` flow."""
        return self.rest_v + amps * (self.charging_ohm if amps > 0 else self.ohm)

    def amps_at(self, watts: float) -> float:
        """Return the current at which the terminals take `watts`."""
        rest, ohm = self.rest_v, self.charging_ohm if watts > 0 else self.ohm
        root = math.sqrt(max(rest * rest + 4 * ohm * watts, 0.0))
        return 2 * watts / (rest + root)  # this form is stable near 0 W

    @property
    def most_watts_out(self) -> float:
        """The most power that the battery can deliver; 0 when empty."""
        if self.soc <= 0:
            return 0.0
        return 0.99 * self.rest_v**2 / (4 * self.ohm)

    def room_amps(self, settings: Settings, most_amps: float) -> float:
        """Return the A that the battery takes now, by current limit and phase."""
        target = settings.float_v if self.phase is Phase.FLOAT else settings.bulk_v
        headroom = max(target - self.rest_v, 0.0)
        return min(most_amps, headroom / self.charging_ohm)

    def room_w(self, settings: Settings, most_amps: float) -> float:
        """Return the W that the battery takes now, by current limit and phase."""
        amps = self.room_amps(settings, most_amps)
        return amps * self.volts_at(amps)

    def pass_time(
        self, settings: Settings, volts: float, amps: float, seconds: float
    ) -> None:
        """Let `amps` flow at `volts` for `seconds`, then update the charging stage."""
        self.soc += amps * seconds / 36.0 / self.capacity_ah
        self.soc = min(max(self.soc, 0.0), 100.0)
        if self.premature_float:
            self._float_too_early(settings, volts, amps, seconds)
        elif self.phase is Phase.BULK:
            if amps > 0 and volts >= settings.bulk_v - 0.05:
                self.phase, self.absorbed_s = Phase.ABSORPTION, 0.0
        elif self.phase is Phase.ABSORPTION:
            self._absorb(settings, volts, amps, seconds)
        elif self.soc < NEW_BULK_SOC:
            self.phase = Phase.BULK

    def _float_too_early(
        self, settings: Settings, volts: float, amps: float, seconds: float
    ) -> None:
        """Go to float after 50 s of little current, or when the C.V. time is over.

        The voltage is ignored, which is the bug. A discharge starts bulk again.
        """
        if amps <= 0:
            if amps < 0:
                self.phase, self.absorbed_s, self.low_current_s = Phase.BULK, 0.0, 0.0
            return
        little = amps < LOW_CURRENT * settings.max_charge_a
        self.low_current_s = self.low_current_s + seconds if little else 0.0
        if self.phase is Phase.BULK and volts >= settings.bulk_v - NEAR_BULK_V:
            self.phase = Phase.ABSORPTION
        if self.phase is Phase.ABSORPTION:
            self.absorbed_s += seconds
        if settings.cv_minutes:
            over = self.absorbed_s >= settings.cv_minutes * 60
        else:
            over = self.low_current_s >= LOW_CURRENT_S
        if over:
            self.phase = Phase.FLOAT

    def _absorb(
        self, settings: Settings, volts: float, amps: float, seconds: float
    ) -> None:
        self.absorbed_s += seconds
        timed_out = 0 < settings.cv_minutes * 60 <= self.absorbed_s
        at_voltage = volts >= settings.bulk_v - 0.1
        tapered = at_voltage and amps <= TAIL * self.capacity_ah
        if timed_out or (tapered and not settings.cv_minutes):
            self.phase = Phase.FLOAT
        elif volts < settings.bulk_v - self.nominal_v / 48.0:
            self.phase = Phase.BULK

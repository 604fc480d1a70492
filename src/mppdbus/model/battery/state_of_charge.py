"""How full the battery is, as it is published, whoever says so. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from mppdbus.model.snapshot import Snapshot

INVERTERS_WORD = "estimated: the inverter's own percent, from battery voltage"


@dataclass(frozen=True, slots=True)
class Charge:
    """The state of charge of the battery, and how much there is to it.

    `origin` is a sentence; `margin` ± % that hold 19 times of 20; confidence 0 to 1.
    """

    percent: float | None = None
    origin: str = "unknown"
    margin: float | None = None
    confidence: float | None = None
    offset: float | None = None  # A that the inverter's reading is too high
    capacity: float | None = None  # Ah, as the user says; None: not said


def own_charge(snapshot: Snapshot) -> Charge:
    """Return the inverter's own percent, which it guesses from the battery voltage."""
    status = snapshot.status
    if status is None or status.battery_capacity is None:
        return Charge()
    return Charge(float(status.battery_capacity), INVERTERS_WORD)

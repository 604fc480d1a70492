"""The phases of one unit's output: one, or the two that a PI41 makes. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from mppdbus.model.snapshot import Snapshot
from mppdbus.protocol.dialects import DIALECTS
from mppdbus.protocol.replies.status import GeneralStatus, SecondPhase


@dataclass(frozen=True, slots=True)
class Leg:
    """One phase of a unit's output: V, A, W, Hz, VA; None = unknown."""

    voltage: float | None = None
    current: float | None = None
    power: float | None = None
    frequency: float | None = None
    apparent: float | None = None


def legs(snapshot: Snapshot) -> tuple[Leg, ...]:
    """Return L1 of a unit's output, and L2 where one unit makes both (PI41).

    As long as L2 of such a unit is not known, it is a leg of None.
    """
    first = _leg(snapshot.status)
    if isinstance(snapshot.second, SecondPhase):
        return first, _leg(snapshot.second)
    return (first, *[Leg()] * (leg_count(snapshot) - 1))


def leg_count(snapshot: Snapshot) -> int:
    """Return how many legs a unit's output has."""
    if isinstance(snapshot.second, SecondPhase):
        return 2
    dialect = DIALECTS.get(snapshot.identity.dialect or "")
    return dialect.phases if dialect else 1


def _leg(output: GeneralStatus | SecondPhase | None) -> Leg:
    if output is None:
        return Leg()
    volts, apparent = output.ac_output_voltage, output.ac_output_apparent_power
    current = None
    if volts is not None and apparent is not None:
        current = apparent / volts if volts else 0.0
    return Leg(
        volts,
        current,
        output.ac_output_active_power,
        output.ac_output_frequency,
        apparent,
    )

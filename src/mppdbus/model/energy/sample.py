"""What the counters and the history take from a snapshot. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from mppdbus.model.power import Flow
from mppdbus.model.snapshot import Snapshot
from mppdbus.model.victron_codes import ABSORPTION_MARGIN, State
from mppdbus.protocol.replies.status import (
    GeneralStatus,
    SecondPhase,
    SecondTracker,
    SecondTrackerDuo,
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One moment: the flow, V of each tracker, and how the battery is being charged.

    `stage` is bulk, absorption or float; None while not charging, or unknown.
    `reading` is that which the sample was made of: the same one may come twice.
    """

    flow: Flow = field(default_factory=Flow)
    pv_voltages: tuple[float | None, ...] = ()
    stage: State | None = None
    reading: GeneralStatus | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(cls, snapshot: Snapshot, flow: Flow) -> Sample:
        """Take what is known; `flow` is that of the same snapshot."""
        stage = charge_stage(snapshot)
        return cls(flow, _pv_voltages(snapshot), stage, snapshot.status)


def charge_stage(snapshot: Snapshot) -> State | None:
    """Return the charge stage, whatever charges and in whichever mode."""
    status, ratings = snapshot.status, snapshot.ratings
    if status is None or not status.charging:
        return None
    if status.charging_to_float:
        return State.FLOAT
    bulk = ratings.battery_bulk_voltage if ratings is not None else None
    if bulk is None or status.battery_voltage is None:
        return None
    reached = status.battery_voltage >= bulk - ABSORPTION_MARGIN
    return State.ABSORPTION if reached else State.BULK


def _pv_voltages(snapshot: Snapshot) -> tuple[float | None, ...]:
    if snapshot.status is None:
        return ()
    first, second = snapshot.status.pv_input_voltage, snapshot.second
    others: tuple[float | None, ...] = ()
    match second:
        case SecondTrackerDuo():
            others = (second.pv2_voltage, second.pv3_voltage)
        case SecondTracker() | SecondPhase():
            others = (second.pv2_voltage,)
    return (first, *others)[: snapshot.trackers or 1]

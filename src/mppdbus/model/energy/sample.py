"""The values of a snapshot that counters and history use. Pure."""

from dataclasses import dataclass, field

from mppdbus.model.power import Flow
from mppdbus.model.snapshot import Snapshot
from mppdbus.model.victron_codes import State, charge_stage
from mppdbus.protocol.replies.status import (
    GeneralStatus,
    SecondPhase,
    SecondTracker,
    SecondTrackerDuo,
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One moment: the flow, V of each tracker, and the charging stage.

    `stage` is bulk, absorption or float; None while not charging, or unknown.
    `reading` is the QPIGS that the sample was made of; the same one may come twice.
    """

    flow: Flow = field(default_factory=Flow)
    pv_voltages: tuple[float | None, ...] = ()
    stage: State | None = None
    reading: GeneralStatus | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(cls, snapshot: Snapshot, flow: Flow) -> "Sample":
        """Make a sample of a snapshot and the flow of the same snapshot."""
        stage, volts = charge_stage(snapshot), _pv_voltages(snapshot)
        return cls(flow, volts, stage, snapshot.status)


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

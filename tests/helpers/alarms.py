"""An alarm watch that is told one reading after the other."""

from __future__ import annotations

from dataclasses import dataclass, replace

from helpers.snapshots import online, qpigs
from mppdbus.model.alarms.levels import AlarmState
from mppdbus.model.alarms.watch import AlarmWatch
from mppdbus.model.snapshot import Snapshot

STEP = 5.0  # s from one QPIWS to the next


def told(*bits: int, mode: str = "L", dialect: str = "pi30max") -> Snapshot:
    """A snapshot with these bits set, from a unit with a battery."""
    return spoken(online(qpigs(), mode, warned=bits), dialect)


def spoken(snapshot: Snapshot, dialect: str) -> Snapshot:
    return replace(snapshot, identity=replace(snapshot.identity, dialect=dialect))


def raised(state: AlarmState) -> dict[str, int]:
    return {name: level for name, level in state.levels.items() if level}


@dataclass
class Day:
    """A watch that is told one reading after the other."""

    watch: AlarmWatch
    now: float = 0.0

    def see(self, snapshot: Snapshot, after: float = STEP, **more: int) -> AlarmState:
        self.now += after
        return self.watch.feed(snapshot, self.now, **more)

    def settle(
        self, *bits: int, mode: str = "L", dialect: str = "pi30max"
    ) -> AlarmState:
        """Let bits stand in two readings."""
        self.see(told(*bits, mode=mode, dialect=dialect))
        return self.see(told(*bits, mode=mode, dialect=dialect))

"""Integrates power over time, from sample to sample. Pure; the clock is passed in."""

from dataclasses import dataclass
from itertools import zip_longest

from mppdbus.model.energy.flows import Ways, split
from mppdbus.model.power import Flow

LONGEST = 30.0  # s; a longer pause between two samples is a gap


@dataclass(frozen=True, slots=True)
class Step:
    """The energy of `seconds`, in kWh; None if the power at either end is unknown."""

    seconds: float
    ways: Ways | None
    pv: float | None
    trackers: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class _Sample:
    time: float
    flow: Flow
    ways: Ways | None


class Integrator:
    """Integrates linearly between samples; a gap adds nothing.

    A stretch longer than `longest` s is a gap: it is counted and not integrated.
    """

    def __init__(self, longest: float = LONGEST) -> None:
        self.longest = longest
        self.gaps = 0
        self.gap_seconds = 0.0
        self.unknown_seconds = 0.0  # sampled, but not all of the flow was known
        self._last: _Sample | None = None

    def feed(self, flow: Flow, now: float) -> Step | None:
        """Take a sample at `now`, in seconds of a monotonic clock.

        Return the energy since the last one; None for the first and after a gap. Raises
        ValueError, and drops the sample, when the clock went backwards.
        """
        before, sample = self._last, _Sample(now, flow, split(flow))
        if before is not None and now < before.time:
            raise ValueError(f"time went backwards, from {before.time} s to {now} s")
        self._last = sample
        if before is None:
            return None
        seconds = now - before.time
        if seconds > self.longest:
            self.gaps += 1
            self.gap_seconds += seconds
            return None
        step = _between(before, sample, seconds)
        if step.ways is None:
            self.unknown_seconds += seconds
        return step


def _between(before: _Sample, after: _Sample, seconds: float) -> Step:
    hours = seconds / 3600.0
    ways = None
    if before.ways is not None and after.ways is not None:
        ways = before.ways.until(after.ways, hours)
    pairs = zip_longest(before.flow.pv, after.flow.pv)
    return Step(
        seconds=seconds,
        ways=ways,
        pv=_kwh(before.flow.pv_total, after.flow.pv_total, hours),
        trackers=tuple(_kwh(one, other, hours) for one, other in pairs),
    )


def _kwh(before: float | None, after: float | None, hours: float) -> float | None:
    if before is None or after is None:
        return None
    return (max(before, 0.0) + max(after, 0.0)) * hours / 2000.0

"""Statistics of one inverter's line, over all connections; pure, time is passed in."""

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

HOUR, DAY = 3600.0, 86400.0  # s
STEP = 300.0  # s between two marks, from which the shares of an hour and a day follow


class Mark(NamedTuple):
    """The counts at one moment."""

    time: float = float("-inf")
    good: int = 0
    failures: int = 0


START = Mark()


@dataclass(slots=True)
class LinkStats:
    """Counts of attempts and frames since the start; times are the caller's clock."""

    exchanges: int = 0
    good: int = 0  # attempts with a reply, be it NAK
    lost: int = 0  # attempts without one
    failures: int = 0  # those of queries that the unit answers, so the line's fault
    retries: int = 0
    dropped: int = 0  # frames that nobody had asked for
    wakeups: int = 0
    last_exchange: float | None = None  # s, of the last good one
    _marks: deque[Mark] = field(
        default_factory=lambda: deque([START], maxlen=round(DAY / STEP) + 1)
    )
    _hour: Mark = START

    def quality(self, now: float) -> float | None:
        """Return the share of good attempts in the last hour, 0 to 100 %.

        None before the first attempt, and after an hour without one.
        """
        if now >= self._marks[-1].time + STEP:
            self._marks.append(Mark(now, self.good, self.failures))
            self._hour = self._since(now - HOUR)
        return self._share(self._hour)

    def day_quality(self, now: float) -> float | None:
        """Return the same of the last day."""
        return self._share(self._since(now - DAY))

    def _since(self, time: float) -> Mark:
        """Return the last mark before `time`, else the first one."""
        earlier = (mark for mark in reversed(self._marks) if mark.time <= time)
        return next(earlier, self._marks[0])

    def _share(self, mark: Mark) -> float | None:
        good, failures = self.good - mark.good, self.failures - mark.failures
        return 100.0 * good / (good + failures) if good or failures else None

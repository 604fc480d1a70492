"""The time of the simulated plants; all units of a set share one clock. Pure."""

from dataclasses import dataclass


@dataclass(slots=True)
class PlantClock:
    """Converts readings of any steady clock into seconds of the plants' time."""

    speed: float = 1.0
    paused: bool = False
    _now: float | None = None

    def passed(self, now: float) -> float:
        """Return the seconds since the last reading, at the present speed."""
        before, self._now = self._now, now
        if before is None or self.paused:
            return 0.0
        return max(now - before, 0.0) * self.speed

    def resume(self) -> None:
        """Run again; the time since the pause does not count for the plants."""
        self.paused, self._now = False, None

"""How long each reply takes, learned, so that the reader can sleep through it."""

from __future__ import annotations

from dataclasses import dataclass

# s an inverter may think, by the scheme of its port, until its reply counts as missing.
PATIENCE = {"serial": 1.0, "hidraw": 1.0, "tcp": 2.5}
# The same while a recording is made: much of what is asked then is not answered at all.
PATIENCE_RECORDING = {"serial": 0.6, "hidraw": 0.6, "tcp": 1.5}
BACK_OFF = (1.0, 2.0, 5.0)  # s between attempts to reach a silent or missing inverter

GUARD = 0.0035  # s before the expected end at which we look: one byte is missing
# Inverters may think unevenly, by tens of ms. With four steps up for one down a reply
# in five is read late at worst, by a few ms; a gentler climb costs more wake-ups.
LATE_STEP = 0.008  # s taken off when the reply was complete before we looked
CLIMB = 0.002  # s added at most when it was not


@dataclass(slots=True)
class _Known:
    length: int
    quiet: float


class Pace:
    """Learned times of each command: when it is safe to sleep, and how much comes.

    Pure: seconds go in, seconds come out. A sleep is never longer than the shortest
    time lately seen, less a guard, so a reply is found within milliseconds of its end.
    """

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}

    def quiet(self, command: str) -> float:
        """Return the seconds after sending in which no look is needed; 0 if unknown."""
        known = self._known.get(command)
        return known.quiet if known else 0.0

    def length(self, command: str) -> int | None:
        """Return the bytes of the last good reply."""
        known = self._known.get(command)
        return known.length if known else None

    def learn(self, command: str, took: float, length: int, wakeups: int) -> None:
        """Take in one good reply: its seconds, its bytes, and how often we woke."""
        known = self._known.get(command)
        if known is None or known.length != length:
            # A reply of another length (a NAK, a new mode) ends at another time.
            quiet = 0.0 if wakeups <= 1 else max(0.0, took - GUARD)
            self._known[command] = _Known(length, quiet)
        elif wakeups <= 1:
            known.quiet = max(0.0, min(known.quiet, took) - LATE_STEP)
        else:
            known.quiet = max(0.0, min(known.quiet + CLIMB, took - GUARD))

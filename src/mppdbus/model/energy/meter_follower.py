"""Our count of energy beside a meter that the inverter keeps itself. Pure.

Ours is fine and has gaps; the inverter's has none, but moves in steps, up to 100 Wh
wide, and may stop or be erased. So ours runs, and the meter is heard when it moves.
"""

from dataclasses import dataclass

from mppdbus.model.energy.flows import Amount

TOTAL_STEP = 0.1  # kWh that QET may move at once
DAY_STEP = 0.001  # kWh that QED may move at once
# How far the meter may take back of a day that is over.
LEAST_BACK, SHARE_BACK = 0.2, 0.05  # kWh, or this share of the day


@dataclass(slots=True)
class Follower:
    """A count in kWh that never falls, and the meter that it follows if there is one.

    Where the meter moved further than ours, ours is raised to it. Where ours moved
    further by more than the meter's step and what came in since the last look at it,
    the next of our own energy is held back until the two agree.
    """

    count: Amount = 0.0
    shown: Amount | None = None  # what the meter said last
    offset: Amount = 0.0  # of the count over the meter
    held: Amount = 0.0  # of our own energy, still to be held back
    recent: Amount = 0.0  # of our own energy, since the last look at the meter
    doubt: Amount | None = None  # an impossible reading, until another bears it out

    def add(self, kwh: float) -> float:
        """Add energy of our own; return how much of it was not held back."""
        back = min(kwh, self.held)
        self.held -= back
        self.recent += kwh
        self.count += kwh - back
        return kwh - back

    def read(self, kwh: float, *, most: float, step: float) -> float:
        """Take a reading of the meter; return by how much it raised the count.

        A fall, or a rise by more than `most` kWh, changes nothing until the next
        reading bears it out, and is then where the meter starts anew. A 0 says
        nothing: units show it while they start, and those without a log for ever.
        """
        if kwh <= 0:
            return 0.0
        if self.shown is None:
            self._start(kwh)
            return 0.0
        recent, self.recent = self.recent, 0.0
        if not 0.0 <= kwh - self.shown <= most:
            if self.doubt is not None and 0.0 <= kwh - self.doubt <= most:
                self._start(kwh)
            else:
                self.doubt = kwh
            return 0.0
        self.doubt = None
        if kwh == self.shown:
            return 0.0
        self.shown = kwh
        return self._move(kwh + self.offset, step + recent)

    def close(self, kwh: float) -> None:
        """Take the last reading of a day that is over: final, but not far downwards."""
        back = self.count - kwh
        if kwh > 0 and back <= max(LEAST_BACK, SHARE_BACK * self.count):
            self.count = self.shown = kwh
            self.offset = self.held = 0.0

    def _start(self, kwh: float) -> None:
        """Begin to follow: a meter that is ahead of us has counted for longer."""
        self.shown, self.doubt = kwh, None
        self.count = max(self.count, kwh)
        self.offset = self.count - kwh
        self.held = self.recent = 0.0

    def _move(self, goal: float, slack: float) -> float:
        raised = max(goal - self.count, 0.0)
        self.count += raised
        self.held = max(self.count - goal - slack, 0.0)
        return raised

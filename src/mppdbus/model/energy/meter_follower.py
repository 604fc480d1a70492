"""Our energy count, corrected by the inverter's own meter. Pure.

Our count is fine but has gaps. The meter has none, but moves in steps of up to 100 Wh,
and may stop or be erased. So we count, and correct the count when the meter moves.
"""

from dataclasses import dataclass

from mppdbus.model.energy.flows import Amount

TOTAL_STEP = 0.1  # kWh that QET may move at once
DAY_STEP = 0.001  # kWh that QED may move at once
# How far the meter may lower the count of a past day.
LEAST_BACK, SHARE_BACK = 0.2, 0.05  # kWh, or this share of the day


@dataclass(slots=True)
class Follower:
    """A count in kWh that never falls, and follows a meter if there is one.

    If the meter moved further than the count, the count is raised to it. If the count
    is ahead by more than the meter's step and the energy since the last reading of
    the meter, our next energy is not added until the two agree.
    """

    count: Amount = 0.0
    shown: Amount | None = None  # last reading of the meter
    offset: Amount = 0.0  # count minus meter
    held: Amount = 0.0  # our own energy that must not be added yet
    recent: Amount = 0.0  # our own energy since the last reading
    doubt: Amount | None = None  # an implausible reading that waits for a second one

    def add(self, kwh: float) -> float:
        """Add our own energy, less what is held back; return the kWh added."""
        back = min(kwh, self.held)
        self.held -= back
        self.recent += kwh
        self.count += kwh - back
        return kwh - back

    def read(self, kwh: float, *, most: float, step: float) -> float:
        """Take a reading of the meter; return by how much it raised the count.

        A fall, or a rise by more than `most` kWh, counts only when the next reading
        confirms it: the meter then starts anew there. A 0 is ignored: units show it
        while they start, and units without an energy log always.
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
        """Take the meter's final value of a past day, unless far below the count."""
        back = self.count - kwh
        if kwh > 0 and back <= max(LEAST_BACK, SHARE_BACK * self.count):
            self.count = self.shown = kwh
            self.offset = self.held = 0.0

    def _start(self, kwh: float) -> None:
        """Start following the meter; raise the count to it if the meter is ahead."""
        self.shown, self.doubt = kwh, None
        self.count = max(self.count, kwh)
        self.offset = self.count - kwh
        self.held = self.recent = 0.0

    def _move(self, goal: float, slack: float) -> float:
        raised = max(goal - self.count, 0.0)
        self.count += raised
        self.held = max(self.count - goal - slack, 0.0)
        return raised

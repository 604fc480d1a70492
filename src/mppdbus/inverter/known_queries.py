"""What one unit has said to each query: whether it has it, and when to ask again. Pure.

Nothing is decided by one reply: a NAK counts like silence, and two rounds without an
answer settle that a unit lacks a query. What it has answered once, it has. And nothing
is settled for ever: what it seems to lack is asked again, seldom.
"""

from mppdbus.errors import MppdbusError, NoReply, Refused, UnknownLayout
from mppdbus.inverter.timing import (
    ABSENT_PAUSES,
    DAMAGE_PAUSES,
    MISS_PAUSES,
    NAK_PAUSES,
)

ROUNDS = 2  # without an answer, after which a query counts as absent


class KnownQueries:
    """The queries of one unit, over all connections; times are the caller's clock.

    `answered` are the queries that it has ever answered, in whatever layout. `missed`
    counts rounds in a row with a NAK or with silence. `again` says of those that failed
    last when they may be asked again, `refused` are those of them with a NAK.
    """

    def __init__(self) -> None:
        self.answered: set[str] = set()
        self.again: dict[str, float] = {}
        self.missed: dict[str, int] = {}
        self.refused: set[str] = set()
        self._damaged: dict[str, int] = {}  # the same with a reply that does not fit

    def answer(self, query: str) -> None:
        """Note an answer."""
        self.answered.add(query)
        for counts in (self.again, self.missed, self._damaged):
            counts.pop(query, None)
        self.refused.discard(query)

    def fail(self, query: str, error: MppdbusError, now: float) -> None:
        """Note a round that ended with an error."""
        self.refused.discard(query)
        if isinstance(error, Refused):
            self.refused.add(query)
        if isinstance(error, UnknownLayout):
            self.answer(query)
        elif isinstance(error, Refused | NoReply):
            missed = self.missed[query] = self.missed.get(query, 0) + 1
            known = NAK_PAUSES if isinstance(error, Refused) else MISS_PAUSES
            pauses = known if query in self.answered else ABSENT_PAUSES
            self.again[query] = now + _step(pauses, missed)
        else:
            damaged = self._damaged[query] = self._damaged.get(query, 0) + 1
            pauses = MISS_PAUSES if query in self.answered else DAMAGE_PAUSES
            self.again[query] = now + _step(pauses, damaged)

    def tries(self, query: str) -> int:
        """Return how many rounds in a row have ended without a reply that fits."""
        return self.missed.get(query, 0) + self._damaged.get(query, 0)

    def absent(self, query: str) -> bool:
        """Tell whether the unit seems to lack a query."""
        return query not in self.answered and self.missed.get(query, 0) >= ROUNDS

    def settled(self, query: str) -> bool:
        """Tell whether it is known that the unit has a query, or that it lacks it."""
        return query in self.answered or self.absent(query)


def _step(pauses: tuple[float, ...], count: int) -> float:
    return pauses[min(count, len(pauses)) - 1]

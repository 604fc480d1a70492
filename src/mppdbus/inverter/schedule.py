"""TABLES: how often each query is asked; and the query that is due next. Pure.

At 2400 baud every query takes time: the numbers say how much.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

OVERDUE = 1.0  # s after which a query goes before the next one that is asked once
FASTEST = 0.6  # s between two live polls when the line sets the pace
SHORTEST_KEEP = 5.0  # s for which a live value is shown at least, if a reply is lost
OTHERS_KEEP = 15.0  # s at least for the others: some units refuse them for a while
LONGEST_GAP = 10.0  # s between two questions of a kind on a slow line, for that
CALM_DOWN = 0.9  # of a long gap that is left after a shorter one


@dataclass(frozen=True, slots=True)
class Cadence:
    """How often a query is asked, in seconds: at leisure, and on a full line."""

    query: str
    every: float
    every_fast: float
    typical: float  # s on the line with think time, to check whether it fits


# On a full line QMOD and QPIWS follow every eleventh QPIGS: 7 % of the line, no more.
RECURRING = (
    Cadence("QMOD", 0.0, 6.0, 0.11),
    Cadence("QPIWS", 5.0, 6.0, 0.26),
    Cadence("QPIRI", 60.0, 600.0, 0.51),
    Cadence("QFLAG", 300.0, 1800.0, 0.16),
)
# A unit of the parallel set, by QPGSn or QP2GSn: `ParallelPoll` chooses it.
PARALLEL = Cadence("QPGSn", 0.0, 0.0, 0.73)
# The inverter's own energy meters, one query at a time: `EnergyMeters` chooses it.
METERS = Cadence("QET", 600.0, 1800.0, 0.2)
# The serial number, regularly and after a lost attempt: see `SwapCheck`.
SERIAL = Cadence("QID", 60.0, 300.0, 0.16)
# Optional queries: silence soon counts as NAK.
OPTIONAL = ("QPGS0", "QBEQI", "Q1", "QT", "QET", "QDOP", "QBATCD", "QVFW2", "QVFW3")
# Asked before anything is shown.
INTRODUCED = ("QPI", "QMOD")
# Asked once after connecting, one between two live polls, in this order.
ONCE = ("QPIRI", "QPIGS2", "QPIWS", "QMN", "QVFW", "QGMN", "QFLAG", *OPTIONAL)
DECISIVE = ("QPIRI", "QPIGS2")  # power and trackers are unknown without them
ESSENTIAL = frozenset(("QMOD", "QPIWS", "QPIRI", "QID"))  # asked again soon
IDENTIFYING = frozenset(("QPI", "QPIRI", "QMN", "QVFW", "QGMN", *OPTIONAL))


@dataclass(slots=True)
class Schedule:
    """Says which query is due next; times are the caller's clock.

    `fast` selects the intervals of a full line, `once` are the queries that are asked
    once, and from when on.
    """

    fast: bool
    rows: tuple[Cadence, ...] = RECURRING
    once: dict[str, float] = field(default_factory=lambda: dict.fromkeys(ONCE, 0.0))
    due: dict[str, float] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)  # since the last live poll
    learning: bool = False  # the last query was one that is asked once
    gaps: dict[str, float] = field(default_factory=dict)  # s between two questions
    _asked_at: dict[str, float] = field(default_factory=dict)

    def next_query(self, now: float, free: float | None) -> str | None:
        """Return the most overdue query that fits into `free` seconds (None: any).

        Queries that are asked once go first, but not twice in a row while another is
        late: asking all of them takes so long that the mode would get too old.
        """
        due = [
            (self.due.get(c.query, now) - now, c.query)
            for c in self.rows
            if self.due.get(c.query, now) <= now
            and (free is None or c.typical <= free)
            and c.query not in self.asked
        ]
        wait, query = min(due, default=(0.0, None))
        if self.learning and wait < -OVERDUE:
            self.learning = False
            return query
        for first, time in self.once.items():
            if time <= now and first not in self.asked:
                del self.once[first]
                self.learning = True
                return first
        return query

    def live_polled(self) -> None:
        """Note a live poll: from now on each query may be asked once more."""
        self.asked.clear()

    def done(self, query: str, now: float, *, again: float | None = None) -> None:
        """Note that a query was asked; it failed if there is a time to ask it `again`.

        A query with a cadence is asked then; another one goes back to those of `once`,
        to their front if all wait for it.
        """
        self.asked.add(query)
        gap = now - self._asked_at.get(query, now)
        self.gaps[query] = max(gap, CALM_DOWN * self.gaps.get(query, 0.0))
        self._asked_at[query] = now
        for cadence in self.rows:
            if cadence.query == query:
                every = cadence.every_fast if self.fast else cadence.every
                self.due[query] = now + every if again is None else again
                return
        if again is not None and query in DECISIVE:
            self.once = {query: again} | self.once
        elif again is not None:
            self.once[query] = again

    def hurry(self, query: str) -> None:
        """Make a query due at once."""
        self.due[query] = float("-inf")
        self.asked.discard(query)


def keep_times(
    interval: float | None, pace: float = 0.0, gaps: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Return for how many s a reading of each query is shown: three times its cadence.

    `interval` is the s between two live polls, None as fast as the line allows. `pace`
    is what they take: on a line that is too slow the others wait for each other. `gaps`
    are the s between two questions of a kind, as they were.
    """
    wanted = FASTEST if interval is None else interval
    live, others = max(wanted, pace), 2 * pace if pace > 1.1 * wanted else wanted
    keep = {query: max(SHORTEST_KEEP, 3 * live) for query in ("QPIGS", "QPIGS2")}
    for cadence in RECURRING:
        own = cadence.every_fast if interval is None else cadence.every
        gap = min((gaps or {}).get(cadence.query, 0.0), LONGEST_GAP)
        keep[cadence.query] = max(OTHERS_KEEP, 3 * max(others, own, gap))
    return keep

"""The energy counters of one inverter, corrected by its own meters. Pure."""

from dataclasses import dataclass, field
from datetime import date

from mppdbus.model.energy.daily_history import MOST_A_DAY, History
from mppdbus.model.energy.flows import Amount, Ways
from mppdbus.model.energy.integrator import LONGEST, Integrator
from mppdbus.model.energy.meter_follower import TOTAL_STEP, Follower
from mppdbus.model.energy.sample import Sample
from mppdbus.model.losses import LossState


@dataclass(slots=True)
class Books:
    """The stored counters of an inverter; energies in kWh."""

    ways: Ways = field(default_factory=Ways)
    user: Amount = 0.0
    trackers: list[Amount] = field(default_factory=list)
    total: Follower = field(default_factory=Follower)
    total_read: date | None = None  # date of the last QET
    history: History = field(default_factory=History)
    losses: LossState = field(default_factory=LossState)  # learned beside the counting


@dataclass(frozen=True, slots=True)
class Counters:
    """The published counters, kWh; none of them ever falls.

    `yield_system` is the yield of the inverter's life, as far as known; `yield_user`
    that since our first start; `trackers` are counted by us alone.
    """

    ways: Ways
    yield_user: float
    yield_system: float
    trackers: tuple[float, ...]


class Ledger:
    """Counts the energy of one inverter; time and local date are passed in."""

    def __init__(self, books: Books | None = None, *, longest: float = LONGEST) -> None:
        self.books = books or Books()
        self.integrator = Integrator(longest)
        self._before: Sample | None = None
        self._witness: Sample | None = None  # last sample of an earlier reading

    def bridge(self, longest: float) -> None:
        """Set the longest pause, s, between two samples that is not a gap."""
        self.integrator.longest = longest

    @property
    def history(self) -> History:
        """The days."""
        return self.books.history

    @property
    def counters(self) -> Counters:
        """The counters now."""
        books = self.books
        trackers = tuple(books.trackers)
        return Counters(books.ways, books.user, books.total.count, trackers)

    def feed(self, sample: Sample, now: float, today: date) -> None:
        """Take a sample at `now` s of a monotonic clock, on the site's day `today`.

        Unknown powers are fed as None, not left out. Raises ValueError, and counts
        nothing, when `now` is before that of the last sample.
        """
        step = self.integrator.feed(sample.flow, now)
        before, self._before = self._before, sample
        books, history = self.books, self.books.history
        history.turn(today)
        if before is None:
            return
        if sample.reading is None or sample.reading is not before.reading:
            self._witness = before
        if self._witness is not None:
            history.observe(self._witness, sample)
        if step is None:
            return
        history.spend(step.seconds, before.stage)
        if step.ways is not None:
            books.ways = books.ways.plus(step.ways)
        own = step.pv or 0.0
        counted = books.total.add(own)
        books.user += counted
        history.add(step, counted if history.today.pv.shown is None else own)
        self._count_trackers(step.trackers)

    def read_total(self, wh: float) -> None:
        """Take the inverter's own total of PV energy, QET, in Wh.

        The first one only sets the inverter's lifetime yield. Later ones correct ours.
        """
        books, day = self.books, self.history.today
        most = MOST_A_DAY * (1 + _days(books.total_read, day.when))
        raised = books.total.read(wh / 1000.0, most=most, step=TOTAL_STEP)
        books.user += raised
        if books.total_read == day.when and day.pv.shown is None:
            day.pv.add(raised)
        books.total_read = day.when

    def read_day(self, when: date, wh: float) -> None:
        """Take the inverter's own PV energy of a day, QED, in Wh.

        Only while `clocks_agree`: the inverter's days begin at its own midnight.
        """
        self.history.read_day(when, wh / 1000.0)

    def _count_trackers(self, energies: tuple[float | None, ...]) -> None:
        counts = self.books.trackers
        counts += [0.0] * (len(energies) - len(counts))
        for index, kwh in enumerate(energies):
            counts[index] += kwh or 0.0


def _days(since: date | None, today: date | None) -> int:
    if since is None or today is None:
        return 0
    return max((today - since).days, 0)

"""Sixty days of a simulated house against its perfect meter, with all that goes wrong.

Two drivers look at the same house. One polls an inverter without meters of its own; it
is restarted, killed, and meets mute inverters and clocks that step. The other one polls
a sixth as often and is off for hours and days, but its inverter has QET and QED.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import pytest

from helpers.energy import PEAK, Account, Site, counted, polls, sampled, true
from helpers.state import decode_books, energy_data
from mppdbus.model.battery.bank import Bank, BankSettings
from mppdbus.model.battery.estimator_state import SocState
from mppdbus.model.energy.integrator import LONGEST
from mppdbus.model.energy.ledger import Books, Ledger
from mppdbus.model.site import Site as House
from mppdbus.model.snapshot import Snapshot
from mppdbus.model.views import Unit
from mppdbus.simulator.plant import physics
from mppdbus.simulator.plant.flow import Machine
from mppdbus.simulator.unit.settings import OutputPriority

pytestmark = pytest.mark.slow  # all of them together take long

DAYS, SAVE = 60, 600.0
POLL, SLOW_POLL = 20.0, 40.0  # s; with the slow one it takes half the time
SELDOM = 6  # polls between two of the second driver
WIDE = 0.5  # %, of what is counted; and of each day with meters
UNSET = date(1970, 1, 1)
DST = datetime(2026, 3, 29, 1, tzinfo=UTC)
UNIT = Unit("house", "/dev/ttyUSB0", 289)
PRIORITIES = list(OutputPriority)[::-1]  # on battery first: there losses are learned
NO_LOSSES, LOSSES = Machine(), Machine(efficiency=0.95, own_w=40.0)
BATTERY = BankSettings(chemistry="lithium-lfp", capacity_ah=200.0)
AGE = 4321.0  # kWh that the inverter had made before


def local(clock: datetime) -> datetime:
    """Return the time on the wall, an hour ahead and in summer two."""
    return clock + timedelta(hours=2 if clock >= DST else 1)


@dataclass
class Driver:
    """All that is kept of an inverter, through ends and starts as in the daemon."""

    longest: float
    every: float = SAVE
    house: House = field(init=False)
    ledger: Ledger = field(init=False)
    starts: Counter[str] = field(default_factory=Counter)
    back: float = 0.0  # s of the site, when it runs again
    saved: float = 0.0
    charge: SocState | None = None

    def __post_init__(self) -> None:
        self._start(None)
        self.save(0.0)

    def _start(self, books: Books | None, away: float | None = None) -> None:
        self.house = House({"": Bank(BATTERY, self.charge, away)})
        self.ledger = Ledger(books, longest=self.longest)
        self.house.join(UNIT, self.ledger)

    def save(self, time: float) -> None:
        """Keep the books, as the daemon does now and then and at its end."""
        self.house.count(float("inf"))
        self.file = energy_data(self.ledger.books)
        self.saved, self.charge = time, self.house.banks[""].state

    def down(self, time: float, seconds: float, *, kill: bool = False) -> None:
        """End, or be killed, and start again with a clock that begins at zero."""
        self.starts["killed" if kill else "ended"] += 1
        if not kill:
            self.save(time)
        self.back = time + seconds
        self._start(decode_books(self.file), self.back - self.saved)

    def feed(self, time: float, snapshot: Callable[[], Snapshot], today: date) -> bool:
        """Take a snapshot unless it is down; tell whether it was taken."""
        if time < self.back:
            return False
        before = self.ledger.counters
        self.house.update(UNIT.uid, snapshot(), time - self.back, today)
        self.house.count(time - self.back)
        after = self.ledger.counters
        assert after.yield_system >= before.yield_system
        assert after.yield_user >= before.yield_user
        if time - self.saved >= self.every:
            self.save(time)
        return True


def wall(site: Site, driver: Driver) -> date:
    """Return what the clock of the first driver says, after steps and starts."""
    now, hour = local(site.plant.clock), site.time / 3600
    if driver.starts and site.time - driver.back < 120:
        return UNSET  # two minutes until NTP sets it
    steps = [
        (15 * 24 + 22.5, 1.0, timedelta(minutes=-30)),
        (25 * 24 + 11, 2.0, timedelta(days=3650)),
        (40 * 24 + 23.5, 3.0, timedelta(hours=-1)),
        (45 * 24 + 20, 1.0, timedelta(hours=5)),
    ]
    for begin, hours, step in steps:
        if begin <= hour < begin + hours:
            now += step
    return now.date()


def trouble(site: Site, driver: Driver) -> bool:
    """Restart and kill the first driver by the clock; tell if the inverter is mute."""
    day, second = divmod(site.time, 86400.0)
    if second == 11 * 3600 and day % 3 == 1:
        driver.down(site.time, 40.0)
    if day % 6 == 2 and second == (6 + 5 * day % 17) * 3600 + 360:
        driver.down(site.time, 60.0, kill=True)
    return day % 5 == 3 and 0 <= second - 18 * 3600 < 240


def absent(site: Site, driver: Driver) -> None:
    """Switch the second driver off from ten to two, and once for three days."""
    day, second = divmod(site.time, 86400.0)
    if second == 10 * 3600 and day % 4 == 0:
        driver.down(site.time, (4 if day != 32 else 76) * 3600.0, kill=day % 8 == 0)


def read_meters(site: Site, driver: Driver, by_day: dict[date, float]) -> None:
    """Ask QET and QED, as on a unit whose total moves in steps of 100 Wh."""
    today, total = local(site.plant.clock).date(), site.plant.energy.pv_wh
    driver.house.read_meter(UNIT.uid, None, int(AGE * 10 + total / 100) * 100)
    for age in range(5):
        day = today - timedelta(days=age)
        driver.house.read_meter(UNIT.uid, day, int(by_day[day] * 1000))


@dataclass
class Outcome:
    site: Site
    plain: Driver
    metered: Driver
    by_day: dict[date, float]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((LOSSES, SLOW_POLL), id="losses"),
        pytest.param((NO_LOSSES, SLOW_POLL), id="no losses", marks=pytest.mark.long),
        pytest.param((NO_LOSSES, POLL), id="no losses, 20 s", marks=pytest.mark.long),
        pytest.param((LOSSES, POLL), id="losses, 20 s", marks=pytest.mark.long),
    ],
)
def outcome(request: pytest.FixtureRequest) -> Outcome:
    machine, poll = request.param
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(physics, "LONGEST_STEP_S", poll)
        return live(machine, poll)


def live(machine: Machine, poll: float) -> Outcome:
    site, plain = Site(), Driver(3 * poll)
    metered = Driver(3 * SELDOM * poll, 3600.0)
    site.plant.machine = machine
    metered.ledger.read_total(AGE * 1000)
    by_day: dict[date, float] = defaultdict(float)
    for number in polls(DAYS, poll):
        priority = PRIORITIES[int(site.time // 86400) // 4 % 3]
        site.plant.settings.output_priority = priority
        before = site.plant.energy.pv_wh
        site.advance(poll)
        today = local(site.plant.clock).date()
        by_day[today] += (site.plant.energy.pv_wh - before) / 1000
        mute = trouble(site, plain)
        plain.feed(site.time, Snapshot if mute else site.brief, wall(site, plain))
        absent(site, metered)
        if number % SELDOM:
            continue
        fed = metered.feed(site.time, site.brief, today)
        if fed and site.time % 300 == 0:
            read_meters(site, metered, by_day)
    return Outcome(site, plain, metered, by_day)


def within(percent: float, counted: float, truth: float, slack: float = 0.0) -> bool:
    return abs(counted - truth) <= percent / 100 * truth + slack


def test_sources_and_sinks_without_meters(outcome: Outcome) -> None:
    found, truth = counted(outcome.plain.ledger), true(outcome.site.plant)
    print({name: f"{error:+.3f} %" for name, error in found.errors(truth).items()})
    print(truth, dict(outcome.plain.starts))
    assert outcome.plain.starts == {"ended": 20, "killed": 10}
    assert min(truth.pv, truth.load, truth.grid) > 100
    assert within(WIDE, found.pv, truth.pv)
    assert within(WIDE, found.load, truth.load)
    assert within(WIDE, found.grid, truth.grid)
    stayed = truth.battery + outcome.site.plant.energy.losses_wh / 1000
    assert abs(found.battery - stayed) <= WIDE / 100 * truth.load
    counters = outcome.plain.ledger.counters
    assert counters.yield_user == pytest.approx(found.pv)
    assert counters.yield_system == pytest.approx(found.pv)
    assert counters.trackers == pytest.approx((found.pv,))


def test_days_without_meters(outcome: Outcome) -> None:
    history = outcome.plain.ledger.history
    last = local(outcome.site.plant.clock).date()
    assert history.today.when == last
    assert history.available == 31
    total = truth = 0.0
    for age in range(31):
        day = history.day(age)
        assert day is not None
        real = outcome.by_day[last - timedelta(days=age)]
        total, truth = total + day.pv.count, truth + real
        lost = PEAK * (SAVE + 120) / 3.6e6  # kWh in a crash, at most
        assert within(WIDE, day.pv.count, real, lost)
        assert 0 <= (day.max_power or 0) <= PEAK
        assert (real > 0.1) is ((day.max_power or 0) > 10)
    assert within(WIDE, total, truth)


def test_yields_with_the_inverters_meters(outcome: Outcome) -> None:
    ledger, truth = outcome.metered.ledger, true(outcome.site.plant)
    seen = counted(ledger).pv
    counters = ledger.counters
    print(f"seen {seen / truth.pv:.1%}, user {counters.yield_user / truth.pv:.3%}")
    assert seen < 0.9 * truth.pv  # or there was nothing to fill
    assert within(WIDE, counters.yield_user, truth.pv)
    assert counters.yield_system - counters.yield_user == pytest.approx(AGE, abs=1e-6)


def test_days_with_the_inverters_meters(outcome: Outcome) -> None:
    history = outcome.metered.ledger.history
    last = local(outcome.site.plant.clock).date()
    for age in range(31):
        day = history.day(age)
        assert day is not None
        real = outcome.by_day[last - timedelta(days=age)]
        assert within(WIDE, day.pv.count, real, slack=0.002)


@pytest.mark.parametrize("priority", list(OutputPriority))
def test_through_the_replies_themselves(priority: OutputPriority) -> None:
    """A day every 10 s, with whole amperes and watts as they are on the wire."""
    site, ledger = Site(priority=priority), Ledger(longest=LONGEST)
    start: Account = true(site.plant)
    assert start.load == 0
    for _ in polls(1, 10.0):
        site.advance(10.0)
        ledger.feed(sampled(site.snapshot()), site.time, site.plant.clock.date())
    found, truth = counted(ledger), true(site.plant)
    assert within(WIDE, found.pv, truth.pv)
    assert within(WIDE, found.load, truth.load)
    trickle = 3.0 * 24 / 1000  # kWh that only a `Bank` knows of
    assert within(WIDE, found.grid, truth.grid, trickle)

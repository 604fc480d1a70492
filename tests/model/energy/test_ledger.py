"""What the inverter's own meters do to the yields; and samples out of readings."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from helpers.snapshots import online, qpigs
from mppdbus.model.energy.ledger import Ledger
from mppdbus.model.energy.sample import Sample
from mppdbus.model.power import Flow, flow
from mppdbus.model.snapshot import Snapshot
from mppdbus.model.victron_codes import State

TODAY = date(2026, 5, 10)
YESTERDAY = TODAY - timedelta(days=1)


class Sunny:
    """A ledger that sees 3.6 kW of sun: 0.001 kWh a second."""

    def __init__(self) -> None:
        self.ledger = Ledger(longest=60)
        self.now = 0.0
        self.see(0, TODAY)

    def see(self, seconds: float, today: date = TODAY) -> None:
        """Let the sun shine; a gap if that is longer than a minute."""
        self.now += seconds
        flow = Flow(load=0.0, pv=(3600.0,), pv_total=3600.0, mains_power=0.0)
        self.ledger.feed(Sample(flow), self.now, today)

    @property
    def yields(self) -> tuple[float, float, float]:
        """Return kWh: user, system, today."""
        counters = self.ledger.counters
        day = self.ledger.history.today.pv.count
        return counters.yield_user, counters.yield_system, day


@pytest.fixture
def sunny() -> Sunny:
    return Sunny()


def near(*numbers: float) -> object:
    return pytest.approx(numbers, abs=1e-9)


def test_without_meters_of_its_own_all_yields_are_ours(sunny: Sunny) -> None:
    for _ in range(3):
        sunny.see(10)
    assert sunny.yields == near(0.03, 0.03, 0.03)
    assert sunny.ledger.counters.trackers == near(0.03)


def test_the_first_total_is_the_age_of_the_inverter(sunny: Sunny) -> None:
    sunny.see(10)
    sunny.ledger.read_total(10636700)
    sunny.see(10)
    assert sunny.yields == near(0.02, 10636.71, 0.02)


def test_a_gap_is_filled_from_the_total_and_not_twice(sunny: Sunny) -> None:
    sunny.ledger.read_total(100000)
    sunny.see(10)
    sunny.see(3600)  # nobody looked
    sunny.ledger.read_total(103600)
    assert sunny.yields == near(3.6, 103.6, 3.6)
    sunny.ledger.read_day(TODAY, 3610)
    sunny.ledger.read_total(103600)
    assert sunny.yields == near(3.6, 103.6, 3.61)


def test_today_and_the_total_do_not_both_fill_the_same_gap(sunny: Sunny) -> None:
    sunny.ledger.read_total(100000)
    sunny.ledger.read_day(TODAY, 50)
    sunny.see(3600)
    sunny.ledger.read_day(TODAY, 3650)
    sunny.ledger.read_total(103600)
    assert sunny.yields == near(3.6, 103.6, 3.65)


def ahead(sunny: Sunny) -> None:
    """Let ours be 0.3 kWh ahead of the total, of which 0.2 are held back."""
    sunny.ledger.read_total(100000)
    for _ in range(40):
        sunny.see(10)
    sunny.ledger.read_total(100000)
    sunny.ledger.read_total(100100)
    assert sunny.yields[:2] == near(0.4, 100.4)


def test_the_day_waits_with_the_total(sunny: Sunny) -> None:
    ahead(sunny)
    for _ in range(25):
        sunny.see(10)
    assert sunny.yields == near(0.45, 100.45, 0.45)


def test_a_day_with_a_meter_of_its_own_does_not(sunny: Sunny) -> None:
    sunny.ledger.read_day(TODAY, 1)
    ahead(sunny)
    for _ in range(25):
        sunny.see(10)
    assert sunny.yields == near(0.45, 100.45, 0.65 + 0.001)


def test_what_came_on_days_before_is_not_todays(sunny: Sunny) -> None:
    sunny.ledger.read_total(100000)
    sunny.see(3 * 86400, TODAY + timedelta(days=3))
    sunny.ledger.read_total(130000)
    assert sunny.yields == near(30.0, 130.0, 0.0)
    sunny.ledger.read_day(TODAY + timedelta(days=1), 12000)  # a day we never saw
    day = sunny.ledger.history.day(2)
    assert day is not None
    assert day.pv.count == 12.0
    assert sunny.ledger.history.available == 4


def test_a_month_of_absence_is_plausible_and_a_wild_number_is_not(sunny: Sunny) -> None:
    sunny.ledger.read_total(100000)
    sunny.ledger.read_total(99999999)
    assert sunny.yields == near(0.0, 100.0, 0.0)
    sunny.see(40 * 86400, TODAY + timedelta(days=40))
    sunny.ledger.read_total(900000)
    assert sunny.yields == near(800.0, 900.0, 0.0)


def test_the_day_before_is_settled_after_midnight(sunny: Sunny) -> None:
    for _ in range(100):
        sunny.see(10)
    sunny.see(10, TODAY + timedelta(days=1))
    sunny.ledger.read_day(TODAY, 1040)
    day = sunny.ledger.history.day(1)
    assert day is not None
    assert day.pv.count == pytest.approx(1.04)
    sunny.ledger.read_day(TODAY, 300)  # not the same day
    sunny.ledger.read_day(TODAY - timedelta(days=400), 300)
    sunny.ledger.read_day(TODAY + timedelta(days=2), 300)
    assert day.pv.count == pytest.approx(1.04)
    assert len(sunny.ledger.history.days) == 2


def test_a_meter_that_says_nothing_but_zero_changes_nothing(sunny: Sunny) -> None:
    for _ in range(10):
        sunny.see(10)
        sunny.ledger.read_total(0)
        sunny.ledger.read_day(TODAY, 0)
        sunny.ledger.read_day(YESTERDAY, 0)
    assert sunny.yields == near(0.1, 0.1, 0.1)
    assert sunny.ledger.history.available == 1


def test_a_refused_clock_counts_nothing_and_harms_nothing(sunny: Sunny) -> None:
    sunny.see(10)
    with pytest.raises(ValueError, match="backwards"):
        sunny.see(-5)
    assert sunny.yields == near(0.01, 0.01, 0.01)


def test_one_reading_that_is_shown_twice_makes_no_record() -> None:
    """A snapshot comes again with the same QPIGS when another query brings news."""
    ledger = Ledger()
    steady, spike, borne_out = (online(qpigs(pv=pv)) for pv in (800, 4800, 4700))
    records = []
    for now, snapshot in enumerate((steady, steady, spike, spike, borne_out)):
        ledger.feed(Sample.of(snapshot, flow(snapshot)), float(now), TODAY)
        records.append(ledger.history.today.max_power)
    assert records == [None, None, 800.0, 800.0, 4700.0]


# -- samples -------------------------------------------------------------------------


def sampled(snapshot: Snapshot) -> Sample:
    return Sample.of(snapshot, flow(snapshot))


@pytest.mark.parametrize("mode", ["L", "B", "C"])
@pytest.mark.parametrize(
    ("bits", "more", "volts", "stage"),
    [
        ("00010000", "010", 56.4, None),
        ("00010110", "010", 52.0, State.BULK),
        ("00010110", "010", 56.3, State.ABSORPTION),
        ("00010101", "110", 54.0, State.FLOAT),
    ],
)
def test_the_stage_of_charging_in_every_mode(
    mode: str, bits: str, more: str, volts: float, stage: State | None
) -> None:
    snapshot = online(qpigs(bits=bits, more=more, volts=volts), mode)
    assert sampled(snapshot).stage is stage


def test_bulk_and_absorption_need_the_ratings() -> None:
    snapshot = online(qpigs(bits="00010110"), "B", with_ratings=False)
    assert sampled(snapshot).stage is None


def test_volts_of_each_tracker() -> None:
    assert sampled(online(qpigs())).pv_voltages == (150.0,)
    two = online(qpigs(), trackers=2, pv2="01.0 202.0 00205 ")
    assert sampled(two).pv_voltages == (150.0, 202.0)
    assert sampled(Snapshot()) == Sample()

"""Days and their roll-over, by clocks that step."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mppdbus.model.energy.daily_history import DAYS, History, clocks_agree
from mppdbus.model.energy.ledger import Ledger
from mppdbus.model.energy.sample import Sample
from mppdbus.model.power import Flow
from mppdbus.model.victron_codes import State

TODAY = date(2026, 5, 10)
UNSET = date(1970, 1, 1)


def days_ago(number: int) -> date:
    return TODAY - timedelta(days=number)


def sample(
    pv: float | None = 1000.0,
    *,
    volts: float | None = 52.0,
    amps: float | None = 5.0,
    pv_volts: float | None = 300.0,
    stage: State | None = None,
) -> Sample:
    flow = Flow(
        load=500.0,
        pv=(pv,),
        pv_total=pv,
        battery_voltage=volts,
        battery_current=amps,
        mains_power=0.0,
    )
    return Sample(flow, (pv_volts,), stage)


class Clocked:
    """A ledger fed with 1000 W of sun for 36 s a time: 0.01 kWh."""

    def __init__(self) -> None:
        self.ledger = Ledger(longest=60)
        self.now = 0.0
        self.ledger.feed(sample(), self.now, UNSET)

    def count(self, today: date, times: int = 1) -> None:
        for _ in range(times):
            self.now += 36.0
            self.ledger.feed(sample(), self.now, today)

    def yields(self) -> list[float | None]:
        """Return the yields of the days that can be shown, today first, in 0.01 kWh."""
        history = self.ledger.history
        found = [history.day(age) for age in range(history.available)]
        return [None if day is None else round(100 * day.pv.count) for day in found]


@pytest.fixture
def site() -> Clocked:
    return Clocked()


def test_midnight_begins_a_day_with_the_sample_that_comes_after_it(
    site: Clocked,
) -> None:
    site.count(days_ago(1), 3)
    site.count(TODAY, 2)
    assert site.yields() == [2, 3]
    assert site.ledger.history.today.when == TODAY


def test_days_without_us_are_missing_and_not_zero(site: Clocked) -> None:
    site.count(days_ago(3))
    site.count(TODAY)
    assert site.yields() == [1, None, None, 1]


def test_no_more_than_a_month(site: Clocked) -> None:
    for ago in range(60, -1, -1):
        site.count(days_ago(ago))
    assert site.yields() == [1] * DAYS
    assert len(site.ledger.history.days) == DAYS
    assert site.ledger.history.day(DAYS) is None


def test_an_unset_clock_goes_on_with_the_day(site: Clocked) -> None:
    site.count(TODAY, 3)
    site.count(UNSET, 2)  # as at boot
    assert site.yields() == [5]
    site.count(TODAY)
    assert site.yields() == [6]


def test_a_first_day_without_a_date_gets_it_later(site: Clocked) -> None:
    site.count(UNSET, 3)
    assert site.yields() == [3]
    assert site.ledger.history.today.when is None
    site.count(TODAY)
    assert site.yields() == [4]


def test_a_jump_forward_begins_one_day_and_keeps_the_others(site: Clocked) -> None:
    site.count(days_ago(1))
    site.count(TODAY)
    site.count(TODAY + timedelta(days=3650))
    assert len(site.ledger.history.days) == 3
    assert site.yields() == [1]


def test_a_step_back_over_midnight_begins_none(site: Clocked) -> None:
    site.count(days_ago(1), 2)
    site.count(TODAY)
    site.count(days_ago(1), 3)  # NTP, or the end of summer time
    site.count(TODAY)
    assert site.yields() == [5, 2]


def test_a_wrong_future_is_left_when_a_midnight_passes(site: Clocked) -> None:
    site.count(days_ago(1))
    site.count(TODAY + timedelta(days=3650), 2)
    site.count(TODAY, 3)
    assert site.yields() == [5]  # still under the wrong date
    site.count(TODAY + timedelta(days=1), 4)
    assert site.yields() == [4, None, 1]
    site.count(TODAY + timedelta(days=2))
    assert site.yields() == [1, 4, None, 1]


def test_a_wrong_future_costs_one_old_day_and_is_forgotten(site: Clocked) -> None:
    for ago in range(31, 0, -1):
        site.count(days_ago(ago))
    wrong = TODAY + timedelta(days=3650)
    site.count(wrong)
    for ahead in range(3):
        site.count(TODAY + timedelta(days=ahead))
    history = site.ledger.history
    assert len(history.days) == DAYS
    assert wrong not in [day.when for day in history.days]
    assert site.yields() == [1, 1, None, *[1] * 28]


def test_an_old_clock_that_is_set_late_splits_no_day(site: Clocked) -> None:
    site.count(days_ago(3))
    site.count(days_ago(1), 2)
    site.count(TODAY, 3)
    site.count(days_ago(4))  # booted with the time of some earlier shutdown
    site.count(days_ago(3))  # and midnight passes on it
    site.count(TODAY)
    assert site.yields() == [5, 2, None, 2]


def test_a_step_back_is_remembered_over_a_restart(site: Clocked) -> None:
    site.count(TODAY + timedelta(days=3650))
    site.count(TODAY)
    site.ledger = Ledger(site.ledger.books, longest=60)
    site.count(TODAY)
    site.count(TODAY + timedelta(days=1), 2)
    assert site.yields() == [2]
    assert site.ledger.history.today.when == TODAY + timedelta(days=1)


CLOCKS = st.lists(
    st.one_of(
        st.integers(-3, 70).map(lambda n: TODAY + timedelta(days=n)),
        st.sampled_from([UNSET, date(2036, 2, 7), date(2024, 1, 1)]),
    ),
    max_size=60,
)


@given(CLOCKS)
def test_whatever_clocks_do_nothing_is_counted_twice(clocks: list[date]) -> None:
    site = Clocked()
    for today in clocks:
        before = len(site.ledger.history.days)
        site.count(today)
        history = site.ledger.history
        assert len(history.days) <= before + 1
        assert len(history.days) <= DAYS
        assert 1 <= history.available <= DAYS
        dates = [day.when for day in history.days]
        assert len(set(dates)) == len(dates)
    total = sum(day.pv.count for day in site.ledger.history.days)
    counted = site.ledger.counters.yield_user
    assert counted == pytest.approx(0.01 * len(clocks))
    if len(site.ledger.history.days) < DAYS:
        assert total == pytest.approx(counted)


# -- what a day holds ----------------------------------------------------------------


def test_one_bad_reading_makes_no_record() -> None:
    ledger = Ledger()
    for second, pv, volts in [(0, 800, 52.0), (1, 810, 52.4), (2, 65535, 6.7)]:
        ledger.feed(sample(pv, volts=volts), second, TODAY)
    ledger.feed(sample(805, volts=52.2), 3, TODAY)
    day = ledger.history.today
    assert day.max_power == 810
    assert (day.max_battery_voltage, day.min_battery_voltage) == (52.0, 52.2)


def test_extremes_of_the_day_and_of_all_days() -> None:
    ledger = Ledger()
    for second, volts, amps, pv_volts, when in [
        (0, 56.0, 40.0, 410.0, days_ago(1)),
        (1, 56.0, 40.0, 410.0, days_ago(1)),
        (2, 48.0, -30.0, 0.0, TODAY),
        (3, 48.0, -30.0, 0.0, TODAY),
    ]:
        now = sample(volts=volts, amps=amps, pv_volts=pv_volts)
        ledger.feed(now, second, when)
    today, before, overall = (
        ledger.history.today,
        ledger.history.day(1),
        ledger.history.overall,
    )
    assert before is not None
    assert before.max_battery_current == 40.0
    assert today.max_battery_current == 0.0  # discharging charges nothing
    assert (before.max_pv_voltage, before.min_battery_voltage) == (410.0, 56.0)
    assert (overall.max_pv_voltage, overall.max_battery_voltage) == (410.0, 56.0)
    assert overall.min_battery_voltage == 48.0
    assert before.trackers[0].max_voltage == 410.0
    assert before.trackers[0].max_power == 1000.0


def test_minutes_in_the_stages_of_charging() -> None:
    ledger = Ledger(longest=120)
    stages = [State.BULK, State.BULK, State.ABSORPTION, State.FLOAT, None, None]
    for minute, stage in enumerate(stages):
        ledger.feed(sample(stage=stage), minute * 60.0, TODAY)
    day = ledger.history.today
    spent = (day.minutes_in_bulk, day.minutes_in_absorption, day.minutes_in_float)
    assert spent == (2.0, 1.0, 1.0)


def test_what_is_unknown_leaves_no_trace() -> None:
    ledger = Ledger()
    for second in range(5):
        ledger.feed(Sample(), second, TODAY)
    day = ledger.history.today
    assert (day.max_power, day.min_battery_voltage, day.trackers) == (None, None, [])
    assert ledger.history.overall.min_battery_voltage is None
    assert ledger.counters.yield_user == 0.0


@pytest.mark.parametrize(
    ("hour", "minute", "agrees"),
    [(12, 8, True), (13, 5, True), (14, 0, False), (9, 59, False)],
)
def test_whose_days_are_ours(hour: int, minute: int, *, agrees: bool) -> None:
    ours = datetime(2026, 5, 10, 12, 0)  # noqa: DTZ001 - as QT has none
    assert clocks_agree(ours.replace(hour=hour, minute=minute), ours) is agrees


def test_a_new_history_has_one_day() -> None:
    history = History()
    assert history.available == 1
    assert history.day(0) is history.today
    assert history.day(1) is None

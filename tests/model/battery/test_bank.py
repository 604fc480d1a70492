"""The battery that all inverters share: what it is fed with, and what it says."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest

from helpers.bank import AWAY, Pair, bank, hold, margin, percent, seen, settings
from helpers.snapshots import warnings
from mppdbus.model.battery.bank import (
    AWAITED_S,
    FEWER_S,
    NO_ANSWER,
    NOT_WANTED,
    Bank,
    BankSettings,
)
from mppdbus.model.victron_codes import State

HOUR = 3600.0
BMS = "com.victronenergy.battery.ttyUSB3"


# -- sums ------------------------------------------------------------------------------


@pytest.mark.parametrize("amps", [(-20.0,), (-30.0, -30.0, 0.0), (40.0, -60.0, -40.0)])
def test_the_currents_of_all_units_are_counted_together(
    amps: tuple[float, ...],
) -> None:
    found = bank(len(amps))
    hold(found, [seen(52.0, each) for each in amps], 0.0, 2 * HOUR)
    gone = 2 * sum(amps) / len(amps) / 2  # % of 200 Ah a unit, in two hours
    assert percent(found) == pytest.approx(50 + gone, abs=1.5)


def test_one_unit_that_does_not_know_its_current_is_no_zero() -> None:
    found = bank(2)
    now = hold(found, [seen(52.0, -40), seen(52.0, -40)], 0.0, HOUR)
    before, sure = percent(found), margin(found)
    hold(found, [seen(52.0, -40), seen(52.0, None)], now, 2 * HOUR)
    assert percent(found) == before  # nothing is assumed
    assert margin(found) > sure + 15


def test_the_voltage_is_the_mean_of_those_that_know_it() -> None:
    one, two = Bank(settings("lead-agm", 1)), Bank(settings("lead-agm", 2))
    one.feed([seen(49.4, 0)], 0.0)
    two.feed([seen(49.2, 0), seen(49.6, 0)], 0.0)
    assert percent(one) == pytest.approx(percent(two), abs=0.01)
    three = Bank(settings("lead-agm", 2))
    three.feed([seen(49.4, 0), seen(None, 0)], 0.0)
    assert percent(three) == pytest.approx(percent(one), abs=0.01)


@pytest.mark.parametrize("stages", [(None, State.FLOAT), (State.BULK, State.FLOAT)])
def test_the_unit_that_has_come_farthest_tells_the_stage(
    stages: tuple[State | None, ...],
) -> None:
    found = bank(2)
    units = [seen(54.0, 1, stage=stage) for stage in stages]
    hold(found, units, 0.0, 600.0)
    assert percent(found) > 95
    assert "full" in found.charge.origin
    other = bank(2)
    hold(other, [seen(54.0, 1, stage=State.BULK)] * 2, 0.0, 600.0)
    assert percent(other) < 60


def test_the_warning_of_any_unit_tells_that_the_battery_is_empty() -> None:
    found, quiet = bank(2, None), bank(2, None)
    snapshot, flow = seen(52.6, -20, mode="B")
    warned = (replace(snapshot, warnings=warnings(14)), flow)
    hold(found, [(snapshot, flow), warned], 0.0, HOUR)
    hold(quiet, [(snapshot, flow)] * 2, 0.0, HOUR)
    assert percent(found) < 15
    assert percent(quiet) > 25


def test_the_balance_of_powers_counts_only_while_no_unit_is_on_mains() -> None:
    """50 W of each unit, which its battery meter does not show, for three hours."""

    def small(mode: str) -> Pair:
        return seen(52.6, 0, load=50.0, pv=0.0, mode=mode)

    island, mixed = bank(2), bank(2)
    hold(island, [small("B"), small("H")], 0.0, 3 * HOUR)
    hold(mixed, [small("B"), small("L")], 0.0, 3 * HOUR)
    assert percent(island) < 48.0
    assert percent(mixed) == pytest.approx(50.0, abs=0.5)


# -- a unit comes and goes -----------------------------------------------------------


def test_a_unit_that_drops_out_makes_no_jump() -> None:
    found = bank(3)
    units = [seen(52.0, -30)] * 3
    now = hold(found, units, 0.0, HOUR)
    last, shown = percent(found), []
    for step in range(1, 121):
        found.feed([*units[:2], AWAY], now + 5.0 * step)
        shown.append(percent(found))
    assert max(abs(b - a) for a, b in zip([last, *shown], shown, strict=False)) < 0.7
    now = hold(found, units, now + 600.0, 600.0)
    assert abs(percent(found) - (50 - 15 * (HOUR + 1200) / HOUR)) < 2.5


def test_a_short_absence_is_taken_to_have_gone_on_as_before() -> None:
    gone, there = bank(2), bank(2)
    units = [seen(52.0, -40), seen(52.0, -60)]
    for found in (gone, there):
        hold(found, units, 0.0, HOUR)
    now = hold(gone, [units[0], AWAY], HOUR, AWAITED_S - 31, 15.0)
    hold(there, units, HOUR, now - HOUR, 15.0)
    for found in (gone, there):
        found.feed(units, now + 15.0)
    assert percent(gone) == pytest.approx(percent(there), abs=0.02)
    assert margin(gone) == pytest.approx(margin(there), abs=0.2)


def test_who_stays_away_is_not_counted_and_that_costs_confidence() -> None:
    found = bank(2)
    units = [seen(52.0, -20), seen(52.0, -20)]
    now = hold(found, units, 0.0, HOUR)
    before, sure = percent(found), margin(found)
    hold(found, [units[0], AWAY], now, 3 * HOUR)
    assert percent(found) == pytest.approx(before - 3 * 20 / 4, abs=1.0)
    assert margin(found) > sure + 4
    assert "not seen" in found.charge.origin


def test_a_unit_that_leaves_for_good_is_not_missed() -> None:
    found = Bank(replace(settings("lithium-lfp", 1), capacity_ah=400.0))
    pair = [seen(52.0, -40), seen(52.0, -40)]
    now = hold(found, pair, 0.0, HOUR)
    found.correct(60.0)
    now = hold(found, pair[:1], now, FEWER_S + 60)
    assert percent(found) == pytest.approx(60 - 10, abs=1.5)
    assert margin(found) < 10
    state = found.state
    assert state is not None
    assert state.units == 1


def test_a_second_unit_keeps_what_is_known_of_the_charge() -> None:
    found = Bank(BankSettings(chemistry="lithium-lfp"))
    found.feed([seen(52.8, 0)], 0.0)
    found.correct(71.0)
    found.feed([seen(52.8, 0), seen(52.8, 0)], 5.0)
    assert percent(found) == pytest.approx(71.0, abs=0.1)
    assert "240 Ah" in found.charge.origin  # 60 A of each for two hours


# -- who says so -----------------------------------------------------------------------


def test_a_full_battery_takes_a_trickle_from_each_unit() -> None:
    found = Bank(settings("lead-agm", 2))
    assert found.trickle == 0
    now = hold(found, [seen(54.0, 20, stage=State.BULK)] * 2, 0.0, 600)
    assert found.trickle == 0
    hold(found, [seen(54.0, 0, stage=State.FLOAT)] * 2, now, 900)
    assert found.trickle == pytest.approx(0.2)  # a thousandth of 200 Ah a unit


def test_the_inverters_own_percent_only_if_the_user_asks() -> None:
    found = Bank(settings("lithium-lfp", 3, "inverter"))
    pairs = [seen(52.0, -10, percent=each) for each in (60, 70, None)]
    found.feed(pairs, 0.0)
    assert found.charge.percent == 65.0
    assert "the inverter's own percent" in found.charge.origin
    assert found.charge.margin is None
    assert found.state is None
    assert not found.correct(50.0)
    found.feed([AWAY] * 3, 1.0)
    assert found.charge.percent is None


def test_nobody_says_anything_where_nothing_is_wanted() -> None:
    found = Bank(settings("lithium-lfp", 1, "none"))
    found.feed([seen(52.0, -10)], 0.0)
    assert found.charge.percent is None
    assert found.charge.origin == NOT_WANTED


@pytest.mark.parametrize("source", ["estimate", "inverter"])
def test_a_monitor_on_the_bus_takes_precedence(source: str) -> None:
    found = Bank(settings("lithium-lfp", 1, source))
    found.feed([seen(52.0, -40)], 0.0)
    found.step_back([BMS], only=True)
    assert found.charge.percent is None
    assert found.charge.margin is None
    assert found.charge.origin == f"{BMS} watches the battery"
    found.step_back([], only=True)
    assert found.charge.percent is not None


def test_the_count_goes_on_while_a_monitor_is_there() -> None:
    found = bank()
    found.step_back([BMS], only=True)
    hold(found, [seen(52.0, -40)], 0.0, HOUR)
    found.step_back([], only=True)
    assert percent(found) == pytest.approx(30.0, abs=1.5)


def test_without_an_answer_nothing_is_published() -> None:
    found = bank()
    found.feed([AWAY], 10.0)
    assert found.charge.percent is None
    assert found.charge.origin == NO_ANSWER
    found.feed([seen(52.8, 0)], 20.0)
    assert percent(found) == pytest.approx(50.0, abs=0.2)
    found.feed([], 30.0)
    assert found.charge.percent is None


# -- correction and keeping ------------------------------------------------------------


@pytest.mark.parametrize("value", [-0.1, 100.1, float("nan"), float("inf")])
def test_what_is_no_percent_is_refused(value: float) -> None:
    found = bank()
    assert not found.correct(value)
    assert percent(found) == 50.0


@pytest.mark.parametrize("value", [0.0, 33.3, 100.0])
def test_the_users_word_counts_at_once(value: float) -> None:
    found = bank()
    assert found.correct(value)
    assert percent(found) == value
    assert "set by hand" in found.charge.origin


def test_what_was_kept_goes_on_and_the_time_away_widens_the_margin() -> None:
    found = bank()
    state = found.state
    margins = []
    for away in (10.0, 2 * HOUR, None):
        again = Bank(settings("lithium-lfp", 1), state, away)
        again.feed([seen(52.8, 0)], 5e6)
        margins.append(margin(again))
        assert percent(again) == pytest.approx(50.0, abs=0.3 if away == 10.0 else 20)
    assert margins == sorted(margins)
    assert margins[0] < 5
    assert 15 < margins[1] < margins[2]


def test_waiting_for_the_settings_belongs_to_the_time_away() -> None:
    state = bank().state
    slow = Bank(settings("lithium-lfp", 1), state, 10.0)
    snapshot, flow = seen(52.8, 0)
    slow.feed([(replace(snapshot, ratings=None), flow)], 0.0)
    slow.feed([(snapshot, flow)], 2 * HOUR)
    assert margin(slow) > 15


def test_what_three_units_taught_survives_the_time_until_all_are_there_again() -> None:
    found = bank(3)
    hold(found, [seen(52.0, -30)] * 3, 0.0, HOUR)
    state = found.state
    again = Bank(replace(settings("lithium-lfp", 1), capacity_ah=600.0), state, 5.0)
    clock = count(1000.0, 5.0)
    for units in (1, 2, 3):
        again.feed([seen(52.0, -30)] * units, next(clock))
    kept = again.state
    assert kept is not None
    assert state is not None
    assert kept.units == 3
    assert kept.values[1:] == pytest.approx(state.values[1:], rel=0.02)


def test_a_clock_that_goes_backwards_is_an_error_of_the_program() -> None:
    found = bank()
    found.feed([seen(52.0, 0)], 100.0)
    with pytest.raises(ValueError, match="backwards"):
        found.feed([seen(52.0, 0)], 99.0)

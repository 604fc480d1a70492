"""Our count beside the inverter's own meter: raised or held back, never doubled."""

from __future__ import annotations

from copy import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mppdbus.model.energy.meter_follower import TOTAL_STEP, Follower

MOST = 300.0


def read(follower: Follower, kwh: float) -> float:
    return follower.read(kwh, most=MOST, step=TOTAL_STEP)


def test_a_meter_that_is_ahead_at_first_has_only_counted_for_longer() -> None:
    follower = Follower()
    follower.add(0.5)
    assert read(follower, 10636.7) == 0.0  # nothing that came since
    assert follower.count == 10636.7


def test_a_meter_that_is_behind_at_first_is_followed_from_there() -> None:
    follower = Follower(count=2500.0)
    assert read(follower, 100.0) == 0.0
    assert read(follower, 101.0) == pytest.approx(1.0)
    assert follower.count == pytest.approx(2501.0)


def test_what_came_while_we_were_away_is_taken_from_the_meter_once() -> None:
    follower = Follower()
    read(follower, 100.0)
    follower.add(0.25)
    assert read(follower, 107.0) == pytest.approx(6.75)
    assert read(follower, 107.0) == 0.0
    assert follower.count == pytest.approx(107.0)


def test_ours_fills_between_the_steps_of_the_meter() -> None:
    follower = Follower()
    read(follower, 100.0)
    for _ in range(9):
        follower.add(0.01)
        read(follower, 100.0)
    assert follower.count == pytest.approx(100.09)
    follower.add(0.01)
    assert read(follower, 100.1) == pytest.approx(0.0)
    assert follower.held == 0.0


def test_what_ours_is_ahead_is_held_back_until_the_meter_is_there() -> None:
    follower = Follower()
    read(follower, 100.0)
    follower.add(2.0)
    read(follower, 100.0)
    assert read(follower, 101.0) == 0.0
    assert follower.count == pytest.approx(102.0)  # never falls
    assert follower.held == pytest.approx(0.9)  # but for the step of the meter
    assert follower.add(0.5) == 0.0
    assert follower.add(0.5) == pytest.approx(0.1)
    assert read(follower, 102.0) == 0.0
    assert follower.count == pytest.approx(102.1)
    assert follower.add(0.25) == pytest.approx(0.25)


def test_what_is_held_back_is_not_held_twice() -> None:
    follower = Follower()
    read(follower, 100.0)
    follower.add(2.0)
    for kwh in (100.0, 101.0, 101.1, 101.2, 101.3):
        read(follower, kwh)
    assert follower.held == pytest.approx(102.0 - 101.3 - TOTAL_STEP)


def test_what_came_since_the_last_look_may_be_ahead_of_the_step() -> None:
    follower = Follower()
    read(follower, 100.0)
    follower.add(0.5)  # and the meter moved somewhere in it
    assert read(follower, 100.2) == 0.0
    assert follower.held == 0.0


def test_a_meter_that_stands_still_has_no_say() -> None:
    follower = Follower()
    read(follower, 100.0)
    for _ in range(50):
        follower.add(1.0)
        read(follower, 100.0)
    assert follower.count == pytest.approx(150.0)


@pytest.mark.parametrize("wrong", [0.0, 12.0, 99999.0])
def test_one_impossible_reading_changes_nothing(wrong: float) -> None:
    follower = Follower()
    read(follower, 100.0)
    assert read(follower, wrong) == 0.0
    assert read(follower, 101.0) == pytest.approx(1.0)
    assert follower.count == pytest.approx(101.0)


def test_two_impossible_readings_apart_bear_nothing_out() -> None:
    follower = Follower()
    for kwh in (100.0, 99999.0, 101.0, 99999.1, 102.0):
        read(follower, kwh)
    assert follower.count == pytest.approx(102.0)


def test_an_erased_meter_is_followed_from_where_it_starts_anew() -> None:
    follower = Follower()
    read(follower, 5000.0)
    for kwh in (0.0, 0.0, 0.1, 0.1):
        assert read(follower, kwh) == 0.0
    assert read(follower, 2.1) == pytest.approx(2.0)
    assert follower.count == pytest.approx(5002.0)


def test_zeros_while_the_unit_starts_are_not_a_meter() -> None:
    follower = Follower()
    assert read(follower, 0.0) == 0.0
    assert read(follower, 80.0) == 0.0  # its age, not 80 kWh at once
    assert follower.count == 80.0


def test_a_day_that_is_over_takes_the_word_of_the_inverter() -> None:
    day = Follower(count=10.0)
    day.close(12.5)
    assert day.count == 12.5
    day.close(12.1)
    assert day.count == 12.1
    day.close(6.0)  # that is not the same day, or a log that was erased
    day.close(0.0)
    assert day.count == 12.1


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("seen"), st.floats(0, 2)),
        st.tuples(st.just("missed"), st.floats(0, 2)),
        st.tuples(st.just("read"), st.just(0.0)),
        st.tuples(st.just("save"), st.just(0.0)),
        st.tuples(st.just("crash"), st.just(0.0)),
    ),
    max_size=60,
)


@given(EVENTS, st.sampled_from([0.1, 0.001]))
def test_never_more_than_the_truth_and_never_less_than_the_meter(
    events: list[tuple[str, float]], step: float
) -> None:
    """Whatever is missed, lost in a crash, and read in whichever order."""
    truth = start = 1000.0
    follower = Follower()
    follower.read(start, most=MOST, step=step)
    saved, shown = copy(follower), start
    for event, kwh in events:
        before = follower.count
        if event == "seen":
            follower.add(kwh)
        if event in ("seen", "missed"):
            truth += kwh
        if event == "read":
            shown = int(truth / step) * step
            follower.read(shown, most=MOST, step=step)
            assert follower.count >= shown - 1e-6
        if event == "save":
            saved = copy(follower)
        if event == "crash":
            follower = copy(saved)
        else:
            assert follower.count >= before
        assert follower.count <= truth + 1e-6


@given(
    st.lists(st.floats(0, 0.5), min_size=20, max_size=80),
    st.floats(0.7, 1.4),
    st.integers(1, 7),
)
def test_a_wrong_scale_of_ours_does_not_add_up(
    parts: list[float], scale: float, every: int
) -> None:
    truth = 500.0
    follower = Follower()
    follower.read(truth, most=MOST, step=TOTAL_STEP)
    for index, kwh in enumerate(parts):
        truth += kwh
        follower.add(kwh * scale)
        if index % every == 0:
            shown = int(truth / TOTAL_STEP + 1e-9) * TOTAL_STEP
            follower.read(shown, most=MOST, step=TOTAL_STEP)
    most_between = 0.5 * every * scale
    assert abs(follower.count - truth) <= 2 * (TOTAL_STEP + most_between)

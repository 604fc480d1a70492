"""How long each reply takes is learned, and never slept past."""

from __future__ import annotations

from random import Random
from statistics import mean

from hypothesis import given
from hypothesis import strategies as st

from mppdbus.inverter.timing import GUARD, ReplyTimes

END = 0.552  # s, a QPIGS with think time
BYTE = 1 / 240


def look(
    pace: ReplyTimes, end: float, length: int = 110, query: str = "QPIGS"
) -> tuple[float, int]:
    """Read one reply as the link does: sleep, then wake for every byte left."""
    quiet = pace.quiet(query)
    left = max(0, int((end - quiet) / BYTE))
    wakeups = 1 + min(left, length - 1)
    took = max(end, quiet)
    pace.learn(query, took, length, wakeups)
    return took - end, wakeups


def test_an_unknown_reply_is_not_slept_through() -> None:
    assert ReplyTimes().quiet("QPIGS") == 0.0
    assert ReplyTimes().length("QPIGS") is None


def test_a_steady_reply_is_found_at_once_and_with_few_wakeups() -> None:
    pace = ReplyTimes()
    look(pace, END)
    results = [look(pace, END) for _ in range(50)]
    assert all(late < 0.002 for late, _ in results)
    assert all(wakeups <= 4 for _, wakeups in results)


def test_a_reply_that_is_not_shown_at_once_is_read_in_one_piece() -> None:
    pace = ReplyTimes()
    look(pace, END, query="QPIWS")
    results = [look(pace, END, query="QPIWS") for _ in range(50)]
    assert all(late < 0.004 for late, _ in results)
    assert mean(wakeups for _, wakeups in results) < 1.5
    look(pace, 2 * END, query="QPIWS")  # one that came late makes no other late
    assert look(pace, END, query="QPIWS")[0] < 0.015


def test_a_reply_that_gets_faster_is_followed() -> None:
    pace = ReplyTimes()
    for _ in range(10):
        look(pace, END)
    late = [look(pace, END - 0.02)[0] for _ in range(10)]
    assert late[-1] < 0.002
    assert sorted(late, reverse=True)[:6] == late[:6]


def test_an_inverter_that_thinks_unevenly_is_seldom_read_late() -> None:
    pace, random = ReplyTimes(), Random(1)
    ends = [END + random.uniform(-0.035, 0.035) for _ in range(500)]
    results = [look(pace, end) for end in ends][50:]
    assert mean(late for late, _ in results) < 0.002
    assert mean(wakeups for _, wakeups in results) < 10


def test_a_reply_of_another_length_is_learnt_anew() -> None:
    pace = ReplyTimes()
    look(pace, END)
    pace.learn("QPIGS", 0.1, 7, 7)
    assert pace.quiet("QPIGS") == 0.1 - GUARD
    assert pace.length("QPIGS") == 7


def test_a_fast_line_is_never_slept_on() -> None:
    pace = ReplyTimes()
    for _ in range(5):
        pace.learn("QPIGS", 0.0005, 110, 1)
    assert pace.quiet("QPIGS") == 0.0


@given(st.lists(st.tuples(st.floats(0.001, 2), st.integers(1, 120)), max_size=40))
def test_the_sleep_is_never_longer_than_a_reply_took(
    seen: list[tuple[float, int]],
) -> None:
    pace = ReplyTimes()
    for took, wakeups in seen:
        pace.learn("QPIGS", took, 110, wakeups)
        assert 0.0 <= pace.quiet("QPIGS") <= max(took for took, _ in seen)

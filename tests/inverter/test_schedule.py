"""What is asked when: the schedule is pure, so no test waits."""

from __future__ import annotations

from itertools import pairwise

from mppdbus.inverter.schedule import ONCE, RECURRING, SERIAL, Schedule
from mppdbus.protocol.queries import QUERIES, base_command


def learnt(*, fast: bool) -> Schedule:
    return Schedule(fast=fast, once={})


def test_every_query_of_the_tables_has_a_layout() -> None:
    asked = {*ONCE, *(c.query for c in (*RECURRING, SERIAL))}
    assert {base_command(query) for query in asked} <= set(QUERIES)


def test_what_is_asked_once_comes_first_and_once() -> None:
    schedule = Schedule(fast=True)
    assert [schedule.next_query(0.0, None) for _ in ONCE] == list(ONCE)
    assert schedule.once == {}
    assert schedule.next_query(0.0, None) not in (None, *ONCE[1:2])


def test_the_mode_is_not_forgotten_while_the_rest_is_learnt() -> None:
    """One query between two live polls, each of them a second: slow, or silent."""
    schedule, asked = Schedule(fast=False), []
    schedule.done("QMOD", 0.0)
    for now in range(1, 2 * len(ONCE) + 1):
        schedule.live_polled()
        query = schedule.next_query(now, None)
        assert query is not None
        schedule.done(query, now)
        asked.append(query)
    assert asked[::2] == list(ONCE)
    modes = [time for time, query in enumerate(asked, start=1) if query == "QMOD"]
    assert max(b - a for a, b in pairwise([0, *modes])) <= 4


def test_nothing_is_asked_before_it_is_due() -> None:
    schedule = learnt(fast=True)
    for cadence in RECURRING:
        schedule.done(cadence.query, 100.0)
    schedule.live_polled()
    assert schedule.next_query(100.0, None) is None
    assert schedule.next_query(106.0, None) in ("QMOD", "QPIWS")


def test_the_most_overdue_goes_first() -> None:
    schedule = learnt(fast=False)
    schedule.due = {"QMOD": 9.0, "QPIWS": 3.0, "QPIRI": 6.0, "QFLAG": 8.0}
    assert schedule.next_query(10.0, None) == "QPIWS"


def test_what_is_always_due_is_asked_once_between_two_live_polls() -> None:
    schedule = learnt(fast=False)
    for cadence in RECURRING:
        schedule.done(cadence.query, 100.0)
    schedule.live_polled()
    assert schedule.next_query(100.0, None) == "QMOD"
    schedule.done("QMOD", 100.1)
    assert schedule.next_query(100.1, None) is None
    schedule.live_polled()
    assert schedule.next_query(101.0, None) == "QMOD"


def test_what_does_not_fit_waits() -> None:
    schedule = learnt(fast=False)
    schedule.due = {"QMOD": 0.0, "QPIWS": 0.0, "QPIRI": -50.0, "QFLAG": 0.0}
    assert schedule.next_query(10.0, 0.12) == "QMOD"
    assert schedule.next_query(10.0, 0.05) is None
    assert schedule.next_query(10.0, None) == "QPIRI"


def test_a_change_makes_the_mode_due_at_once() -> None:
    schedule = learnt(fast=True)
    for cadence in RECURRING:
        schedule.done(cadence.query, 100.0)
    schedule.hurry("QMOD")
    assert schedule.next_query(100.1, None) == "QMOD"


def test_on_a_full_line_the_other_queries_and_all_delays_take_seven_percent() -> None:
    """Of the line's limit: 118 bytes and 60 ms. An exchange costs us 3 ms."""
    schedule, now, polls = learnt(fast=True), 0.0, 0
    cost = {c.query: c.typical for c in RECURRING}
    for cadence in RECURRING:
        schedule.done(cadence.query, now)
    while now < 600:
        schedule.live_polled()
        now += 0.5517 + 0.003
        polls += 1
        while (query := schedule.next_query(now, None)) is not None:
            now += cost[query] + 0.003
            schedule.done(query, now)
    now += 600 / SERIAL.every_fast * (SERIAL.typical + 0.003)
    assert now / polls < 0.5517 * 1.07

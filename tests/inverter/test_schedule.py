"""What is asked when: the plan is pure, so no test waits."""

from __future__ import annotations

from itertools import pairwise

from mppdbus.inverter.schedule import ONCE, RECURRING, WHO, Plan
from mppdbus.protocol.queries import QUERIES, base_command


def learnt(*, fast: bool) -> Plan:
    return Plan(fast=fast, once=[])


def test_every_query_of_the_tables_has_a_layout() -> None:
    asked = {*ONCE, *(c.query for c in (*RECURRING, WHO))}
    assert {base_command(query) for query in asked} <= set(QUERIES)


def test_what_is_asked_once_comes_first_and_once() -> None:
    plan = Plan(fast=True)
    assert [plan.next(0.0, None) for _ in ONCE] == list(ONCE)
    assert plan.next(0.0, None) not in (None, *ONCE[1:2])


def test_the_mode_is_not_forgotten_while_the_rest_is_learnt() -> None:
    """One query between two live polls, each of them a second: slow, or silent."""
    plan, asked = Plan(fast=False), []
    plan.done("QMOD", 0.0)
    for now in range(1, 2 * len(ONCE) + 1):
        plan.live()
        query = plan.next(now, None)
        assert query is not None
        plan.done(query, now)
        asked.append(query)
    assert asked[::2] == list(ONCE)
    modes = [time for time, query in enumerate(asked, start=1) if query == "QMOD"]
    assert max(b - a for a, b in pairwise([0, *modes])) <= 4


def test_nothing_is_asked_before_it_is_due() -> None:
    plan = learnt(fast=True)
    for cadence in RECURRING:
        plan.done(cadence.query, 100.0)
    plan.live()
    assert plan.next(100.0, None) is None
    assert plan.next(106.0, None) in ("QMOD", "QPIWS")


def test_the_most_overdue_goes_first() -> None:
    plan = learnt(fast=False)
    plan.due = {"QMOD": 9.0, "QPIWS": 3.0, "QPIRI": 6.0, "QFLAG": 8.0}
    assert plan.next(10.0, None) == "QPIWS"


def test_what_is_always_due_is_asked_once_between_two_live_polls() -> None:
    plan = learnt(fast=False)
    for cadence in RECURRING:
        plan.done(cadence.query, 100.0)
    plan.live()
    assert plan.next(100.0, None) == "QMOD"
    plan.done("QMOD", 100.1)
    assert plan.next(100.1, None) is None
    plan.live()
    assert plan.next(101.0, None) == "QMOD"


def test_what_does_not_fit_waits() -> None:
    plan = learnt(fast=False)
    plan.due = {"QMOD": 0.0, "QPIWS": 0.0, "QPIRI": -50.0, "QFLAG": 0.0}
    assert plan.next(10.0, 0.12) == "QMOD"
    assert plan.next(10.0, 0.05) is None
    assert plan.next(10.0, None) == "QPIRI"


def test_a_change_makes_the_mode_due_at_once() -> None:
    plan = learnt(fast=True)
    for cadence in RECURRING:
        plan.done(cadence.query, 100.0)
    plan.hurry("QMOD")
    assert plan.next(100.1, None) == "QMOD"


def test_on_a_full_line_the_other_queries_and_all_delays_take_seven_percent() -> None:
    """Of the line's limit: 118 bytes and 60 ms. An exchange costs us 3 ms."""
    plan, now, polls = learnt(fast=True), 0.0, 0
    cost = {c.query: c.typical for c in RECURRING}
    for cadence in RECURRING:
        plan.done(cadence.query, now)
    while now < 600:
        plan.live()
        now += 0.5517 + 0.003
        polls += 1
        while (query := plan.next(now, None)) is not None:
            now += cost[query] + 0.003
            plan.done(query, now)
    now += 600 / WHO.every_fast * (WHO.typical + 0.003)
    assert now / polls < 0.5517 * 1.07

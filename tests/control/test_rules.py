"""What rules decide, minute by minute."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mppdbus.config.rules import RuleConfig
from mppdbus.control.rules import Rulebook, Situation

NOON = Situation(
    datetime(2026, 6, 1, 12, tzinfo=UTC),
    0.0,
    soc=50.0,
    voltage=52.0,
    pv=800.0,
    grid=True,
)
POP = "output_source_priority"


def rule(value: str, **conditions: Any) -> RuleConfig:  # noqa: ANN401 - of any kind
    return RuleConfig(setting=POP, value=value, **conditions)


def values(book: Rulebook, *situations: Situation) -> Iterator[str | float]:
    for now in situations:
        yield from (switch.value for switch in book.decide(now))


def minutes(
    count: int,
    begin: Situation = NOON,
    after: int = 0,
    **what: Any,  # noqa: ANN401
) -> list[Situation]:
    """Return a situation that lasts, looked at every minute from `after` on."""
    times = (timedelta(minutes=after + n) for n in range(count))
    return [
        replace(begin, when=begin.when + time, at=time.total_seconds(), **what)
        for time in times
    ]


@pytest.mark.parametrize(
    ("conditions", "met"),
    [
        ({"soc_above": 49.0}, True),
        ({"soc_above": 50.0}, False),
        ({"soc_below": 51.0}, True),
        ({"soc_below": 50.0}, False),
        ({"voltage_above": 51.9}, True),
        ({"voltage_below": 51.9}, False),
        ({"pv_above": 700.0, "grid": True}, True),
        ({"pv_above": 700.0, "grid": False}, False),
        ({"pv_below": 700.0}, False),
        ({"soc_above": 40.0, "soc_below": 60.0}, True),
    ],
)
def test_conditions(conditions: dict[str, Any], met: bool) -> None:  # noqa: FBT001
    book = Rulebook([rule("SBU", minutes=1, **conditions)])
    assert bool(list(values(book, *minutes(3)))) is met


@pytest.mark.parametrize(
    ("window", "counts"),
    [
        ({}, True),
        ({"begin": "11:00", "end": "13:00"}, True),
        ({"begin": "13:00", "end": "11:00"}, False),
        ({"begin": "22:00", "end": "12:01"}, True),
        ({"begin": "11:00", "end": "12:00"}, False),
    ],
)
def test_the_clock_alone_is_not_waited_for(
    window: dict[str, Any],
    counts: bool,  # noqa: FBT001
) -> None:
    book = Rulebook([rule("SBU", minutes=60, **window)])
    assert bool(list(values(book, NOON))) is counts


@pytest.mark.parametrize("lacks", ["soc", "voltage", "pv", "grid"])
def test_what_is_not_known_decides_nothing(lacks: str) -> None:
    needs: dict[str, dict[str, Any]] = {
        "soc": {"soc_below": 99.0},
        "voltage": {"voltage_above": 10.0},
        "pv": {"pv_below": 9999.0},
        "grid": {"grid": True},
    }
    other = rule("Utility first")  # counts only if the first one does not
    book = Rulebook([rule("SBU", **needs[lacks]), other])
    unknown: dict[str, Any] = {lacks: None}
    assert list(values(book, *minutes(60, **unknown))) == []
    assert list(values(book, *minutes(10, after=60))) == ["SBU"]
    # It is not forgotten while the value is away for some time.
    assert list(values(book, *minutes(60, after=70, **unknown))) == []
    assert list(values(book, *minutes(10, after=130))) == []


def test_a_condition_must_last_before_a_switch() -> None:
    book = Rulebook([rule("SBU", soc_above=60.0, minutes=5)])
    assert list(values(book, *minutes(5, soc=70.0))) == []  # four minutes and a bit
    assert list(values(book, *minutes(1, after=5, soc=50.0))) == []
    assert list(values(book, *minutes(5, after=6, soc=70.0))) == []
    assert list(values(book, *minutes(1, after=11, soc=70.0))) == ["SBU"]


def test_a_value_that_flutters_at_its_limit_does_not_switch_for_ever() -> None:
    rules = [rule("SBU", soc_above=60.0, minutes=1), rule("Utility first")]
    book, found = Rulebook(rules), list[str | float]()
    for minute in range(600):
        soc = 61.0 if minute // 3 % 2 else 58.0
        found += values(book, *minutes(1, after=minute, soc=soc))
    assert found == ["Utility first", "SBU"]
    assert list(values(book, *minutes(9, after=600, soc=56.0))) == ["Utility first"]


def test_two_switches_are_apart() -> None:
    night = rule("Utility first", begin="12:02", end="12:04", minutes=30)
    book = Rulebook([night, rule("SBU", minutes=30)])
    times = [
        (now.when.minute, value) for now in minutes(60) for value in values(book, now)
    ]
    assert times == [(0, "SBU")]  # the other would have come two minutes later


def test_the_first_rule_counts_and_none_changes_nothing() -> None:
    book = Rulebook(
        [
            rule("Utility first", soc_below=20.0, minutes=1),
            rule("SBU", soc_above=80.0, minutes=1),
            rule("Solar first", soc_above=70.0, minutes=1),
        ]
    )
    assert list(values(book, *minutes(5, soc=50.0))) == []
    assert list(values(book, *minutes(5, after=10, soc=90.0))) == ["SBU"]
    assert list(values(book, *minutes(5, after=20, soc=75.0))) == ["Solar first"]
    assert list(values(book, *minutes(5, after=30, soc=50.0))) == []
    assert list(values(book, *minutes(5, after=40, soc=10.0))) == ["Utility first"]


def test_a_rule_speaks_each_time_that_it_begins() -> None:
    book = Rulebook([rule("Utility first", begin="22:00", end="06:00")])
    found = [
        (now.when.day, now.when.hour)
        for now in minutes(3 * 1440)
        for _ in book.decide(now)
    ]
    assert found == [(1, 22), (2, 22), (3, 22)]


def test_what_counts_since_the_first_look_is_told_apart() -> None:
    book = Rulebook([rule("SBU", soc_above=40.0, minutes=2)])
    (switch,) = [s for now in minutes(5) for s in book.decide(now)]
    assert switch.initial
    for now in minutes(5, after=10, soc=10.0):
        assert book.decide(now) == []
    (switch,) = [s for now in minutes(5, after=20) for s in book.decide(now)]
    assert not switch.initial
    assert switch.why == (
        "rule output_source_priority = SBU: 12:22 "
        "(charge 50 %, battery 52.0 V, sun 800 W, mains there)"
    )

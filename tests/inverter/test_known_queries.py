"""What a unit has: settled by two rounds, never against what it has answered."""

from __future__ import annotations

from itertools import pairwise

import pytest

from mppdbus.errors import CorruptReply, MppdbusError, NoReply, Refused
from mppdbus.inverter.known_queries import KnownQueries

NAK, SILENCE = Refused("QMN: NAK"), NoReply("QMN: silent")


@pytest.mark.parametrize("first", [NAK, SILENCE])
@pytest.mark.parametrize("second", [NAK, SILENCE])
def test_two_rounds_settle_that_a_query_is_absent(
    first: MppdbusError, second: MppdbusError
) -> None:
    known = KnownQueries()
    known.fail("QMN", first, 0.0)
    assert not known.settled("QMN")
    known.fail("QMN", second, known.again["QMN"])
    assert known.absent("QMN")


def test_what_is_absent_is_asked_again_seldom_and_may_be_there() -> None:
    known, now, times = KnownQueries(), 0.0, []
    for _ in range(8):
        known.fail("QMN", NAK, now)
        now = known.again["QMN"]
        times.append(now)
    assert times[:2] == [2.0, 62.0]
    assert {b - a for a, b in pairwise(times[2:])} == {600.0}
    known.answer("QMN")
    assert not known.absent("QMN")
    assert "QMN" not in known.again


@pytest.mark.parametrize("error", [NAK, SILENCE, CorruptReply("QMN: noise")])
def test_what_was_answered_once_is_there_for_ever(error: MppdbusError) -> None:
    known, now = KnownQueries(), 0.0
    known.answer("QMN")
    for _ in range(30):
        known.fail("QMN", error, now)
        assert known.again["QMN"] - now <= 60.0
        now = known.again["QMN"]
    assert known.settled("QMN")
    assert not known.absent("QMN")


def test_damage_says_nothing_about_what_is_there() -> None:
    known = KnownQueries()
    for _ in range(9):
        known.fail("QT", CorruptReply("QT: 13 digits"), 0.0)
    assert not known.settled("QT")
    assert known.again["QT"] == 600.0

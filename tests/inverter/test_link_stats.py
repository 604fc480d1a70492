"""The quality of a line is that of its last hour."""

from __future__ import annotations

import pytest

from mppdbus.inverter.link_stats import LinkStats


def run(stats: LinkStats, begin: int, end: int, *, failing: int = 0) -> None:
    """Poll every 2 s from `begin` to `end` s; one attempt in `failing` fails."""
    for time in range(begin, end, 2):
        if failing and time // 2 % failing == 0:
            stats.failures += 1
        else:
            stats.good += 1
        stats.quality(float(time))


def test_nothing_is_known_before_the_first_attempt() -> None:
    assert LinkStats().quality(5.0) is None


def test_a_bad_hour_shows_and_is_forgotten_after_the_next() -> None:
    stats, hour = LinkStats(), 3600
    run(stats, 0, 10 * hour)
    assert stats.quality(10.0 * hour) == 100.0
    run(stats, 10 * hour, 11 * hour, failing=4)
    assert stats.quality(11.0 * hour) == pytest.approx(75.0, abs=3)
    run(stats, 11 * hour, 13 * hour)
    assert stats.quality(13.0 * hour) == 100.0
    assert stats.day_quality(13.0 * hour) == pytest.approx(100 - 25 / 13, abs=0.3)
    run(stats, 13 * hour, 40 * hour)
    assert stats.day_quality(40.0 * hour) == 100.0


def test_an_hour_without_an_attempt_says_nothing() -> None:
    stats = LinkStats()
    run(stats, 0, 600)
    assert stats.quality(600.0) == 100.0
    for time in range(600, 5000, 60):
        stats.quality(float(time))
    assert stats.quality(5000.0) is None

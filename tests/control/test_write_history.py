"""What the journal tells of the writes of a setting, for decisions on limits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from mppdbus.control.dvcc import Written
from mppdbus.control.journal import WrittenSetting
from mppdbus.control.write_history import FOLLOWS, HOLDS, SAFE, history

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
NAME = "charger_source_priority"
Step = tuple[float, str, float, float]  # minutes ago, by, old, new


def written(steps: Sequence[Step], value: float | None) -> Written:
    writes = [
        WrittenSetting(
            time=(NOW - timedelta(minutes=ago)).isoformat(timespec="milliseconds"),
            unit="u", model="", firmware="", setting=NAME, command="",
            old=old, value=new, by=f"{by}: a reason", observed=new,
        )
        for ago, by, old, new in steps
    ]  # fmt: skip
    other = WrittenSetting(
        NOW.isoformat(), "other", "", "", NAME, "", old=1, value=2, by=HOLDS
    )
    return history([*writes, other], "u", {NAME: value}, NOW).get(NAME, Written())


@pytest.mark.parametrize(
    ("steps", "value", "before"),
    [
        ([], 3, None),
        ([(5, HOLDS, 1, 3)], 3, 1),
        ([(5, HOLDS, 1, 3)], 2, None),  # somebody has changed it since
        ([(5, HOLDS, 1, 3)], None, None),
        ([(9, HOLDS, 1, 3), (5, SAFE, 3, 0)], 0, 1),  # lost while it was held
        ([(9, SAFE, 1, 0), (5, HOLDS, 0, 3)], 3, 1),
        ([(9, HOLDS, 1, 3), (5, FOLLOWS, 3, 1)], 1, None),  # it was set back
        ([(9, HOLDS, 1, 3), (5, "D-Bus :1.7", 3, 2)], 2, None),
        ([(9, "D-Bus :1.7", 1, 2), (5, HOLDS, 2, 3)], 3, 2),
    ],
)
def test_what_a_setting_is_set_back_to(
    steps: list[Step], value: float | None, before: float | None
) -> None:
    assert written(steps, value).before == before


def test_the_writes_of_today_and_the_falls_of_the_last_half_hour_count() -> None:
    found = written(
        [
            (13 * 60, FOLLOWS, 60, 50),  # yesterday
            (60, FOLLOWS, 60, 50),
            (20, FOLLOWS, 50, 40),
            (10, "command line", 40, 30),
            (5, FOLLOWS, 30, 40),
            (1, HOLDS, 40, 10),
        ],
        10,
    )
    assert (found.today, found.falls) == (5, 2)
    assert found.last == NOW - timedelta(minutes=1)

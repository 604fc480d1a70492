"""Every operating point and a month, as Victron's own systemcalc shows them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers.days import profile
from helpers.point_table import POINTS, SETUPS
from helpers.points import (
    Arrival,
    Outcome,
    Stage,
    compare,
    compare_until_right,
    live_through,
    staged,
    walk,
)
from helpers.processes import until
from helpers.systemcalc import Overview, overview
from lab.book import Book, Days
from lab.stack import LAB, Stack

LATE = 2.5  # s: systemcalc works things out once a second
SEED, DAYS, LOOKS = 30, 30, 240
PATHS = tuple(overview({}, None))

pytestmark = LAB


@pytest.fixture(scope="module")
def book() -> Iterator[Book]:
    """Collect what is seen; MPPDBUS_POINTS names the file to write it to."""
    book = Book()
    yield book
    if path := os.environ.get("MPPDBUS_POINTS"):
        Path(path).write_text(str(book))


async def agree(stack: Stack, own: Overview) -> None:
    """Wait until the client of our own shows what systemcalc shows."""
    seen: dict[str, Any] = {}

    async def alike() -> bool:
        theirs, ours = await stack.system(PATHS), await own.system(PATHS)
        seen.clear()
        seen.update(
            {p: (theirs[p], ours[p]) for p in PATHS if not same(theirs, ours, p)}
        )
        return not seen

    await until(alike, lambda: f"systemcalc's and ours: {seen}", LATE)


def same(theirs: dict[str, Any], ours: dict[str, Any], path: str) -> bool:
    """Tell whether both show the same, to the rounding of a float."""
    one, other = theirs[path], ours[path]
    if isinstance(one, (int, float)) and other is not None:
        return bool(one == pytest.approx(other))
    return bool(one == other)


async def look(stage: Stage, stack: Stack, own: Overview, at: Arrival) -> Outcome:
    """Return what systemcalc shows, once our own client shows the same."""
    await compare_until_right(own, at)
    await agree(stack, own)
    assert not stack.trouble(), stack.trouble()
    assert "Traceback" not in stage.daemon.said, stage.daemon.said
    return await compare(stack, at)


@pytest.mark.slow
@pytest.mark.parametrize("name", dict.fromkeys(point.setup for point in POINTS))
async def test_points(stack: Stack, tmp_path: Path, name: str, book: Book) -> None:
    points = [point for point in POINTS if point.setup == name]
    async with (
        staged(tmp_path, stack.address, SETUPS[name]) as stage,
        Overview(stack.address) as own,
    ):
        outcomes = [
            await look(stage, stack, own, arrival)
            async for arrival in walk(stage, points)
        ]
    book.points += outcomes
    wrong = [str(outcome) for outcome in outcomes if outcome.wrong]
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
async def test_a_month(stack: Stack, tmp_path: Path, book: Book) -> None:
    book.days = Days(f"{DAYS} days of a unit with losses, looked at {LOOKS} times")
    days = profile(SEED, days=DAYS, looks=LOOKS)
    async with (
        staged(tmp_path, stack.address, SETUPS["with losses"]) as stage,
        Overview(stack.address) as own,
    ):
        async for arrival in live_through(stage, days):
            book.days.modes[arrival.mode] += 1
            book.days.outcomes.append(await look(stage, stack, own, arrival))
    wrong = [str(outcome) for outcome in book.days.outcomes if outcome.wrong]
    assert not wrong, "\n".join(wrong)
    assert set(book.days.modes) >= {"L", "B", "S"}, book.days.modes

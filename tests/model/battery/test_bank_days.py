"""Thirty days through the bank and its file: what is published against the truth."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from helpers.bank import Days
from helpers.soc import CASES, RESTARTS, Meter, errors_by_part, truth

pytestmark = pytest.mark.slow  # all of them together take long

WITHIN = 5.0  # %


async def follow(
    folder: Path, name: str, offsets: tuple[float, ...], *, killed: bool = False
) -> tuple[float, float, float]:
    """Return the worst errors: before the first full charge, clear days, dull days."""
    case, meters = CASES[name], [Meter(offset=offset) for offset in offsets]
    samples = truth(case.scene)
    days = Days(folder, samples, meters, case.chemistry, RESTARTS, killed)
    result = await days.run()
    assert result.covered() >= 0.95
    assert result.offsets[-1] == pytest.approx(sum(offsets), abs=0.35 * len(offsets))
    errors = errors_by_part(result)
    print(name, offsets, *(f"{error:.1f}" for error in errors))
    return errors


def rows(*usual: tuple[str, tuple[float, ...]], rest: Iterable[Any]) -> list[Any]:
    """Return the usual pairs, and those of the rest that only a long run needs."""
    more = [pair for pair in rest if pair not in usual]
    return [*usual, *(pytest.param(*pair, marks=pytest.mark.long) for pair in more)]


@pytest.mark.parametrize(
    ("name", "offsets"),
    rows(
        ("LFP", (1.0,)),
        ("lead", (-1.0, -1.0, -1.0)),
        rest=product(("LFP", "lead"), ((1.0,), (-1.0,), (-1.0, -1.0, -1.0))),
    ),
    ids=str,
)
async def test_it_stays_within_five_percent_over_thirty_days_and_five_restarts(
    tmp_path: Path, name: str, offsets: tuple[float, ...]
) -> None:
    before, clear, dull = await follow(tmp_path, name, offsets)
    # A night after a start that knew nothing: its first value stays near the panel.
    assert before <= 15.0
    assert clear <= WITHIN
    assert dull <= WITHIN


@pytest.mark.parametrize(
    ("name", "offsets"),
    rows(
        ("LFP", (1.0, -0.4, 0.7)),
        ("lead", (-1.0,)),
        ("lossy lead", (1.0,)),
        rest=product(CASES, ((1.0,), (-1.0,), (1.0, -0.4, 0.7))),
    ),
    ids=str,
)
async def test_kills_and_unlike_meters_cost_little_more(
    tmp_path: Path, name: str, offsets: tuple[float, ...]
) -> None:
    _, clear, dull = await follow(tmp_path, name, offsets, killed=True)
    assert clear <= WITHIN
    assert dull <= WITHIN

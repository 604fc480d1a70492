"""Every operating point, in the overview that a client of our own makes of the bus."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from helpers.days import profile
from helpers.places import ROOT
from helpers.point_table import POINTS, SETUPS
from helpers.points import compare_until_right, live_through, staged, walk
from helpers.processes import HURRIED
from helpers.systemcalc import Overview

SEED = 4


def test_there_are_enough_points() -> None:
    assert len(POINTS) >= 40
    assert len({(point.setup, point.name) for point in POINTS}) == len(POINTS)
    assert {point.setup for point in POINTS} <= SETUPS.keys()


def test_the_lab_has_seen_all_of_them() -> None:
    text = (ROOT / "docs/operating-points.md").read_text()
    sections = text.split("\n## ")
    assert f"**{len(POINTS)} points, 0 beyond the bounds.**" in sections[0]
    for point in POINTS:
        (section,) = (s for s in sections if s.startswith(f"{point.setup}\n"))
        turned = f"`{point.turn}`" if point.turn else ""
        lost = " (lost)" if point.lost else ""
        assert f"\n| {point.name}{lost} | {turned} |" in section


@pytest.mark.lengthy
@pytest.mark.parametrize("name", dict.fromkeys(point.setup for point in POINTS))
async def test_points(bus_address: str, tmp_path: Path, name: str) -> None:
    points = [point for point in POINTS if point.setup == name]
    async with (
        staged(tmp_path, bus_address, SETUPS[name], HURRIED) as stage,
        Overview(bus_address) as seen,
    ):
        outcomes = [
            await compare_until_right(seen, a) async for a in walk(stage, points)
        ]
        assert "Traceback" not in stage.daemon.said
    wrong = [str(outcome) for outcome in outcomes if outcome.wrong]
    assert not wrong, "\n".join(wrong)


@pytest.mark.lengthy
async def test_two_days(bus_address: str, tmp_path: Path) -> None:
    modes: Counter[str] = Counter()
    wrong = []
    days = profile(SEED, days=2, looks=20)
    async with (
        staged(tmp_path, bus_address, SETUPS["one unit"]) as stage,
        Overview(bus_address) as seen,
    ):
        async for arrival in live_through(stage, days):
            outcome = await compare_until_right(seen, arrival)
            modes[arrival.mode] += 1
            wrong += [str(outcome)] if outcome.wrong else []
    assert not wrong, "\n".join(wrong)
    assert modes["L"] >= 3, modes
    assert modes["B"] >= 3, modes

"""Sets behind real pseudo terminals, down to the link; the D-Bus is not part of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from helpers.set import SetWatched, fleet_of, watching
from helpers.transport import until
from mppdbus.inverter.link import Link
from mppdbus.model.power import flow, legs
from mppdbus.simulator.line.speed import Pace
from mppdbus.simulator.ports.server import serve_pty
from mppdbus.transport import open_transport
from mppdbus.transport.port_url import parse_port

SUNNY = "load 3000; grid off; pv 2000 700; soc 60"


@asynccontextmanager
async def cabled(
    tmp_path: Path, profile: str, labels: str, scene: str = SUNNY
) -> AsyncIterator[SetWatched]:
    """Poll unit 1 of a set over a pty, as fast as that goes."""
    fleet = fleet_of(profile, labels, scene, Pace.instant())
    async with serve_pty(fleet.simulators[0], tmp_path / "port"):
        link = Link("garage")
        link.attach(
            await open_transport(parse_port(f"serial:{tmp_path / 'port'}"), link)
        )
        async with watching(fleet, interval=None, link=link) as watched:
            yield watched


def agrees(watched: SetWatched, number: int) -> None:
    unit = watched.unit(number)
    told = watched.others[unit.serial]
    shown, truth = flow(told), unit.plant.truth()
    assert sum(leg.power or 0.0 for leg in legs(told)) == pytest.approx(
        truth["load_w"], abs=1.1
    )
    assert shown.battery_current == pytest.approx(unit.plant.battery_a, abs=1.01)
    assert shown.battery_voltage == pytest.approx(unit.plant.battery_v, abs=0.06)
    assert shown.pv_total == pytest.approx(sum(unit.plant.pv_w), rel=0.03)


async def read_anew(watched: SetWatched, number: int) -> None:
    """Wait until a unit has been read that was asked about from now on."""
    query = f"QPGS{number - 1}"
    asked = watched.requests[query]
    await until(lambda: watched.requests[query] >= asked + 2)


@pytest.mark.parametrize(
    ("profile", "labels", "phases"),
    [
        ("max-8000", "L1,L2,L3", [2, 3]),
        ("max-8000", "2", [None]),
        ("eg4-6500", "L1,L2", [2]),
        ("lv5048", "2", [None]),
        ("max-8000", "9", [None] * 8),
    ],
)
async def test_a_set_over_one_cable(
    tmp_path: Path, profile: str, labels: str, phases: list[int | None]
) -> None:
    async with cabled(tmp_path, profile, labels) as watched:
        await until(lambda: len(watched.online) == len(phases), 60)
        for number, phase in enumerate(phases, start=2):
            agrees(watched, number)
            assert watched.others[watched.unit(number).serial].phase == phase


async def test_a_unit_drops_out_within_three_rounds_and_comes_back(
    tmp_path: Path,
) -> None:
    async with cabled(tmp_path, "max-8000", "L1,L2,L3") as watched:
        await until(lambda: len(watched.online) == 2, 60)
        gone = watched.unit(2).serial
        watched.tell("unit 2 off")
        asked = watched.requests["QPGS1"]
        await until(lambda: gone not in watched.online)
        assert watched.requests["QPGS1"] - asked <= 3
        await read_anew(watched, 3)
        agrees(watched, 3)
        watched.tell("unit 2 on")
        await until(lambda: gone in watched.online)
        await read_anew(watched, 2)
        agrees(watched, 2)


async def test_a_port_that_goes_takes_all_with_it(tmp_path: Path) -> None:
    async with cabled(tmp_path, "max-8000", "2") as watched:
        await until(lambda: watched.online, 60)
        watched.line.apply("fault disconnect")
        assert watched.task is not None
        await asyncio.wait([watched.task], timeout=60)
        assert watched.task.done()
        assert watched.online == set()
        assert list(watched.others) == [watched.unit(2).serial]

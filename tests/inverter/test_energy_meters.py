"""The inverter's own meters: what is asked when, on a real pty."""

from __future__ import annotations

import asyncio
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from helpers.run import Ports
from mppdbus.inverter.device import Inverter
from mppdbus.inverter.energy_meters import EnergyMeters
from mppdbus.inverter.link import Link
from mppdbus.simulator.line.simulator import Simulator
from mppdbus.transport import open_transport
from mppdbus.transport.port_url import parse_port

NOON = datetime(2024, 6, 21, 12)  # noqa: DTZ001 - the simulated clock has no zone
Told = list[tuple[date | None, float]]


async def rounds(
    folder: Path, wall: datetime, *, count: int = 1, scene: str = ""
) -> tuple[Told, Simulator]:
    """Go `count` times round the meters of a unit; return what was told."""
    told: Told = []
    async with Ports.below(folder) as ports:
        simulator = await ports.add("tty", scene=scene)
        assert simulator.scene.plant is not None
        simulator.scene.plant.energy.pv_wh = 123_456.0
        link = Link("tty", patience=0.2)
        inverter = Inverter("tty", link, asyncio.get_running_loop().time)
        port = parse_port(f"serial:{folder / 'tty'}")
        link.attach(await open_transport(port, link, baud=115200))
        try:
            meters = EnergyMeters(
                inverter, lambda *said: told.append(said), lambda: wall
            )
            assert not meters.there
            for query in ("QET", "QT"):
                await inverter.try_read(query)
            for _ in range(count):
                while await meters.ask():
                    pass
            assert meters.there
        finally:
            await link.close()
    return told, simulator


async def test_the_total_and_the_days_by_the_inverters_clock(tmp_path: Path) -> None:
    told, simulator = await rounds(tmp_path, NOON, count=2)
    assert simulator.scene.plant is not None
    assert simulator.scene.plant.clock.date() == NOON.date()
    yesterday = NOON.date() - timedelta(days=1)
    days = [day for day, _ in told]
    assert days == [None, NOON.date(), yesterday, None, NOON.date()]
    assert told[0][1] == 123_456.0


@pytest.mark.parametrize("hours", [-2, 2, 24])
async def test_a_clock_that_is_wrong_tells_no_days(tmp_path: Path, hours: int) -> None:
    told, _ = await rounds(tmp_path, NOON + timedelta(hours=hours))
    assert [day for day, _ in told] == [None]


async def test_who_does_not_know_its_days_is_soon_left_alone(tmp_path: Path) -> None:
    scene = "fault nak forever QED20240621; fault nak forever QED20240620"
    told, simulator = await rounds(tmp_path, NOON, count=4, scene=scene)
    assert [day for day, _ in told] == [None] * 4
    asked = simulator.scene.requests
    assert sum(count for query, count in asked.items() if query[:3] == "QED") == 2

"""The monitor's line to an inverter that is lost again and again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from helpers.run import Ports, eventually
from mppdbus.commands.target import Target
from mppdbus.commands.view import sources
from mppdbus.commands.view.sources import LineSource
from mppdbus.simulator.line.simulator import simulate
from mppdbus.simulator.line.speed import Pace
from mppdbus.transport.port_url import parse_port


async def test_each_loss_is_tried_again_as_soon_as_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Live values between two losses begin the count of attempts anew."""
    monkeypatch.setattr(sources, "BACK_OFF", (0.01, 600.0))
    async with Ports.below(tmp_path) as ports:
        simulator = await ports.add("tty")
        port = parse_port(f"serial:{tmp_path / 'tty'}")
        target = Target(port, "tty", baud=115200, timeout=0.2, poll=0.5)
        source = LineSource(target, once=False)
        following = asyncio.create_task(source.run())

        def live() -> bool:
            return any(one.live for one in source.pictures())

        try:
            for _ in range(3):
                await eventually(live)
                simulator.scene.apply("fault disconnect 1 QPIGS 0s")
                await eventually(lambda: not live())
            await eventually(live)
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)


@pytest.mark.lengthy
async def test_values_of_a_slow_line_stay_until_the_next_ones(tmp_path: Path) -> None:
    """Each reply takes 1.8 s, and so a round takes longer than the poll says."""
    async with Ports.below(tmp_path) as ports:
        unit = simulate("axpert-5000", pace=Pace(think=1.8, paced=False))
        await ports.add("tty", unit)
        port = parse_port(f"serial:{tmp_path / 'tty'}")
        target = Target(port, "tty", baud=115200, timeout=4.0, poll=0.5)
        source = LineSource(target, once=False)
        following = asyncio.create_task(source.run())
        try:
            await eventually(lambda: any(one.live for one in source.pictures()))
            asked = unit.scene.requests["QPIGS"]
            while unit.scene.requests["QPIGS"] < asked + 4:
                (picture,) = source.pictures()
                assert picture.live
                await asyncio.sleep(0.1)
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

"""Clocks that are set without being asked: only if wanted, seldom, and when sure."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from helpers.fast_time import run_fast
from helpers.simulator import inverter_of
from helpers.written import Unit
from mppdbus.control.write_check import ControlLevel
from mppdbus.daemon.clock_keeper import EVERY, ClockKeeper
from mppdbus.host.clock import synchronized
from mppdbus.simulator.line.simulator import simulate


async def after_hours(
    folder: Path,
    hours: float,
    *,
    wanted: bool = True,
    sure: bool = True,
    level: str = "safe",
) -> Unit:
    """Return a unit whose clock was two minutes ahead so many hours ago."""
    unit = await Unit(simulate("axpert-5000"), folder).learn()
    unit.simulator.scene.requests.clear()
    loop = asyncio.get_running_loop()
    began, here = loop.time(), datetime.now().astimezone().replace(tzinfo=None)
    here = here.replace(hour=9)

    def now() -> datetime:
        return here + timedelta(seconds=loop.time() - began)

    plant = inverter_of(unit.simulator).plant
    plant.clock = (now() + timedelta(minutes=2)).replace(tzinfo=plant.clock.tzinfo)
    control = unit.control
    control.level = ControlLevel(level)
    keeper = ClockKeeper(
        lambda: {"it": control}, lambda: wanted, sure=lambda: sure, now=now
    )
    task = asyncio.create_task(keeper.run())
    await asyncio.sleep(1.5 * EVERY)
    unit.simulator.scene.catch_up(loop.time())
    plant.clock += timedelta(minutes=3)  # it does not stay right
    await asyncio.sleep((hours - 1.5) * EVERY)
    task.cancel()
    return unit


def test_a_clock_is_set_once_a_day_at_most(tmp_path: Path) -> None:
    unit = run_fast(after_hours(tmp_path, 8))
    assert [sent[:3] for sent in unit.sent] == ["DAT"]
    (write,) = unit.journal.writes()
    assert (write.setting, write.done) == ("clock", True)
    assert write.automatic
    assert write.by == "clock, [control] in the config"


@pytest.mark.parametrize(
    "why", [{"wanted": False}, {"sure": False}, {"level": "read-only"}]
)
def test_a_clock_is_left_alone(why: dict[str, bool | str], tmp_path: Path) -> None:
    unit = run_fast(after_hours(tmp_path, 4, **why))  # type: ignore[arg-type]
    assert not unit.simulator.scene.requests  # not even asked
    assert unit.journal.writes() == []


def test_a_machine_knows_whether_it_has_its_time_from_elsewhere() -> None:
    assert synchronized() in (True, False)

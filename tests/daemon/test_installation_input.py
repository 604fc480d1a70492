"""What the GX is told of the AC input, and what else it is told in words."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from helpers.bus import serving
from helpers.installation import FIRST, SECOND, SERIALS, Clock, at_home, said, unit
from helpers.run import MULTI, SYSTEM, Daemon, Ports, Watcher, eventually
from helpers.settings import Rig, add_as_another
from mppdbus.daemon.gx_menu import AC_INPUT
from mppdbus.model.snapshot import Snapshot
from mppdbus.model.victron_codes import AcInput
from mppdbus.simulator.line.simulator import simulate
from mppdbus.simulator.line.speed import Pace
from mppdbus.venus.dbus.items import Item, ItemType
from mppdbus.venus.notifications import INJECT, PLATFORM
from mppdbus.venus.system_service import FORMER_LEVEL, MONITOR_GRID

TYPE, INPUTS = "/Ac/In/1/Type", "/Ac/NumberOfAcInputs"
LOST = "/Alarms/GridLost"
MAINS_FAILED, FAN_LOCKED = 5, 10  # positions in QPIWS
KINDS = {0: "none", 1: "grid", 2: "generator", 3: "shore"}


@pytest.fixture
async def watcher(bus_address: str) -> AsyncIterator[Watcher]:
    async with Watcher.on(bus_address) as watcher:
        yield watcher


def input_of(kind: int) -> dict[str, Any]:
    return {TYPE: kind, INPUTS: int(kind != AcInput.NONE)}


async def set_up_gx(rig: Rig, kind: int) -> None:
    """Have the setting as systemcalc adds it, and the user has made it."""
    await rig.service.start()
    row = {"path": AC_INPUT, "default": 1, "min": 0, "max": 3}
    await add_as_another(rig.user, row)
    await rig.user.set_value(AC_INPUT, "i", kind)


async def test_the_input_is_what_the_gx_is_set_to(
    rig: Rig, state: Path, watcher: Watcher
) -> None:
    await set_up_gx(rig, 2)
    units = [unit(n, ac_input_follows=True) for n in (0, 1)]
    async with at_home(rig.address, state, *units, patience=5) as home:
        for index in (0, 1):
            await home.meet(index, said(SERIALS[index]))
        for service in (FIRST, SECOND, SYSTEM):  # known as soon as the name is there
            values = await watcher.values(service)
            assert {path: values[path] for path in input_of(2)} == input_of(2)
        for kind in (3, 0, 1, 2):
            await rig.user.set_value(AC_INPUT, "i", kind)
            for service in (FIRST, SECOND, SYSTEM):
                await watcher.wait(service, input_of(kind))
    async with at_home(rig.address, state, unit(0), patience=5) as home:
        await home.meet(0, said(SERIALS[0]))  # the config says grid
        await watcher.wait(FIRST, input_of(1))


async def test_the_setting_changes_while_localsettings_is_away_from_us(
    rig: Rig, state: Path, watcher: Watcher
) -> None:
    await set_up_gx(rig, 2)
    await rig.service.stop()
    async with at_home(rig.address, state, unit(0, ac_input_follows=True)) as home:
        await home.meet(0, said(SERIALS[0]))
        assert (await watcher.values(FIRST))[TYPE] == AcInput.GRID  # until it is known
        await rig.service.start()
        for service in (FIRST, SYSTEM):
            await watcher.wait(service, input_of(2))
        home.hear(0, said(SERIALS[0], load=700))
        assert (await watcher.values(FIRST))[TYPE] == 2


@pytest.mark.parametrize(("kind", "lost"), [(1, 2), (2, 2), (3, 2), (0, None)])
async def test_a_mains_failure_by_the_kind_of_input(
    rig: Rig, state: Path, watcher: Watcher, kind: int, lost: int | None
) -> None:
    """Where there is no input none can fail, though QPIWS says so day and night.

    The switch is "Monitor for grid failure" in the menu of the GX.
    """
    await rig.service.start()
    clock, house = Clock(), unit(0, ac_input=AcInput(kind))

    def without() -> Snapshot:
        clock.now += 6.0
        return said(SERIALS[0], "B", grid=0.0, warned=(MAINS_FAILED,))

    async with at_home(rig.address, state, house, patience=5) as home:
        home.set_clock(clock)
        await home.meet(0, without())
        home.hear(0, without())
        assert (await watcher.values(SYSTEM))[LOST] is None  # nobody asked for it
        assert await rig.user.get_value(MONITOR_GRID.path) == 0
        await rig.user.set_value(MONITOR_GRID.path, "i", 1)
        await watcher.wait(SYSTEM, input_of(kind) | {LOST: lost})
        await rig.user.set_value(MONITOR_GRID.path, "i", 0)
        await watcher.wait(SYSTEM, {LOST: None})


async def test_whoever_had_the_grid_alarm_keeps_it(
    rig: Rig, state: Path, watcher: Watcher
) -> None:
    """It was a setting of ours before, which no page of the GUI showed."""
    await rig.service.start()
    former = {"path": FORMER_LEVEL.path, "default": 0, "min": 0, "max": 2}
    await add_as_another(rig.user, former)
    await rig.user.set_value(FORMER_LEVEL.path, "i", 2)
    for chosen in (1, 0):  # the user switches it off later: that stays, too
        async with at_home(rig.address, state, unit(0), patience=5) as home:
            await home.meet(0, said(SERIALS[0]))
            assert await rig.user.get_value(MONITOR_GRID.path) == chosen
            await watcher.wait(SYSTEM, {LOST: 0 if chosen else None})
        await rig.user.set_value(MONITOR_GRID.path, "i", 0)


async def test_a_fault_gets_to_the_notifications(
    bus_address: str, tmp_path: Path, watcher: Watcher
) -> None:
    leaf = Item(INJECT, ItemType.TEXT, writable=True)
    async with (
        Ports.below(tmp_path) as ports,
        serving(bus_address, [leaf], name=PLATFORM) as (platform, _),
    ):
        scene = f"grid on; load 700; warn {FAN_LOCKED} on"
        unit = simulate("axpert-5000", pace=Pace.instant(), scene=scene)
        await ports.add("garage", unit)
        daemon = Daemon(tmp_path, bus_address, [ports.unit("garage")])
        try:
            name = MULTI + "92932105100123"
            await watcher.wait(name, {"/Ac/Out/L1/P": 700.0, "/Alarms/Overload": 0})
            told = await eventually(lambda: platform.value(INJECT))
            assert told == "0\tgarage\tA fan is locked"
            values = await watcher.values(name)
            assert values["/Mppdbus/Warnings"] == "a fan is locked"
            assert not {p: v for p, v in values.items() if "/Alarms/" in p and v}
        finally:
            daemon.stop()

"""Units that another one reports: they come, go, move and come back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from helpers.installation import (
    BATTERY,
    FIRST,
    SECOND,
    SERIALS,
    Home,
    at_home,
    away,
    names_become,
    said,
    unit,
    write,
)
from helpers.run import SYSTEM, Watcher
from mppdbus.daemon.parallel_units import ParallelUnits
from mppdbus.venus import unit_service
from mppdbus.venus.dbus.service import Service

A, B, C = SERIALS
LOAD = "/Ac/Out/P"


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mppdbus.daemon.parallel_units.SOON", 0.05)
    monkeypatch.setattr("mppdbus.daemon.parallel_units.LONG_PAUSE", 0.05)


@pytest.fixture
async def watcher(bus_address: str) -> AsyncIterator[Watcher]:
    async with Watcher.on(bus_address) as watching:
        yield watching


def others_of(home: Home, lead: int = 0) -> ParallelUnits:
    others = ParallelUnits(home.installation, home.units[lead])
    others.place = f"ttyUSB{lead}"
    others.release()
    return others


async def shown(others: ParallelUnits, watcher: Watcher, **wanted: float) -> None:
    """Say that `B` answers until the acsystem shows what is wanted."""
    async with asyncio.timeout(120):
        while True:
            others.show({B: said(B, load=700)})
            values = await watcher.values(SYSTEM)
            if all(values.get(path) == value for path, value in wanted.items()):
                return
            await asyncio.sleep(0.02)


async def test_who_was_away_for_long_comes_back(
    bus_address: str, state: Path, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unit_service, "AWAY", 0.05)
    async with at_home(bus_address, state, unit(0)) as home:
        await home.meet(0, said(A))
        others = others_of(home)
        others.show({B: said(B)})
        await names_become(watcher, FIRST, SECOND, SYSTEM, BATTERY)
        others.show({B: away(B)})
        await names_become(watcher, FIRST, SYSTEM, BATTERY)
        others.show({B: said(B)})
        await names_become(watcher, FIRST, SECOND, SYSTEM, BATTERY)
        values = await watcher.values(SYSTEM)
        assert values["/Devices/1/Service"] == SECOND


async def test_what_all_share_comes_back_with_the_first_that_answers(
    bus_address: str, state: Path, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unit_service, "AWAY", 0.05)
    async with at_home(bus_address, state, unit(0), unit(1)) as home:
        await home.meet(0, said(A))
        await home.meet(1, said(B))
        await names_become(watcher, FIRST, SECOND, SYSTEM, BATTERY)
        home.hear(0, away(A))
        home.hear(1, away(B))
        await names_become(watcher)
        home.hear(0, said(A))
        await names_become(watcher, FIRST, SYSTEM, BATTERY)


async def test_an_introduction_that_is_cut_short_leaves_nothing_behind(
    bus_address: str, state: Path, watcher: Watcher
) -> None:
    async with at_home(bus_address, state, unit(0)) as home:
        await home.meet(0, said(A, load=500))
        others = others_of(home)
        others.show({B: said(B, load=700)})
        await asyncio.sleep(0)
        await others.close()
        assert f"mppdbus_{B}" not in home.installation.site.views
        values = await watcher.values(SYSTEM)
        assert values[LOAD] == 500.0
        await shown(others, watcher, **{LOAD: 1200.0})
        await names_become(watcher, FIRST, SECOND, SYSTEM, BATTERY)


async def test_a_unit_whose_name_is_taken_counts_in_the_sums(
    bus_address: str, state: Path, watcher: Watcher
) -> None:
    taken = Service(SECOND, [], address=bus_address)
    await taken.start()
    async with at_home(bus_address, state, unit(0), source="inverter") as home:
        await home.meet(0, said(A, load=500))
        others = others_of(home)
        others.show({B: said(B, load=700)})
        home.hear(0, said(A, load=500))
        await shown(others, watcher, **{LOAD: 1200.0})
        assert (await watcher.values(FIRST))["/Soc"] is not None
        await taken.close()
        await names_become(watcher, FIRST, SECOND, SYSTEM, BATTERY)


async def test_the_cable_moves_to_another_unit_and_back(
    bus_address: str, state: Path, watcher: Watcher
) -> None:
    everybody = (FIRST, SECOND, SYSTEM, BATTERY)
    async with at_home(bus_address, state, unit(0)) as home:
        others = others_of(home)
        for lead, other in ((A, B), (B, A), (A, B)):
            await home.meet(0, said(lead))
            others.show({other: said(other)})
            await names_become(watcher, *everybody)
            home.unplug(0, lead)
            others.show({other: away(other)})
            await others.forget()


async def test_a_cable_of_its_own_goes_before(
    bus_address: str, state: Path, watcher: Watcher
) -> None:
    async with at_home(bus_address, state, unit(0), unit(1)) as home:
        await home.meet(0, said(A, load=500))
        others = others_of(home)
        meeting = asyncio.create_task(home.meet(1, said(B, load=700)))
        await asyncio.sleep(0)
        others.show({B: said(B, load=700)})
        await meeting
        await asyncio.sleep(0.2)
        others.show({B: said(B, load=700)})
        await names_become(watcher, FIRST, SECOND, SYSTEM, BATTERY)
        assert (await watcher.values(SYSTEM))[LOAD] == 1200.0
        home.unplug(1, B)  # and from now on only the other tells of it
        await shown(others, watcher, **{LOAD: 1200.0})


async def test_who_has_left_the_set_is_forgotten(
    bus_address: str, state: Path, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mppdbus.daemon.parallel_units.GIVEN_UP", 0.0)
    async with at_home(bus_address, state, unit(0)) as home:
        await home.meet(0, said(A))
        others = others_of(home)
        others.show({B: said(B)})
        await names_become(watcher, FIRST, SECOND, SYSTEM, BATTERY)
        await asyncio.sleep(0.01)
        others.show({B: away(B)})
        await names_become(watcher, FIRST, SYSTEM)
        units = [view.unit.uid for view in home.installation.site.views.values()]
        assert units == [f"mppdbus_{A}"]


async def test_another_unit_under_a_fixed_name_has_its_own_settings(
    bus_address: str, state: Path, watcher: Watcher
) -> None:
    bare = "com.victronenergy.inverter"
    only = unit(0, profile="inverter", bus_name=bare)
    async with at_home(bus_address, state, only) as home:
        await home.meet(0, said(A))
        assert await write(watcher, bare, "/CustomName", "s", "Old one") == 0
        home.unplug(0, A)
        await home.meet(0, said(B))
        values = await watcher.values(bare)
        assert (values["/Serial"], values["/CustomName"]) == (B, "unit 0")
        assert values["/DeviceInstance"] == 289  # the other one keeps its own

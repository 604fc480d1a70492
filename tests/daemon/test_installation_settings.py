"""Names, alarm levels and instances: kept over restarts, whoever keeps them."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from helpers.bus import BusItemClient
from helpers.installation import (
    BATTERY,
    FIRST,
    SECOND,
    SERIALS,
    Home,
    at_home,
    names_become,
    owners_of,
    said,
    unit,
    write,
)
from helpers.run import SYSTEM, Watcher
from helpers.settings import Rig

LEVELS = "/Settings/AlarmLevel/"
NAME = "/CustomName"
FALLBACKS = {FIRST: "unit 0", SYSTEM: "2 inverters", BATTERY: "Battery bank"}
SHARED = {SYSTEM: "sys", BATTERY: "bat"}
PLACE = "/Settings/Devices/mppdbus_{}/ClassAndVrmInstance"

pytestmark = pytest.mark.usefixtures("never_blocking")


@pytest.fixture
async def watcher(bus_address: str) -> AsyncIterator[Watcher]:
    async with Watcher.on(bus_address) as watcher:
        yield watcher


async def all_meet(home: Home) -> None:
    for index, serial in enumerate(SERIALS[: len(home.units)]):
        await home.meet(index, said(serial))


async def instance_in(rig: Rig, serial: str) -> object:
    """Return what localsettings has for a unit."""
    return await rig.user.get_value(PLACE.format(serial))


# -- names and levels ----------------------------------------------------------------


@pytest.mark.parametrize("service", FALLBACKS)
async def test_a_name_is_shown_at_once_and_kept_in_the_file(
    bus_address: str, state: Path, watcher: Watcher, service: str
) -> None:
    units = unit(0), unit(1)
    async with at_home(bus_address, state, *units) as home:
        await all_meet(home)
        for index in (0, 1):  # a name survives that nobody has given one
            home.hear(index, said(SERIALS[index], load=600))
        assert (await watcher.values(service))[NAME] == FALLBACKS[service]
        assert await write(watcher, service, NAME, "s", "Shed — Süd") == 0
        assert (await watcher.values(service))[NAME] == "Shed — Süd"
        home.hear(0, said(SERIALS[0]))
        assert (await watcher.values(service))[NAME] == "Shed — Süd"
    async with at_home(bus_address, state, *units) as home:
        await all_meet(home)
        shown = {name: (await watcher.values(name))[NAME] for name in FALLBACKS}
        assert shown == FALLBACKS | {service: "Shed — Süd"}
        assert await write(watcher, service, NAME, "s", "") == 0
        assert (await watcher.values(service))[NAME] == FALLBACKS[service]


async def test_a_name_in_localsettings(rig: Rig, state: Path, watcher: Watcher) -> None:
    await rig.service.start()
    units = unit(0), unit(1)
    path = "/Settings/Devices/mppdbus_1111111/CustomName"
    async with at_home(rig.address, state, *units, patience=5) as home:
        await all_meet(home)
        for service in FALLBACKS:
            assert await write(watcher, service, NAME, "s", f"my {service[20:]}") == 0
        assert await rig.user.get_value(path) == f"my {FIRST[20:]}"
    assert not (state / "settings.json").exists()
    async with at_home(rig.address, state, *units, patience=5) as home:
        await all_meet(home)
        for service in FALLBACKS:
            assert (await watcher.values(service))[NAME] == f"my {service[20:]}"
        user = BusItemClient(watcher.client.bus, rig.user.service)
        await user.set_value(path, "s", "")  # another program clears it
        await watcher.wait(FIRST, {NAME: "unit 0"})


async def test_who_comes_back_shows_nothing_else_meanwhile(
    bus_address: str, state: Path, watcher: Watcher
) -> None:
    async with at_home(bus_address, state, unit(0), unit(1)) as home:
        await all_meet(home)
        assert await write(watcher, FIRST, NAME, "s", "Shed") == 0
        assert await write(watcher, FIRST, LEVELS + "Overload", "i", 1) == 0
        home.unplug(0, SERIALS[0])
        await watcher.wait(FIRST, {"/Connected": 0})
        watcher.signals.clear()
        await home.meet(0, said(SERIALS[0], "B"))  # the other one is on the mains
        await watcher.wait(FIRST, {"/Connected": 1, "/Mppdbus/Mode": "B"})
        await home.meet(0, said(SERIALS[0], "B"))
        await watcher.values(FIRST)
        first = await watcher.owner(FIRST)
        told = {p for sender, rows in watcher.signals for p in rows if sender == first}
        never = {NAME, LEVELS + "Overload", "/DeviceInstance"}
        assert not told & (never | {"/Ac/ActiveIn/ActiveInput"})


async def test_a_name_that_cannot_be_kept_is_refused(
    bus_address: str, state: Path, watcher: Watcher
) -> None:
    async with at_home(bus_address, state, unit(0)) as home:
        await all_meet(home)
        for service in (FIRST, SYSTEM):
            assert await write(watcher, service, NAME, "s", "a\x01b") != 0
            assert (await watcher.values(service))[NAME] == "unit 0"


async def test_a_cleared_name_shows_that_of_the_config_though_none_was_given(
    bus_address: str, state: Path, watcher: Watcher
) -> None:
    async with at_home(bus_address, state, unit(0), unit(1)) as home:
        await all_meet(home)
        for service, fallback in FALLBACKS.items():
            assert await write(watcher, service, NAME, "s", "") == 0
            await watcher.wait(service, {NAME: fallback})


async def test_alarm_levels(bus_address: str, state: Path, watcher: Watcher) -> None:
    async with at_home(bus_address, state, unit(0)) as home:
        await all_meet(home)
        first, system = await watcher.values(FIRST), await watcher.values(SYSTEM)
        levels = {path for path in first if path.startswith(LEVELS)}
        assert len(levels) == 8
        defaults = {path: 1 if path.endswith("/LowSoc") else 2 for path in levels}
        for values in (first, system):
            assert {path: values[path] for path in levels} == defaults
        assert LEVELS + "GridLost" not in first.keys() | system.keys()
        assert await write(watcher, FIRST, LEVELS + "Overload", "i", 1) == 0
        assert (await watcher.values(FIRST))[LEVELS + "Overload"] == 1
        assert (await watcher.values(SYSTEM))[LEVELS + "Overload"] == 1
        for service in (FIRST, SYSTEM):
            for bad in (3, -1):
                assert await write(watcher, service, LEVELS + "Overload", "i", bad) != 0
            assert await write(watcher, service, LEVELS + "Overload", "s", "2") != 0
            assert (await watcher.values(service))[LEVELS + "Overload"] == 1
    async with at_home(bus_address, state, unit(0)) as home:
        await all_meet(home)
        for service in (FIRST, SYSTEM):
            assert (await watcher.values(service))[LEVELS + "Overload"] == 1


async def test_levels_of_all_units_are_set_on_the_page_of_the_system(
    rig: Rig, state: Path, watcher: Watcher
) -> None:
    await rig.service.start()
    path = LEVELS + "LowVoltage"
    async with at_home(rig.address, state, unit(0), unit(1), patience=5) as home:
        await all_meet(home)
        assert await write(watcher, SYSTEM, path, "i", 0) == 0
        for service in (FIRST, SECOND, SYSTEM):
            assert (await watcher.values(service))[path] == 0
        kept = "/Settings/Devices/mppdbus_2222222/AlarmLevel/LowVoltage"
        assert await rig.user.get_value(kept) == 0


async def test_the_page_of_the_system_shows_the_least_level_and_sets_all(
    bus_address: str, state: Path, watcher: Watcher
) -> None:
    path = LEVELS + "LowVoltage"
    async with at_home(bus_address, state, unit(0), unit(1)) as home:
        await all_meet(home)
        for service, level in ((SECOND, 1), (FIRST, 0), (SECOND, 2)):
            assert await write(watcher, service, path, "i", level) == 0
        assert (await watcher.values(SYSTEM))[path] == 0
        assert await write(watcher, SYSTEM, path, "i", 0) == 0  # what it shows
        for service in (FIRST, SECOND, SYSTEM):
            assert (await watcher.values(service))[path] == 0
    kept = json.loads((state / "settings.json").read_text("utf-8"))["state"]
    levels = {each for each in kept if each.endswith("AlarmLevel/LowVoltage")}
    assert levels == {
        "/Settings/Devices/mppdbus_1111111/AlarmLevel/LowVoltage",
        "/Settings/Devices/mppdbus_2222222/AlarmLevel/LowVoltage",
    }


async def test_the_only_unit_gives_the_system_its_name(
    bus_address: str, state: Path, watcher: Watcher
) -> None:
    for name in ("unit 0", "Shed"):  # as the config says, and as kept
        async with at_home(bus_address, state, unit(0)) as home:
            await all_meet(home)
            assert (await watcher.values(SYSTEM))[NAME] == name
            assert await write(watcher, FIRST, NAME, "s", "Shed") == 0
            await watcher.wait(SYSTEM, {NAME: "Shed"})


# -- instances -----------------------------------------------------------------------


async def test_an_instance_that_is_kept_wins(
    rig: Rig, state: Path, watcher: Watcher
) -> None:
    await rig.service.start()
    async with at_home(rig.address, state, unit(0), patience=5) as home:
        await all_meet(home)
        assert (await watcher.values(FIRST))["/DeviceInstance"] == 288
    changed = unit(0, instance=300)
    async with at_home(rig.address, state, changed, patience=5) as home:
        await all_meet(home)
        for service, path in (
            (FIRST, "/DeviceInstance"),
            (SYSTEM, "/Devices/0/Instance"),
        ):
            assert (await watcher.values(service))[path] == 288


@pytest.mark.parametrize("where", ["file", "localsettings"])
async def test_an_instance_that_is_taken_becomes_the_next_free_one(
    rig: Rig, state: Path, watcher: Watcher, where: str
) -> None:
    if where == "localsettings":
        await rig.service.start()
    both = unit(0), unit(1, instance=288)
    for _ in range(2):
        async with at_home(rig.address, state, *both, patience=0.2) as home:
            await all_meet(home)
            assert (await watcher.values(FIRST))["/DeviceInstance"] == 288
            assert (await watcher.values(SECOND))["/DeviceInstance"] == 289
            system = await watcher.values(SYSTEM)
            assert system["/Devices/1/Instance"] == 289
            assert system["/DeviceInstance"] == 0


async def test_an_instance_that_is_changed_while_running(
    rig: Rig, state: Path, watcher: Watcher
) -> None:
    """Clients read the instance when the name comes, so it has to come again."""
    await rig.service.start()
    async with at_home(rig.address, state, unit(0), unit(1), patience=5) as home:
        await all_meet(home)
        async with owners_of(watcher) as seen:
            path = PLACE.format("1111111")
            await rig.user.set_value(path, "s", "multi:5")
            await watcher.wait(FIRST, {"/DeviceInstance": 5})
            await watcher.wait(SYSTEM, {"/Devices/0/Instance": 5})
            assert seen == [(FIRST, False), (FIRST, True)]
            home.hear(0, said(SERIALS[0], load=700))
            await watcher.wait(FIRST, {"/Ac/Out/L1/P": 700.0, "/DeviceInstance": 5})
            assert len(seen) == 2


async def test_a_unit_that_is_away_is_not_listed_for_its_new_instance(
    rig: Rig, state: Path, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mppdbus.venus.unit_service.AWAY", 0.05)
    await rig.service.start()
    async with at_home(rig.address, state, unit(0), unit(1), patience=5) as home:
        await all_meet(home)
        home.unplug(0, SERIALS[0])
        await watcher.wait(SYSTEM, {"/Devices/0/Service": None})
        await rig.user.set_value(PLACE.format("1111111"), "s", "multi:5")
        for _ in range(3):
            await asyncio.sleep(0.05)
            home.hear(1, said(SERIALS[1]))
            values = await watcher.values(SYSTEM)
            assert values["/Devices/0/Service"] is None
            assert values["/Devices/0/Instance"] is None
        await home.meet(0, said(SERIALS[0]))
        await watcher.wait(
            SYSTEM, {"/Devices/0/Service": FIRST, "/Devices/0/Instance": 5}
        )


@pytest.mark.parametrize("service", SHARED)
async def test_an_instance_of_what_all_units_share_is_changed(
    rig: Rig, state: Path, watcher: Watcher, service: str
) -> None:
    await rig.service.start()
    async with at_home(rig.address, state, unit(0), unit(1), patience=5) as home:
        await all_meet(home)
        async with owners_of(watcher) as seen:
            path = PLACE.format(SHARED[service])
            kind = service.split(".")[2]
            await rig.user.set_value(path, "s", f"{kind}:7")
            await watcher.wait(service, {"/DeviceInstance": 7})
            home.hear(0, said(SERIALS[0], load=700))
            await watcher.wait(FIRST, {"/Ac/Out/L1/P": 700.0})
            assert seen == [(service, False), (service, True)]


# -- localsettings comes and goes ----------------------------------------------------


async def test_localsettings_that_comes_a_second_after_us(
    rig: Rig, state: Path, watcher: Watcher
) -> None:
    """As at the start of a GX: nothing is on the bus under a wrong instance."""
    await rig.service.start()
    async with at_home(rig.address, state, unit(0, instance=300), patience=5) as home:
        await all_meet(home)
    await rig.service.stop()
    async with at_home(rig.address, state, unit(0), patience=10) as home:
        coming = asyncio.create_task(all_meet(home))
        await asyncio.sleep(0.2)
        assert await watcher.names() == set()
        await rig.service.start()
        await coming
        assert (await watcher.values(FIRST))["/DeviceInstance"] == 300
    assert not (state / "settings.json").exists()


async def test_localsettings_that_comes_much_later(
    rig: Rig, state: Path, watcher: Watcher
) -> None:
    await rig.service.start()
    async with at_home(rig.address, state, unit(0, instance=300), patience=5) as home:
        await all_meet(home)
        await write(watcher, FIRST, NAME, "s", "Garage")
    await rig.service.stop()
    async with at_home(rig.address, state, unit(0)) as home:
        await all_meet(home)
        values = await watcher.values(FIRST)
        assert (values["/DeviceInstance"], values[NAME]) == (288, "unit 0")
        async with owners_of(watcher) as seen:
            await rig.service.start()
            await watcher.wait(FIRST, {"/DeviceInstance": 300, NAME: "Garage"})
            await watcher.wait(SYSTEM, {"/Devices/0/Instance": 300})
            ours = [row for row in seen if row[0] == FIRST]
            assert ours == [(FIRST, False), (FIRST, True)]


async def test_localsettings_that_starts_over(
    rig: Rig, state: Path, watcher: Watcher
) -> None:
    await rig.service.start()
    async with at_home(rig.address, state, unit(0), patience=5) as home:
        await all_meet(home)
        await rig.service.stop()
        names = {FIRST, SYSTEM}
        assert await watcher.names() == names
        home.hear(0, said(SERIALS[0], load=700))
        assert (await watcher.values(FIRST))["/Ac/Out/L1/P"] == 700.0
        assert await write(watcher, FIRST, NAME, "s", "lost") != 0  # nobody keeps it
        assert (await watcher.values(FIRST))[NAME] == "unit 0"
        await rig.service.start()
        async with asyncio.timeout(120):
            while await write(watcher, FIRST, NAME, "s", "Garage") != 0:
                await asyncio.sleep(0.05)
        await names_become(watcher, *names, rig.user.service)
        assert await instance_in(rig, "1111111") == "multi:288"


async def test_a_folder_that_somebody_removes_comes_back_whole(
    bus_address: str, state: Path, watcher: Watcher, caplog: pytest.LogCaptureFixture
) -> None:
    """Also what has not changed since: names, instances, and who has which section."""
    caplog.set_level(logging.INFO, "mppdbus")
    async with at_home(bus_address, state, unit(0)) as home:
        await home.meet(0, said(SERIALS[0]))
        assert await write(watcher, FIRST, "/CustomName", "s", "Shed") == 0
    before = {path.name for path in state.glob("*.json")}
    assert "settings.json" in before
    assert len(before) > 2
    async with at_home(bus_address, state, unit(0)) as home:
        await home.meet(0, said(SERIALS[0]))
        await asyncio.to_thread(shutil.rmtree, state)
    assert {path.name for path in state.glob("*.json")} == before
    told = [text for text in caplog.messages if "was gone" in text]
    assert sorted(told) == sorted(
        f"{state / name} was gone: it is stored again" for name in before
    )
    async with at_home(bus_address, state, unit(0)) as home:
        await home.meet(0, said(SERIALS[0]))
        assert (await watcher.values(FIRST))["/CustomName"] == "Shed"

"""Which services there are, under which names, and for how long: on a real bus."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from dbus_fast import RequestNameReply

from helpers.bus import BusItemClient, PrivateBus, serving
from helpers.house import House
from helpers.run import INVERTER, MULTI, SYSTEM, Watcher
from helpers.snapshots import online, qpigs
from mppdbus.errors import BusError
from mppdbus.model.snapshot import Identity, Snapshot
from mppdbus.model.views import Unit
from mppdbus.venus import unit_service as module

BARE = "com.victronenergy.inverter"
BATTERY = "com.victronenergy.battery.mppdbus"  # of several units


def unit(number: int, profile: str = "hybrid", bus_name: str = "") -> Unit:
    named = Unit(f"unit {number}", f"/dev/ttyUSB{number}", 288 + number)
    return replace(named, profile=profile, bus_name=bus_name)


def snapshot(serial: str | None, mode: str = "L") -> Snapshot:
    seen = online(qpigs(grid=230.0, load=500), mode)
    return replace(seen, identity=Identity(serial=serial))


def away(serial: str) -> Snapshot:
    return Snapshot(identity=Identity(serial=serial))


@asynccontextmanager
async def published(
    address: str, folder: Path, *units: Unit
) -> AsyncIterator[tuple[House, Watcher]]:
    publisher = House(address, folder, *units)
    async with Watcher.on(address) as watcher:
        try:
            await publisher.open()
            yield publisher, watcher
        finally:
            await publisher.close()


async def names_become(watcher: Watcher, *names: str) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(120):
            while await watcher.names() != set(names):
                await asyncio.sleep(0.01)
    assert await watcher.names() == set(names)


async def test_nothing_is_on_the_bus_before_a_unit_is_known(
    bus_address: str, state: Path
) -> None:
    members = (unit(0), unit(1, "inverter"))
    async with published(bus_address, state, *members) as (publisher, watcher):
        assert await watcher.names() == set()
        await publisher.introduce(1, snapshot("1111111"))
        await names_become(watcher, INVERTER + "1111111", BATTERY)
        await publisher.introduce(0, snapshot("2222222"))
        names = {INVERTER + "1111111", MULTI + "2222222", SYSTEM, BATTERY}
        assert await watcher.names() == names
    async with Watcher.on(bus_address) as watcher:
        assert await watcher.names() == set()


async def test_all_is_known_when_the_name_appears(
    bus_address: str, state: Path
) -> None:
    async with published(bus_address, state, unit(0)) as (publisher, watcher):
        seen: list[float] = []

        async def first_look() -> None:
            while not (values := await watcher.values(MULTI + "1234567")):
                await asyncio.sleep(0)
            seen.append(values["/Ac/Out/L1/P"])

        looking = asyncio.create_task(first_look())
        await publisher.introduce(0, snapshot("1234567"))
        await looking
        assert seen == [500.0]


async def test_a_unit_without_a_number_is_called_after_its_port(
    bus_address: str, state: Path
) -> None:
    async with published(bus_address, state, unit(0)) as (publisher, watcher):
        await publisher.introduce(0, snapshot(None))
        assert await watcher.names() == {MULTI + "ttyUSB0", SYSTEM}


async def test_units_of_one_system_have_one_active_input(
    bus_address: str, state: Path
) -> None:
    """systemcalc takes what the unit with the lowest instance says for all of them."""
    async with published(bus_address, state, unit(0), unit(1)) as (publisher, watcher):
        await publisher.introduce(0, snapshot("1111111", "B"))
        alone = await watcher.values(MULTI + "1111111")
        assert alone["/Ac/ActiveIn/ActiveInput"] == 240
        await publisher.introduce(1, snapshot("2222222", "L"))
        publisher.publish(0, snapshot("1111111", "B"))
        for name in (MULTI + "1111111", MULTI + "2222222", SYSTEM):
            await watcher.wait(name, {"/Ac/ActiveIn/ActiveInput": 0})
        system = await watcher.values(SYSTEM)
        assert system["/Ac/Out/P"] == 1000.0
        assert system["/Devices/1/Instance"] == 289


async def test_who_stays_away_gives_its_name_back(
    bus_address: str, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = MULTI + "1111111", MULTI + "2222222"
    async with published(bus_address, state, unit(0), unit(1)) as (publisher, watcher):
        await publisher.introduce(0, snapshot("1111111"))
        await publisher.introduce(1, snapshot("2222222"))
        publisher.publish(0, away("1111111"))
        assert await watcher.names() == {first, second, SYSTEM, BATTERY}
        publisher.publish(0, snapshot("1111111"))
        monkeypatch.setattr(module, "AWAY", 0.1)
        publisher.publish(0, away("1111111"))
        await names_become(watcher, second, SYSTEM, BATTERY)
        system = await watcher.wait(SYSTEM, {"/Devices/0/Service": None})
        assert system["/Devices/1/Service"] == second
        publisher.publish(1, away("2222222"))
        await names_become(watcher)
        await publisher.introduce(0, snapshot("1111111"))
        await names_become(watcher, first, SYSTEM, BATTERY)
        await watcher.wait(SYSTEM, {"/Devices/0/Service": first, "/Connected": 1})


async def test_who_comes_back_in_time_keeps_its_name(
    bus_address: str, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AWAY", 0.1)
    async with published(bus_address, state, unit(0)) as (publisher, watcher):
        await publisher.introduce(0, snapshot("1111111"))
        publisher.publish(0, away("1111111"))
        publisher.publish(0, snapshot("1111111"))
        await asyncio.sleep(0.2)
        assert await watcher.names() == {MULTI + "1111111", SYSTEM}


async def test_another_unit_on_the_port_takes_a_name_of_its_own(
    bus_address: str, state: Path
) -> None:
    async with published(bus_address, state, unit(0)) as (publisher, watcher):
        await publisher.introduce(0, snapshot("1111111"))
        await publisher.introduce(0, snapshot("2222222"))
        await names_become(watcher, MULTI + "2222222", SYSTEM)
        await watcher.wait(SYSTEM, {"/Devices/0/Service": MULTI + "2222222"})


async def test_a_name_that_is_taken_is_waited_for(
    bus_address: str, state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whose ever it is, the other services come, and this one when it is free."""
    caplog.set_level(logging.INFO)
    taken = (MULTI + "1111111", SYSTEM)
    async with published(bus_address, state, unit(0), unit(1)) as (publisher, watcher):
        async with AsyncExitStack() as thieves:
            for name in taken:
                await thieves.enter_async_context(serving(bus_address, [], name=name))
            await publisher.introduce(0, snapshot("1111111"))
            await publisher.introduce(1, snapshot("2222222"))
            await names_become(watcher, *taken, MULTI + "2222222", BATTERY)
            publisher.publish(1, snapshot("2222222", "B"))
            await watcher.wait(MULTI + "2222222", {"/Mppdbus/Mode": "B"})
        await watcher.wait(SYSTEM, {"/Connected": 1})
        await names_become(watcher, *taken, MULTI + "2222222", BATTERY)
    for name in taken:
        lines = [r for r in caplog.records if r.message.startswith(name)]
        assert [r.levelname for r in lines] == ["WARNING", "INFO"]
        assert "is taken on this bus by" in lines[0].message
        assert "on the bus now" in lines[1].message


async def test_somebody_who_queues_for_our_name_gets_it_only_for_a_time(
    bus_address: str, state: Path
) -> None:
    """A new DeviceInstance renews the name, and the bus gives it to who waits."""
    name = MULTI + "1111111"
    async with published(bus_address, state, unit(0)) as (publisher, watcher):
        await publisher.introduce(0, snapshot("1111111"))
        other = await BusItemClient.connect(bus_address, name)
        assert await other.bus.request_name(name) is RequestNameReply.IN_QUEUE
        publisher.installation._publisher._units[publisher.uids[0]].service.restart()
        await owned_by(watcher, name, other.bus.unique_name)
        # While he has it the unit is introduced again, as after a lost connection.
        await publisher.introduce(0, snapshot("1111111"))
        publisher.publish(0, snapshot("1111111", "B"))
        await other.close()
        await watcher.wait(name, {"/Mppdbus/Mode": "B"})


async def owned_by(watcher: Watcher, name: str, owner: str | None) -> None:
    async with asyncio.timeout(60):
        while await watcher.owner(name) != owner:
            await asyncio.sleep(0.01)


async def test_a_bus_that_is_away_for_a_moment(
    private_bus: PrivateBus, state: Path
) -> None:
    address = private_bus.address
    publisher = House(address, state, unit(0), unit(1))
    await publisher.open()
    try:
        await publisher.introduce(0, snapshot("1111111"))
        private_bus.stop()
        await asyncio.sleep(0.05)
        for index in (0, 1):  # one that was there, and one that is new
            await publisher.introduce(index, snapshot(f"{index + 1}" * 7, "B"))
        private_bus.start()
        async with Watcher.on(address) as watcher:
            both = (MULTI + "1111111", MULTI + "2222222")
            await names_become(watcher, *both, SYSTEM, BATTERY)
            await watcher.wait(MULTI + "1111111", {"/Mppdbus/Mode": "B"})
    finally:
        await publisher.close()


async def test_a_bus_that_is_not_there_yet_is_waited_for(
    private_bus: PrivateBus, state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    private_bus.stop()
    publisher = House(private_bus.address, state, unit(0))
    opening = asyncio.create_task(publisher.open())
    async with asyncio.timeout(60):
        while "no D-Bus at" not in caplog.text:
            await asyncio.sleep(0.01)
    private_bus.start()
    await opening
    await publisher.introduce(0, snapshot("1111111"))
    async with Watcher.on(private_bus.address) as watcher:
        assert await watcher.names() == {MULTI + "1111111", SYSTEM}
    await publisher.close()
    said = [(r.levelname, r.message) for r in caplog.records if r.name == "mppdbus.bus"]
    assert [level for level, _ in said[:2]] == ["WARNING", "INFO"]
    assert said[0][1].startswith(f"no D-Bus at {private_bus.address}")
    assert said[1][1] == "the D-Bus is there again"


async def test_an_address_that_is_none_is_an_error(state: Path) -> None:
    publisher = House("carrier:pigeon=1", state, unit(0))
    with pytest.raises(BusError, match="no D-Bus at carrier:pigeon=1"):
        await publisher.open()
    await publisher.close()

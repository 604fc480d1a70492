"""Batteries of others on a real bus: they come, go, crash, hang and say nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from helpers.bms import NAME, Bms
from helpers.bus import PrivateBus
from mppdbus.errors import BusError
from mppdbus.model.battery.bank import Bank, BankSettings
from mppdbus.venus.battery_monitor import BatteryMonitor
from mppdbus.venus.dbus.items import Item, ItemType
from mppdbus.venus.dbus.service import Service
from mppdbus.venus.dbus.watcher import Watcher

OURS = "com.victronenergy.battery.mppdbus"
OTHER = "com.victronenergy.battery.socketcan_can0"
FAST = {"repeat": 0.05, "answer": 0.15}

pytestmark = pytest.mark.usefixtures("never_blocking")


class Told:
    """What a watch said, in order."""

    def __init__(self) -> None:
        self.names: list[str | None] = []
        self._bank = Bank(BankSettings())
        self._news = asyncio.Event()

    def __call__(self, names: tuple[str, ...]) -> None:
        """Take one of them as the only battery does: it stays with the first."""
        bank = self._bank
        bank.step_back(names, only=True)
        if bank.monitor != (self.names[-1] if self.names else None):
            self.names.append(bank.monitor)
            self._news.set()

    async def until(self, *names: str | None) -> None:
        """Return when just these were told."""
        async with asyncio.timeout(120):
            while len(self.names) < len(names):
                self._news.clear()
                await self._news.wait()
        assert tuple(self.names) == names


@asynccontextmanager
async def watching(address: str) -> AsyncIterator[tuple[BatteryMonitor, Told]]:
    told = Told()
    watcher = Watcher(address, first_delay=0.02)
    monitor = BatteryMonitor(watcher, OURS, told, **FAST)
    await watcher.open()
    try:
        yield monitor, told
    finally:
        monitor.close()
        await watcher.close()


@asynccontextmanager
async def running(
    address: str, name: str = NAME, **values: float | str | None
) -> AsyncIterator[Bms]:
    shown = {f"/{path}": value for path, value in values.items()}
    bms = await Bms.start(address, name, shown or None)
    try:
        yield bms
    finally:
        await bms.crash()


async def several_looks() -> None:
    await asyncio.sleep(0.25)


async def test_one_that_is_there_is_found(bus_address: str) -> None:
    async with running(bus_address), watching(bus_address) as (watch, told):
        await watch.settled()
        assert told.names == [NAME]
        assert watch.monitors == (NAME,)


async def test_one_comes_and_goes(bus_address: str) -> None:
    async with watching(bus_address) as (_, told):
        async with running(bus_address) as bms:
            await told.until(NAME)
            await bms.leave()
            await told.until(NAME, None)
        async with running(bus_address):
            await told.until(NAME, None, NAME)


async def test_one_crashes(bus_address: str) -> None:
    async with running(bus_address) as bms, watching(bus_address) as (_, told):
        await told.until(NAME)
        await bms.crash()
        await told.until(NAME, None)


async def test_one_counts_while_its_charge_is_valid(bus_address: str) -> None:
    async with (
        running(bus_address, Connected=1, Soc=None) as bms,
        watching(bus_address) as (watch, told),
    ):
        await watch.settled()
        await several_looks()
        assert told.names == []
        await bms.show(Soc=0.0)  # empty is a charge, too
        await told.until(NAME)
        await bms.show(Soc=None)
        await told.until(NAME, None)


async def test_one_counts_while_it_is_connected(bus_address: str) -> None:
    async with (
        running(bus_address, Connected=0, Soc=50.0) as bms,
        watching(bus_address) as (watch, told),
    ):
        await watch.settled()
        assert told.names == []
        await bms.show(Connected=1)
        await told.until(NAME)
        await bms.show(Connected=None)
        await told.until(NAME, None)


async def test_one_that_says_connected_as_a_text_does_not_count_for_victron_either(
    bus_address: str,
) -> None:
    async with (
        running(bus_address, Connected="1", Soc=50.0),
        watching(bus_address) as (watch, told),
    ):
        await watch.settled()
        assert told.names == []


async def test_one_without_connected_counts(bus_address: str) -> None:
    async with running(bus_address, Soc=50.0), watching(bus_address) as (_, told):
        await told.until(NAME)


async def test_one_without_a_charge_does_not_count(bus_address: str) -> None:
    async with (
        running(bus_address, Connected=1),
        watching(bus_address) as (watch, told),
    ):
        await watch.settled()
        await several_looks()
        assert told.names == []


async def test_one_that_hangs_counts_no_more_until_it_answers(bus_address: str) -> None:
    async with running(bus_address) as bms, watching(bus_address) as (_, told):
        await told.until(NAME)
        bms.hang()
        await told.until(NAME, None)
        bms.go_on()
        await told.until(NAME, None, NAME)


async def test_one_that_never_answers_holds_nothing_up(bus_address: str) -> None:
    async with running(bus_address) as bms, running(bus_address, OTHER):
        bms.hang()
        async with watching(bus_address) as (watch, told):
            await told.until(OTHER)
            await watch.settled()
            assert told.names == [OTHER]


async def test_one_that_never_answers_does_not_blind_us_to_the_others(
    private_bus: PrivateBus,
) -> None:
    """The bus counts the replies that we are owed, and at its limit refuses calls."""
    private_bus.stop()
    private_bus.start(max_replies_per_connection=3)
    address = private_bus.address
    async with running(address) as bms, watching(address) as (_, told):
        await told.until(NAME)
        bms.hang()
        await told.until(NAME, None)
        for _ in range(5):
            await several_looks()
        async with running(address, OTHER):
            await told.until(NAME, None, OTHER)
        bms.go_on()
        await told.until(NAME, None, OTHER, None, NAME)


async def test_an_error_is_no_value_that_is_not_there(private_bus: PrivateBus) -> None:
    """Only without the path `/Connected` a battery counts as connected."""
    private_bus.stop()
    private_bus.start(policy='<deny send_path="/Connected"/>')
    address = private_bus.address
    async with running(address), watching(address) as (watch, told):
        await watch.settled()
        await several_looks()
        assert told.names == []


async def test_a_short_silence_changes_nothing(bus_address: str) -> None:
    async with running(bus_address) as bms, watching(bus_address) as (_, told):
        await told.until(NAME)
        bms.hang()
        await asyncio.sleep(0.1)
        bms.go_on()
        await several_looks()
        assert told.names == [NAME]


async def test_the_one_that_counts_stays_until_it_goes(bus_address: str) -> None:
    async with running(bus_address) as bms, watching(bus_address) as (_, told):
        await told.until(NAME)
        async with running(bus_address, OTHER):  # by name it would be the first
            await several_looks()
            assert told.names == [NAME]
            await bms.crash()
            await told.until(NAME, OTHER)


async def test_our_own_never_counts_whatever_its_name(bus_address: str) -> None:
    items = [Item("/Connected", ItemType.INT), Item("/Soc", ItemType.DOUBLE)]
    service = Service(
        "com.victronenergy.battery.of_this_process", items, address=bus_address
    )
    async with watching(bus_address) as (watch, told):
        try:
            service.update({"/Connected": 1, "/Soc": 50.0})
            await service.start()
            await several_looks()
            await watch.settled()
        finally:
            await service.close()
        async with running(bus_address, OURS):
            await several_looks()
        assert told.names == []


async def test_names_that_only_look_like_a_battery_do_not_count(
    bus_address: str,
) -> None:
    async with (
        running(bus_address, "com.victronenergy.batteryish.x"),
        watching(bus_address) as (_, told),
    ):
        await several_looks()
        assert told.names == []


async def test_the_watch_survives_the_bus(private_bus: PrivateBus) -> None:
    address = private_bus.address
    async with watching(address) as (_, told):
        async with running(address) as bms:
            await told.until(NAME)
            private_bus.stop()
            await bms.crash()
            await asyncio.sleep(0.1)
            assert told.names == [NAME]  # nobody can say
        private_bus.start()
        await told.until(NAME, None)
        async with running(address):
            await told.until(NAME, None, NAME)


async def test_without_a_bus_it_says_so(private_bus: PrivateBus) -> None:
    private_bus.stop()
    with pytest.raises(BusError):
        async with watching(private_bus.address):
            pass


async def test_an_error_of_who_is_told_does_not_end_the_watch(
    bus_address: str, caplog: pytest.LogCaptureFixture
) -> None:
    told = Told()

    def fails(names: tuple[str, ...]) -> None:
        told(names)
        raise RuntimeError("theirs")

    watcher = Watcher(bus_address)
    monitor = BatteryMonitor(watcher, OURS, fails, **FAST)
    await watcher.open()
    try:
        async with running(bus_address):
            await told.until(NAME)
        await told.until(NAME, None)
        assert "theirs" in caplog.text
    finally:
        monitor.close()
        await watcher.close()

"""One connection for all who follow other services, also after the bus was away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from dbus_fast import Message

from helpers.bus import BusItemClient, PrivateBus, serving, soon
from mppdbus.errors import BusError
from mppdbus.venus.dbus.connection import CallError, Request, to_bus
from mppdbus.venus.dbus.items import Item, ItemType
from mppdbus.venus.dbus.watcher import BusListener, Rows, Watcher

pytestmark = pytest.mark.usefixtures("never_blocking")

NAME = "com.victronenergy.meteo.test"
ITEMS = [Item("/Irradiance", ItemType.DOUBLE, writable=True)]
SIGNALS = "type='signal',interface='com.victronenergy.BusItem'"


class Notes(BusListener):
    """Writes down what a watcher tells, and may stumble over it."""

    def __init__(self, watcher: Watcher, *, stumbles: bool = False) -> None:
        self.told: list[tuple[str, object]] = []
        self._watcher = watcher
        self._stumbles = stumbles
        watcher.add(self)

    def owner_changed(self, name: str, owner: str) -> None:
        self.told.append((name, bool(owner)))
        if self._stumbles:
            raise RuntimeError("theirs")

    def items_changed(self, name: str, rows: Rows) -> None:
        values = {path: row.get("Value") for path, row in rows.items()}
        self.told.append((name, values))

    def bus_changed(self) -> None:
        self.told.append(("bus", self._watcher.connected))


@pytest.fixture
async def watcher(bus_address: str) -> AsyncIterator[Watcher]:
    watcher = Watcher(bus_address, first_delay=0.02)
    yield watcher
    await watcher.close()


async def test_all_are_told_of_who_comes_goes_and_says_what(watcher: Watcher) -> None:
    first, second = Notes(watcher, stumbles=True), Notes(watcher)
    await watcher.open()
    watcher.listen(SIGNALS)
    address = watcher._address
    async with serving(address, ITEMS, name=NAME) as (service, _):
        await soon(lambda: watcher.owner(NAME) == service.unique_name)
        service.update({"/Irradiance": 812.0})
        service.update({"/Irradiance": None})
        await soon(lambda: len(second.told) == 4)
    await soon(lambda: not watcher.owner(NAME))
    assert first.told == second.told == [
        ("bus", True),
        (NAME, True),
        (NAME, {"/Irradiance": 812.0}),
        (NAME, {"/Irradiance": []}),
        (NAME, False),
    ]  # fmt: skip


async def test_who_is_there_is_known_before_the_bus_is(watcher: Watcher) -> None:
    async with serving(watcher._address, ITEMS, name=NAME):
        notes = Notes(watcher)
        await watcher.open()
        assert notes.told == [(NAME, True), ("bus", True)]


async def test_after_a_loss_all_is_told_anew(
    private_bus: PrivateBus, watcher: Watcher
) -> None:
    async with serving(private_bus.address, ITEMS, name=NAME, first_delay=0.02) as (
        service,
        _,
    ):
        notes = Notes(watcher)
        await watcher.open()
        notes.told.clear()
        private_bus.stop()
        await soon(lambda: len(notes.told) == 2)
        assert notes.told == [(NAME, False), ("bus", False)]
        with pytest.raises(BusError, match="lost"):
            await watcher.call(to_bus("GetId"))
        private_bus.start()
        await soon(lambda: watcher.owner(NAME) and watcher.connected)
        assert ("bus", True) in notes.told
        watcher.listen(SIGNALS)  # which the new connection has not asked for yet
        await watcher.call(to_bus("GetId"))
        service.update({"/Irradiance": 5.0})
        await soon(lambda: (NAME, {"/Irradiance": 5.0}) in notes.told)


async def test_a_rule_is_asked_for_once(watcher: Watcher) -> None:
    notes = Notes(watcher)
    await watcher.open()
    for _ in range(3):
        watcher.listen(SIGNALS)
    async with serving(watcher._address, ITEMS, name=NAME) as (service, _):
        await soon(lambda: watcher.owner(NAME))
        service.update({"/Irradiance": 1.0})
        service.update({"/Irradiance": 2.0})
        await soon(lambda: (NAME, {"/Irradiance": 2.0}) in notes.told)
        assert notes.told.count((NAME, {"/Irradiance": 1.0})) == 1


async def test_calls_have_answers_errors_or_an_end(
    private_bus: PrivateBus, watcher: Watcher
) -> None:
    with pytest.raises(BusError, match="not connected"):
        await watcher.call(to_bus("GetId"))
    await watcher.open()
    async with serving(private_bus.address, ITEMS, name=NAME) as (service, _):
        service.update({"/Irradiance": 812.0})
        value = Request(NAME, "/Irradiance", "GetValue")
        assert await watcher.call(value) == 812.0
        assert await watcher.call(value, len) == 1
        with pytest.raises(CallError) as caught:
            await watcher.call(Request(NAME, "/Nowhere", "GetValue"))
        assert caught.value.name == "org.freedesktop.DBus.Error.UnknownObject"
        private_bus.freeze()
        with pytest.raises(BusError, match="GetValue /Irradiance: no answer"):
            await watcher.call(value, seconds=0.05)
        private_bus.thaw()


async def test_signals_that_are_no_items_are_passed_over(watcher: Watcher) -> None:
    notes = Notes(watcher)
    await watcher.open()
    watcher.listen(SIGNALS)
    other = await BusItemClient.connect(watcher._address, NAME)
    await other.bus.request_name(NAME)
    for member, signature, body in (
        ("ItemsChanged", "s", ["words"]),
        ("Explode", "a{sa{sv}}", [{}]),
        ("PropertiesChanged", "a{sv}", [{}]),
    ):
        await other.bus.send(
            Message.new_signal(
                "/A", "com.victronenergy.BusItem", member, signature, body
            )
        )
    await other.close()
    await soon(lambda: (NAME, False) in notes.told)
    assert notes.told == [
        ("bus", True),
        (NAME, True),
        (NAME, {"/A": None}),
        (NAME, False),
    ]


async def test_a_close_is_not_told(watcher: Watcher) -> None:
    notes = Notes(watcher)
    await watcher.open()
    await watcher.close()
    await asyncio.sleep(0)
    assert notes.told == [("bus", True)]

"""Notices go to venus-platform when it is there, once an hour, and never in our way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from helpers.bus import PrivateBus, soon
from mppdbus.errors import BusError
from mppdbus.model.alarms.levels import Notice, NoticeKind
from mppdbus.venus import notifications as notices
from mppdbus.venus.dbus.items import Item, ItemType, Value
from mppdbus.venus.dbus.service import Service
from mppdbus.venus.dbus.watcher import Watcher
from mppdbus.venus.dbus.writes import ACCEPTED
from mppdbus.venus.notifications import INJECT, PLATFORM, Notifier

pytestmark = pytest.mark.usefixtures("never_blocking")

FAN = Notice(NoticeKind.WARNING, "a fan is locked")
HOT = Notice(NoticeKind.ALARM, "over temperature (fault 02)")


class Platform:
    """Plays venus-platform: remembers what is injected."""

    def __init__(self, address: str, path: str = INJECT) -> None:
        self.said: list[Value] = []
        self._path = path
        items = [Item(path, ItemType.TEXT, writable=True)]
        self.service = Service(PLATFORM, items, address=address, writer=self._take)

    def _take(self, path: str, value: Value) -> int:
        assert path == self._path
        self.said.append(value)
        return ACCEPTED

    async def start(self) -> None:
        await self.service.start()


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def notifying(address: str, clock: Clock) -> AsyncIterator[Notifier]:
    watcher = Watcher(address, first_delay=0.02)
    notifier = Notifier(watcher, clock=clock)
    await watcher.open()
    try:
        yield notifier
    finally:
        await watcher.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def platform(bus_address: str) -> AsyncIterator[Platform]:
    platform = Platform(bus_address)
    await platform.start()
    yield platform
    await platform.service.close()


@pytest.fixture
async def notifier(
    bus_address: str, platform: Platform, clock: Clock
) -> AsyncIterator[Notifier]:
    """A notifier that has the platform to talk to."""
    assert platform.service.claimed
    async with notifying(bus_address, clock) as notifier:
        assert notifier.heard
        yield notifier


async def test_a_notice_has_three_parts(notifier: Notifier, platform: Platform) -> None:
    notifier.notify("Garage", FAN)
    notifier.notify("Garage", HOT)
    await soon(lambda: len(platform.said) == 2)
    assert platform.said == [
        "0\tGarage\ta fan is locked",
        "1\tGarage\tover temperature (fault 02)",
    ]


async def test_the_same_words_once_an_hour(
    notifier: Notifier, platform: Platform, clock: Clock
) -> None:
    for wait in (0.0, notices.QUIET - 1, 1.0):
        clock.now += wait
        notifier.notify("Garage", FAN)
        notifier.notify("Cellar", FAN)
    notifier.notify("last", FAN)
    await soon(lambda: "0\tlast\ta fan is locked" in platform.said)
    devices = [str(text).split("\t")[1] for text in platform.said]
    assert devices == ["Garage", "Cellar", "Garage", "Cellar", "last"]


async def test_a_name_cannot_break_the_parts(
    notifier: Notifier, platform: Platform
) -> None:
    notifier.notify("Ga\trage\n\0\ud800é", FAN)
    await soon(lambda: platform.said)
    assert platform.said == ["0\tGa rage   é\ta fan is locked"]


async def test_nobody_there_drops_it(bus_address: str, clock: Clock) -> None:
    async with notifying(bus_address, clock) as notifier:
        assert not notifier.heard
        notifier.notify("Garage", FAN)
        platform = Platform(bus_address)
        await platform.start()
        await soon(lambda: notifier.heard)
        notifier.notify("Garage", HOT)
        await soon(lambda: platform.said)
        assert platform.said == ["1\tGarage\tover temperature (fault 02)"]
        notifier.notify("Garage", FAN)  # the dropped one does not count
        await soon(lambda: len(platform.said) == 2)
        await platform.service.close()
        await soon(lambda: not notifier.heard)
        notifier.notify("Garage", Notice(NoticeKind.ALARM, "gone"))


async def test_an_older_platform_without_the_item(
    bus_address: str, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "mppdbus.bus")
    platform = Platform(bus_address, "/Notifications/Alert")
    await platform.start()
    async with notifying(bus_address, clock) as notifier:
        await soon(lambda: notifier.heard)
        notifier.notify("Garage", FAN)
        await soon(lambda: "does not take a notice" in caplog.text)
    await platform.service.close()


async def test_a_bus_that_does_not_read(
    private_bus: PrivateBus, notifier: Notifier, platform: Platform
) -> None:
    private_bus.freeze()
    try:
        for number in range(100):  # more than the socket holds
            notifier.notify("Garage", Notice(NoticeKind.WARNING, f"{number:9000}"))
    finally:
        private_bus.thaw()
    await soon(lambda: len(platform.said) == 100)


async def test_the_bus_goes_and_comes_back(
    private_bus: PrivateBus, clock: Clock
) -> None:
    async with notifying(private_bus.address, clock) as notifier:
        private_bus.stop()
        await soon(lambda: not notifier.heard)
        notifier.notify("Garage", FAN)
        private_bus.start()
        platform = Platform(private_bus.address)
        await platform.start()
        await soon(lambda: notifier.heard)
        notifier.notify("Garage", FAN)
        await soon(lambda: platform.said)
        await platform.service.close()


async def test_no_bus_at_all(clock: Clock) -> None:
    with pytest.raises(BusError, match="no D-Bus"):
        async with notifying("unix:path=/nowhere/at/all", clock):
            pass
    notifier = Notifier(Watcher("unix:path=/nowhere/at/all"), clock=clock)
    notifier.notify("Garage", FAN)
    await asyncio.sleep(0)
    assert not notifier.heard

"""Closing may be cancelled: the caller ends then, and the bus is left all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import pytest

from helpers.bus import BusItemClient, PrivateBus, soon
from mppdbus.venus.dbus.items import Item, ItemType
from mppdbus.venus.dbus.service import Service
from mppdbus.venus.dbus.tasks import ended
from mppdbus.venus.dbus.watcher import Watcher

NAME = "com.victronenergy.inverter.test"
BUS = "org.freedesktop.DBus"

Opened = Callable[[str], Awaitable[Service | Watcher]]


async def service(address: str) -> Service:
    opened = Service(NAME, [Item("/Mode", ItemType.INT)], address=address)
    await opened.start()
    return opened


async def watcher(address: str) -> Watcher:
    opened = Watcher(address)
    await opened.open()
    return opened


async def cancelled_after(steps: Iterable[int], work: Awaitable[None]) -> bool:
    """Cancel who waits for `work` after some steps; tell whether he went on."""

    async def wait() -> bool:
        await work
        await asyncio.sleep(0)
        return True

    waiting = asyncio.ensure_future(wait())
    for _ in steps:
        await asyncio.sleep(0)
    if waiting.done():
        return False  # too late to be cancelled
    waiting.cancel()
    (went_on,) = await asyncio.gather(waiting, return_exceptions=True)
    return went_on is True


async def connections(client: BusItemClient) -> int:
    reply = await client.call("/", "ListNames", interface=BUS, destination=BUS)
    return len(reply.body[0])


@pytest.mark.parametrize("opened", [service, watcher])
async def test_a_cancelled_closing_ends_who_closes_and_hangs_up_all_the_same(
    bus_address: str, opened: Opened
) -> None:
    client = await BusItemClient.connect(bus_address, NAME)
    before = await connections(client)
    for steps in range(1, 9):
        it = await opened(bus_address)
        assert await connections(client) > before
        assert not await cancelled_after(range(steps), it.close())
        async with asyncio.timeout(30):
            while await connections(client) > before:
                await asyncio.sleep(0.01)
        await it.close()  # twice is once
    await client.close()


async def test_a_cancelled_closing_while_the_bus_is_away_leaves_nobody_behind(
    private_bus: PrivateBus,
) -> None:
    """Else he came back to the bus after all."""
    for steps in range(1, 5):
        it = Service(
            NAME,
            [Item("/A", ItemType.INT)],
            address=private_bus.address,
            first_delay=0.01,
        )
        await it.start()
        private_bus.stop()
        await soon(lambda: not it.connected)  # noqa: B023
        await cancelled_after(range(steps), it.close())
        private_bus.start()
        await asyncio.sleep(0.1)
        client = await BusItemClient.connect(private_bus.address, NAME)
        assert await connections(client) == 2  # the bus itself, and the client
        await client.close()


async def test_what_a_task_does_about_its_end_is_waited_for() -> None:
    order = []

    async def slow() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            order.append("task")

    task = asyncio.create_task(slow())
    await asyncio.sleep(0)
    await ended(task)
    order.append("caller")
    assert order == ["task", "caller"]
    await ended(task)


async def test_a_cancellation_meanwhile_gets_out() -> None:
    async def slow() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)

    task = asyncio.create_task(slow())
    await asyncio.sleep(0)
    assert not await cancelled_after(range(2), ended(task))
    assert task.cancelling() == 1
    await asyncio.wait({task})

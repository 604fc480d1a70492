"""What a service tells of its own accord: ItemsChanged, and only what changed."""

from __future__ import annotations

import asyncio
import time
import tracemalloc
from enum import IntEnum, StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from dbus_fast import Message

from helpers.bus import ITEM, BusItemClient, PrivateBus, serving, soon
from mppdbus.errors import BusError
from mppdbus.venus.dbus import connection, signals
from mppdbus.venus.dbus.items import Item, ItemType, Value
from mppdbus.venus.dbus.service import Service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.usefixtures("never_blocking")

POWER = "/Ac/Out/L1/P"
ITEMS = (
    Item(POWER, ItemType.DOUBLE, "{:.0f} W"),
    Item("/State", ItemType.INT),
    Item("/Serial", ItemType.TEXT),
    Item("/Energy", ItemType.LONG),
    Item("/Labels", ItemType.TEXTS),
    Item("/Steps", ItemType.INTS),
    Item("/Limit", ItemType.DOUBLE, "{:.0f} A", minimum=0, maximum=60, default=30),
)
Served = tuple[Service, BusItemClient]


class State(IntEnum):
    FLOAT = 5


class Word(StrEnum):
    LINE = "line"


@pytest.fixture
async def served(bus_address: str) -> AsyncIterator[Served]:
    async with serving(bus_address, ITEMS) as (service, client):
        yield service, client


async def test_one_signal_tells_all_changes_and_nothing_else(served: Served) -> None:
    service, client = served
    assert service.update({POWER: 100.0, "/State": 9, "/Serial": None}) == 2
    assert await client.next_change() == {
        POWER: {"Value": 100.0, "Text": "100 W"},
        "/State": {"Value": 9, "Text": "9"},
    }
    assert service.update({POWER: 100.0, "/State": 9}) == 0
    assert service.update({POWER: None, "/State": 9}) == 1
    assert await client.next_change() == {POWER: {"Value": None, "Text": "---"}}
    await client.settled()
    assert not client.changes


async def test_a_quick_bus_hears_nothing_but_changes(
    served: Served, bus_address: str
) -> None:
    service, client = served
    monitor = await BusItemClient.connect(bus_address, service.name)
    heard: list[str | None] = []

    def note(message: Message) -> bool:
        if message.sender == service.unique_name:
            heard.append(message.member)
        return True  # a monitor must not answer

    rules = [[f"sender='{service.unique_name}'"], 0]
    await monitor.bus.call(
        Message(
            destination="org.freedesktop.DBus",
            path="/org/freedesktop/DBus",
            interface="org.freedesktop.DBus.Monitoring",
            member="BecomeMonitor",
            signature="asu",
            body=rules,
        )
    )
    monitor.bus.add_message_handler(note)
    for power in (1.0, 2.0, 3.0):
        service.update({POWER: power})
        assert await client.next_values() == {POWER: power}
    await client.settled()
    while heard.count("ItemsChanged") < 3:
        await asyncio.sleep(0.01)
    assert set(heard) <= {"ItemsChanged", None}  # None: the answer to the client
    await monitor.close()


async def test_a_change_carries_the_bounds(served: Served) -> None:
    service, client = served
    service.update({"/Limit": 10})
    row = {"Value": 10, "Text": "10 A", "Min": 0, "Max": 60, "Default": 30}
    assert await client.next_change() == {"/Limit": row}


async def test_a_change_is_on_its_way_before_update_returns(served: Served) -> None:
    service, client = served
    service.update({POWER: 1.0})
    service.stop()  # which tells nothing any more
    assert await client.next_values() == {POWER: 1.0}


@pytest.mark.parametrize(
    ("path", "given", "shown"),
    [
        (POWER, 5, 5.0),
        ("/State", State.FLOAT, 5),
        ("/Serial", Word.LINE, "line"),
        ("/Energy", 1 << 40, 1 << 40),
        ("/Labels", ["a", "b"], ["a", "b"]),
        ("/Steps", [1, 2], [1, 2]),
    ],
)
async def test_a_value_is_shown_in_the_type_of_its_item(
    served: Served, path: str, given: Value, shown: Value
) -> None:
    service, client = served
    service.update({path: given})
    assert await client.next_values() == {path: shown}
    assert type(service.value(path)) is type(shown)


async def test_a_list_without_elements_is_unknown(served: Served) -> None:
    service, client = served
    service.update({"/Labels": ["a"]})
    service.update({"/Labels": []})
    await client.next_change()
    assert await client.next_values() == {"/Labels": None}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (POWER, True),
        (POWER, float("nan")),
        (POWER, float("-inf")),
        (POWER, 10**400),
        (POWER, "800"),
        (POWER, [1.0]),
        ("/State", True),
        ("/State", 3.0),
        ("/State", "3"),
        ("/State", 1 << 31),
        ("/State", -(1 << 31) - 1),
        ("/Energy", 1 << 63),
        ("/Serial", 9633),
        ("/Serial", "a\0b"),
        ("/Serial", "\udcff"),
        ("/Labels", "SUB"),
        ("/Labels", ["SUB", 1]),
        ("/Steps", [1, True]),
        ("/Steps", [1.5]),
    ],
)
async def test_a_value_of_another_type_is_refused_and_changes_nothing(
    served: Served,
    path: str,
    value: Any,  # noqa: ANN401
) -> None:
    service, client = served
    other = "/State" if path != "/State" else POWER
    with pytest.raises(TypeError, match=f"^{path}: "):
        service.update({other: 7, path: value})
    assert service.value(other) is None
    assert service.value(path) is None
    await client.settled()
    assert not client.changes


async def test_an_unknown_path_is_a_key_error_and_changes_nothing(
    served: Served,
) -> None:
    service, _ = served
    with pytest.raises(KeyError, match="/Nowhere"):
        service.update({POWER: 1.0, "/Nowhere": 1})
    assert service.value(POWER) is None
    with pytest.raises(KeyError, match="/Nowhere"):
        service.value("/Nowhere")


async def test_what_is_back_before_it_was_told_is_not_told(
    served: Served, private_bus: PrivateBus
) -> None:
    service, client = served
    private_bus.freeze()
    service.update({POWER: 1.0})  # under way: the bus does not answer
    service.update({POWER: 2.0, "/State": 3})
    service.update({POWER: 1.0})
    private_bus.thaw()
    assert await client.next_values() == {POWER: 1.0}
    assert await client.next_values() == {"/State": 3}


@pytest.mark.parametrize(
    ("path", "member"),
    [("/", "GetItems"), ("/Ac", "GetValue"), (POWER, "GetValue"), (POWER, "GetText")],
)
async def test_what_a_client_has_read_is_told_even_if_it_is_back(
    served: Served, path: str, member: str
) -> None:
    service, client = served
    service._signals._since = asyncio.get_running_loop().time()
    service._signals._asked = True  # a batch is under way
    service.update({POWER: 2.0})
    await client.call(path, member)
    service.update({POWER: None})
    await client.settled()
    assert not client.changes
    service._signals._asked = False
    service._signals.tell()
    assert await client.next_values() == {POWER: None}


async def test_a_new_path_is_told_even_while_unknown(served: Served) -> None:
    service, client = served
    service.add([Item("/Pv/0/V", ItemType.DOUBLE, "{:.1f} V")])
    assert await client.next_change() == {"/Pv/0/V": {"Value": None, "Text": "---"}}
    service.update({"/Pv/0/V": 120.0})
    assert await client.next_values() == {"/Pv/0/V": 120.0}
    assert await client.get_value("/Pv") == {"0/V": 120.0}
    new = Item("/New", ItemType.INT)
    with pytest.raises(ValueError, match="/New"):
        service.add([Item("/Other", ItemType.INT), new, new])
    assert "/Other" not in await client.get_items()
    service.add([Item("/Pv/0/V", ItemType.INT), new])  # the first is there already
    assert await client.next_values() == {"/New": None}
    assert service.value("/Pv/0/V") == 120.0


async def test_nothing_is_told_without_the_name(bus_address: str) -> None:
    name = "com.victronenergy.x.y"
    service = Service(name, ITEMS, address=bus_address)
    other = await BusItemClient.connect(bus_address, name)
    await other.bus.request_name(name)
    with pytest.raises(BusError, match="is taken"):
        await service.start()
    client = await BusItemClient.connect(bus_address, service.unique_name or "")
    await client.watch()
    service.update({POWER: 1.0})
    service.add([Item("/New", ItemType.INT)])
    assert (await client.get_items())[POWER]["Value"] == 1.0
    await other.bus.release_name(name)
    await other.close()
    await service.start()
    service.update({"/State": 1})
    assert await client.next_values() == {"/State": 1}
    await client.settled()
    assert not client.changes
    await client.close()
    await service.close()


async def test_a_slow_bus_gets_the_newest_values_in_few_signals(
    served: Served, private_bus: PrivateBus
) -> None:
    service, client = served
    private_bus.freeze()
    service.update({"/State": 0})
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for count in range(20_000):
        service.update({POWER: float(count), "/State": count})
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    private_bus.thaw()
    assert await client.next_values() == {"/State": 0}
    assert await client.next_values() == {POWER: 19_999.0, "/State": 19_999}
    await client.settled()
    assert not client.changes
    assert after - before < 20_000


def waiting(service: Service) -> int:
    """Messages that the socket has not taken."""
    assert service._connection is not None
    return len(service._connection._backlog)


async def test_a_subscriber_that_never_reads_does_not_end_the_connection(
    private_bus: PrivateBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signals, "NUDGE_AFTER", 0.05)
    private_bus.stop()
    private_bus.start(max_incoming_bytes=100_000)  # then the bus stops reading from us
    serial = Item("/Serial", ItemType.TEXT)
    async with serving(private_bus.address, [serial]) as (service, client):
        unique_name = service.unique_name
        deaf = await BusItemClient.connect(private_bus.address, service.name)
        await deaf.watch()
        deaf.turn_deaf()
        for count in range(1000):
            service.update({"/Serial": f"{count} {'x' * 2000}"})
            await asyncio.sleep(0)
        assert service._signals._since is not None  # the bus is full of our signals
        assert waiting(service) < 5
        deaf.vanish()
        async with asyncio.timeout(30):
            while not client.changes[-1]["/Serial"]["Value"].startswith("999 "):
                service.update({"/Serial": f"999 {'x' * 2000}"})
                await asyncio.sleep(0.01)
        assert (await client.get_value("/Serial")).startswith("999 ")
        assert service.unique_name == unique_name


async def ask_much_of_a_bus_that_freezes(
    served: Served, private_bus: PrivateBus
) -> list[asyncio.Task[Message]]:
    """Let 60 calls with 20 kB to answer reach the service, and its bus not read."""
    service, client = served
    service.update({"/Serial": "x" * 10_000})
    call = partial(Message, service.name, "/", ITEM, "GetItems")
    reads = [asyncio.create_task(client.bus.call(call())) for _ in range(60)]
    await asyncio.sleep(0)  # they are sent …
    time.sleep(0.1)  # … and the bus has passed them on
    private_bus.freeze()
    return reads


async def test_answers_wait_for_a_bus_that_does_not_read(
    served: Served, private_bus: PrivateBus
) -> None:
    service, _ = served
    unique_name = service.unique_name
    reads = await ask_much_of_a_bus_that_freezes(served, private_bus)
    async with asyncio.timeout(30):
        while waiting(service) < 20:
            await asyncio.sleep(0)
    private_bus.thaw()
    for reply in await asyncio.gather(*reads):
        assert reply is not None
        assert reply.signature == "a{sa{sv}}"
    assert service.unique_name == unique_name


async def test_answers_wait_in_bounds(
    served: Served, private_bus: PrivateBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, _ = served
    monkeypatch.setattr(connection, "BACKLOG_LIMIT", 20)
    reads = await ask_much_of_a_bus_that_freezes(served, private_bus)
    await soon(lambda: not service.connected)
    private_bus.thaw()
    replies = await asyncio.gather(*reads)
    assert {reply.error_name for reply in replies if reply} > {None}


async def test_a_message_may_be_larger_than_the_socket_takes(served: Served) -> None:
    service, client = served
    unique_name = service.unique_name
    for letter in "ab":
        large = letter * 1_000_000
        service.update({"/Serial": large})
        service.update({"/State": ord(letter)})
        reads = [client.get_value("/Serial") for _ in range(5)]
        assert await asyncio.gather(*reads) == [large] * 5
        assert (await client.next_values())["/Serial"] == large
        assert await client.next_values() == {"/State": ord(letter)}
    assert service.unique_name == unique_name


async def test_a_bus_that_stays_stuck_is_left_for_a_new_connection(
    private_bus: PrivateBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signals, "STUCK_AFTER", 0.02)
    async with serving(private_bus.address, ITEMS, first_delay=0.02) as (service, _):
        private_bus.freeze()
        service.update({POWER: 1.0})
        await asyncio.sleep(0.03)
        service.update({POWER: 2.0})
        await soon(lambda: not service.connected)
        private_bus.thaw()
        await soon(lambda: service.claimed)
        fresh = await BusItemClient.connect(private_bus.address, service.name)
        assert await fresh.get_value(POWER) == 2.0
        await fresh.close()

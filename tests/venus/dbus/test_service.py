"""What a service answers: values, texts, items, bounds, introspection, errors."""

from __future__ import annotations

import asyncio
import subprocess
import time
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest
from dbus_fast import Message, MessageFlag
from dbus_fast.errors import DBusError

from helpers.bus import ITEM, BusItemClient, serving
from mppdbus.venus.dbus.items import Item, ItemType, Value
from mppdbus.venus.dbus.service import Service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.usefixtures("never_blocking")

PEER = "org.freedesktop.DBus.Peer"
ERROR = "org.freedesktop.DBus.Error."
MODES = {1: "charger only", 3: "on"}
ITEMS = (
    Item("/Ac/Out/L1/P", ItemType.DOUBLE, "{:.0f} W"),
    Item("/Ac/Out/L1/V", ItemType.DOUBLE, "{:.1f} V"),
    Item("/Ac/NumberOfAcInputs", ItemType.INT),
    Item("/Mode", ItemType.INT, MODES.__getitem__, writable=True, default=3),
    Item("/Energy", ItemType.LONG),
    Item("/Serial", ItemType.TEXT),
    Item("/Labels", ItemType.TEXTS),
    Item("/Steps", ItemType.INTS),
    Item("/Limit", ItemType.DOUBLE, "{:.1f} A", writable=True, minimum=2, maximum=60),
)
VALUES: dict[str, Value] = {
    "/Ac/Out/L1/P": 812.5,
    "/Ac/NumberOfAcInputs": 1,
    "/Mode": 3,
    "/Energy": 1 << 40,
    "/Serial": "96332309100452",
    "/Labels": ["SUB", "SBU"],
    "/Steps": [10, 20],
    "/Limit": 30,
}
TEXTS = {
    "/Ac/Out/L1/P": "812 W",
    "/Ac/NumberOfAcInputs": "1",
    "/Mode": "on",
    "/Energy": "1099511627776",
    "/Serial": "96332309100452",
    "/Labels": "SUB, SBU",
    "/Steps": "10, 20",
    "/Limit": "30.0 A",
}
Served = tuple[Service, BusItemClient]


@pytest.fixture
async def served(bus_address: str) -> AsyncIterator[Served]:
    async with serving(bus_address, ITEMS) as (service, client):
        service.update(VALUES)
        yield service, client


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.path)
async def test_a_leaf_has_its_value_in_its_type_and_its_text(
    served: Served, item: Item
) -> None:
    _, client = served
    known = item.path in VALUES
    reply = await client.call(item.path, "GetValue")
    assert reply.signature == "v"
    assert reply.body[0].signature == (item.kind if known else "ai")
    assert reply.body[0].value == (VALUES[item.path] if known else [])
    text = await client.call(item.path, "GetText")
    assert text.signature == "s"
    assert text.body == [TEXTS[item.path] if known else "---"]


async def test_items_have_values_texts_and_bounds(served: Served) -> None:
    _, client = served
    items = await client.get_items()
    assert list(items) == [item.path for item in ITEMS]
    assert items["/Ac/Out/L1/V"] == {"Value": None, "Text": "---"}
    assert items["/Mode"] == {"Value": 3, "Text": "on", "Default": 3}
    assert items["/Limit"] == {"Value": 30, "Text": "30.0 A", "Min": 2, "Max": 60}
    assert all(items[path]["Value"] == value for path, value in VALUES.items())
    raw = (await client.call("/", "GetItems")).body[0]
    assert raw["/Ac/Out/L1/V"]["Value"].signature == "ai"
    assert {raw["/Limit"][key].signature for key in ("Value", "Min", "Max")} == {"d"}


async def test_a_node_has_the_values_and_texts_below_it(served: Served) -> None:
    _, client = served
    assert await client.get_value("/Ac/Out") == {"L1/P": 812.5, "L1/V": None}
    assert await client.get_text("/Ac/Out/L1") == {"P": "812 W", "V": "---"}
    values = await client.get_value("/")
    assert values == {item.path[1:]: VALUES.get(item.path) for item in ITEMS}
    assert (await client.get_text("/"))["Mode"] == "on"
    reply = await client.call("/Ac", "GetValue")
    assert (reply.signature, reply.body[0].signature) == ("v", "a{sv}")


async def test_bounds_are_asked_from_the_leaf(served: Served) -> None:
    _, client = served
    for path, member, wanted in (
        ("/Limit", "GetMin", ("d", 2.0)),
        ("/Limit", "GetMax", ("d", 60.0)),
        ("/Limit", "GetDefault", ("ai", [])),
        ("/Mode", "GetDefault", ("i", 3)),
        ("/Mode", "GetMin", ("ai", [])),
    ):
        variant = (await client.call(path, member)).body[0]
        assert (variant.signature, variant.value) == wanted


async def test_a_text_function_that_fails_does_not_hide_the_value(
    served: Served,
) -> None:
    service, client = served
    service.update({"/Mode": 77})
    assert await client.get_text("/Mode") == "77"
    assert (await client.get_items())["/Mode"]["Value"] == 77


async def test_even_a_bug_is_answered(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    service, client = served
    service._tree.leaves["/Mode"].value = "on"  # past the guard
    for path, member in (("/Mode", "GetValue"), ("/", "GetItems")):
        with pytest.raises(DBusError) as caught:
            await client.call(path, member)
        assert caught.value.type == ERROR + "Failed"
    assert await client.get_text("/Mode") == "on"
    assert [record.message for record in caplog.records] == [
        "/Mode GetValue",
        "/ GetItems",
    ]


async def test_introspection_leads_to_every_leaf(served: Served) -> None:
    _, client = served
    found = {}
    to_visit = ["/"]
    while to_visit:
        path = to_visit.pop()
        node = ET.fromstring(await client.introspect(path))
        found[path] = {
            method.attrib["name"]
            for method in node.findall("interface[@name='com.victronenergy.BusItem']/")
        }
        names = [child.attrib["name"] for child in node.findall("node")]
        to_visit += [f"{path.rstrip('/')}/{name}" for name in names]
    leaves = {item.path for item in ITEMS}
    assert set(found) == leaves | {"/", "/Ac", "/Ac/Out", "/Ac/Out/L1"}
    assert {path for path, names in found.items() if "GetItems" in names} == {"/"}
    assert {path for path, names in found.items() if "GetMax" in names} == leaves
    assert all({"GetValue", "GetText", "SetValue"} <= names for names in found.values())


@pytest.mark.parametrize(
    ("path", "interface", "call", "error"),
    [
        ("/Nowhere", ITEM, "GetValue", "UnknownObject"),
        ("/Ac/Out/L1/P/Q", None, "GetValue", "UnknownObject"),
        ("/Nowhere", None, "Introspect", "UnknownObject"),
        ("/Mode", ITEM, "Explode", "UnknownMethod"),
        ("/Mode", ITEM, "GetItems", "UnknownMethod"),
        ("/Ac", ITEM, "GetMin", "UnknownMethod"),
        ("/", ITEM, "SetDefault", "UnknownMethod"),
        ("/Mode", "com.example.Other", "GetValue", "UnknownMethod"),
        ("/", None, "Explode", "UnknownMethod"),
        ("/", PEER, "Explode", "UnknownMethod"),
        ("/Mode", ITEM, "GetValue s", "InvalidArgs"),
        ("/Mode", ITEM, "SetValue", "InvalidArgs"),
        ("/Mode", ITEM, "SetValue s", "InvalidArgs"),
        ("/Limit", ITEM, "SetDefault", "NotSupported"),
    ],
)
async def test_a_wrong_call_is_answered_with_the_error(
    served: Served, path: str, interface: str | None, call: str, error: str
) -> None:
    _, client = served
    member, _, signature = call.partition(" ")
    body = ["1"] if signature else []
    with pytest.raises(DBusError) as caught:
        await client.call(path, member, signature, body, interface=interface)
    assert caught.value.type == ERROR + error
    assert path in caught.value.text or error == "InvalidArgs"


@pytest.mark.parametrize("member", ["GetValue", "GetItems", "Introspect", "Ping"])
async def test_a_call_without_an_interface_is_answered(
    served: Served, member: str
) -> None:
    _, client = served
    assert (await client.call("/", member, interface=None)) is not None


async def test_a_peer_is_pinged_on_any_path_and_knows_its_machine(
    served: Served,
) -> None:
    _, client = served
    assert (await client.call("/Nowhere", "Ping", interface=PEER)).body == []
    machine = await client.call("/", "GetMachineId", interface=PEER)
    assert len(machine.body[0]) == 32


async def test_who_wants_no_reply_gets_none(served: Served) -> None:
    service, client = served
    seen: list[int] = []
    client.bus.add_message_handler(lambda message: seen.append(message.reply_serial))
    serials = []
    for path, member in (("/Mode", "GetValue"), ("/Nowhere", "GetValue")):
        message = Message(
            destination=service.name,
            path=path,
            member=member,
            flags=MessageFlag.NO_REPLY_EXPECTED,
            serial=client.bus.next_serial(),
        )
        serials.append(message.serial)
        await client.bus.send(message)
    await client.settled()
    assert seen
    assert not set(seen) & set(serials)


async def run(*words: str) -> str:
    process = await asyncio.create_subprocess_exec(*words, stdout=subprocess.PIPE)
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode()


async def test_busctl_finds_its_way(served: Served, bus_address: str) -> None:
    service, _ = served
    busctl = ("busctl", f"--address={bus_address}")
    tree = await run(*busctl, "tree", "--list", service.name)
    assert {item.path for item in ITEMS} <= set(tree.split())
    methods = await run(*busctl, "introspect", service.name, "/Mode")
    assert "com.victronenergy.BusItem" in methods
    assert ".SetValue" in methods
    call = (*busctl, "call", service.name, "/Ac/Out/L1/P", "com.victronenergy.BusItem")
    assert await run(*call, "GetValue") == "v d 812.5\n"
    assert await run(*call, "GetText") == 's "812 W"\n'


async def test_dbus_send_reads_and_writes(served: Served, bus_address: str) -> None:
    service, _ = served
    to = (f"--bus={bus_address}", f"--dest={service.name}", "/Mode")
    send = ("dbus-send", "--print-reply=literal", *to)
    assert (await run(*send, "com.victronenergy.BusItem.GetValue")).split() == [
        "variant",
        "int32",
        "3",
    ]
    written = await run(*send, "com.victronenergy.BusItem.SetValue", "variant:int32:1")
    assert written.split() == ["int32", "0"]
    assert service.value("/Mode") == 1


async def test_reads_are_quick_while_another_task_waits(served: Served) -> None:
    _, client = served
    loop = asyncio.get_running_loop()
    mute = loop.create_task(asyncio.sleep(60), name="an exchange with a mute inverter")
    taken = []
    for _ in range(1000):
        begin = time.perf_counter()
        assert await client.get_value("/Ac/Out/L1/P") == 812.5
        taken.append(time.perf_counter() - begin)
    assert sorted(taken)[990] < 0.5  # others use this machine
    mute.cancel()

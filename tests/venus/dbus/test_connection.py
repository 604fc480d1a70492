"""The connection: finding a bus, claiming a name, losing the bus and coming back."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
from pathlib import Path

import pytest
from dbus_fast import Message
from dbus_fast.errors import DBusError

from helpers.bus import BusItemClient, PrivateBus, serving, soon
from mppdbus.errors import BusError
from mppdbus.venus.dbus.connection import bus_address
from mppdbus.venus.dbus.items import Item, ItemType
from mppdbus.venus.dbus.service import Service
from mppdbus.venus.dbus.watcher import Watcher

pytestmark = pytest.mark.usefixtures("never_blocking")

NAME = "com.victronenergy.inverter.test"
BUS = "org.freedesktop.DBus"
POWER = "/Ac/Out/L1/P"
ITEMS = (
    Item(POWER, ItemType.DOUBLE, "{:.0f} W"),
    Item("/Mode", ItemType.INT, writable=True),
)
NAMELESS = "org.freedesktop.DBus.Error.ServiceUnknown"


def a_service(address: str, name: str = NAME) -> Service:
    return Service(name, ITEMS, address=address, first_delay=0.02)


async def bus_call(client: BusItemClient, member: str, *words: str) -> Message:
    """Call a method of the bus itself."""
    return await client.call(
        "/", member, "s" * len(words), [*words], interface=BUS, destination=BUS
    )


async def released(client: BusItemClient) -> None:
    """Return when nobody has the name."""
    async with asyncio.timeout(30):
        while (await bus_call(client, "NameHasOwner", NAME)).body[0]:
            await asyncio.sleep(0.01)


async def connected_only(address: str) -> Service:
    """Return a service that is connected; somebody else had its name, and left."""
    service = a_service(address)
    other = await BusItemClient.connect(address, NAME)
    await other.bus.request_name(NAME)
    with pytest.raises(BusError, match="is taken"):
        await service.start()
    await other.close()
    return service


async def test_a_name_that_is_taken_is_reported_with_its_owner(
    bus_address: str,
) -> None:
    async with serving(bus_address, ITEMS) as (first, client):
        second = a_service(bus_address)
        with pytest.raises(BusError) as caught:
            await second.start()
        command = Path("/proc/self/cmdline").read_bytes().replace(b"\0", b" ")
        assert str(caught.value) == (
            f"{NAME} is taken on this bus by {first.unique_name} (pid {os.getpid()}: "
            f"{command.decode().strip()}); stop that program, or choose another name"
        )
        assert second.connected
        assert not second.claimed
        first.update({POWER: 1.0})
        assert await client.next_values() == {POWER: 1.0}
        first.stop()
        await released(client)
        with pytest.raises(DBusError) as nobody:  # the second does not stand in a queue
            await client.get_items()
        assert nobody.value.type == NAMELESS
        await second.start()
        assert second.claimed
        await second.close()


async def test_a_name_that_the_policy_denies_is_reported(
    private_bus: PrivateBus,
) -> None:
    private_bus.stop()
    private_bus.start(policy=f'<deny own="{NAME}"/>')
    service = a_service(private_bus.address)
    with pytest.raises(BusError, match=rf"not give us {NAME}: no policy.*reload"):
        await service.start()
    assert not service.claimed
    await service.close()


async def test_items_are_served_before_the_name_is_there(bus_address: str) -> None:
    service = await connected_only(bus_address)
    assert (service.connected, service.claimed, service.wanted) == (True, False, False)
    client = await BusItemClient.connect(bus_address, service.unique_name or "")
    assert list(await client.get_items()) == [POWER, "/Mode"]
    client.service = NAME
    with pytest.raises(DBusError) as caught:
        await client.get_items()
    assert caught.value.type == NAMELESS
    await service.start()
    await service.start()  # twice is once
    assert list(await client.get_items()) == [POWER, "/Mode"]
    await client.close()
    await service.close()


async def test_a_released_name_is_gone_and_can_be_claimed_again(
    bus_address: str,
) -> None:
    async with serving(bus_address, ITEMS) as (service, client):
        service.stop()
        await released(client)
        assert (service.connected, service.claimed) == (True, False)
        with pytest.raises(DBusError) as caught:
            await client.get_items()
        assert caught.value.type == NAMELESS
        await service.start()
        assert await client.get_items()


async def test_a_closed_service_is_off_the_bus(bus_address: str) -> None:
    async with serving(bus_address, ITEMS) as (service, client):
        await service.close()
        assert not service.connected
        await released(client)
        with pytest.raises(DBusError) as caught:
            await client.get_items()
        assert caught.value.type == NAMELESS
        await service.start()  # closed is closed
        service.start_soon()
        assert not service.wanted
        assert service.update({POWER: 2.0}) == 1
        assert not service.connected


async def test_a_lost_bus_is_come_back_to_with_name_and_newest_values(
    private_bus: PrivateBus, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    service = a_service(private_bus.address)
    await service.start()
    service.update({POWER: 1.0})
    for loss, power in enumerate((2.0, 3.0), 1):
        private_bus.stop()
        await soon(lambda: not service.connected)
        assert (service.connected, service.claimed) == (False, False)
        assert service.update({POWER: power}) == 1
        service.add([Item(f"/New{power:.0f}", ItemType.INT)])
        await soon(lambda: caplog.text.count("the D-Bus is lost") == loss)  # noqa: B023
        private_bus.start()
        await soon(lambda: service.claimed)
        client = await BusItemClient.connect(private_bus.address, NAME)
        await client.watch()
        assert (await client.get_items())[POWER]["Value"] == power
        service.update({POWER: -power})
        assert await client.next_values() == {POWER: -power}
        await client.close()
    await service.close()
    said = [(r.levelname, r.message) for r in caplog.records if r.name == "mppdbus.bus"]
    # Once each time, however many attempts.
    assert [level for level, _ in said] == ["WARNING", "INFO"] * 2
    assert all("the D-Bus is lost" in text for _, text in said[::2])
    assert all("there again" in text for _, text in said[1::2])


async def test_a_claim_ends_when_the_bus_does(private_bus: PrivateBus) -> None:
    service = await connected_only(private_bus.address)
    private_bus.freeze()
    claim = asyncio.create_task(service.start())
    await asyncio.sleep(0)
    private_bus.stop()
    async with asyncio.timeout(30):
        with pytest.raises(BusError, match=f"^{NAME}: .*connection to the bus is lost"):
            await claim
    await service.close()


async def test_an_update_into_a_bus_just_dead_is_no_error(
    private_bus: PrivateBus, caplog: pytest.LogCaptureFixture
) -> None:
    service = a_service(private_bus.address)
    await service.start()
    private_bus.stop()
    assert service.connected  # as far as we have heard
    assert service.update({POWER: 1.0}) == 1
    await soon(lambda: not service.connected)
    assert service.update({POWER: 2.0}) == 1
    await service.close()
    gc.collect()
    assert "never retrieved" not in caplog.text


async def test_a_stopped_service_comes_back_when_it_is_started(
    private_bus: PrivateBus,
) -> None:
    service = a_service(private_bus.address)
    await service.start()
    service.stop()
    private_bus.stop()
    await soon(lambda: not service.connected)
    service.start_soon()
    assert service.wanted
    private_bus.start()
    await soon(lambda: service.claimed)
    await service.close()


async def test_a_start_that_is_cancelled_or_stopped_leaves_no_name(
    private_bus: PrivateBus,
) -> None:
    service = await connected_only(private_bus.address)
    client = await BusItemClient.connect(private_bus.address, NAME)
    private_bus.freeze()
    cancelled = asyncio.create_task(service.start())
    await asyncio.sleep(0)
    cancelled.cancel()
    stopped = asyncio.create_task(service.start())
    await asyncio.sleep(0)
    service.stop()
    await stopped
    private_bus.thaw()
    assert not service.wanted
    await released(client)
    await service.start()
    assert service.claimed
    await client.close()
    await service.close()


async def test_a_name_taken_meanwhile_is_waited_for(
    private_bus: PrivateBus, caplog: pytest.LogCaptureFixture
) -> None:
    service = a_service(private_bus.address)
    await service.start()
    private_bus.stop()
    await soon(lambda: not service.connected)
    private_bus.start()
    thief = await BusItemClient.connect(private_bus.address, NAME)
    await thief.bus.request_name(NAME)
    async with asyncio.timeout(30):
        while "is taken on this bus by" not in caplog.text:
            await asyncio.sleep(0.01)
    assert not service.claimed
    await thief.close()
    await soon(lambda: service.claimed)
    await service.close()


async def test_a_verdict_that_comes_after_the_bus_is_gone_hurts_nobody(
    private_bus: PrivateBus,
) -> None:
    verdict: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    async with serving(
        private_bus.address, ITEMS, writer=lambda _p, _v: verdict, first_delay=0.02
    ) as (service, client):
        write = asyncio.create_task(client.set_value("/Mode", "i", 3))
        assert await client.next_values() == {"/Mode": 3}
        private_bus.stop()
        await soon(lambda: not service.connected)
        verdict.set_result(0)
        with pytest.raises(EOFError):
            await write
        private_bus.start()
        await soon(lambda: service.claimed)
        assert service.value("/Mode") == 3


async def test_closing_while_the_bus_is_away_ends_the_attempts(
    private_bus: PrivateBus,
) -> None:
    service = a_service(private_bus.address)
    await service.start()
    private_bus.stop()
    await soon(lambda: not service.connected)
    await service.close()
    private_bus.start()
    client = await BusItemClient.connect(private_bus.address, NAME)
    await asyncio.sleep(0.1)
    with pytest.raises(DBusError):
        await client.get_items()
    await client.close()


@pytest.mark.parametrize("address", ["unix:path=/nowhere/bus", "carrier:pigeon=1"])
async def test_no_bus_is_reported_with_its_address(address: str) -> None:
    service = a_service(address)
    with pytest.raises(BusError, match=f"^no D-Bus at {address}: .*; start the bus"):
        await service.start()
    assert not service.connected
    await service.close()


async def test_a_bus_that_hangs_up_during_authentication_is_reported(
    tmp_path: Path,
) -> None:
    async def hang_up(
        _reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await _reader.readline()
        writer.close()

    server = await asyncio.start_unix_server(hang_up, tmp_path / "bus")
    service = a_service(f"unix:path={tmp_path / 'bus'}")
    with pytest.raises(BusError, match="hung up"):
        await service.start()
    await service.close()
    server.close()


@pytest.mark.parametrize("answer", [b"REJECTED EXTERNAL\r\n", b"?\r\n", b""])
async def test_a_bus_that_refuses_us_for_a_while_is_come_back_to(
    private_bus: PrivateBus, tmp_path: Path, answer: bytes
) -> None:
    """As some do just after their restart; each dbus-fast has its own error for it."""
    refused = asyncio.Event()

    async def refuse(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readline()
        writer.write(answer)
        await writer.drain()
        writer.close()
        refused.set()

    watcher = Watcher(private_bus.address, first_delay=0.02)
    service = a_service(private_bus.address)
    await watcher.open()
    await service.start()
    private_bus.stop()
    (tmp_path / "bus").unlink()
    server = await asyncio.start_unix_server(refuse, tmp_path / "bus")
    await refused.wait()
    refused.clear()
    await refused.wait()
    server.close()
    (tmp_path / "bus").unlink()
    private_bus.start()
    await soon(lambda: service.claimed and watcher.connected)
    await watcher.close()
    await service.close()


@pytest.mark.parametrize("name", ["inverter", "com.victronenergy.1st", ""])
def test_a_name_that_dbus_does_not_allow_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no name that D-Bus allows"):
        Service(name, ITEMS, address="unix:path=/nowhere")


def test_the_system_bus_is_where_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/somewhere")
    assert bus_address("system") == "unix:path=/somewhere"
    monkeypatch.delenv("DBUS_SYSTEM_BUS_ADDRESS")
    usual, older = tmp_path / "run", tmp_path / "var"
    monkeypatch.setattr(
        "mppdbus.venus.dbus.connection._SYSTEM_SOCKETS", (str(usual), str(older))
    )
    assert bus_address("system") == f"unix:path={usual}"
    older.touch()
    assert bus_address("system") == f"unix:path={older}"
    usual.touch()
    assert bus_address("system") == f"unix:path={usual}"


def test_the_session_bus_is_where_the_environment_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:abstract=/tmp/x")
    assert bus_address("session") == "unix:abstract=/tmp/x"
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS")
    with pytest.raises(BusError, match="DBUS_SESSION_BUS_ADDRESS is not set"):
        bus_address("session")


def test_an_address_is_itself_and_another_word_is_refused() -> None:
    assert bus_address("tcp:host=10.0.0.1,port=78") == "tcp:host=10.0.0.1,port=78"
    with pytest.raises(BusError, match="'venus' names no D-Bus"):
        bus_address("venus")


async def noting_owners(client: BusItemClient) -> list[str]:
    """Return a list that gets each new owner of the name, "" for nobody."""
    owners: list[str] = []

    def note(message: Message) -> None:
        if message.member == "NameOwnerChanged":
            owners.append(message.body[2])

    client.bus.add_message_handler(note)
    await bus_call(client, "AddMatch", f"member='NameOwnerChanged',arg0='{NAME}'")
    return owners


async def test_a_restart_gives_the_name_back_and_takes_it_again(
    bus_address: str,
) -> None:
    async with serving(bus_address, ITEMS) as (service, client):
        owners = await noting_owners(client)
        service.restart()
        service.restart()  # twice at once is once
        await soon(lambda: len(owners) == 2)
        assert owners == ["", service.unique_name]
        assert await client.get_items()
        assert len(owners) == 2


async def test_a_new_instance_restarts_the_service(bus_address: str) -> None:
    instance = Item("/DeviceInstance", ItemType.INT)
    async with serving(bus_address, [instance]) as (service, client):
        owners = await noting_owners(client)
        assert service.update({"/DeviceInstance": 288}) == 1
        await soon(lambda: len(owners) == 2)
        assert owners == ["", service.unique_name]
        await soon(lambda: service.claimed)
        assert service.update({"/DeviceInstance": 288}) == 0
        await client.settled()
        assert len(owners) == 2


async def test_a_restart_survives_a_bus_that_goes_meanwhile(
    private_bus: PrivateBus,
) -> None:
    service = a_service(private_bus.address)
    await service.start()
    private_bus.freeze()
    service.restart()
    await asyncio.sleep(0)
    private_bus.stop()
    await soon(lambda: not service.connected)
    assert service.wanted
    private_bus.start()
    await soon(lambda: service.claimed)
    await service.close()


async def test_a_defect_of_ours_does_not_hang_who_starts(
    bus_address: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def explode(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    service = a_service(bus_address)
    with monkeypatch.context() as patch:
        patch.setattr(service._signals, "start", explode)
        with pytest.raises(BusError, match="a bug"):
            await service.start()
    assert "Traceback" in caplog.text
    await service.start()
    assert service.claimed
    await service.close()

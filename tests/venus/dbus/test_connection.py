"""The connection: finding a bus, claiming a name, losing the bus and coming back."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from dbus_fast.errors import DBusError

from helpers.bus import BusItemClient, PrivateBus, serving
from mppdbus.errors import BusError
from mppdbus.venus.dbus.service import Item, Kind, VictronService, bus_address

pytestmark = pytest.mark.usefixtures("never_blocking")

NAME = "com.victronenergy.inverter.test"
POWER = "/Ac/Out/L1/P"
ITEMS = (Item(POWER, Kind.DOUBLE, "{:.0f} W"), Item("/Mode", Kind.INT, writable=True))
NAMELESS = "org.freedesktop.DBus.Error.ServiceUnknown"


def a_service(address: str, name: str = NAME) -> VictronService:
    return VictronService(name, ITEMS, address=address, first_delay=0.02)


async def test_a_name_that_is_taken_is_reported_with_its_owner(
    bus_address: str,
) -> None:
    async with serving(bus_address, ITEMS) as (first, client):
        second = a_service(bus_address)
        await second.connect()
        with pytest.raises(BusError) as caught:
            await second.claim()
        command = Path("/proc/self/cmdline").read_bytes().replace(b"\0", b" ")
        assert str(caught.value) == (
            f"{NAME} is taken on this bus by {first.unique_name} (pid {os.getpid()}: "
            f"{command.decode().strip()}); stop that program, or choose another name"
        )
        assert second.connected
        assert not second.claimed
        first.update({POWER: 1.0})
        assert await client.next_values() == {POWER: 1.0}
        await first.release()
        with pytest.raises(DBusError) as nobody:  # the second does not stand in a queue
            await client.get_items()
        assert nobody.value.type == NAMELESS
        await second.claim()
        assert second.claimed
        await second.close()


async def test_a_name_that_the_policy_denies_is_reported(
    private_bus: PrivateBus,
) -> None:
    private_bus.stop()
    private_bus.start(policy=f'<deny own="{NAME}"/>')
    service = a_service(private_bus.address)
    await service.connect()
    with pytest.raises(BusError, match=rf"^{NAME}: .*AccessDenied"):
        await service.claim()
    assert not service.claimed
    await service.close()


async def test_items_are_served_before_the_name_is_there(bus_address: str) -> None:
    service = a_service(bus_address)
    await service.connect()
    assert (service.connected, service.claimed) == (True, False)
    client = await BusItemClient.connect(bus_address, service.unique_name or "")
    assert list(await client.get_items()) == [POWER, "/Mode"]
    client.service = NAME
    with pytest.raises(DBusError) as caught:
        await client.get_items()
    assert caught.value.type == NAMELESS
    await service.claim()
    await service.claim()  # twice is once
    assert list(await client.get_items()) == [POWER, "/Mode"]
    await client.close()
    await service.close()


async def test_a_released_name_is_gone_and_can_be_claimed_again(
    bus_address: str,
) -> None:
    async with serving(bus_address, ITEMS) as (service, client):
        await service.release()
        assert (service.connected, service.claimed) == (True, False)
        with pytest.raises(DBusError) as caught:
            await client.get_items()
        assert caught.value.type == NAMELESS
        await service.claim()
        assert await client.get_items()


async def test_a_closed_service_is_off_the_bus(bus_address: str) -> None:
    async with serving(bus_address, ITEMS) as (service, client):
        await service.close()
        assert not service.connected
        with pytest.raises(DBusError) as caught:
            await client.get_items()
        assert caught.value.type == NAMELESS
        with pytest.raises(BusError, match="not connected"):
            await service.claim()
        assert service.update({POWER: 2.0}) == 1
        await service.connect()
        await service.claim()
        assert await client.get_value(POWER) == 2.0


async def test_a_lost_bus_is_come_back_to_with_name_and_newest_values(
    private_bus: PrivateBus, caplog: pytest.LogCaptureFixture
) -> None:
    service = a_service(private_bus.address)
    await service.connect()
    await service.claim()
    service.update({POWER: 1.0})
    for power in (2.0, 3.0):
        private_bus.stop()
        await service.wait_lost()
        assert (service.connected, service.claimed) == (False, False)
        assert service.update({POWER: power}) == 1
        service.add_items([Item(f"/New{power:.0f}", Kind.INT)])
        await asyncio.sleep(0.1)  # some attempts fail
        private_bus.start()
        await service.wait_claimed()
        client = await BusItemClient.connect(private_bus.address, NAME)
        await client.watch()
        assert (await client.get_items())[POWER]["Value"] == power
        service.update({POWER: -power})
        assert await client.next_values() == {POWER: -power}
        await client.close()
    await service.close()
    lost = [r.message for r in caplog.records if "lost the bus" in r.message]
    refused = [r.message for r in caplog.records if "no D-Bus at" in r.message]
    assert len(lost) == 2
    assert len(refused) == 2  # once each time, however many attempts
    assert all(private_bus.address in message for message in refused)


async def test_a_claim_ends_when_the_bus_does(private_bus: PrivateBus) -> None:
    service = a_service(private_bus.address)
    await service.connect()
    private_bus.freeze()
    claim = asyncio.create_task(service.claim())
    await asyncio.sleep(0)
    private_bus.stop()
    async with asyncio.timeout(5):
        with pytest.raises(BusError, match=f"^{NAME}: .*connection to the bus is lost"):
            await claim
    await service.close()


async def test_an_update_into_a_bus_just_dead_is_no_error(
    private_bus: PrivateBus,
) -> None:
    service = a_service(private_bus.address)
    await service.connect()
    await service.claim()
    private_bus.stop()
    assert service.connected  # as far as we have heard
    assert service.update({POWER: 1.0}) == 1
    await service.wait_lost()
    assert service.update({POWER: 2.0}) == 1
    await service.close()


async def test_a_service_without_a_name_comes_back_without_it(
    private_bus: PrivateBus,
) -> None:
    service = a_service(private_bus.address)
    await service.connect()
    private_bus.stop()
    await service.wait_lost()
    private_bus.start()
    async with asyncio.timeout(5):
        while not service.connected:
            await asyncio.sleep(0.01)
    assert not service.claimed
    await service.close()


async def test_a_name_taken_meanwhile_is_waited_for(
    private_bus: PrivateBus, caplog: pytest.LogCaptureFixture
) -> None:
    service = a_service(private_bus.address)
    await service.connect()
    await service.claim()
    private_bus.stop()
    await service.wait_lost()
    private_bus.start()
    thief = await BusItemClient.connect(private_bus.address, NAME)
    await thief.bus.request_name(NAME)
    async with asyncio.timeout(5):
        while "is taken on this bus by" not in caplog.text:
            await asyncio.sleep(0.01)
    assert not service.claimed
    await thief.close()
    await service.wait_claimed()
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
        await service.wait_lost()
        verdict.set_result(0)
        with pytest.raises(EOFError):
            await write
        private_bus.start()
        await service.wait_claimed()
        assert service.value("/Mode") == 3


async def test_closing_while_the_bus_is_away_ends_the_attempts(
    private_bus: PrivateBus,
) -> None:
    service = a_service(private_bus.address)
    await service.connect()
    await service.claim()
    private_bus.stop()
    await service.wait_lost()
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
        await service.connect()
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
        await service.connect()
    server.close()


@pytest.mark.parametrize("name", ["inverter", "com.victronenergy.1st", ""])
def test_a_name_that_dbus_does_not_allow_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no name that D-Bus allows"):
        VictronService(name, ITEMS, address="unix:path=/nowhere")


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


async def test_a_name_is_renewed_also_if_the_bus_goes_meanwhile(
    private_bus: PrivateBus,
) -> None:
    service = a_service(private_bus.address)
    await service.connect()
    await service.claim()
    await service.renew()
    assert service.claimed
    private_bus.stop()
    await service.wait_lost()
    await service.renew()
    assert not service.claimed
    private_bus.start()
    async with asyncio.timeout(5):
        await service.wait_claimed()
    await service.close()

"""localsettings comes late, goes, comes back, hangs; and which unit is which."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from dbus_fast import Message

from helpers.bus import BusItemClient, PrivateBus, soon
from helpers.settings import (
    CAPACITY,
    NAME,
    OTHER,
    TYPE,
    UID,
    OwnService,
    Rig,
    named_device,
    note_instances,
    variant,
)
from mppdbus.storage.atomic_file import AtomicFile
from mppdbus.venus.settings.setting import custom_name_path, instance_path
from mppdbus.venus.settings.store import LocalSettings

pytestmark = pytest.mark.usefixtures("never_blocking")


# -- localsettings comes and goes ------------------------------------------------


async def test_localsettings_appears_while_we_wait(rig: Rig) -> None:
    async with rig.opened(patience=10) as settings:
        waiting = asyncio.create_task(settings.device(UID, "multi", 300))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await rig.service.start()
        assert await waiting == 300
        assert settings.available
    assert not rig.file.exists()


async def test_localsettings_appears_late_and_knows_better(rig: Rig) -> None:
    await rig.service.start()
    async with rig.opened(patience=5) as settings:
        await settings.device(UID, "multi", 300)
        await settings.set(custom_name_path(UID), "Garage")
        await settings.add((CAPACITY, TYPE))
        await settings.set(CAPACITY.path, 280)
    await rig.service.stop()
    async with rig.opened(patience=0.05) as settings:
        assert await named_device(settings, UID, 288) == (288, "")
        assert await settings.add((CAPACITY, TYPE)) == {
            CAPACITY.path: 200.0, TYPE.path: 1,
        }  # fmt: skip
        assert not settings.available
        heard: dict[str, Any] = {}
        settings.on_change("/Settings", heard.__setitem__)
        instances = note_instances(settings)
        await rig.service.start()
        await soon(lambda: settings.available)
        assert instances == [300]
        assert heard == {
            instance_path(UID): "multi:300",
            custom_name_path(UID): "Garage",
            CAPACITY.path: 280.0,
        }
        assert await settings.set(CAPACITY.path, 300)
        assert await rig.user.get_value(CAPACITY.path) == 300.0


@pytest.mark.parametrize("restarted", [False, True])
async def test_what_was_set_before_localsettings_is_not_lost(
    rig: Rig,
    restarted: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """A name that is typed in the first seconds, or years before it came."""
    name = custom_name_path(UID)
    async with rig.opened(patience=0) as settings:
        assert await named_device(settings, OTHER, 288) == (288, "")
        assert await named_device(settings, UID, 288) == (289, "")
        await settings.add((CAPACITY,))
        assert await settings.set(name, "Garage")
        assert await settings.set(CAPACITY.path, 280)
        if not restarted:
            heard: list[tuple[str, Any]] = []
            settings.on_change("/Settings", lambda *news: heard.append(news))
            await rig.service.start()
            await soon(lambda: settings.available)
            assert heard == []
    if restarted:
        await rig.service.start()
    async with rig.opened(patience=5) as settings:
        assert await named_device(settings, UID, 288) == (289, "Garage")
        assert await settings.add((CAPACITY,)) == {CAPACITY.path: 280.0}
        assert await rig.user.get_value(name) == "Garage"
        assert await rig.user.get_value(CAPACITY.path) == 280.0


async def test_what_was_set_last_wins_when_localsettings_comes(rig: Rig) -> None:
    await rig.service.start()
    name = custom_name_path(UID)
    async with rig.opened(patience=5) as settings:
        await settings.device(UID, "multi", 288)
        assert await settings.set(name, "Garage")
    await rig.service.stop()
    async with rig.opened(patience=0) as settings:
        await settings.device(UID, "multi", 288)
        assert await settings.set(name, "Barn")
        await rig.service.start()
        await soon(lambda: settings.available)
        assert settings.value(name) == "Barn"
        assert await rig.user.get_value(name) == "Barn"


async def test_a_change_while_localsettings_appears_is_not_lost(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, begun = AtomicFile.save, asyncio.Event()
    loop = asyncio.get_running_loop()

    def slowly(self: AtomicFile, data: bytes) -> None:
        asyncio.run_coroutine_threadsafe(arrival(), loop).result(60)
        save(self, data)

    async def arrival() -> None:
        begun.set()
        await rig.service.start()
        await soon(lambda: settings.available)

    async with rig.opened(patience=0) as settings:
        await settings.add((CAPACITY,))
        monkeypatch.setattr(AtomicFile, "save", slowly)
        assert await settings.set(CAPACITY.path, 280.0)
        assert begun.is_set()
        assert await rig.user.get_value(CAPACITY.path) == 280.0
        assert settings.value(CAPACITY.path) == 280.0


async def test_localsettings_restarts_and_we_hear_what_is_new(
    rig: Rig, settings: LocalSettings
) -> None:
    await settings.device(UID, "multi", 288)
    await settings.add((CAPACITY,))
    heard: list[tuple[str, Any]] = []
    settings.on_change("/Settings", lambda *news: heard.append(news))
    instances = note_instances(settings)
    await rig.service.stop()
    await soon(lambda: not settings.available)
    begin = time.monotonic()
    assert await settings.device(UID, "multi", 288) == 288
    assert not await settings.set(CAPACITY.path, 280)
    assert time.monotonic() - begin < 4  # what is known is not waited for
    assert heard == []
    await rig.service.start()
    await soon(lambda: settings.available)
    assert heard == []
    await rig.user.set_value(CAPACITY.path, "d", 123.0)
    await rig.user.set_value(instance_path(UID), "s", "multi:310")
    await soon(lambda: instances)
    assert heard == [(CAPACITY.path, 123.0), (instance_path(UID), "multi:310")]
    assert instances == [310]


async def test_localsettings_that_forgot_all_gets_it_again(rig: Rig) -> None:
    await rig.service.start()
    async with rig.opened(patience=5) as settings:
        await settings.device(UID, "multi", 288)
        await settings.add((CAPACITY,))
        await rig.service.stop()
        await soon(lambda: not settings.available)
        other = OwnService(rig.address)  # as after a reset to factory settings
        await other.start()
        await soon(lambda: settings.available)
        assert set(other.settings) == {
            instance_path(UID), custom_name_path(UID), CAPACITY.path,
        }  # fmt: skip
        await other.stop()


async def test_devices_that_come_while_localsettings_is_away(rig: Rig) -> None:
    await rig.service.start()
    async with rig.opened(patience=0.1) as settings:
        await soon(lambda: settings.available)
        await settings.device(UID, "multi", 288)
        await rig.service.stop()
        await soon(lambda: not settings.available)
        instances = note_instances(settings, OTHER)
        assert await settings.device(OTHER, "multi", 288) == 288
        await rig.service.start()
        await soon(lambda: settings.available)
        assert instances == [289]
        assert await rig.user.get_value(instance_path(UID)) == "multi:288"


async def test_localsettings_that_does_not_answer_blocks_nobody(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    await rig.service.start()
    async with rig.opened(patience=5, answer=0.15) as settings:
        await settings.device(UID, "multi", 300)
        await settings.add((CAPACITY,))
        rig.service.freeze()
        begin = time.monotonic()
        assert not await settings.set(CAPACITY.path, 5.0)
        assert await settings.device(OTHER, "multi", 288) == 288
        assert await settings.device(UID, "multi", 288) == 300
        await settings.add((TYPE,))
        assert time.monotonic() - begin < 4
        assert not settings.available
        rig.service.thaw()
        await soon(lambda: settings.available)
        assert await settings.device(OTHER, "multi", 288) == 288
    assert "no answer" in caplog.text


async def test_localsettings_that_is_mute_from_the_start(rig: Rig) -> None:
    await rig.service.start()
    rig.service.freeze()
    async with rig.opened(patience=0.1, answer=0.1) as settings:
        assert await settings.device(UID, "multi", 288) == 288
        assert not settings.available
        rig.service.thaw()
        await soon(lambda: settings.available)


async def test_a_localsettings_that_sends_items_changed(
    bus_address: str, tmp_path: Path
) -> None:
    service = OwnService(bus_address)
    service.newer = True
    user = await BusItemClient.connect(bus_address, NAME)
    rig = Rig(service, user, bus_address, tmp_path / "settings.json")
    await service.start()
    async with rig.opened(patience=5) as settings:
        await settings.device(UID, "multi", 288)
        instances = note_instances(settings)
        await user.set_value(instance_path(UID), "s", "multi:300")
        await soon(lambda: instances)
        assert instances == [300]
    await user.close()
    await service.stop()


async def test_the_bus_restarts(
    rig: Rig, settings: LocalSettings, private_bus: PrivateBus
) -> None:
    await settings.device(UID, "multi", 300)
    private_bus.stop()
    await soon(lambda: not settings.available)
    await rig.service.stop()
    private_bus.start()
    await rig.service.start()
    await soon(lambda: settings.available)
    user = await BusItemClient.connect(private_bus.address, NAME)
    assert await user.get_value(instance_path(UID)) == "multi:300"
    heard = note_instances(settings)
    await user.set_value(instance_path(UID), "s", "multi:301")
    await soon(lambda: heard)
    assert heard == [301]
    await user.close()


async def test_another_program_cannot_speak_for_localsettings(
    rig: Rig, settings: LocalSettings
) -> None:
    await settings.add((CAPACITY,))
    heard: list[tuple[str, Any]] = []
    settings.on_change("/Settings", lambda *news: heard.append(news))
    forged = Message.new_signal(
        CAPACITY.path, "com.victronenergy.BusItem", "PropertiesChanged", "a{sv}",
        [{"Value": variant(1.0)}],
    )  # fmt: skip
    forged.destination = settings._watcher.unique_name
    await rig.user.bus.send(forged)
    await rig.user.set_value(CAPACITY.path, "d", 2.0)
    await soon(lambda: heard)
    assert heard == [(CAPACITY.path, 2.0)]

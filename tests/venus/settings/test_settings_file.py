"""Settings where no localsettings runs: kept in a file, whatever becomes of it."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from helpers.settings import CAPACITY, LABEL, OTHER, TYPE, UID, named_device
from helpers.state import OLD
from mppdbus.storage.atomic_file import AtomicFile
from mppdbus.venus.dbus.watcher import Watcher
from mppdbus.venus.settings.setting import SettingValue, custom_name_path, instance_path
from mppdbus.venus.settings.store import LocalSettings

pytestmark = pytest.mark.usefixtures("never_blocking")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "settings.json"


@asynccontextmanager
async def opened(address: str, file: Path) -> AsyncIterator[LocalSettings]:
    """The settings of a run of the daemon on a bus without localsettings."""
    watcher = Watcher(address)
    settings = LocalSettings(watcher, file, patience=0)
    await settings.load()
    await watcher.open()
    try:
        yield settings
    finally:
        await watcher.close()
        await settings.close()


@pytest.fixture
async def settings(bus_address: str, file: Path) -> AsyncIterator[LocalSettings]:
    async with opened(bus_address, file) as settings:
        yield settings


async def test_instances_and_names_outlive_us(
    bus_address: str, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with opened(bus_address, file) as settings:
        assert await named_device(settings, UID, 300) == (300, "")
        assert await named_device(settings, OTHER, 300) == (301, "")
        assert await settings.device(f"{UID}_pv", "solarcharger", 300) == 300
        assert await settings.set(custom_name_path(OTHER), "Süd")
        assert not settings.available
    async with opened(bus_address, file) as settings:
        assert await named_device(settings, OTHER, 288) == (301, "Süd")
        assert await named_device(settings, UID, 288) == (300, "")
    told = f"no localsettings here: settings are kept in {file}"
    assert caplog.text.count(told) == 2  # once a run


async def test_devices_that_come_at_once_get_numbers_of_their_own(
    bus_address: str, file: Path
) -> None:
    uids = [f"mppdbus_{number}" for number in range(5)]
    async with opened(bus_address, file) as settings:
        found = await asyncio.gather(*(settings.device(u, "multi", 288) for u in uids))
        assert sorted(found) == [288, 289, 290, 291, 292]
    async with opened(bus_address, file) as settings:
        again = [await settings.device(uid, "multi", 288) for uid in reversed(uids)]
        assert again[::-1] == found


async def test_an_unplugged_device_keeps_its_number(
    bus_address: str, file: Path
) -> None:
    async with opened(bus_address, file) as settings:
        await settings.device(UID, "multi", 288)
    async with opened(bus_address, file) as settings:
        assert await settings.device(OTHER, "multi", 288) == 289


@pytest.mark.parametrize(("taken", "number"), [(False, 290), (True, 291)])
async def test_a_new_class_keeps_the_instance_if_it_is_free(
    bus_address: str, file: Path, number: int, *, taken: bool
) -> None:
    async with opened(bus_address, file) as settings:
        await settings.device(UID, "inverter", 290)
        if taken:
            await settings.device(OTHER, "multi", 290)
    for _ in range(2):
        async with opened(bus_address, file) as settings:
            assert await settings.device(UID, "multi", 288) == number


async def test_settings_are_kept_with_their_types_and_told(
    bus_address: str, file: Path
) -> None:
    values: dict[str, SettingValue] = {
        CAPACITY.path: 280.0, TYPE.path: 2, LABEL.path: "Süd \U0001f31e",
    }  # fmt: skip
    heard: dict[str, Any] = {}
    async with opened(bus_address, file) as settings:
        assert await settings.add((CAPACITY, TYPE, LABEL)) == {
            CAPACITY.path: 200.0, TYPE.path: 1, LABEL.path: "house",
        }  # fmt: skip
        settings.on_change("/Settings", heard.__setitem__)
        for path, value in values.items():
            assert await settings.set(path, value)
        assert heard == values
        heard.clear()
        assert await settings.set(TYPE.path, 2)
        assert not await settings.set(TYPE.path, 7)
        with pytest.raises(KeyError):
            await settings.set("/Settings/Mppdbus/NotAdded", 1)
        assert heard == {}
    async with opened(bus_address, file) as settings:
        kept = await settings.add((CAPACITY, TYPE, LABEL))
        assert kept == values
        assert [type(value) for value in kept.values()] == [float, int, str]


async def test_nothing_is_written_without_a_change(
    bus_address: str, file: Path
) -> None:
    async with opened(bus_address, file) as settings:
        await settings.device(UID, "multi", 288)
        await settings.add((CAPACITY,))
    before = file.stat().st_ino
    async with opened(bus_address, file) as settings:
        await settings.device(UID, "multi", 288)
        await settings.add((CAPACITY,))
        await settings.set(CAPACITY.path, 200.0)
    assert file.stat().st_ino == before


# -- damage ----------------------------------------------------------------------

DAMAGE = {
    "empty": b"",
    "cut": b'{"format": 1, "settings": {"/Settings/Devi',
    "binary": b"\x00\xff\xfe",
    "no object": b"[]",
    "nested": b"[" * 100_000,
    "another format": b'{"format": 2, "settings": {}}',
    "no settings": b'{"format": 1}',
    "a list": b'{"format": 1, "settings": []}',
    "no values": b'{"format": "mppdbus settings", "version": 2, "state": {"a": []}}',
    "a switch": b'{"format": 1, "settings": {"/Settings/X": true}}',
    "huge": b"x" * 2_000_000,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
async def test_a_damaged_file_is_set_aside(
    bus_address: str, file: Path, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    file.parent.mkdir()
    file.write_bytes(damage)
    async with opened(bus_address, file) as settings:
        assert await settings.device(UID, "multi", 300) == 300
    assert "set aside as settings.json.unreadable-1" in caplog.text
    assert file.with_name("settings.json.unreadable-1").read_bytes() == damage
    async with opened(bus_address, file) as settings:
        assert await settings.device(UID, "multi", 288) == 300


async def test_after_damage_the_generation_before_counts(
    bus_address: str, file: Path
) -> None:
    async with opened(bus_address, file) as settings:
        await settings.device(UID, "multi", 300)
        await settings.set(custom_name_path(UID), "Garage")
    file.write_bytes(file.read_bytes()[:-20])
    async with opened(bus_address, file) as settings:
        assert await named_device(settings, UID, 288) == (300, "")


async def test_two_instances_that_are_one_are_told_apart(
    bus_address: str, file: Path
) -> None:
    file.parent.mkdir()
    settings = {instance_path(uid): "multi:288" for uid in (UID, OTHER)}
    file.write_text(json.dumps({"format": 1, "settings": settings}))
    for _ in range(2):
        async with opened(bus_address, file) as kept:
            found = [await kept.device(uid, "multi", 288) for uid in (UID, OTHER)]
            assert found == [289, 288]


@pytest.mark.parametrize("value", ["multi", "multi:", "multi:-1", 288, "multi:x", ""])
async def test_an_instance_that_makes_no_sense_is_replaced(
    bus_address: str, file: Path, value: SettingValue
) -> None:
    file.parent.mkdir()
    content = {"format": 1, "settings": {instance_path(UID): value, "/Settings/X": 5}}
    file.write_text(json.dumps(content))
    async with opened(bus_address, file) as settings:
        assert await settings.device(UID, "multi", 288) == 288
    kept = json.loads(file.read_text())["state"]
    assert kept[instance_path(UID)] == "multi:288"
    assert kept["/Settings/X"] == 5  # whoever it belongs to


async def test_values_that_do_not_fit_give_way_to_the_default(
    bus_address: str, file: Path
) -> None:
    file.parent.mkdir()
    settings = {CAPACITY.path: float("nan"), TYPE.path: 10**400, LABEL.path: "\ud800"}
    file.write_text(json.dumps({"format": 1, "settings": settings}))
    async with opened(bus_address, file) as kept:
        assert await kept.add((CAPACITY, TYPE)) == {CAPACITY.path: 200.0, TYPE.path: 1}
        assert await kept.set(TYPE.path, 2)


async def test_a_file_that_cannot_be_written(
    bus_address: str, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file.parent.write_text("a file where a folder belongs")
    async with opened(bus_address, file) as settings:
        for uid, number in ((UID, 288), (OTHER, 289), (UID, 288)):
            assert await settings.device(uid, "multi", 288) == number
        assert not await settings.set(custom_name_path(UID), "Garage")
        assert settings.value(custom_name_path(UID)) == ""
        assert caplog.text.count("settings.json: not stored") == 1
        file.parent.unlink()
        assert await settings.set(custom_name_path(UID), "Garage")
    async with opened(bus_address, file) as settings:
        assert await named_device(settings, OTHER, 288) == (289, "")
        assert await named_device(settings, UID, 288) == (288, "Garage")


# -- versions ----------------------------------------------------------------------


async def test_a_file_of_the_daemon_before_this_envelope_is_read_in_full(
    bus_address: str, file: Path
) -> None:
    file.parent.mkdir()
    shutil.copy(OLD / "settings-1.json", file)
    before = json.loads(file.read_text())["settings"]
    uid = "mppdbus_96332405100123"
    async with opened(bus_address, file) as settings:
        found = await named_device(settings, uid, 300)
        assert found == (288, "Süd \U0001f31e")
        assert json.loads(file.read_text())["format"] == 1  # nothing has changed
        assert await settings.device(f"{uid}_pv", "solarcharger", 300) == 288
        await settings.set(custom_name_path(uid), "North")
    kept = json.loads(file.read_text())
    assert (kept["format"], kept["version"]) == ("mppdbus settings", 2)
    names = {custom_name_path(uid): "North", custom_name_path(f"{uid}_pv"): ""}
    assert kept["state"] == before | names
    assert json.loads(file.with_name("settings.json.previous").read_text())


async def test_a_newer_file_is_kept_aside_and_one_line_says_so(
    bus_address: str, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    newer = b'{"format": "mppdbus settings", "version": 3, "state": {}}'
    file.parent.mkdir()
    file.write_bytes(newer)
    file.with_name("settings.json.previous").write_bytes(newer)
    async with opened(bus_address, file) as settings:
        assert await settings.device(UID, "multi", 300) == 300
    lines = [each.getMessage() for each in caplog.records if each.levelname != "INFO"]
    assert len(lines) == 1
    assert "written by a newer mppdbus (version 3, this one reads 2)" in lines[0]
    aside = sorted(file.parent.glob("*.unreadable-1"))
    assert [each.read_bytes() for each in aside] == [newer, newer]


# -- a slow disk -------------------------------------------------------------------


async def test_a_slow_disk_does_not_hold_up_the_loop_nor_lose_a_change(
    bus_address: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = AtomicFile.save

    def slowly(self: AtomicFile, data: bytes) -> None:
        time.sleep(0.1)
        save(self, data)

    async with opened(bus_address, file) as settings:
        await settings.add((CAPACITY, TYPE))
        monkeypatch.setattr(AtomicFile, "save", slowly)
        change = asyncio.create_task(settings.set(CAPACITY.path, 280.0))
        await asyncio.sleep(0.02)
        assert settings.value(CAPACITY.path) == 200.0  # not before it is kept
        change.cancel()  # as at the end of the daemon
        await asyncio.gather(change, return_exceptions=True)
        assert await settings.set(TYPE.path, 2)
        assert settings.value(CAPACITY.path) == 280.0
        kept = json.loads(file.read_text())["state"]
        assert kept == {CAPACITY.path: 280.0, TYPE.path: 2}
        last = asyncio.create_task(settings.set(TYPE.path, 3))
        await asyncio.sleep(0.02)
    assert json.loads(file.read_text())["state"] == {**kept, TYPE.path: 3}
    assert await last

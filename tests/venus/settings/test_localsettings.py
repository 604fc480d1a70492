"""Settings in localsettings: ours for tests, and Victron's where the lab has it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from helpers.bus import soon
from helpers.settings import (
    CAPACITY,
    LABEL,
    OTHER,
    TYPE,
    UID,
    Rig,
    add_as_another,
    named_device,
    note_instances,
    remove,
)
from mppdbus.venus.settings.setting import (
    Setting,
    SettingValue,
    custom_name_path,
    instance_path,
)
from mppdbus.venus.settings.store import LocalSettings

pytestmark = pytest.mark.usefixtures("never_blocking")


# -- units ---------------------------------------------------------------------


async def test_a_new_device_gets_what_it_wants(
    rig: Rig, settings: LocalSettings
) -> None:
    assert await named_device(settings, UID, 288) == (288, "")
    assert settings.available
    assert await rig.user.get_value(instance_path(UID)) == "multi:288"
    assert await rig.user.get_value(custom_name_path(UID)) == ""
    assert not rig.file.exists()


async def test_what_is_kept_wins(rig: Rig) -> None:
    await rig.service.start()
    async with rig.opened(patience=5) as settings:
        await settings.device(UID, "multi", 300)
        assert await settings.set(custom_name_path(UID), "Süd 1")
    await rig.service.stop()
    await rig.service.start()
    async with rig.opened(patience=5) as settings:
        assert await named_device(settings, UID, 288) == (300, "Süd 1")
    assert await rig.user.get_value(instance_path(UID)) == "multi:300"


async def test_instances_are_unique_in_a_class(settings: LocalSettings) -> None:
    uids = [(UID, "multi"), (OTHER, "multi"), (f"{UID}_pv", "solarcharger")]
    found = await asyncio.gather(*(settings.device(u, c, 288) for u, c in uids))
    assert found == [288, 289, 288]
    again = await settings.device(OTHER, "multi", 288)
    assert again == 289


async def test_a_new_class_keeps_the_instance(rig: Rig) -> None:
    await rig.service.start()
    async with rig.opened(patience=5) as settings:
        await settings.device(UID, "inverter", 290)
    async with rig.opened(patience=5) as settings:
        told = note_instances(settings)
        assert await settings.device(UID, "multi", 288) == 290
        assert await rig.user.get_value(instance_path(UID)) == "multi:290"
    assert set(told) <= {290}


async def test_an_instance_can_be_set(rig: Rig, settings: LocalSettings) -> None:
    for uid in (UID, OTHER):
        await settings.device(uid, "multi", 288)
    assert not await settings.set(instance_path(UID), "multi")
    assert not await settings.set(instance_path(UID), "multi:x")
    assert await settings.set(instance_path(UID), "multi:289")
    assert await settings.device(UID, "multi", 288) == 290
    assert await rig.user.get_value(instance_path(UID)) == "multi:290"


async def test_a_new_class_where_the_instance_is_taken(
    rig: Rig, settings: LocalSettings
) -> None:
    await settings.device(OTHER, "multi", 290)
    await settings.device(UID, "inverter", 290)
    assert await settings.device(UID, "multi", 288) == 291
    assert await rig.user.get_value(instance_path(UID)) == "multi:291"


@pytest.mark.parametrize(
    ("uid", "device_class", "wanted"),
    [
        ("mppdbus_1/2", "multi", 288),
        ("mppdbus 1", "multi", 288),
        ("_1", "multi", 288),
        ("", "multi", 288),
        (UID, "multi", -1),
        (UID, "mul:ti", 288),
        (UID, "", 288),
    ],
)
async def test_a_device_that_cannot_be(
    rig: Rig, uid: str, device_class: str, wanted: int
) -> None:
    async with rig.opened() as settings:
        with pytest.raises(ValueError, match=r"names no device|is no class|default"):
            await settings.device(uid, device_class, wanted)


# -- settings ------------------------------------------------------------------


async def test_settings_have_their_values_and_bounds(
    rig: Rig, settings: LocalSettings
) -> None:
    values = await settings.add((CAPACITY, TYPE, LABEL))
    assert values == {CAPACITY.path: 200.0, TYPE.path: 1, LABEL.path: "house"}
    assert await rig.user.set_value(CAPACITY.path, "d", 5000.5) < 0
    assert await rig.user.set_value(TYPE.path, "i", 4) < 0
    assert await rig.user.set_value(CAPACITY.path, "i", 280) == 0
    await soon(lambda: settings.value(CAPACITY.path) == 280.0)
    assert isinstance(settings.value(CAPACITY.path), float)
    assert await settings.add((CAPACITY,)) == {CAPACITY.path: 280.0}


async def test_what_a_user_changes_is_told(rig: Rig, settings: LocalSettings) -> None:
    heard: list[tuple[str, Any]] = []
    own, all_of_them = f"/Settings/Devices/{UID}", "/Settings"
    settings.on_change(own, lambda *news: heard.append(news))
    end = settings.on_change(all_of_them, lambda *news: heard.append(("*", news[1])))
    instances = note_instances(settings)
    await settings.add((CAPACITY, TYPE))
    await settings.device(UID, "multi", 288)
    await settings.device(f"{UID}_pv", "solarcharger", 288)
    assert heard == []
    await rig.user.set_value(instance_path(f"{UID}_pv"), "s", "battery:288")
    await soon(lambda: heard)
    heard.clear()
    await rig.user.set_value(TYPE.path, "i", 2)
    await rig.user.set_value(custom_name_path(UID), "s", "Shed")
    await rig.user.set_value(custom_name_path(f"{UID}_pv"), "s", "Roof")
    await rig.user.set_value(instance_path(UID), "s", "multi:300")
    await soon(lambda: instances)
    assert [news for news in heard if news[0] != "*"] == [
        (TYPE.path, 2), (custom_name_path(UID), "Shed"),
        (instance_path(UID), "multi:300"),
    ]  # fmt: skip
    assert [v for path, v in heard if path == "*"] == [2, "Shed", "Roof", "multi:300"]
    assert instances == [300]
    assert await settings.device(UID, "multi", 288) == 300
    end()
    heard.clear()
    await rig.user.set_value(CAPACITY.path, "d", 1.0)
    await rig.user.set_value(TYPE.path, "i", 3)
    await soon(lambda: heard)
    assert heard == [(TYPE.path, 3)]


async def test_our_own_changes_are_told_once(rig: Rig, settings: LocalSettings) -> None:
    heard: list[tuple[str, Any]] = []
    settings.on_change("/Settings", lambda *news: heard.append(news))
    await settings.add((CAPACITY,))
    assert await settings.set(CAPACITY.path, 280)
    assert settings.value(CAPACITY.path) == 280.0
    assert await rig.user.get_value(CAPACITY.path) == 280.0
    assert await settings.set(CAPACITY.path, 280.0)
    assert heard == [(CAPACITY.path, 280.0)]


async def test_a_removed_setting_is_told(rig: Rig, settings: LocalSettings) -> None:
    heard: list[tuple[str, Any]] = []
    settings.on_change("/Settings", lambda *news: heard.append(news))
    await settings.device(UID, "multi", 288)
    await settings.add((CAPACITY,))
    await remove(rig.user, instance_path(UID), CAPACITY.path)
    await soon(lambda: len(heard) == 2)
    assert heard == [(instance_path(UID), None), (CAPACITY.path, None)]
    assert settings.value(CAPACITY.path) is None
    assert not await settings.set(CAPACITY.path, 5.0)
    assert await settings.device(UID, "multi", 288) == 288
    assert await rig.user.get_value(instance_path(UID)) == "multi:288"


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        (CAPACITY, -0.1), (CAPACITY, 5000.1), (CAPACITY, "280"), (CAPACITY, True),
        (CAPACITY, float("nan")), (CAPACITY, float("inf")), (CAPACITY, 10**400),
        (TYPE, 1.5), (TYPE, 4), (TYPE, -1), (TYPE, 2**40), (TYPE, ""),
        (LABEL, 5), (LABEL, "a\x01b"), (LABEL, "two\nlines"), (LABEL, "\ud800"),
    ],
)  # fmt: skip
async def test_what_does_not_fit_is_refused(
    rig: Rig, settings: LocalSettings, setting: Setting, value: SettingValue
) -> None:
    """Victron's would take some of these: NaN, and what its file cannot hold."""
    await settings.add((setting,))
    assert not await settings.set(setting.path, value)
    assert settings.value(setting.path) == setting.default
    assert await rig.user.get_value(setting.path) == setting.default


async def test_what_localsettings_refuses_does_not_change(
    rig: Rig, settings: LocalSettings
) -> None:
    await settings.add((TYPE,))
    narrow = {"path": TYPE.path, "default": 1, "min": 0, "max": 1}
    await add_as_another(rig.user, narrow)
    assert not await settings.set(TYPE.path, 3)
    assert settings.value(TYPE.path) == 1
    assert await settings.set(TYPE.path, 0)


async def test_an_addition_that_is_refused_has_its_default(
    rig: Rig, settings: LocalSettings, caplog: pytest.LogCaptureFixture
) -> None:
    await add_as_another(rig.user, {"path": CAPACITY.path, "default": "much"})
    assert await settings.add((CAPACITY, TYPE)) == {CAPACITY.path: 200.0, TYPE.path: 1}
    assert "it exists with another type" in caplog.text


async def test_a_value_that_no_longer_fits(
    settings: LocalSettings, caplog: pytest.LogCaptureFixture
) -> None:
    await settings.add((CAPACITY,))
    await settings.set(CAPACITY.path, 4000)
    less = Setting(CAPACITY.path, 100.0, 0.0, 1000.0)
    assert await settings.add((less,)) == {CAPACITY.path: 100.0}
    assert "4000.0 is of no use" in caplog.text


@pytest.mark.parametrize(
    ("path", "default", "bounds"),
    [
        ("/Settings", 1, (None, None)),
        ("/Setting/X", 1, (None, None)),
        ("/Settings/_X", 1, (None, None)),
        ("/Settings/X/", 1, (None, None)),
        ("/Settings/a-b", 1, (None, None)),
        ("/Settings/X", 5, (0, 4)),
        ("/Settings/X", 0, (0, 0)),
        ("/Settings/X", 2**31, (None, None)),
        ("/Settings/X", float("nan"), (None, None)),
        ("/Settings/X", True, (None, None)),
        ("/Settings/X", "a\0", (None, None)),
    ],
)
def test_a_setting_that_cannot_be(
    path: str, default: SettingValue, bounds: tuple[float, float]
) -> None:
    with pytest.raises(ValueError, match="/Setting"):
        Setting(path, default, *bounds)


async def test_a_callback_that_fails_costs_nothing(
    rig: Rig, settings: LocalSettings, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[tuple[str, Any]] = []

    def fail(_path: str, _value: object) -> None:
        raise RuntimeError("theirs")

    settings.on_change("/Settings", fail)
    settings.on_change("/Settings", lambda *news: heard.append(news))
    await settings.add((CAPACITY,))
    for value in (1.0, 2.0):
        await rig.user.set_value(CAPACITY.path, "d", value)
    await soon(lambda: len(heard) == 2)
    assert settings.available
    assert "theirs" in caplog.text

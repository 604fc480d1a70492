"""What is kept for one service, and who hears of its changes."""

from __future__ import annotations

import asyncio

import pytest

from helpers.bus import soon
from helpers.settings import UID, Rig
from mppdbus.venus.settings.service_settings import ServiceSettings
from mppdbus.venus.settings.setting import custom_name_path
from mppdbus.venus.settings.store import LocalSettings

pytestmark = pytest.mark.usefixtures("never_blocking")


def settings_of(settings: LocalSettings, changes: list[str]) -> ServiceSettings:
    return ServiceSettings(settings, UID, changes.append)


async def test_a_change_is_heard_until_it_is_forgotten(rig: Rig) -> None:
    await rig.service.start()
    changes: list[str] = []
    async with rig.opened(patience=5) as settings:
        kept = settings_of(settings, changes)
        await kept.load("multi", 288, ())
        assert (kept.instance, kept.custom_name) == (288, "")
        changes.clear()
        await rig.user.set_value(custom_name_path(UID), "s", "Shed")
        await soon(lambda: changes)
        assert kept.custom_name == "Shed"
        kept.close()
        changes.clear()
        await rig.user.set_value(custom_name_path(UID), "s", "Roof")
        await soon(lambda: settings.value(custom_name_path(UID)) == "Roof")
        assert changes == []


async def test_a_load_that_fails_leaves_no_listener_behind(rig: Rig) -> None:
    changes: list[str] = []
    async with rig.opened(patience=60) as settings:  # for a localsettings to come
        for _ in range(3):
            loading = asyncio.create_task(
                settings_of(settings, changes).load("multi", 288, ())
            )
            await asyncio.sleep(0)
            loading.cancel()
            await asyncio.gather(loading, return_exceptions=True)
        assert loading.cancelled()
        await rig.service.start()
        await settings_of(settings, changes).load("multi", 288, ())
        changes.clear()
        await rig.user.set_value(custom_name_path(UID), "s", "Shed")
        await soon(lambda: changes)
        assert changes == ["CustomName"]  # of the one that was loaded

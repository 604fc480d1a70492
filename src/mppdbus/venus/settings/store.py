"""Settings that outlive us: in Victron's localsettings, or in a file where none runs.

What localsettings says wins. While it is not there yet, or not there at all, the file
stands in, so that every unit has its DeviceInstance at once; when localsettings comes
later, everything is added to it, and what it knows better is reported as a change.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from mppdbus.errors import BusError
from mppdbus.venus.dbus.watcher import Follower, Rows, Watcher
from mppdbus.venus.settings.localsettings import NAME, SettingsService
from mppdbus.venus.settings.setting import (
    ClassInstance,
    Setting,
    SettingValue,
    custom_name_path,
    device_of,
    instance_path,
    is_below,
)
from mppdbus.venus.settings.settings_file import SettingsFile

__all__ = ["DeviceSettings", "LocalSettings", "Setting", "SettingValue"]

PATIENCE = 5.0  # s that localsettings may take to appear
ANSWER = 10.0  # s that a call of it may take
RETRY = 5.0  # s before it is asked again after it did not answer

T = TypeVar("T")
OnChange = Callable[[str, SettingValue | None], None]
OnInstance = Callable[[str, int], None]
log = logging.getLogger("mppdbus.settings")


@dataclass(frozen=True, slots=True)
class DeviceSettings:
    """What is kept for a device."""

    instance: int
    custom_name: str


class LocalSettings(Follower):
    """The settings of this process.

    `file` is where they are kept without localsettings.
    Nothing waits longer than `patience` s for localsettings to appear, nor longer than
    `answer` s for it to answer. Callbacks are called in the event loop.
    """

    def __init__(
        self,
        watcher: Watcher,
        file: Path,
        *,
        patience: float = PATIENCE,
        answer: float = ANSWER,
        retry: float = RETRY,
    ) -> None:
        self._file = SettingsFile(file, self._learn)
        self._watcher = watcher
        self._patience, self._answer, self._retry = patience, answer, retry
        self._declared: dict[str, Setting] = {}
        self._unsynced: dict[str, Setting] = {}  # not yet added to this localsettings
        self._values: dict[str, SettingValue | None] = {}  # None: removed
        self._given: dict[str, int] = {}  # uid → the DeviceInstance it was told
        self._listeners: list[tuple[str, OnChange]] = []
        self._instance_listeners: list[OnInstance] = []
        self._heard: SettingsService | None = None  # there, though maybe silent
        self._service: SettingsService | None = None  # there, and has our settings
        self._arrived = asyncio.Event()
        self._adopting: asyncio.Task[None] | None = None
        self._deadline = 0.0
        self._seen = False
        self._told = False  # that the file is used
        watcher.add(self)

    @property
    def available(self) -> bool:
        """True while localsettings is there and has all our settings."""
        return self._service is not None

    async def load(self) -> None:
        """Read the file."""
        await self._file.load()

    async def close(self) -> None:
        """Wait for what is being written."""
        self._forget_service()
        if self._adopting is not None:
            await asyncio.gather(self._adopting, return_exceptions=True)
        await self._file.close()

    async def knows(self, uid: str) -> bool:
        """Tell whether anything is kept for a device."""
        path = instance_path(uid)
        if (service := await self._reach()) is not None:
            return await service.holds(path)
        return self._file.holds(path)

    async def device(
        self, uid: str, device_class: str, wanted: int, custom_name: str = ""
    ) -> DeviceSettings:
        """Return what is kept for a device; what is kept wins over what is wanted.

        The instance is unique in its class ("multi"), as far as localsettings or the
        file know. One kept for another class goes on in this one.
        Raises ValueError for a malformed uid, class or name.
        """
        default = ClassInstance(device_class, wanted)
        if ClassInstance.read(str(default)) is None:
            raise ValueError(f"{default} is no class and DeviceInstance")
        name = Setting(custom_name_path(uid), custom_name)
        values = await self.add((Setting(instance_path(uid), str(default)), name))
        number = self._number(uid)
        if number != wanted and uid not in self._given:
            log.info("%s has DeviceInstance %d, not %d", uid, number, wanted)
        self._given[uid] = number
        return DeviceSettings(number, str(values[name.path]))

    async def add(self, settings: Iterable[Setting]) -> dict[str, SettingValue]:
        """Add settings and return their values; a value that is kept wins."""
        settings = tuple(settings)
        new = {setting.path: setting for setting in settings}
        self._declared |= new
        self._unsynced |= new
        service = self._service
        if service is None and self._unknown(settings):
            service = await self._reach()
        if service is not None:
            try:
                await self._sync(service, settings)
            except BusError as error:
                self._stumbled(service, error)
        if unknown := self._unknown(settings):
            self._tell_of_file()
            await self._sync(self._file, unknown)
        return {path: self._value(path) for path in new}

    async def set(self, path: str, value: SettingValue) -> bool:
        """Change a setting that was added; false if that is refused, or cannot be kept.

        Raises KeyError for a path that was not added.
        """
        setting = self._declared[path]
        fitting = setting.fit(value)
        if fitting is None or (
            device_of(path) is not None and ClassInstance.read(fitting) is None
        ):
            return False
        if (service := self._service) is not None:
            try:
                return await service.set(setting, fitting)
            except BusError as error:
                log.warning("%s is not set: %s", path, error)
                return False
        if self._seen:  # it will say at its return what the value is
            log.warning("%s is not set: localsettings is away", path)
            return False
        accepted = await self._file.set(setting, fitting)
        if self._service is not None:  # it came meanwhile, and did not know of this
            return await self.set(path, value)
        return accepted

    def value(self, path: str) -> SettingValue | None:
        """Return the value of a setting that was added; None if it was removed."""
        return self._values[path]

    def on_change(self, prefix: str, callback: OnChange) -> Callable[[], None]:
        """Call back with path and new value, None: removed; return what ends that.

        `prefix` is a path, or what it begins with up to a slash. Whoever made the
        change, also ourselves: it is told, once.
        """
        entry = (prefix, callback)
        self._listeners.append(entry)
        return lambda: self._listeners.remove(entry)

    def on_instance(self, callback: OnInstance) -> Callable[[], None]:
        """Call back with a uid and its new DeviceInstance; return what ends that."""
        self._instance_listeners.append(callback)
        return lambda: self._instance_listeners.remove(callback)

    # -- localsettings comes and goes ---------------------------------------------

    def bus_changed(self) -> None:
        """Wait for localsettings from now on, if the bus has it not yet."""
        if self._heard is None:
            self._wait_for_it(self._patience)

    def owner_changed(self, name: str, owner: str) -> None:
        """Go on with a localsettings that appears, without one that goes."""
        if name != NAME:
            return
        if self._service is not None:
            log.warning("localsettings has gone; its settings stay as they were")
        self._forget_service()
        # One that is there may take its time to answer, whatever our patience is.
        self._wait_for_it(
            max(self._patience, self._answer) if owner else self._patience
        )
        if owner:
            self._unsynced = self._declared.copy()
            self._heard = SettingsService(
                self._watcher, owner, self._learn, self._answer
            )
            self._adopting = asyncio.create_task(self._adopt(self._heard, 0))

    def items_changed(self, name: str, rows: Rows) -> None:
        """Take what localsettings says."""
        if name == NAME and self._heard is not None:
            self._heard.changed(rows)

    def _wait_for_it(self, seconds: float) -> None:
        self._deadline = asyncio.get_running_loop().time() + seconds

    def _forget_service(self) -> None:
        self._heard = self._service = None
        self._arrived.clear()
        if self._adopting is not None:
            self._adopting.cancel()

    def _stumbled(self, service: SettingsService, error: BusError) -> None:
        """Do without a localsettings that does not answer, until it does again."""
        if service is self._service:
            log.warning("localsettings fails: %s", error)
            self._service = None
            self._arrived.clear()
            self._deadline = 0.0  # nobody waits for this one
            self._adopting = asyncio.create_task(self._adopt(service, self._retry))

    async def _adopt(self, service: SettingsService, delay: float) -> None:
        """Add all that is declared, however often that takes."""
        await asyncio.sleep(delay)
        told = ""
        while self._unsynced:
            try:
                await self._sync(service, tuple(self._unsynced.values()))
            except BusError as error:
                if told != str(error):
                    told = str(error)
                    log.warning("localsettings does not take our settings: %s", error)
                await asyncio.sleep(self._retry)
        log.info("settings are kept in localsettings")
        self._seen = True
        self._service = service
        self._arrived.set()

    async def _reach(self) -> SettingsService | None:
        """Return localsettings, or None if it has not come within our patience."""
        if self._service is None:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._deadline):
                    await self._arrived.wait()
        return self._service

    async def _sync(
        self, keeper: SettingsService | SettingsFile, settings: Sequence[Setting]
    ) -> None:
        """Add settings; a DeviceInstance that is kept for another class changes it."""
        await keeper.add(settings)
        for setting in settings:
            uid = device_of(setting.path)
            default = ClassInstance.read(setting.default)
            if uid is not None and default is not None:
                wanted = default._replace(number=self._number(uid))
                found = ClassInstance.read(self._values[setting.path])
                if found is None or found.device_class != wanted.device_class:
                    await keeper.set(setting, str(wanted))
            if keeper is not self._file and self._unsynced.get(setting.path) is setting:
                del self._unsynced[setting.path]

    def _tell_of_file(self) -> None:
        if not self._told:
            self._told = True
            log.info("no localsettings here: settings are kept in %s", self._file.path)

    def _unknown(self, settings: Iterable[Setting]) -> list[Setting]:
        return [s for s in settings if s.fit(self._values.get(s.path)) is None]

    # -- values --------------------------------------------------------------------

    def _learn(self, path: str, value: SettingValue | None) -> None:
        """Take the value of a setting of ours, and tell if it is news."""
        setting = self._declared.get(path)
        if setting is None:
            return
        fitting = None if value is None else setting.fit(value)
        if value is not None and fitting is None:
            fitting = setting.default
            log.warning("%s: %r is of no use; taking %r", path, value, fitting)
        first, old = path not in self._values, self._values.get(path)
        self._values[path] = fitting
        if first or fitting == old:
            return
        for prefix, callback in tuple(self._listeners):
            if is_below(path, prefix):
                _guarded(callback, path, fitting)
        uid = device_of(path)
        if uid is not None and fitting is not None:
            self._tell_instance(uid)

    def _tell_instance(self, uid: str) -> None:
        number = self._number(uid)
        if uid in self._given and self._given[uid] != number:
            self._given[uid] = number
            for callback in tuple(self._instance_listeners):
                _guarded(callback, uid, number)

    def _value(self, path: str) -> SettingValue:
        """Return a value; of a removed setting, the default."""
        value = self._values.get(path)
        return self._declared[path].default if value is None else value

    def _number(self, uid: str) -> int:
        """Return the DeviceInstance of a device, or what was wanted of it."""
        path = instance_path(uid)
        for text in (self._value(path), self._declared[path].default):
            if (found := ClassInstance.read(text)) is not None:
                return found.number
        raise AssertionError(path)  # `device` has looked at the default


def _guarded(callback: Callable[[str, T], None], path: str, value: T) -> None:
    try:
        callback(path, value)
    except Exception:  # an error of theirs must not cost us the connection
        log.exception("%s: %s", path, value)

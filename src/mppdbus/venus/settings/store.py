"""Stores settings in Victron's localsettings, or in a file where it does not run.

While localsettings is missing, the file is used, so that every unit has its
DeviceInstance at once. When localsettings appears, all settings are added to it: with
the value of the file where it has none, and with what the user has set meanwhile. Other
values that it has win, and are reported as changes.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from mppdbus.errors import BusError
from mppdbus.storage.folder_log import FolderLog
from mppdbus.venus.dbus.watcher import BusListener, Rows, Watcher
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

PATIENCE = 5.0  # s that localsettings may take to appear
ANSWER = 10.0  # s that localsettings may take to answer a call
RETRY = 5.0  # s before the next attempt after a missing answer

OnChange = Callable[[str, SettingValue | None], None]
log = logging.getLogger("mppdbus.settings")


class LocalSettings(BusListener):
    """The settings of this process; `file` stores them without localsettings.

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
        folder_log: FolderLog | None = None,
    ) -> None:
        self._file = SettingsFile(file, self._learn, folder_log)
        self._watcher = watcher
        self._patience, self._answer, self._retry = patience, answer, retry
        self._declared: dict[str, Setting] = {}
        self._unsynced: dict[str, Setting] = {}  # not yet added to this localsettings
        self._values: dict[str, SettingValue | None] = {}  # None: removed
        self._listeners: list[tuple[str, OnChange]] = []
        self._heard: SettingsService | None = None  # on the bus, maybe silent
        self._ready = asyncio.Event()  # localsettings has our settings
        self._adopting: asyncio.Task[None] | None = None
        self._deadline = 0.0
        self._seen = False
        self._set_meanwhile: dict[str, SettingValue] = {}  # without localsettings
        self._file_used = False
        watcher.add(self)

    @property
    def available(self) -> bool:
        """True while localsettings is there and has all our settings."""
        return self._ready.is_set()

    async def load(self) -> None:
        """Read the file."""
        await self._file.load()

    async def close(self) -> None:
        """Wait until the file is written."""
        self._forget_service()
        if self._adopting is not None:
            await asyncio.gather(self._adopting, return_exceptions=True)
        await self._file.close()

    async def knows(self, uid: str) -> bool:
        """Tell whether anything is stored for a device."""
        return await self.holds(instance_path(uid))

    async def holds(self, path: str) -> bool:
        """Tell whether there is a stored setting at `path`."""
        if (service := await self._reach()) is not None:
            return await service.holds(path)
        return self._file.value(path) is not None

    async def device(self, uid: str, device_class: str, wanted: int) -> int:
        """Add the instance and name of a device, and return its DeviceInstance.

        It is unique in its class ("multi") within localsettings or the file. A stored
        value wins over the wanted one, even if it was stored for another class.
        Raises ValueError for a malformed uid or class.
        """
        default = str(ClassInstance(device_class, wanted))
        if ClassInstance.read(default) is None:
            raise ValueError(f"{default} is no class and DeviceInstance")
        instance = Setting(instance_path(uid), default)
        new = instance.path not in self._declared
        await self.add((instance, Setting(custom_name_path(uid), "")))
        number = self.instance(uid)
        if new and number != wanted:
            text = "%s keeps its instance %d; the %d of the config is for new units"
            log.info(text, uid, number, wanted)
        return number

    def instance(self, uid: str) -> int:
        """Return the DeviceInstance of a device, by default the wanted one."""
        path = instance_path(uid)
        for text in (self._value(path), self._declared[path].default):
            if (found := ClassInstance.read(text)) is not None:
                return found.number
        raise AssertionError(path)  # `device` has checked the default

    async def add(self, settings: Iterable[Setting]) -> dict[str, SettingValue]:
        """Add settings and return their values; stored values win."""
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
            if not self._file_used:
                self._file_used = True
                where = self._file.path
                log.info("no localsettings here: settings are kept in %s", where)
            await self._sync(self._file, unknown)
        return {path: self._value(path) for path in new}

    async def set(self, path: str, value: SettingValue) -> bool:
        """Change a setting that was added; false if refused, or if not stored.

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
        if self._seen:  # localsettings will report the value when it returns
            log.warning("%s is not set: localsettings is away", path)
            return False
        accepted = await self._file.set(setting, fitting)
        if accepted:
            self._set_meanwhile[path] = fitting
        if self._service is not None:  # it came meanwhile, without this change
            return await self.set(path, value)
        return accepted

    def value(self, path: str) -> SettingValue | None:
        """Return the value of a setting that was added; None if it was removed."""
        return self._values[path]

    def on_change(self, prefix: str, callback: OnChange) -> Callable[[], None]:
        """Call back with path and new value (None: removed); return how to end it.

        `prefix` is a path, or the beginning of paths up to a slash. Each change is
        reported once, also our own.
        """
        entry = (prefix, callback)
        self._listeners.append(entry)
        return lambda: self._listeners.remove(entry)

    # -- localsettings comes and goes ---------------------------------------------

    def bus_changed(self) -> None:
        """Wait for localsettings from now on, if it is not on the bus yet."""
        if self._heard is None:
            self._wait_for_it(self._patience)

    def owner_changed(self, name: str, owner: str) -> None:
        """Use a localsettings that appears; do without one that leaves the bus."""
        if name != NAME:
            return
        if self._ready.is_set():
            log.warning("localsettings has gone; its settings stay as they were")
        self._forget_service()
        # A localsettings on the bus may answer slowly: then wait at least `answer` s.
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
        """Take changed items of localsettings."""
        if name == NAME and self._heard is not None:
            self._heard.changed(rows)

    @property
    def _service(self) -> SettingsService | None:
        """The localsettings, once it has our settings."""
        return self._heard if self._ready.is_set() else None

    def _wait_for_it(self, seconds: float) -> None:
        self._deadline = asyncio.get_running_loop().time() + seconds

    def _forget_service(self) -> None:
        self._heard = None
        self._ready.clear()
        if self._adopting is not None:
            self._adopting.cancel()

    def _stumbled(self, service: SettingsService, error: BusError) -> None:
        """Go on without localsettings, because it does not answer, until it does."""
        if service is self._service:
            log.warning("localsettings fails: %s", error)
            self._ready.clear()
            self._deadline = 0.0  # do not wait for it
            self._adopting = asyncio.create_task(self._adopt(service, self._retry))

    async def _adopt(self, service: SettingsService, delay: float) -> None:
        """Add all declared settings; retry until that succeeds."""
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
        self._ready.set()

    async def _reach(self) -> SettingsService | None:
        """Return localsettings, or None if it has not appeared in time."""
        if not self._ready.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._deadline):
                    await self._ready.wait()
        return self._service

    async def _sync(
        self, keeper: SettingsService | SettingsFile, settings: Sequence[Setting]
    ) -> None:
        """Add settings; a DeviceInstance of another class gets the new class."""
        if isinstance(keeper, SettingsFile):
            await keeper.add(settings)
        else:
            await self._add_kept(keeper, settings)
        for setting in settings:
            uid = device_of(setting.path)
            default = ClassInstance.read(setting.default)
            if uid is not None and default is not None:
                wanted = default._replace(number=self.instance(uid))
                found = ClassInstance.read(self._values[setting.path])
                if found is None or found.device_class != wanted.device_class:
                    await keeper.set(setting, str(wanted))
            if keeper is not self._file and self._unsynced.get(setting.path) is setting:
                del self._unsynced[setting.path]

    async def _add_kept(
        self, service: SettingsService, settings: Sequence[Setting]
    ) -> None:
        """Add settings to localsettings, with what it lacks of the file."""
        kept: list[Setting] = []
        for setting in settings:
            value = setting.fit(self._file.value(setting.path))
            known = value in (None, setting.default)
            if value is None or known or await service.holds(setting.path):
                kept.append(setting)
            else:  # a new setting takes its default
                kept.append(replace(setting, default=value))
        await service.add(kept)
        for setting in settings:
            if (value := self._set_meanwhile.get(setting.path)) is not None:
                await service.set(setting, value)
                self._set_meanwhile.pop(setting.path, None)

    def _unknown(self, settings: Iterable[Setting]) -> list[Setting]:
        return [s for s in settings if s.fit(self._values.get(s.path)) is None]

    # -- values --------------------------------------------------------------------

    def _learn(self, path: str, value: SettingValue | None) -> None:
        """Take the value of one of our settings; report it if it is new."""
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
                try:
                    callback(path, fitting)
                except Exception:  # an error of a listener must not end the connection
                    log.exception("%s: %s", path, fitting)

    def _value(self, path: str) -> SettingValue:
        """Return the value of a setting; the default if it was removed."""
        value = self._values.get(path)
        return self._declared[path].default if value is None else value

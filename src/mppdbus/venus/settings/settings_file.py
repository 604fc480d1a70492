"""Settings in a JSON file, for machines without Victron's localsettings.

It behaves like localsettings: a stored value wins over a new default, and a
DeviceInstance that is taken in its class becomes the next free one.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any, TypeVar

from mppdbus.errors import StateError
from mppdbus.storage.document import Document, DocumentFormat
from mppdbus.storage.folder_log import FolderLog
from mppdbus.venus.settings.setting import (
    ClassInstance,
    Setting,
    SettingValue,
    device_of,
)

EVERY = 600.0  # s between two looks whether the file is still there

T = TypeVar("T")


class SettingsFile:
    """Settings in the file at `path`; call `load` first.

    `learn` is called at once with each added or changed value.
    """

    def __init__(
        self,
        path: Path,
        learn: Callable[[str, SettingValue | None], None],
        folder_log: FolderLog | None = None,
    ) -> None:
        self.path = path
        self._document = Document(path, SETTINGS, folder_log=folder_log)
        self._learn = learn
        self._values: dict[str, SettingValue] = {}
        self._turn = asyncio.Lock()
        self._keeping: asyncio.Task[None] | None = None

    async def load(self) -> None:
        """Read the file; one that cannot be read is set aside with a warning."""
        self._values = await self._document.load({})
        self._keeping = asyncio.create_task(self._keep(), name="keep settings")

    def value(self, path: str) -> SettingValue | None:
        """Return the stored value for `path`; None if there is none."""
        return self._values.get(path)

    async def add(self, settings: Iterable[Setting]) -> None:
        """Add settings; they are used even if the file cannot be written."""
        await self._finish(self._add(tuple(settings)))

    async def set(self, setting: Setting, value: SettingValue) -> bool:
        """Change a setting; false, without any change, if it cannot be stored."""
        return await self._finish(self._set(setting.path, value))

    async def close(self) -> None:
        """Wait until the file is written."""
        if self._keeping is not None:
            self._keeping.cancel()
        await self._finish(self._save())

    async def _keep(self) -> None:
        """Write the file again if it was removed, or could not be written before."""
        while True:
            await asyncio.sleep(EVERY)
            await self._finish(self._save())

    async def _save(self) -> bool:
        return await self._document.save(self._values)

    async def _finish(self, work: Coroutine[None, None, T]) -> T:
        """Finish `work`, one at a time, even if the caller is cancelled."""

        async def alone() -> T:
            async with self._turn:
                return await work

        return await asyncio.shield(asyncio.create_task(alone()))

    async def _add(self, settings: tuple[Setting, ...]) -> None:
        for setting in settings:
            value = setting.fit(self._values.get(setting.path))
            value = setting.default if value is None else value
            self._values[setting.path] = value = self._free(setting.path, value)
            self._learn(setting.path, value)
        await self._save()

    async def _set(self, path: str, value: SettingValue) -> bool:
        value = self._free(path, value)
        if value == self._values.get(path):
            return True
        if not await self._document.save(self._values | {path: value}):
            return False
        self._values[path] = value
        self._learn(path, value)
        return True

    def _free(self, path: str, value: SettingValue) -> SettingValue:
        """Return `value`, or the next free one for the DeviceInstance of a device."""
        wanted = ClassInstance.read(value)
        if wanted is None or device_of(path) is None:
            return value
        others = self._values.items()
        taken = {str(v) for p, v in others if p != path and device_of(p) is not None}
        return str(wanted.free(taken))


def _unwrap(content: Any) -> Any:  # noqa: ANN401 - any JSON
    """Bring the first version, {"format": 1, "settings": {…}}, into the envelope."""
    if not isinstance(content, dict) or content.get("format") != 1:
        return content
    head = {"format": SETTINGS.name, "version": 1, "saved": "1970-01-01T00:00:00Z"}
    return head | {"state": content.get("settings")}


def _checked(values: Any) -> dict[str, SettingValue]:  # noqa: ANN401 - any JSON
    if not isinstance(values, dict) or not all(map(_is_value, values.values())):
        raise StateError("settings are texts and numbers")
    return values


def _is_value(value: object) -> bool:
    return isinstance(value, int | float | str) and not isinstance(value, bool)


SETTINGS: DocumentFormat[dict[str, SettingValue]] = DocumentFormat(
    "mppdbus settings", 2, dict, _checked, {1: lambda values: values}, _unwrap
)

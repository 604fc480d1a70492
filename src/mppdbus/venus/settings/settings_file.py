"""Settings in a JSON file, for machines without Victron's localsettings.

It behaves like localsettings: a stored value wins over a new default, and a
DeviceInstance that is taken in its class becomes the next free one.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import TypeVar

from mppdbus.errors import StateError
from mppdbus.storage.atomic_file import AtomicFile
from mppdbus.venus.settings.setting import (
    ClassInstance,
    Setting,
    SettingValue,
    device_of,
)

FORMAT = 1

T = TypeVar("T")
log = logging.getLogger("mppdbus.settings")


class SettingsFile:
    """Settings in the file at `path`; call `load` first.

    `learn` is told of every value that is added or changes, at once.
    """

    def __init__(
        self, path: Path, learn: Callable[[str, SettingValue | None], None]
    ) -> None:
        self.path = path
        self._file = AtomicFile(path)
        self._learn = learn
        self._values: dict[str, SettingValue] = {}
        self._turn = asyncio.Lock()
        self._trouble = ""

    async def load(self) -> None:
        """Read the file; one that cannot be read is set aside with a warning."""
        kept = await asyncio.to_thread(self._file.read, decode)
        self._values = kept if kept is not None else {}

    def holds(self, path: str) -> bool:
        """Tell whether there is a value for `path`."""
        return path in self._values

    async def add(self, settings: Iterable[Setting]) -> None:
        """Add settings; they count even where the file cannot be written."""
        await self._finish(self._add(tuple(settings)))

    async def set(self, setting: Setting, value: SettingValue) -> bool:
        """Change a setting; false, and nothing has changed, if it cannot be stored."""
        return await self._finish(self._set(setting.path, value))

    async def close(self) -> None:
        """Wait for what is being written."""
        async with self._turn:
            pass

    async def _finish(self, work: Coroutine[None, None, T]) -> T:
        """Do `work` to its end, one at a time, even if the caller is cancelled."""

        async def alone() -> T:
            async with self._turn:
                return await work

        return await asyncio.shield(asyncio.create_task(alone()))

    async def _add(self, settings: tuple[Setting, ...]) -> None:
        stored = self._values.copy()
        for setting in settings:
            value = setting.fit(self._values.get(setting.path))
            value = setting.default if value is None else value
            self._values[setting.path] = value = self._free(setting.path, value)
            self._learn(setting.path, value)
        if self._values != stored:
            await self._save(self._values)

    async def _set(self, path: str, value: SettingValue) -> bool:
        value = self._free(path, value)
        if value == self._values.get(path):
            return True
        if not await self._save(self._values | {path: value}):
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

    async def _save(self, values: dict[str, SettingValue]) -> bool:
        """Write the file; tell whether it worked."""
        trouble = await asyncio.to_thread(self._file.try_save, encode(values))
        if trouble and trouble != self._trouble:
            log.warning("%s: settings are not stored: %s", self.path, trouble)
        elif self._trouble and not trouble:
            log.info("%s: settings can be stored again", self.path)
        self._trouble = trouble
        return not trouble


def encode(values: dict[str, SettingValue]) -> bytes:
    """Return the content of a file; the reverse of `decode`."""
    content = {"format": FORMAT, "settings": values}
    return f"{json.dumps(content, indent=1, sort_keys=True)}\n".encode()


def decode(data: bytes) -> dict[str, SettingValue]:
    """Return path → value; raises `StateError` for what is no settings of ours."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise StateError(f"no JSON: {error}") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise StateError(f'no settings of mppdbus: no "format": {FORMAT}')
    values = content.get("settings")
    if not isinstance(values, dict) or not all(map(_is_value, values.values())):
        raise StateError('no settings of mppdbus: "settings" are no texts and numbers')
    return values


def _is_value(value: object) -> bool:
    return isinstance(value, int | float | str) and not isinstance(value, bool)

"""The leaves of a service that its user sets, and that localsettings keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mppdbus.model.alarms import DEFAULT_LEVELS, Level
from mppdbus.venus.dbus.service import ACCEPTED, REFUSED, Value
from mppdbus.venus.settings.setting import DEVICES, custom_name_path
from mppdbus.venus.settings.store import LocalSettings, Setting

CUSTOM_NAME = "/CustomName"
ALARM_LEVEL = "/Settings/AlarmLevel/"


class ServiceSettings:
    """What is kept for one service: its instance, its name, its alarm levels.

    `fallback` is the name as long as the user has given none; `levels` are the alarms
    whose level can be set. `changed` is called when somebody has changed anything.
    """

    def __init__(
        self,
        settings: LocalSettings,
        uid: str,
        *,
        fallback: str,
        levels: Iterable[str] = (),
        changed: Callable[[], None],
    ) -> None:
        self._settings = settings
        self.uid = uid
        self.instance = 0
        self._fallback = fallback
        self._where = {CUSTOM_NAME: custom_name_path(uid)}
        for name in levels:
            self._where[ALARM_LEVEL + name] = f"{DEVICES}/{uid}/AlarmLevel/{name}"
        prefix = f"{DEVICES}/{uid}"
        self._ends = [
            settings.on_change(prefix, lambda _path, _value: changed()),
            settings.on_instance(self._renumbered),
        ]
        self._changed = changed

    async def load(self, device_class: str, wanted: int) -> None:
        """Learn what is kept; `wanted` is the instance if there is none yet."""
        kept = await self._settings.device(self.uid, device_class, wanted)
        self.instance = kept.instance
        await self._settings.add(
            Setting(path, DEFAULT_LEVELS[name], 0, int(max(Level)))
            for leaf, path in self._where.items()
            if (name := leaf.removeprefix(ALARM_LEVEL)) != leaf
        )

    @property
    def name(self) -> str:
        """The name that the user has given; "" if none."""
        return str(self._settings.value(self._where[CUSTOM_NAME]) or "")

    def values(self) -> dict[str, Value]:
        """Return what the leaves show; no name where there is none to show."""
        values: dict[str, Value] = {"/DeviceInstance": self.instance}
        for leaf, path in self._where.items():
            value = self._settings.value(path)
            if leaf == CUSTOM_NAME:
                value = value or self._fallback or None
            elif value is None:  # removed; an invalid level would count as "none"
                value = DEFAULT_LEVELS[leaf.removeprefix(ALARM_LEVEL)]
            if value is not None:
                values[leaf] = value
        return values

    def knows(self, leaf: str) -> bool:
        """Tell whether this leaf is kept here."""
        return leaf in self._where

    async def write(self, leaf: str, value: Value) -> int:
        """Keep what somebody has written to a leaf; return the verdict."""
        path = self._where.get(leaf)
        if path is None or not isinstance(value, int | float | str):
            return REFUSED
        if not await self._settings.set(path, value):
            return REFUSED
        self._changed()  # what is kept already is no news, but may show as another
        return ACCEPTED

    def forget(self) -> None:
        """Listen no more."""
        for end in self._ends:
            end()
        self._ends.clear()

    def _renumbered(self, uid: str, number: int) -> None:
        if uid == self.uid:
            self.instance = number
            self._changed()

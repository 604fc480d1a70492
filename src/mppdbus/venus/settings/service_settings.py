"""The leaves of a service that its user sets, and that localsettings keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mppdbus.venus.dbus.service import ACCEPTED, REFUSED, Value
from mppdbus.venus.settings.setting import DEVICES, SettingValue
from mppdbus.venus.settings.store import LocalSettings, Setting

NAME = "CustomName"


class ServiceSettings:
    """What is kept for one service: its instance, its name and what else is set.

    Settings go by their name under /Settings/Devices/<uid>; `changed` is called when
    any of them has changed.
    """

    def __init__(
        self, store: LocalSettings, uid: str, changed: Callable[[], None]
    ) -> None:
        self._store = store
        self.uid = uid
        self.instance = 0
        self._changed = changed
        self._changes = 0
        self._ends: list[Callable[[], None]] = []  # of listening

    async def load(
        self, device_class: str, wanted: int, settings: Iterable[Setting]
    ) -> None:
        """Learn what is kept, and listen; `wanted` is the instance if there is none."""
        device, store = f"{DEVICES}/{self.uid}", self._store
        self._ends = [
            store.on_change(device, lambda _path, _value: self._tell()),
            store.on_instance(self._renumbered),
        ]
        try:
            kept = await store.device(self.uid, device_class, wanted)
            self.instance = kept.instance
            await store.add(settings)
        except BaseException:
            self.close()
            raise

    def value(self, name: str) -> SettingValue | None:
        """Return what a setting is; None if it was removed."""
        return self._store.value(self._path(name))

    @property
    def custom_name(self) -> str:
        """The name that the user has given; "" if none."""
        return str(self.value(NAME) or "")

    async def set(self, name: str, value: Value) -> int:
        """Change a setting; return the verdict."""
        if not isinstance(value, int | float | str):
            return REFUSED
        before = self._changes
        if not await self._store.set(self._path(name), value):
            return REFUSED
        if self._changes == before:  # what is kept already may show as another
            self._tell()
        return ACCEPTED

    def close(self) -> None:
        """Listen no more."""
        for end in self._ends:
            end()
        self._ends.clear()

    def _path(self, name: str) -> str:
        return f"{DEVICES}/{self.uid}/{name}"

    def _renumbered(self, uid: str, number: int) -> None:
        if uid == self.uid:
            self.instance = number
            self._tell()

    def _tell(self) -> None:
        self._changes += 1
        self._changed()

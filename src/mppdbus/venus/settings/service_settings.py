"""The leaves of a service that its user sets, and that localsettings keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mppdbus.venus.dbus.service import ACCEPTED, REFUSED, Value
from mppdbus.venus.settings.setting import DEVICES, SettingValue
from mppdbus.venus.settings.store import LocalSettings, Setting

NAME, INSTANCE = "CustomName", "ClassAndVrmInstance"


class ServiceSettings:
    """What is kept for one service: its instance, its name and what else is set.

    Settings go by their name under /Settings/Devices/<uid>; `changed` is called with
    that of one that has changed, `INSTANCE` for the instance.
    """

    def __init__(
        self, store: LocalSettings, uid: str, changed: Callable[[str], None]
    ) -> None:
        self._store = store
        self.uid = uid
        self.instance = 0
        self._folder = f"{DEVICES}/{uid}/"
        self._changed = changed
        self._last_changed = ""
        self._ends: list[Callable[[], None]] = []  # of listening

    async def load(
        self, device_class: str, wanted: int, settings: Iterable[Setting]
    ) -> None:
        """Learn what is kept, and listen; `wanted` is the instance if there is none."""
        store = self._store
        self._ends = [
            store.on_change(self._folder, lambda path, _value: self._tell(path)),
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
        return self._store.value(self._folder + name)

    @property
    def custom_name(self) -> str:
        """The name that the user has given; "" if none."""
        return str(self.value(NAME) or "")

    async def set(self, name: str, value: Value) -> int:
        """Change a setting; return the verdict."""
        if not isinstance(value, int | float | str):
            return REFUSED
        self._last_changed = ""
        if not await self._store.set(self._folder + name, value):
            return REFUSED
        if self._last_changed != name:  # what is kept already may show as another
            self._changed(name)
        return ACCEPTED

    def close(self) -> None:
        """Listen no more."""
        for end in self._ends:
            end()
        self._ends.clear()

    def _renumbered(self, uid: str, number: int) -> None:
        if uid == self.uid:
            self.instance = number
            self._changed(INSTANCE)

    def _tell(self, path: str) -> None:
        self._last_changed = path.removeprefix(self._folder)
        if self._last_changed != INSTANCE:  # that is told by `_renumbered`
            self._changed(self._last_changed)

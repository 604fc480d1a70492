"""The leaves of a service that its user sets, and that localsettings keeps."""

from collections.abc import Callable, Iterable

from mppdbus.venus.dbus.items import Value
from mppdbus.venus.dbus.writes import ACCEPTED, REFUSED
from mppdbus.venus.settings.setting import DEVICES, Setting, SettingValue
from mppdbus.venus.settings.store import LocalSettings

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
        self._end: Callable[[], None] | None = None  # of listening

    async def load(
        self, device_class: str, wanted: int, settings: Iterable[Setting]
    ) -> None:
        """Learn what is kept, and listen; `wanted` is the instance if there is none."""
        self._end = self._store.on_change(self._folder, self._tell)
        try:
            self.instance = await self._store.device(self.uid, device_class, wanted)
            await self._store.add(settings)
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
        if self._end is not None:
            self._end()
            self._end = None

    def _tell(self, path: str, value: SettingValue | None) -> None:
        self._last_changed = path.removeprefix(self._folder)
        if self._last_changed == INSTANCE:
            if value is None:
                return  # removed: it stays as it was
            self.instance = self._store.instance(self.uid)
        self._changed(self._last_changed)

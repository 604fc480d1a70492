"""The settings of a service: set by the user, stored in localsettings."""

from collections.abc import Callable, Iterable

from mppdbus.venus.dbus.items import Value
from mppdbus.venus.dbus.writes import ACCEPTED, REFUSED
from mppdbus.venus.settings.setting import DEVICES, Setting, SettingValue
from mppdbus.venus.settings.store import LocalSettings

NAME, INSTANCE = "CustomName", "ClassAndVrmInstance"


class ServiceSettings:
    """The stored settings of one service: instance, custom name and others.

    A setting is named by its path below /Settings/Devices/<uid>. `changed` is called
    with the name of a changed setting, `INSTANCE` for the instance.
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
        self._end: Callable[[], None] | None = None  # ends listening

    async def load(
        self, device_class: str, wanted: int, settings: Iterable[Setting]
    ) -> None:
        """Load the settings and listen; `wanted` is the instance if none is stored."""
        self._end = self._store.on_change(self._folder, self._tell)
        try:
            self.instance = await self._store.device(self.uid, device_class, wanted)
            await self._store.add(settings)
        except BaseException:
            self.close()
            raise

    def value(self, name: str) -> SettingValue | None:
        """Return the value of a setting; None if it was removed."""
        return self._store.value(self._folder + name)

    @property
    def custom_name(self) -> str:
        """The name that the user has set; "" if none."""
        return str(self.value(NAME) or "")

    async def set(self, name: str, value: Value) -> int:
        """Change a setting; return the verdict."""
        if not isinstance(value, int | float | str):
            return REFUSED
        self._last_changed = ""
        if not await self._store.set(self._folder + name, value):
            return REFUSED
        if self._last_changed != name:  # the shown value may differ from the stored one
            self._changed(name)
        return ACCEPTED

    def close(self) -> None:
        """Stop listening."""
        if self._end is not None:
            self._end()
            self._end = None

    def _tell(self, path: str, value: SettingValue | None) -> None:
        self._last_changed = path.removeprefix(self._folder)
        if self._last_changed == INSTANCE:
            if value is None:
                return  # removed: the last value stays
            self.instance = self._store.instance(self.uid)
        self._changed(self._last_changed)

"""A client of Victron's localsettings: adds, changes and follows settings."""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from mppdbus.errors import BusError
from mppdbus.venus.dbus.connection import ITEM, Request, first
from mppdbus.venus.dbus.values import variant
from mppdbus.venus.dbus.watcher import Rows, Watcher
from mppdbus.venus.settings.setting import DEVICES, Setting, SettingValue

NAME = "com.victronenergy.settings"

SETTINGS = "com.victronenergy.Settings"

_RULE = f"type='signal',sender='{NAME}',interface='{ITEM}',"
_ITEMS_CHANGED = "member='ItemsChanged'"  # for later versions: none sends it yet
_REFUSALS = {
    -2: "a part of the path begins with _",
    -3: "its type is unknown",
    -4: "its path is invalid",
    -5: "it exists with another type",
    -6: "its default is invalid",
    -7: "its default is out of bounds",
    -8: "there is a group of this name",
    -9: "it is not below /Settings",
}

Learn = Callable[[str, SettingValue | None], None]
log = logging.getLogger("mppdbus.settings")


class SettingsService:
    """One running localsettings, by its unique name `owner`.

    `learn` gets each path and value in the order in which localsettings sends them,
    None for a setting that was removed. Methods raise BusError if no answer comes in
    `timeout` s.
    """

    def __init__(
        self, watcher: Watcher, owner: str, learn: Learn, timeout: float
    ) -> None:
        self._watcher = watcher
        self._owner = owner
        self._learn = learn
        self._timeout = timeout

    def changed(self, rows: Rows) -> None:
        """Take changed items of localsettings."""
        for path, row in rows.items():
            if "Value" in row:
                self._learn(path, _setting_value(row["Value"]))

    async def add(self, settings: Sequence[Setting]) -> None:
        """Add settings; a refused setting gets its default, with a warning."""
        self._listen(settings)

        def read(body: list[Any]) -> None:
            rows = body[0] if body and isinstance(body[0], list) else []
            for setting, row in zip(settings, rows, strict=False):
                self._added(setting, row)
            if len(rows) != len(settings):
                raise BusError("AddSettings: no answer that makes sense")

        rows = [_definition(setting) for setting in settings]
        request = Request(
            self._owner, "/", "AddSettings", "aa{sv}", [rows], interface=SETTINGS
        )
        await self._call(request, read)

    async def set(self, setting: Setting, value: SettingValue) -> bool:
        """Change a setting; false if localsettings refuses it.

        The stored value (maybe another DeviceInstance) is learned before it returns.
        """
        body = [_variant(setting, value)]
        request = Request(self._owner, setting.path, "SetValue", "v", body)
        return bool(await self._call(request) == 0)

    async def holds(self, path: str) -> bool:
        """Tell whether there is such a setting."""
        try:
            await self._call(Request(self._owner, path, "GetValue"))
        except BusError:  # there is no such object
            return False
        return True

    def _added(self, setting: Setting, row: dict[str, Any]) -> None:
        if row.get("error") == 0 and "value" in row:
            self._learn(setting.path, row["value"])
            return
        why = _REFUSALS.get(row.get("error", 0), f"error {row.get('error')}")
        log.warning(
            "localsettings refuses %s: %s; it is %r and does not last",
            setting.path, why, setting.default,
        )  # fmt: skip
        self._learn(setting.path, setting.default)

    def _listen(self, settings: Iterable[Setting]) -> None:
        """Ask the bus for the signals of the settings to be added."""
        spaces = {_space(setting.path) for setting in settings}
        for rule in (_ITEMS_CHANGED, *(f"path_namespace='{each}'" for each in spaces)):
            self._watcher.listen(_RULE + rule)

    async def _call(
        self, request: Request, read: Callable[[list[Any]], Any] = first
    ) -> Any:  # noqa: ANN401
        try:
            return await self._watcher.call(request, read, seconds=self._timeout)
        except BusError as error:
            what = f"{NAME}: {request.member} {request.path}"
            raise BusError(f"{what}: {error}") from error


def _setting_value(value: object) -> SettingValue | None:
    """Return a number or a text; None for anything else: invalid."""
    known = isinstance(value, int | float | str) and not isinstance(value, bool)
    return value if known else None  # type: ignore[return-value]


def _space(path: str) -> str:
    """Return the path to watch for a setting: its device or its group."""
    return "/".join(path.split("/")[: 4 if path.startswith(f"{DEVICES}/") else 3])


def _definition(setting: Setting) -> dict[str, Any]:
    row = {"path": variant(setting.path), "default": _variant(setting, setting.default)}
    for name, bound in (("min", setting.minimum), ("max", setting.maximum)):
        if bound is not None:
            row[name] = _variant(setting, bound)
    return row


def _variant(setting: Setting, value: SettingValue) -> Any:  # noqa: ANN401
    """Return a value in the type of the setting, as it goes on the bus."""
    return variant(type(setting.default)(value))

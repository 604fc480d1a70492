"""Victron's localsettings for a client: add settings, change them, hear of changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from dbus_fast import Message, MessageType, Variant

from mppdbus.errors import BusError
from mppdbus.venus.dbus.connection import Connection
from mppdbus.venus.settings.setting import DEVICES, Setting, SettingValue

NAME = "com.victronenergy.settings"

_ITEM = "com.victronenergy.BusItem"
_RULE = f"type='signal',sender='{NAME}',interface='{_ITEM}',"
_ITEMS_CHANGED = "member='ItemsChanged'"  # no version sends it yet
_METHODS = {
    "AddSettings": ("aa{sv}", "com.victronenergy.Settings"),
    "GetValue": ("", _ITEM),
    "SetValue": ("v", _ITEM),
}
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

T = TypeVar("T")
Learn = Callable[[str, SettingValue | None], None]
log = logging.getLogger("mppdbus.settings")


class SettingsService:
    """The localsettings that owns its name as `owner`; another one is another object.

    `learn` is told every value at `path`, in the order in which localsettings says
    them, None for a setting that was removed. `watched` holds the rules that the
    connection has on the bus. Methods raise BusError if no answer comes in `timeout` s.
    """

    def __init__(
        self,
        wire: Connection,
        owner: str,
        learn: Learn,
        watched: set[str],
        timeout: float,
    ) -> None:
        self._wire = wire
        self._owner = owner
        self._learn = learn
        self._watched = watched
        self._timeout = timeout

    def hear(self, message: Message) -> None:
        """Take a signal, from whomever."""
        if message.sender != self._owner or message.interface != _ITEM:
            return
        kind = (message.member, message.signature)
        if kind == ("PropertiesChanged", "a{sv}"):
            self._changed(message.path or "", message.body[0])
        elif kind == ("ItemsChanged", "a{sa{sv}}"):
            for path, row in message.body[0].items():
                self._changed(path, row)

    async def add(self, settings: Sequence[Setting]) -> None:
        """Add settings; what localsettings refuses has its default, with a warning."""
        await self._watch(settings)

        def read(reply: Message) -> None:
            rows = reply.body[0] if reply.signature == "aa{sv}" else []
            for setting, row in zip(settings, rows, strict=False):
                self._added(setting, {key: plain(row[key]) for key in row})
            if len(rows) != len(settings):
                raise BusError(f"{NAME}: AddSettings: no answer that makes sense")

        rows = [_definition(setting) for setting in settings]
        await self._ask("/", "AddSettings", [rows], read)

    async def set(self, setting: Setting, value: SettingValue) -> bool:
        """Change a setting; false if localsettings refuses it.

        What it has become, the next free DeviceInstance maybe, is learnt before.
        """

        def read(reply: Message) -> bool:
            return reply.signature == "i" and reply.body[0] == 0

        body = [_variant(setting, value)]
        return await self._ask(setting.path, "SetValue", body, read)

    async def holds(self, path: str) -> bool:
        """Tell whether there is such a setting."""
        try:
            await self._ask(path, "GetValue", [], lambda _reply: None)
        except BusError:  # there is no such object
            return False
        return True

    def _changed(self, path: str, row: dict[str, Any]) -> None:
        if "Value" in row:
            self._learn(path, plain(row["Value"]))

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

    async def _watch(self, settings: Iterable[Setting]) -> None:
        """Ask the bus for the signals of what is to be added."""
        spaces = {_space(setting.path) for setting in settings}
        wanted = {_ITEMS_CHANGED, *(f"path_namespace='{each}'" for each in spaces)}
        for rule in sorted(wanted - self._watched):
            async with limited("AddMatch", self._timeout):
                await self._wire.call("AddMatch", "s", _RULE + rule)
            self._watched.add(rule)

    async def _ask(
        self,
        path: str,
        member: str,
        body: list[Any],
        read: Callable[[Message], T],
    ) -> T:
        """Call localsettings; `read` sees the reply in order with the signals."""
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        what = f"{member} {path}"

        def settle(reply: Message | None) -> None:
            if not answer.done():
                try:
                    answer.set_result(read(_checked(reply, what)))
                except BusError as error:
                    answer.set_exception(error)

        if not self._wire.alive:
            raise BusError(f"{NAME}: {what}: the connection to the bus is lost")
        signature, interface = _METHODS[member]
        message = Message(
            destination=self._owner,
            path=path,
            interface=interface,
            member=member,
            signature=signature,
            body=body,
        )
        self._wire.ask(message, settle)
        async with limited(what, self._timeout):
            return await answer


def plain(value: object) -> SettingValue | None:
    """Return the number or text in a variant; None for anything else: invalid."""
    while isinstance(value, Variant):
        value = value.value
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        return value
    return None


@asynccontextmanager
async def limited(what: str, seconds: float) -> AsyncIterator[None]:
    """Raise BusError if what is inside takes longer."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise BusError(f"{NAME}: {what}: no answer") from None


def _checked(reply: Message | None, what: str) -> Message:
    if reply is None:
        raise BusError(f"{NAME}: {what}: the connection to the bus is lost")
    if reply.message_type is MessageType.ERROR:
        text = reply.body[0] if reply.body else ""
        raise BusError(f"{NAME}: {what}: {reply.error_name}: {text}")
    return reply


def _space(path: str) -> str:
    """Return the part of the tree to watch for a setting: its device or its group."""
    return "/".join(path.split("/")[: 4 if path.startswith(f"{DEVICES}/") else 3])


def _definition(setting: Setting) -> dict[str, Variant]:
    row = {
        "path": Variant("s", setting.path),
        "default": _variant(setting, setting.default),
        "silent": Variant("i", int(setting.silent)),
    }
    for name, bound in (("min", setting.minimum), ("max", setting.maximum)):
        if bound is not None:
            row[name] = _variant(setting, bound)
    return row


def _variant(setting: Setting, value: SettingValue) -> Variant:
    if isinstance(setting.default, str):
        return Variant("s", value)
    if isinstance(setting.default, int):
        return Variant("i", int(value))
    return Variant("d", float(value))

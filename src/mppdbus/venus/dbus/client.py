"""The other side of the bus: what the services there say, as Victron's programs see it.

A `BusWatcher` has a connection of its own and follows every com.victronenergy service:
GetItems when a name appears, then ItemsChanged (and PropertiesChanged, which older
services send).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from mppdbus.errors import BusError
from mppdbus.venus.dbus.connection import DAEMON, bus_address, to_daemon
from mppdbus.venus.dbus.items import Value

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PREFIX = "com.victronenergy."
ITEM = "com.victronenergy.BusItem"
TIMEOUT = 5.0  # s that a service may take to answer
_ITEM_RULE = f"type='signal',interface='{ITEM}'"
_NAME_RULE = (
    f"type='signal',sender='{DAEMON}',member='NameOwnerChanged',"
    "arg0namespace='com.victronenergy'"
)


@dataclass(frozen=True, slots=True)
class Change:
    """News of one service: the `values` that changed, or None: it left the bus."""

    service: str
    values: dict[str, Value] | None


@dataclass(slots=True)
class _Service:
    """What is known of a service; signals count only after its GetItems."""

    values: dict[str, Value] = field(default_factory=dict)
    read: bool = False


class BusWatcher:
    """Follows the Victron services of one bus. Use `open`, and `close` at the end."""

    def __init__(self, bus: MessageBus) -> None:
        self._bus = bus
        self._services: dict[str, _Service] = {}
        self._names: dict[str, set[str]] = {}  # unique name → well-known names
        self._news: asyncio.Queue[Change | None] = asyncio.Queue()
        self._reading: set[asyncio.Task[None]] = set()
        bus.add_message_handler(self._receive)
        self._ending = asyncio.create_task(self._await_end())

    @classmethod
    async def open(cls, setting: str) -> Self:
        """Connect to "system", "session" or an address; raises `BusError` if no bus."""
        address = bus_address(setting)
        try:
            async with asyncio.timeout(TIMEOUT):
                bus = await MessageBus(bus_address=address).connect()
        except (OSError, EOFError, ValueError, TypeError) as error:
            what = error or type(error).__name__
            raise BusError(f"no D-Bus at {address}: {what}; is it running?") from error
        watcher = cls(bus)
        try:
            await watcher._begin()
        except BaseException:
            await watcher.close()
            raise
        return watcher

    async def close(self) -> None:
        """Hang up."""
        for task in self._reading:
            task.cancel()
        if self._bus.connected:
            self._bus.disconnect()
        await asyncio.gather(self._ending, *self._reading, return_exceptions=True)

    def services(self) -> list[str]:
        """Return the names that are on the bus and have been read."""
        return sorted(name for name, one in self._services.items() if one.read)

    def snapshot(self, service: str) -> dict[str, Value]:
        """Return path → value now, None for invalid; empty for an unknown service."""
        known = self._services.get(service)
        return dict(known.values) if known is not None and known.read else {}

    async def changes(self) -> AsyncIterator[Change]:
        """Yield changes, oldest first, until the bus hangs up: `BusError`.

        A service that is there already, or appears, comes first with all its values.
        """
        while (change := await self._news.get()) is not None:
            yield change
        raise BusError("the bus has hung up")

    # -- in ---------------------------------------------------------------------

    async def _begin(self) -> None:
        for rule in (_ITEM_RULE, _NAME_RULE):
            await self._call(to_daemon("AddMatch", "s", [rule]))
        names = (await self._call(to_daemon("ListNames"))).body[0]
        wanted = [name for name in names if name.startswith(PREFIX)]
        await asyncio.gather(*(self._adopt(name) for name in wanted))

    async def _adopt(self, name: str, owner: str | None = None) -> None:
        """Read a service; one that does not answer is left out."""
        with suppress(BusError):
            if owner is None:
                reply = await self._call(to_daemon("GetNameOwner", "s", [name]))
                owner = str(reply.body[0])
            service = self._services[name] = _Service()
            self._names.setdefault(owner, set()).add(name)
            values = await self._items(name)
            if self._services.get(name) is service:
                # What a signal said meanwhile is at least as new.
                service.values = values | service.values
                service.read = True
                self._news.put_nowait(Change(name, dict(service.values)))

    async def _items(self, name: str) -> dict[str, Value]:
        try:
            rows = (await self._call(_to_item(name, "GetItems"))).body[0]
            return {path: _plain(row.get("Value")) for path, row in rows.items()}
        except BusError:  # a service of the older kind
            tree = _plain((await self._call(_to_item(name, "GetValue"))).body[0])
            rows = tree if isinstance(tree, dict) else {}
            return {f"/{path}": value for path, value in rows.items()}

    async def _call(self, message: Message) -> Message:
        try:
            async with asyncio.timeout(TIMEOUT):
                reply = await self._bus.call(message)
        except (OSError, EOFError) as error:  # TimeoutError is one of them
            raise BusError(f"{message.destination}: no answer") from error
        if reply is None or reply.message_type is MessageType.ERROR:
            name = reply.error_name if reply is not None else "no reply"
            raise BusError(f"{message.destination}: {message.member}: {name}")
        return reply

    def _receive(self, message: Message) -> bool:
        if message.message_type is MessageType.SIGNAL:
            if message.member == "NameOwnerChanged" and message.sender == DAEMON:
                self._owner_changed(*message.body)
            elif message.interface == ITEM and message.sender is not None:
                for name in self._names.get(message.sender, ()):
                    self._changed(name, message)
        return False

    def _owner_changed(self, name: str, old: str, new: str) -> None:
        if not name.startswith(PREFIX):
            return
        if old:
            self._names.get(old, set()).discard(name)
            known = self._services.pop(name, None)
            if known is not None and known.read:
                self._news.put_nowait(Change(name, None))
        if new:
            task = asyncio.create_task(self._adopt(name, new))
            self._reading.add(task)
            task.add_done_callback(self._reading.discard)

    def _changed(self, name: str, message: Message) -> None:
        service = self._services[name]
        kind, rows = (message.member, message.signature), {}
        if kind == ("ItemsChanged", "a{sa{sv}}"):
            rows = message.body[0]
        elif kind == ("PropertiesChanged", "a{sv}"):
            rows = {message.path or "/": message.body[0]}
        values = {p: _plain(row["Value"]) for p, row in rows.items() if "Value" in row}
        service.values.update(values)
        if service.read and values:
            self._news.put_nowait(Change(name, values))

    async def _await_end(self) -> None:
        with suppress(OSError, EOFError, ValueError, TypeError):
            await self._bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
        self._news.put_nowait(None)


def _to_item(service: str, member: str) -> Message:
    return Message(destination=service, path="/", interface=ITEM, member=member)


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a service sends
    """Return a value without variants; an empty array is invalid: None."""
    if isinstance(value, Variant):
        return _plain(value.value)
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value] or None
    return value

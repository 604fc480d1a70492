"""A D-Bus client: reads Victron services as Victron's own programs do.

A `BusClient` follows every com.victronenergy service: GetItems when a name appears,
then ItemsChanged (and PropertiesChanged, which older services send).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from mppdbus.errors import BusError
from mppdbus.venus.dbus.connection import ITEM, CallError, Request, bus_address
from mppdbus.venus.dbus.items import Value
from mppdbus.venus.dbus.watcher import BusListener, Rows, Watcher

ANSWER = 5.0  # s that a service may take to answer
_SIGNALS = f"type='signal',interface='{ITEM}'"


@dataclass(frozen=True, slots=True)
class Change:
    """News of one service: the `values` that changed, or None: it left the bus."""

    service: str
    values: dict[str, Value] | None


class BusClient(BusListener):
    """Knows all Victron services of one bus. Use `open`, and `close` at the end."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self._services: dict[str, dict[str, Value]] = {}  # services already read
        self._news: asyncio.Queue[Change | None] = asyncio.Queue()
        self._reading: set[asyncio.Task[None]] = set()
        watcher.add(self)

    @classmethod
    async def open(cls, setting: str) -> Self:
        """Connect to "system", "session" or an address; raises `BusError` if no bus."""
        watcher = Watcher(bus_address(setting))
        client = cls(watcher)
        try:
            await watcher.open()
            await asyncio.gather(*client._reading)
        except BaseException:
            await client.close()
            raise
        return client

    async def close(self) -> None:
        """Hang up."""
        for task in self._reading:
            task.cancel()
        await asyncio.gather(*self._reading, return_exceptions=True)
        await self._watcher.close()

    def services(self) -> list[str]:
        """Return the names of the services on the bus that have been read."""
        return sorted(self._services)

    def names(self) -> list[str]:
        """Return all Victron names on the bus, also of services that do not answer."""
        return self._watcher.names()

    def snapshot(self, service: str) -> dict[str, Value]:
        """Return path → value now, None for invalid; empty for an unknown service."""
        return dict(self._services.get(service, {}))

    async def changes(self) -> AsyncIterator[Change]:
        """Yield changes, oldest first; raises `BusError` when the bus hangs up.

        The first change of a service has all its values.
        """
        while (change := await self._news.get()) is not None:
            yield change
        raise BusError("the bus has hung up")

    # -- in ---------------------------------------------------------------------

    def owner_changed(self, name: str, owner: str) -> None:
        """Read a service that appears; forget one that goes."""
        if self._services.pop(name, None) is not None and self._watcher.connected:
            self._news.put_nowait(Change(name, None))
        if owner:
            task = asyncio.create_task(self._read(name, owner))
            self._reading.add(task)
            task.add_done_callback(self._reading.discard)

    def items_changed(self, name: str, rows: Rows) -> None:
        """Take the changed values of a service that has been read."""
        values = _values(rows)
        if name in self._services and values:
            self._services[name].update(values)
            self._news.put_nowait(Change(name, values))

    def bus_changed(self) -> None:
        """End the changes when the bus is lost."""
        if not self._watcher.connected:
            self._news.put_nowait(None)

    async def _read(self, name: str, owner: str) -> None:
        """Read a service; one that does not answer is left out."""

        def learn(values: dict[str, Value]) -> None:
            if self._watcher.owner(name) == owner:
                self._services[name] = values
                self._news.put_nowait(Change(name, dict(values)))

        def read_items(body: list[Any]) -> None:
            learn(_values(body[0]))

        def read_tree(body: list[Any]) -> None:
            tree = body[0] if isinstance(body[0], dict) else {}
            learn({f"/{path}": _value(value) for path, value in tree.items()})

        with suppress(BusError):
            self._watcher.listen(_SIGNALS)
            call = self._watcher.call
            try:
                await call(Request(owner, "/", "GetItems"), read_items, seconds=ANSWER)
            except CallError:  # a service of the older kind
                await call(Request(owner, "/", "GetValue"), read_tree, seconds=ANSWER)


def _values(rows: Rows) -> dict[str, Value]:
    return {path: _value(row["Value"]) for path, row in rows.items() if "Value" in row}


def _value(value: Any) -> Any:  # noqa: ANN401 - whatever a service sends
    """Return a plain value; an empty array is invalid: None."""
    return None if value == [] else value

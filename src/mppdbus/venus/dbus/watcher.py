"""A connection that follows Victron's services: owners of names, and signals."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from dbus_fast import Message

from mppdbus.errors import BusAway, BusError
from mppdbus.venus.dbus.connection import (
    DAEMON,
    ITEM,
    CallError,
    Connection,
    Request,
    first,
    to_bus,
)
from mppdbus.venus.dbus.outage_log import OutageLog
from mppdbus.venus.dbus.tasks import ended
from mppdbus.venus.dbus.values import plain

PREFIX = "com.victronenergy"
TIMEOUT = 10.0  # s that the bus may take to answer at the start
FIRST_DELAY = 0.5  # s before the first attempt to reconnect
LONGEST_DELAY = 10.0  # s between attempts

_OWNERS = (
    f"type='signal',sender='{DAEMON}',member='NameOwnerChanged',"
    f"arg0namespace='{PREFIX}'"
)

Rows = dict[str, dict[str, Any]]
"""Path → what changed there: Value, Text …; an invalid value is an empty list."""

log = logging.getLogger("mppdbus.bus")


class BusListener:
    """Callbacks of a watcher, called in the order of the bus."""

    def owner_changed(self, name: str, owner: str) -> None:
        """Take the unique name of the new owner of `name`; "" for none.

        When the bus is lost, names have no owner.
        """

    def items_changed(self, name: str, rows: Rows) -> None:
        """Take changed items of the service `name`, if its signals were asked for."""

    def bus_changed(self) -> None:
        """Note that the bus is there and all owners are known, or that it is lost."""


class Watcher:
    """One connection for all listeners; it reconnects by itself after a loss.

    Owners of names below com.victronenergy are known; signals must be asked for.
    """

    def __init__(
        self,
        address: str,
        *,
        outages: OutageLog | None = None,
        first_delay: float = FIRST_DELAY,
    ) -> None:
        self._address = address
        self._outages = outages or OutageLog()
        self._first_delay = first_delay
        self._connection: Connection | None = None
        self._owners: dict[str, str] = {}
        self._rules: set[str] = set()  # match rules of this connection
        self._listeners: list[BusListener] = []
        self._lost = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.connected = False  # True: all owners are known, too

    def add(self, listener: BusListener) -> None:
        """Add a listener; call this before `open`."""
        self._listeners.append(listener)

    def owner(self, name: str) -> str:
        """Return the unique name of the owner of `name`, "" for none."""
        return self._owners.get(name, "")

    def names(self) -> list[str]:
        """Return the names below com.victronenergy that have an owner."""
        return [name for name, owner in self._owners.items() if owner]

    @property
    def unique_name(self) -> str:
        """The name the bus gave the connection, "" without one."""
        return self._connection.unique_name if self._connection is not None else ""

    async def open(self, *, wait: bool = False) -> None:
        """Connect and report all owners.

        Raises BusAway if there is no bus, or with `wait` waits for it. Raises BusError
        for an address that is none.
        """
        try:
            await self._connect()
        except BusAway as error:
            if not wait:
                raise
            await self._reconnect(error)
        self._task = asyncio.create_task(self._keep())

    async def close(self) -> None:
        """Leave the bus; listeners hear nothing more."""
        self._listeners.clear()
        try:
            if self._task is not None:
                await ended(self._task)
        finally:
            if self._connection is not None:
                await self._connection.close()

    def send(
        self, request: Request, read: Callable[[list[Any]], Any] = first
    ) -> asyncio.Future[Any]:
        """Call a method as `Connection.call` does."""
        if self._connection is None:
            raise BusError("not connected to the bus")
        return self._connection.call(request, read)

    async def call(
        self,
        request: Request,
        read: Callable[[list[Any]], Any] = first,
        *,
        seconds: float = TIMEOUT,
    ) -> Any:  # noqa: ANN401
        """Call a method and wait for the answer; BusError if none comes in time."""
        try:
            async with asyncio.timeout(seconds):
                return await self.send(request, read)
        except TimeoutError:
            raise BusError(f"{request.member} {request.path}: no answer") from None

    def listen(self, rule: str) -> None:
        """Ask the bus for signals by a match rule, once a connection.

        Call it before the services are asked: then no change of theirs is missed.
        """
        if rule not in self._rules:
            self._rules.add(rule)
            self.send(to_bus("AddMatch", "s", rule)).add_done_callback(_log_refusal)

    async def _connect(self) -> None:
        self._rules = set()
        self._connection = await Connection.open(
            self._address, on_signal=self._hear, on_lost=self._forget
        )
        try:
            self.listen(_OWNERS)
            names = await self.call(to_bus("ListNames"))
            await asyncio.gather(*(self._look_up(name) for name in names))
        except BusError as error:
            await self._connection.close()
            raise BusAway(f"the bus at {self._address}: {error}") from error
        self.connected = True
        self._tell(lambda listener: listener.bus_changed())

    async def _look_up(self, name: str) -> None:
        """Ask who owns a name, unless it has just left the bus."""

        def read(body: list[Any]) -> None:
            self._owner_changed(name, body[0])

        if name.startswith(PREFIX):
            with suppress(CallError):
                await self.call(to_bus("GetNameOwner", "s", name), read)

    async def _keep(self) -> None:
        """Reconnect after each loss of the connection, until cancelled."""
        while True:
            await self._lost.wait()
            self._lost.clear()
            reason = self._connection.reason if self._connection is not None else ""
            await self._reconnect(BusAway(f"the D-Bus is lost: {reason}"))

    async def _reconnect(self, trouble: BusAway) -> None:
        """Try until there is a connection again; `trouble` is why there is none."""
        self._outages.lost(self._address, trouble)
        delay = self._first_delay
        while not self.connected:
            await asyncio.sleep(delay)
            delay = min(2 * delay, LONGEST_DELAY)
            with suppress(BusError):
                await self._connect()
        self._outages.back(self._address)

    # What the bus says

    def _hear(self, message: Message) -> None:
        if message.sender == DAEMON:
            if message.member == "NameOwnerChanged":
                name, _, owner = message.body
                self._owner_changed(name, owner)
        elif message.interface == ITEM:
            self._items_changed(str(message.sender), _rows(message))

    def _items_changed(self, sender: str, rows: Rows) -> None:
        def tell(listener: BusListener) -> None:
            for name in names:
                listener.items_changed(name, rows)

        names = [name for name, owner in self._owners.items() if owner == sender]
        if rows:
            self._tell(tell)

    def _owner_changed(self, name: str, owner: str) -> None:
        if owner == self.owner(name):
            return
        self._owners.pop(name, None)
        if owner:
            self._owners[name] = owner
        self._tell(lambda listener: listener.owner_changed(name, owner))

    def _forget(self) -> None:
        connected, self.connected = self.connected, False
        for name in tuple(self._owners):
            self._owner_changed(name, "")
        if connected:
            self._tell(lambda listener: listener.bus_changed())
            self._lost.set()

    def _tell(self, news: Callable[[BusListener], None]) -> None:
        for listener in self._listeners:
            try:
                news(listener)
            except Exception:  # an error of a listener must not end the connection
                log.exception("%s", type(listener).__name__)


def _log_refusal(call: asyncio.Future[Any]) -> None:
    if not call.cancelled() and isinstance(error := call.exception(), CallError):
        log.warning("the bus does not pass signals on: %s", error)


def _rows(message: Message) -> Rows:
    kind = (message.member, message.signature)
    if kind == ("ItemsChanged", "a{sa{sv}}"):
        return plain(message.body[0])  # type: ignore[no-any-return]
    if kind == ("PropertiesChanged", "a{sv}"):  # of older services
        return {message.path or "/": plain(message.body[0])}
    return {}

"""A client of the bus that was there first: sees services come, and their signals."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

DAEMON = "org.freedesktop.DBus"
ITEM = "com.victronenergy.BusItem"
PREFIX = "com.victronenergy."
POWER = "/Ac/Out/L1/P"
_CHANGES = f"type='signal',interface='{ITEM}',member='ItemsChanged'"
_NAMES = (
    f"type='signal',sender='{DAEMON}',member='NameOwnerChanged',"
    "arg0namespace='com.victronenergy'"
)


@dataclass(frozen=True, slots=True)
class Signal:
    """An ItemsChanged as it was seen."""

    at: float  # s, CLOCK_MONOTONIC
    message: Message

    @property
    def size(self) -> int:
        """Bytes on the bus."""
        return len(self.message._marshall(False))  # noqa: SLF001


class Subscriber:
    """Collects signals; `first` is when a valid output power was seen first."""

    def __init__(self, bus: MessageBus) -> None:
        self.bus = bus
        self.signals: list[Signal] = []
        self.unit = ""  # the service of the unit, once there
        self.first: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    async def open(cls, address: str) -> Self:
        """Connect and subscribe."""
        bus = await MessageBus(bus_address=address).connect()
        self = cls(bus)
        bus.add_message_handler(self._take)
        for rule in (_CHANGES, _NAMES):
            await self._bus_call("AddMatch", rule)
        return self

    async def close(self) -> None:
        """Hang up."""
        self.bus.remove_message_handler(self._take)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.bus.disconnect()
        with suppress(OSError, EOFError):
            await self.bus.wait_for_disconnect()  # type: ignore[no-untyped-call]

    async def get_value(self, path: str) -> float:
        """Ask the unit's service once; return the seconds that it took."""
        began = time.perf_counter()
        await self._call(self.unit, path, ITEM, "GetValue")
        return time.perf_counter() - began

    async def owner(self, name: str) -> str:
        """Return the unique name that has `name`."""
        return str((await self._bus_call("GetNameOwner", name))[0])

    async def connections(self, pid: int) -> list[str]:
        """Return the unique names of a process."""
        names = (await self._bus_call("ListNames"))[0]
        unique = [name for name in names if name.startswith(":")]
        asked = "GetConnectionUnixProcessID"
        return [n for n in unique if (await self._bus_call(asked, n))[0] == pid]

    async def _bus_call(self, member: str, *words: str) -> list[Any]:
        return await self._call(DAEMON, "/org/freedesktop/DBus", DAEMON, member, *words)

    async def _call(
        self, to: str, path: str, interface: str, member: str, *words: str
    ) -> list[Any]:
        message = Message(
            destination=to,
            path=path,
            interface=interface,
            member=member,
            signature="s" * len(words),
            body=list(words),
        )
        reply = await asyncio.wait_for(self.bus.call(message), 10)
        if reply is None or reply.message_type is MessageType.ERROR:
            raise RuntimeError(f"{to} {path} {member}: {reply and reply.body}")
        return reply.body

    def _take(self, message: Message) -> bool:
        now = time.monotonic()
        if message.member == "ItemsChanged":
            self.signals.append(Signal(now, message))
            if not self.first.done():
                self._look(message.body[0], now)
        elif message.member == "NameOwnerChanged" and message.body[2]:
            name = str(message.body[0])
            if not name.startswith(f"{PREFIX}acsystem."):
                self.unit = name
            task = asyncio.get_running_loop().create_task(self._read(name))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return False

    async def _read(self, name: str) -> None:
        """Read a service that has appeared, as Victron's programs do."""
        rows = (await self._call(name, "/", ITEM, "GetItems"))[0]
        self._look(rows, time.monotonic())

    def _look(self, rows: dict[str, dict[str, Variant]], now: float) -> None:
        row = rows.get(POWER)
        if row is not None and row["Value"].value != [] and not self.first.done():
            self.first.set_result(now)

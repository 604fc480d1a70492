"""Sees all that goes over a bus, and by whom; keeps what services say of themselves."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

DAEMON = "org.freedesktop.DBus"
MONITORING = "org.freedesktop.DBus.Monitoring"


@dataclass(slots=True)
class Tally:
    """Messages, and their bytes as they are on the bus."""

    messages: int = 0
    size: int = 0

    def add(self, other: Tally) -> None:
        self.messages += other.messages
        self.size += other.size


@dataclass(frozen=True, slots=True)
class Change:
    """An ItemsChanged; `same` are paths whose values were known to be so before."""

    at: float  # s, CLOCK_MONOTONIC
    sender: str
    paths: tuple[str, ...]
    same: tuple[str, ...]


@dataclass(slots=True)
class Shown:
    """What is known of the values of each sender."""

    values: dict[str, dict[str, object]] = field(default_factory=dict)

    def read(self, sender: str, rows: dict[str, dict[str, Variant]]) -> None:
        """Take the answer to a GetItems."""
        self.values[sender] = {path: _plain(row) for path, row in rows.items()}

    def change(
        self, at: float, sender: str, rows: dict[str, dict[str, Variant]]
    ) -> Change:
        """Take an ItemsChanged."""
        known = self.values.setdefault(sender, {})
        new = {path: _plain(row) for path, row in rows.items()}
        same = tuple(p for p, value in new.items() if p in known and known[p] == value)
        known |= new
        return Change(at, sender, tuple(rows), same)


class Monitor:
    """A connection that is a monitor; counts from `reset` until `stop`."""

    def __init__(self, bus: MessageBus) -> None:
        self._bus = bus
        self._shown = Shown()
        self._tallies: dict[tuple[str, str], Tally] = {}
        self.changes: list[Change] = []
        self.began, self.ended = time.monotonic(), float("inf")

    @classmethod
    async def open(cls, address: str) -> Self:
        """Connect and become a monitor, which the bus allows its own user."""
        bus = await MessageBus(bus_address=address).connect()
        self = cls(bus)
        ask = Message(
            DAEMON, "/org/freedesktop/DBus", MONITORING, "BecomeMonitor",
            signature="asu", body=[[], 0],
        )  # fmt: skip
        reply = await bus.call(ask)
        if reply is None or reply.message_type is MessageType.ERROR:
            raise RuntimeError(f"BecomeMonitor: {reply and reply.body}")
        bus.add_message_handler(self._take)
        return self

    async def close(self) -> None:
        """Hang up."""
        self._bus.disconnect()
        with suppress(OSError, EOFError):
            await self._bus.wait_for_disconnect()  # type: ignore[no-untyped-call]

    def reset(self) -> None:
        """Count from now on."""
        self._tallies.clear()
        self.changes.clear()
        self.began = time.monotonic()

    def stop(self) -> None:
        """Count no more."""
        self.ended = time.monotonic()

    def of(self, *names: str) -> Tally:
        """Return what these unique names have sent, and what was sent to them."""
        total = Tally()
        for (sender, destination), tally in self._tallies.items():
            if sender in names or destination in names:
                total.add(tally)
        return total

    def _take(self, message: Message) -> bool:
        now = time.monotonic()
        if now > self.ended:
            return message.message_type is MessageType.METHOD_CALL
        sender = message.sender or ""
        way = (sender, message.destination or "")
        size = len(message._marshall(False))  # noqa: SLF001
        self._tallies.setdefault(way, Tally()).add(Tally(1, size))
        if message.signature == "a{sa{sv}}":
            if message.message_type is MessageType.METHOD_RETURN:
                self._shown.read(sender, message.body[0])
            elif message.member == "ItemsChanged":
                change = self._shown.change(now, sender, message.body[0])
                self.changes.append(change)
        return message.message_type is MessageType.METHOD_CALL  # not ours to answer


def _plain(row: dict[str, Variant]) -> Any:  # noqa: ANN401 - any kind of value
    value = row["Value"]
    return value.signature, value.value

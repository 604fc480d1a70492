"""The same values as the daemon publishes, said in the older ways, to compare with.

    perpath.py BUS-ADDRESS SERVICE...

For each service that is echoed, two publishers with a connection and a name each:
`bench.changed.…` sends a PropertiesChanged for each changed path, as Victron's library
did before ItemsChanged; `bench.everything.…` sends one for every path at every poll, as
drivers without a memory do. To be fair to these, only paths count that have changed at
least once, and only polls that brought any news.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

DAEMON = "org.freedesktop.DBus"
ITEM = "com.victronenergy.BusItem"
CHANGED, EVERYTHING = "bench.changed", "bench.everything"
Rows = dict[str, dict[str, Variant]]


def echo_name(way: str, service: str) -> str:
    """Return the name under which `service` is echoed."""
    return f"{way}.{service.split('.')[2]}"


class Echo:
    """Says in both ways what one service says."""

    def __init__(self, changed: MessageBus, everything: MessageBus) -> None:
        self._changed = changed
        self._everything = everything
        self._live: Rows = {}

    @classmethod
    async def of(cls, address: str, service: str) -> Echo:
        """Connect, with a name for either way."""
        buses = []
        for way in (CHANGED, EVERYTHING):
            bus = await MessageBus(bus_address=address).connect()
            await bus.request_name(echo_name(way, service))
            buses.append(bus)
        return cls(*buses)

    def take(self, rows: Rows) -> None:
        """Pass on what has changed."""
        rows = {p: {k: row[k] for k in ("Value", "Text")} for p, row in rows.items()}
        self._live |= rows
        for bus, them in ((self._changed, rows), (self._everything, self._live)):
            for path, row in them.items():
                bus.send(
                    Message.new_signal(path, ITEM, "PropertiesChanged", "a{sv}", [row])
                )


async def run(address: str, services: list[str]) -> None:
    """Echo until SIGTERM ends the process."""
    bus = await MessageBus(bus_address=address).connect()
    echoes = {}
    for service in services:
        owner = await _call(bus, "GetNameOwner", service)
        echoes[owner] = await Echo.of(address, service)

    def take(message: Message) -> bool:
        echo = echoes.get(message.sender or "")
        if message.message_type is MessageType.SIGNAL and echo is not None:
            echo.take(message.body[0])
        return False

    bus.add_message_handler(take)
    rule = f"type='signal',interface='{ITEM}',member='ItemsChanged'"
    await _call(bus, "AddMatch", rule)
    await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]


async def _call(bus: MessageBus, member: str, word: str) -> str:
    message = Message(DAEMON, "/org/freedesktop/DBus", DAEMON, member, signature="s")
    message.body = [word]
    reply = await bus.call(message)
    if reply is None or reply.message_type is MessageType.ERROR:
        raise RuntimeError(f"{member} {word}: {reply and reply.body}")
    return str(reply.body[0]) if reply.body else ""


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    asyncio.run(run(sys.argv[1], sys.argv[2:]))

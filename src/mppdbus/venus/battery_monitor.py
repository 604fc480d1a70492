"""Finds the batteries of others on the bus: a BMS or a shunt knows better than us."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from dbus_fast import Message, MessageType

from mppdbus.errors import BusError
from mppdbus.venus.dbus.connection import DAEMON, Connection, to_daemon
from mppdbus.venus.dbus.tasks import ended
from mppdbus.venus.dbus.watcher import FIRST_DELAY, LONGEST_DELAY, TIMEOUT
from mppdbus.venus.settings.localsettings import plain

PREFIX = "com.victronenergy.battery"
REPEAT = 30.0  # s between two looks at a battery
EARLY = 1.0  # s before the second look; then twice as long each time
ANSWER = 5.0  # s that a battery may take to answer
PATIENCE = 2  # so often in a row it may fail to

_ERROR = "org.freedesktop.DBus.Error."
_ABSENT = {f"{_ERROR}Unknown{what}" for what in ("Object", "Interface", "Method")}
_ITEM = "com.victronenergy.BusItem"
_RULE = (
    f"type='signal',sender='{DAEMON}',member='NameOwnerChanged',"
    f"arg0namespace='{PREFIX}'"
)

_Reply = asyncio.Future[Message | None]

log = logging.getLogger("mppdbus.bus")


class _NoAnswer(Exception):
    """A battery was asked in vain."""


@dataclass(slots=True)
class _Battery:
    """A battery service of somebody; `counts` is None until it was asked."""

    owner: str
    counts: bool | None = None
    failures: int = 0
    owed: _Reply | None = None  # the reply to the last call, there or not
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class BatteryWatch:
    """Tells which battery service of another process has a state of charge.

    `on_change` gets the name of one that is connected and whose `/Soc` is valid, None
    when there is none any more. `ours` never counts, nor what else this process owns.
    While the bus is away it stays as it was.
    """

    def __init__(
        self,
        address: str,
        ours: str,
        on_change: Callable[[str | None], None],
        *,
        repeat: float = REPEAT,
        answer: float = ANSWER,
        first_delay: float = FIRST_DELAY,
    ) -> None:
        self._address, self._ours = address, ours
        self._on_change = on_change
        self._repeat, self._answer = repeat, answer
        self._first_delay = first_delay
        self._wire: Connection | None = None
        self._batteries: dict[str, _Battery] = {}
        self._keeper: asyncio.Task[None] | None = None
        self.monitor: str | None = None  # what `on_change` was told last

    async def open(self) -> None:
        """Connect and look around; raises BusError if there is no bus.

        Answers of the batteries are not waited for: see `settled`.
        """
        await self._connect()
        self._keeper = asyncio.create_task(self._keep())

    async def settled(self) -> None:
        """Return when all that are there have answered, or failed to."""
        waiting = [each.asked.wait() for each in self._batteries.values()]
        await asyncio.gather(*waiting)

    async def close(self) -> None:
        """Leave the bus."""
        try:
            if self._keeper is not None:
                await ended(self._keeper)
        finally:
            self._forget_all()
            if self._wire is not None:
                await self._wire.close()

    # -- who is there ------------------------------------------------------------------

    async def _connect(self) -> None:
        self._forget_all()  # what an attempt before has found
        wire = await Connection.open(
            self._address, lambda _wire, _call: False, self._hear
        )
        self._wire = wire
        try:
            async with asyncio.timeout(TIMEOUT):
                await wire.call("AddMatch", "s", _RULE)
                for name in await wire.call("ListNames"):
                    if _is_battery(name):
                        await self._meet(wire, name)
        except TimeoutError:
            await wire.close()
            raise BusError(f"the bus at {self._address} does not answer") from None
        except BusError:
            await wire.close()
            raise
        self._choose()

    async def _meet(self, wire: Connection, name: str) -> None:
        """Take in a service that was there before us, unless it has gone meanwhile."""
        with suppress(BusError):
            owner = str(await wire.call("GetNameOwner", "s", name))
            if name not in self._batteries and wire.alive:
                self._follow(wire, name, owner)

    def _hear(self, message: Message) -> None:
        if message.sender != DAEMON or message.member != "NameOwnerChanged":
            return
        name, _, owner = message.body
        if _is_battery(name) and self._wire is not None:
            self._forget(name)
            if owner:
                self._follow(self._wire, name, owner)
            self._choose()

    def _follow(self, wire: Connection, name: str, owner: str) -> None:
        if name == self._ours:
            return
        battery = self._batteries[name] = _Battery(owner)
        battery.task = asyncio.create_task(self._ask_again(wire, battery))

    def _forget(self, name: str) -> None:
        if (battery := self._batteries.pop(name, None)) is not None:
            battery.asked.set()
            if battery.task is not None:
                battery.task.cancel()

    def _forget_all(self) -> None:
        for name in tuple(self._batteries):
            self._forget(name)

    async def _keep(self) -> None:
        """Come back after each loss of the connection, until cancelled."""
        while self._wire is not None:
            await self._wire.gone.wait()
            delay = self._first_delay
            while not self._wire.alive:
                await asyncio.sleep(delay)
                delay = min(2 * delay, LONGEST_DELAY)
                with suppress(BusError):  # our services complain of it
                    await self._connect()

    # -- what it says ----------------------------------------------------------------

    async def _ask_again(self, wire: Connection, battery: _Battery) -> None:
        """Look at a battery for as long as it is there."""
        delay = min(EARLY, self._repeat)
        with suppress(_NoAnswer):  # a bus without process numbers
            if await self._is_own(wire, battery.owner):
                battery.counts = False
                battery.asked.set()
                self._choose()
                return
        while True:
            await self._look(wire, battery)
            battery.asked.set()
            self._choose()
            await asyncio.sleep(delay)
            delay = min(2 * delay, self._repeat)

    async def _look(self, wire: Connection, battery: _Battery) -> None:
        try:
            connected = await self._value(wire, battery, "/Connected", absent=1)
            soc = await self._value(wire, battery, "/Soc", absent=None)
        except _NoAnswer:
            battery.failures += 1
            if battery.failures >= PATIENCE or battery.counts is None:
                battery.counts = False
        else:
            battery.failures = 0
            battery.counts = _is(connected, 1) and _is_number(soc)

    async def _value(
        self,
        wire: Connection,
        battery: _Battery,
        path: str,
        absent: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """Return what is at `path`, `absent` if there is no such path.

        Raises _NoAnswer. Who owes a reply is asked nothing more: the bus counts them,
        and at its limit refuses all our calls.
        """
        if battery.owed is not None:
            await self._in_time(battery.owed)
        call = Message(
            destination=battery.owner, path=path, interface=_ITEM, member="GetValue"
        )
        battery.owed = _sent(wire, call)
        reply = await self._in_time(battery.owed)
        if reply.message_type is MessageType.ERROR:
            if reply.error_name in _ABSENT:
                return absent
            raise _NoAnswer
        return plain(reply.body[0]) if len(reply.body) == 1 else absent

    async def _is_own(self, wire: Connection, owner: str) -> bool:
        """Tell whether `owner` is a connection of this process, as the bus sees it."""
        process = "GetConnectionUnixProcessID"
        theirs = await self._in_time(_sent(wire, to_daemon(process, "s", [owner])))
        ours = to_daemon(process, "s", [wire.unique_name])
        us = await self._in_time(_sent(wire, ours))
        known = theirs.message_type is us.message_type is MessageType.METHOD_RETURN
        return known and bool(theirs.body == us.body)

    async def _in_time(self, owed: _Reply) -> Message:
        """Return the reply, an error too; raises _NoAnswer if there is none in time."""
        await asyncio.wait({owed}, timeout=self._answer)
        reply = owed.result() if owed.done() else None
        if reply is None:
            raise _NoAnswer
        return reply

    def _choose(self) -> None:
        """Tell which battery counts, if that is another one now."""
        known = self._batteries.get(self.monitor or "")
        if known is not None and known.counts is not False:
            return
        counting = (name for name, each in self._batteries.items() if each.counts)
        monitor = min(counting, default=None)
        if monitor == self.monitor:
            return
        self.monitor = monitor
        try:
            self._on_change(monitor)
        except Exception:  # an error of theirs must not cost us the watch
            log.exception("%s", monitor)


def _sent(wire: Connection, call: Message) -> _Reply:
    """Send a call; its reply, or None once the connection is lost, comes by itself."""
    owed: _Reply = asyncio.get_running_loop().create_future()
    if not wire.alive:
        raise _NoAnswer
    wire.ask(call, owed.set_result)
    return owed


def _is_battery(name: str) -> bool:
    return name == PREFIX or name.startswith(f"{PREFIX}.")


def _is(value: object, number: int) -> bool:
    return value == number and not isinstance(value, bool | str)


def _is_number(value: object) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
    )

"""A connection to the bus that knows who owns a name there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from dbus_fast import Message

from mppdbus.errors import BusError
from mppdbus.venus.dbus.connection import DAEMON, Connection
from mppdbus.venus.dbus.tasks import ended

TIMEOUT = 10.0  # s that the bus may take to answer at the start
FIRST_DELAY = 0.5  # s before the first attempt to come back
LONGEST_DELAY = 10.0  # s between attempts

log = logging.getLogger("mppdbus.bus")


class NameWatch:
    """Tells who owns `name`, also after a reconnection; nothing is ever polled.

    `on_owner` gets the connection and the unique name of each new owner, "" for nobody;
    `on_signal` gets all other signals that the connection has asked for.
    """

    def __init__(
        self,
        address: str,
        name: str,
        on_owner: Callable[[Connection, str], None],
        on_signal: Callable[[Message], None],
        *,
        first_delay: float = FIRST_DELAY,
    ) -> None:
        self._address = address
        self._name = name
        self._on_owner = on_owner
        self._on_signal = on_signal
        self._first_delay = first_delay
        self._wire: Connection | None = None
        self._owner: str | None = None  # None: not known on this connection
        self._keeper: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect and tell who owns the name; raises BusError if there is no bus."""
        await self._connect()
        self._keeper = asyncio.create_task(self._keep())

    async def close(self) -> None:
        """Leave the bus."""
        try:
            if self._keeper is not None:
                await ended(self._keeper)
        finally:
            if self._wire is not None:
                await self._wire.close()

    async def _connect(self) -> None:
        self._owner = None
        wire = self._wire = await Connection.open(
            self._address, lambda _wire, _call: False, self._hear
        )
        try:
            async with asyncio.timeout(TIMEOUT):
                owner = await self._ask_for_owner(wire)
        except TimeoutError:
            await wire.close()
            raise BusError(f"the bus at {self._address} does not answer") from None
        except BusError:
            await wire.close()
            raise
        if self._owner is None:  # else a signal was faster, and is newer
            self._tell(owner)

    async def _ask_for_owner(self, wire: Connection) -> str:
        rule = f"type='signal',sender='{DAEMON}',member='NameOwnerChanged'"
        await wire.call("AddMatch", "s", f"{rule},arg0='{self._name}'")
        if await wire.call("NameHasOwner", "s", self._name):
            with suppress(BusError):  # gone just now
                return str(await wire.call("GetNameOwner", "s", self._name))
        return ""

    def _hear(self, message: Message) -> None:
        if message.sender == DAEMON:
            if message.member == "NameOwnerChanged" and message.body[0] == self._name:
                self._tell(message.body[2])
        else:
            self._on_signal(message)

    def _tell(self, owner: str) -> None:
        if self._wire is not None and owner != self._owner:
            self._owner = owner
            self._on_owner(self._wire, owner)

    async def _keep(self) -> None:
        """Come back after each loss of the connection, until cancelled."""
        while self._wire is not None:
            await self._wire.gone.wait()
            self._tell("")
            delay = self._first_delay
            while not self._wire.alive:
                await asyncio.sleep(delay)
                delay = min(2 * delay, LONGEST_DELAY)
                with suppress(BusError):  # our services complain of it
                    await self._connect()

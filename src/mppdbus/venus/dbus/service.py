"""A Victron service: items on a D-Bus connection of their own, under one name."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from dbus_fast import NameFlag, RequestNameReply
from dbus_fast.validators import is_bus_name_valid

from mppdbus.errors import BusError
from mppdbus.venus.dbus.connection import Wire, bus_address
from mppdbus.venus.dbus.items import Item, Kind, Value
from mppdbus.venus.dbus.methods import Calls
from mppdbus.venus.dbus.signals import Outbox
from mppdbus.venus.dbus.tasks import ended
from mppdbus.venus.dbus.tree import Tree, introspection_xml
from mppdbus.venus.dbus.writes import ACCEPTED, NOT_WRITABLE, REFUSED, Writer, Writes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

__all__ = [
    "ACCEPTED",
    "NOT_WRITABLE",
    "REFUSED",
    "Item",
    "Kind",
    "Value",
    "VictronService",
    "Writer",
    "bus_address",
    "introspection_xml",
]

FIRST_DELAY = 0.5  # s before the first attempt to come back
LONGEST_DELAY = 10.0  # s between attempts
_OURS = (RequestNameReply.PRIMARY_OWNER.value, RequestNameReply.ALREADY_OWNER.value)


class VictronService:
    """Items served on a bus, and kept there.

    `address` is a D-Bus address, by default the system bus. `writer` decides about what
    clients write; without one every fitting value is taken. `log` names the logger.
    Once connected, a lost connection is made again, with the name if it was claimed.
    """

    def __init__(
        self,
        name: str,
        items: Iterable[Item],
        *,
        address: str | None = None,
        writer: Writer | None = None,
        log: str = "mppdbus.bus",
        first_delay: float = FIRST_DELAY,
    ) -> None:
        if not is_bus_name_valid(name):
            raise ValueError(f"{name!r} is no name that D-Bus allows")
        self.name = name
        self._address = address or bus_address("system")
        self._first_delay = first_delay
        self._log = logging.getLogger(log)
        self._tree = Tree()
        self._outbox = Outbox()
        self._writes = Writes(writer, self._outbox, self._log)
        self._calls = Calls(self._tree, self._outbox, self._writes)
        self._wire: Wire | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._wanted = False  # the name, also after a reconnection
        self._claimed = asyncio.Event()
        self._lost = asyncio.Event()
        self._tree.add(items)

    @property
    def connected(self) -> bool:
        """True while there is a connection to the bus."""
        return self._wire is not None and self._wire.alive

    @property
    def claimed(self) -> bool:
        """True while the name is ours."""
        return self._claimed.is_set() and self.connected

    @property
    def wanted(self) -> bool:
        """True while the name is ours, or will be when the bus is back."""
        return self._wanted

    @property
    def unique_name(self) -> str | None:
        """The name the bus gave the connection, or None without one."""
        return self._wire.unique_name if self._wire and self._wire.alive else None

    # Values

    @property
    def paths(self) -> Collection[str]:
        """The paths of all items."""
        return self._tree.leaves.keys()

    def value(self, path: str) -> Value:
        """Return what the bus shows at `path`; raises KeyError for an unknown path."""
        return self._tree.leaves[path].value

    def update(self, values: Mapping[str, Value]) -> int:
        """Publish what has changed among `values`, at once; return how many changed.

        Raises KeyError for an unknown path and TypeError for a value of another type,
        and then nothing has changed. A path with a write under way keeps its echo; what
        is given here shows when the write is settled.
        """
        leaves = self._tree.leaves
        changed = []
        path = ""
        try:
            for path, given in values.items():
                leaf = leaves[path]
                known = leaf.value
                if type(given) is type(known) and given == known and not leaf.pending:
                    continue  # most are those of the last poll, and were checked then
                value = None if given is None else leaf.check(given)
                if value != leaf.value or leaf.pending is not None:
                    changed.append((leaf, value))
        except TypeError as error:
            raise TypeError(f"{path}: {error}") from None
        count = 0
        for leaf, value in changed:
            if leaf.pending is not None:
                leaf.pending.see(value)
            else:
                leaf.value = value
                self._outbox.put(leaf)
                count += 1
        self._outbox.flush()
        return count

    def add_items(self, items: Iterable[Item]) -> None:
        """Add items, unknown until updated; clients are told of the new paths.

        Raises ValueError for a path that exists.
        """
        for leaf in self._tree.add(items):
            self._outbox.put(leaf)
        self._outbox.flush()

    # Connection

    async def connect(self) -> None:
        """Connect and serve the items, without the name; raises BusError if no bus."""
        if self._keeper is None:
            self._wire = await self._open()
            self._keeper = asyncio.create_task(self._keep())

    async def claim(self) -> None:
        """Take the name; raises BusError that says who has it, or why we may not."""
        if not self.claimed:
            await self._own()
            self._wanted = True

    async def release(self) -> None:
        """Give the name back; the items stay served under the unique name."""
        self._wanted = False
        self._outbox.stop()
        if self.claimed and self._wire is not None:
            with suppress(BusError):  # lost meanwhile, and the name with it
                await self._wire.call("ReleaseName", "s", self.name)
        self._claimed.clear()

    async def renew(self) -> None:
        """Give the name back and take it again, when the bus is back if it goes now.

        Raises BusError that says who has taken it meanwhile.
        """
        await self.release()
        self._wanted = True
        try:
            await self._own()
        except BusError:
            if self.connected:
                self._wanted = False
                raise

    async def close(self) -> None:
        """Leave the bus; writes without a verdict are refused first."""
        self._wanted = False
        keeper, self._keeper = self._keeper, None
        try:
            if keeper is not None:
                keeper.cancel()
            await self._writes.close()
            if keeper is not None:
                await ended(keeper)
        finally:
            self._outbox.stop()
            self._claimed.clear()
            if (wire := self._wire) is not None:
                self._wire = None
                await wire.close()

    async def wait_lost(self) -> None:
        """Return while the connection is lost, or as soon as it is."""
        await self._lost.wait()

    async def wait_claimed(self) -> None:
        """Return while the name is ours, or as soon as it is."""
        await self._claimed.wait()

    async def _open(self) -> Wire:
        return await Wire.open(self._address, self._calls)

    async def _own(self) -> None:
        wire = self._wire
        if wire is None or not wire.alive:
            raise BusError(f"{self.name}: not connected to the bus")
        # Whoever hears of the name reads the items and then relies on the signals.
        self._outbox.start(wire, self._tree.leaves.values())
        try:
            verdict = await self._request_name(wire)
        except BusError as error:
            self._outbox.stop()
            raise BusError(
                f"{self.name}: the bus does not give us this name: {error}; on Debian "
                "install systemd/mppdbus-dbus.conf (see the README), then reload dbus"
            ) from error
        if verdict not in _OURS:
            self._outbox.stop()
            raise BusError(await self._taken(wire))
        self._claimed.set()

    async def _request_name(self, wire: Wire) -> int:
        flags = NameFlag.DO_NOT_QUEUE.value
        return int(await wire.call("RequestName", "su", self.name, flags))

    async def _taken(self, wire: Wire) -> str:
        """Say who has the name, as far as the bus and /proc tell."""
        who = "another program"
        with suppress(BusError, OSError):
            who = str(await wire.call("GetNameOwner", "s", self.name))
            pid = int(await wire.call("GetConnectionUnixProcessID", "s", who))
            who = f"{who} (pid {pid})"
            command = await asyncio.to_thread(Path(f"/proc/{pid}/cmdline").read_bytes)
            words = command.replace(b"\0", b" ").decode(errors="replace").strip()
            who = f"{who.removesuffix(')')}: {words})"
        return (
            f"{self.name} is taken on this bus by {who}; stop that program, or choose "
            "another name"
        )

    async def _keep(self) -> None:
        """Come back after each loss of the connection, until cancelled."""
        while self._wire is not None:
            await self._wire.gone.wait()
            self._outbox.stop()
            self._claimed.clear()
            self._lost.set()
            self._log.warning("%s: lost the bus: %s", self.name, self._wire.reason)
            await self._come_back()
            self._lost.clear()
            self._log.warning("%s: back on the bus", self.name)

    async def _come_back(self) -> None:
        delay, told = self._first_delay, ""
        while True:
            await asyncio.sleep(delay)
            delay = min(2 * delay, LONGEST_DELAY)
            try:
                self._wire = await self._open()
                if self._wanted:
                    await self._own()
            except BusError as error:
                if self._wire is not None:
                    await self._wire.close()
                if told != str(error):
                    told = str(error)
                    self._log.warning("%s", told)
            else:
                return

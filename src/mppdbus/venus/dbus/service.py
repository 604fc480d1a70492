"""A Victron service: items on a D-Bus connection of their own, under one name."""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from dbus_fast.validators import is_bus_name_valid

from mppdbus.errors import BusAway, BusError
from mppdbus.venus.dbus.bus_name import claim_name
from mppdbus.venus.dbus.connection import Connection, bus_address, to_bus
from mppdbus.venus.dbus.items import Item, Value
from mppdbus.venus.dbus.methods import Methods
from mppdbus.venus.dbus.outage_log import OutageLog
from mppdbus.venus.dbus.signals import ChangeSignals
from mppdbus.venus.dbus.tasks import ended
from mppdbus.venus.dbus.tree import Tree
from mppdbus.venus.dbus.writes import Refusal, Writer, Writes

INSTANCE = "/DeviceInstance"  # clients read it only when the name appears

FIRST_DELAY = 0.5  # s before the second attempt
LONGEST_DELAY = 10.0  # s between two attempts

log = logging.getLogger("mppdbus.bus")


class Service:
    """Items served on a bus under one name.

    `address` is a D-Bus address, by default the system bus. `writer` decides about the
    writes of clients; without one every valid value is taken. `refused` gets the values
    that no item of this kind can have. Values can be updated at
    any time; clients see them while the service is on the bus. `outages` is shared with
    the other connections of this process.

    One task does all work that takes time: it connects, and claims and releases the
    name. It retries until the wanted state is reached, also after a lost connection.
    """

    def __init__(
        self,
        name: str,
        items: Iterable[Item],
        *,
        address: str | None = None,
        writer: Writer | None = None,
        refused: Refusal | None = None,
        outages: OutageLog | None = None,
        first_delay: float = FIRST_DELAY,
    ) -> None:
        if not is_bus_name_valid(name):
            raise ValueError(f"{name!r} is no name that D-Bus allows")
        self.name = name
        self._address = address or bus_address("system")
        self._first_delay = first_delay
        self._outages = outages or OutageLog()
        self._tree = Tree()
        self._signals = ChangeSignals()
        self._writes = Writes(writer, self._signals, refused)
        self._methods = Methods(self._tree, self._signals, self._writes)
        self._connection: Connection | None = None
        self._claimed = False
        self._wanted = False
        self._restarting = False
        self._closed = False
        self._starts: list[asyncio.Future[BusError | None]] = []  # outcomes of `start`
        self._wake = asyncio.Event()  # there is work to do on the bus
        self._task: asyncio.Task[None] | None = None
        self._tree.add(items)

    @property
    def connected(self) -> bool:
        """True while there is a connection to the bus."""
        return self._connection is not None and self._connection.alive

    @property
    def claimed(self) -> bool:
        """True while the name is ours."""
        return self._claimed and self.connected

    @property
    def wanted(self) -> bool:
        """True while the service is on the bus, or on its way there."""
        return self._wanted or bool(self._starts)

    @property
    def unique_name(self) -> str | None:
        """The name the bus gave the connection, or None without one."""
        connection = self._connection
        return connection.unique_name if connection and connection.alive else None

    # Values

    def value(self, path: str) -> Value:
        """Return what the bus shows at `path`; raises KeyError for an unknown path."""
        return self._tree.leaves[path].value

    def update(self, values: Mapping[str, Value]) -> int:
        """Publish the changed ones of `values` at once; return how many changed.

        Raises KeyError for an unknown path and TypeError for a value of another type,
        and then nothing has changed. A path with a pending write keeps its echo, and
        shows the value given here after the verdict. A new `/DeviceInstance` restarts
        the service.
        """
        leaves = self._tree.leaves
        changed = []
        for path, given in values.items():
            leaf = leaves[path]
            known, pending = leaf.value, leaf.pending
            if type(given) is type(known) and given == known and pending is None:
                continue  # unchanged since the last poll, and checked then
            try:
                value = None if given is None else leaf.check(given)
            except TypeError as error:
                raise TypeError(f"{path}: {error}") from None
            if value != known or pending is not None:
                changed.append((leaf, value))
        shown = []
        for leaf, value in changed:
            if leaf.pending is None:
                leaf.value = value
                shown.append(leaf)
            else:
                self._writes.see(leaf, value)
        self._signals.tell(shown)
        if leaves.get(INSTANCE) in shown:
            self.restart()
        return len(shown)

    def add(self, items: Iterable[Item]) -> None:
        """Add items whose paths are new, with unknown values; clients are told.

        Raises ValueError for a new path that is given twice.
        """
        known = self._tree.leaves
        new = self._tree.add(item for item in items if item.path not in known)
        self._signals.tell(new)

    def renew(self, items: Sequence[Item]) -> None:
        """Add items, or take new texts and bounds for paths that are there already.

        Raises TypeError for another type than the path has had before.
        """
        leaves = self._tree.leaves
        known = [item for item in items if item.path in leaves]
        self.add(item for item in items if item.path not in leaves)
        for item in known:
            if leaves[item.path].item.kind is not item.kind:
                raise TypeError(f"{item.path}: its type is fixed")
            leaves[item.path].use(item)
        self._signals.tell([leaves[item.path] for item in known])

    # Life

    async def start(self) -> None:
        """Connect, serve all items, then claim the name; return when that is done.

        Returns also when the service is told to stop meanwhile. Raises BusError if
        somebody else has the name or the bus denies it, BusAway while there is no bus.
        After an error it does not try again, unless it was starting already.
        """
        if self._closed:
            return
        if self.claimed:
            self._wanted = True
            return
        outcome: asyncio.Future[BusError | None]
        outcome = asyncio.get_running_loop().create_future()
        self._starts.append(outcome)
        self._work()
        try:
            error = await outcome
        except asyncio.CancelledError:
            self._starts = [each for each in self._starts if each is not outcome]
            self._work()
            raise
        if error is not None:
            raise error

    def start_soon(self) -> None:
        """Start in the background; retry until it succeeds."""
        if not self._wanted and not self._closed:
            self._wanted = True
            self._work()

    def stop(self) -> None:
        """Release the name, in the background."""
        if self.wanted:
            self._wanted = False
            self._started()
            self._work()

    def restart(self) -> None:
        """Release the name and claim it again, in the background, if it is ours.

        Clients read some values only when a name appears.
        """
        if self.claimed and not self._restarting:
            self._restarting = True
            self._work()

    async def close(self) -> None:
        """Refuse writes without a verdict, then leave the bus for good."""
        self._closed, self._wanted = True, False
        self._outages.back(self.name)
        self._started()
        task, self._task = self._task, None
        try:
            if task is not None:
                task.cancel()
            await self._writes.close()
            if task is not None:
                await ended(task)
        finally:
            self._signals.stop()
            self._claimed = False
            if (connection := self._connection) is not None:
                self._connection = None
                await connection.close()

    def _work(self) -> None:
        self._wake.set()
        if self._task is None and not self._closed:
            self._task = asyncio.create_task(self._run())

    def _started(self, error: BusError | None = None) -> None:
        """Tell the callers of `start` the outcome: None, or the error."""
        starts, self._starts = self._starts, []
        for outcome in starts:
            if not outcome.done():
                outcome.set_result(error)

    async def _run(self) -> None:
        """Do the work on the bus until cancelled; log each trouble once."""
        delay, told = self._first_delay, False
        while True:
            self._wake.clear()
            try:
                await self._act()
            except Exception as cause:  # of any kind: callers of `start` must not hang
                error = cause if isinstance(cause, BusError) else BusError(repr(cause))
                if error is not cause:
                    log.exception("%s", self.name)
                self._started(error)
                if self._wanted:
                    told = self._tell(error, told=told)
                with suppress(TimeoutError):
                    async with asyncio.timeout(delay if self._wanted else None):
                        await self._wake.wait()
                delay = min(2 * delay, LONGEST_DELAY)
                continue
            if self._wake.is_set():
                continue  # something else is wanted now
            self._outages.back(self.name)
            if self.claimed and told:
                log.info("%s: on the bus now", self.name)
            delay, told = self._first_delay, False
            await self._wake.wait()

    def _tell(self, error: BusError, *, told: bool) -> bool:
        """Log once why the service is not on the bus; return True if it was logged."""
        if isinstance(error, BusAway):
            self._outages.lost(self.name, error)
            return told
        self._outages.back(self.name)
        if not told:
            log.warning("%s; trying again", error)
        return True

    async def _act(self) -> None:
        """Try once to reach the wanted state; raises BusError."""
        connection = self._connection
        if connection is not None and not connection.alive:
            self._connection, self._claimed = None, False
            if self._wanted:
                raise BusAway(f"the D-Bus is lost: {connection.reason}")
        if self._restarting or not self.wanted:
            self._restarting = False
            await self._release()
        if self.wanted and not self.claimed:
            await self._claim()
        if self.claimed and self.wanted:
            self._wanted = True
            self._started()

    async def _release(self) -> None:
        self._signals.stop()
        if self._connection is not None and self.claimed:
            self._claimed = False
            with suppress(BusError):  # lost meanwhile, and the name with it
                await self._connection.call(to_bus("ReleaseName", "s", self.name))

    async def _claim(self) -> None:
        connection = self._connection
        if connection is None:
            self._connection = connection = await Connection.open(
                self._address, self._methods.answer, on_lost=self._lost
            )
        # A client that sees the name reads the items, then relies on the signals.
        self._signals.start(connection, self._tree.leaves.values())
        try:
            await claim_name(connection, self.name)
        except BusError as error:
            self._signals.stop()
            if not connection.alive:
                raise BusAway(f"{self.name}: {error}") from error
            raise
        self._claimed = True

    def _lost(self) -> None:
        self._signals.stop()
        self._wake.set()

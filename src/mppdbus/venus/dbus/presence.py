"""One service and its life on the bus: it enters, stays, and leaves; one at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable, Mapping

from mppdbus.errors import BusAway, BusError
from mppdbus.venus.dbus.service import Item, Value, VictronService, Writer

INSTANCE = "/DeviceInstance"

RETRY = 30.0  # s until a name that somebody else has is tried again
SOON = 3.0  # s, while there is no bus

log = logging.getLogger("mppdbus.bus")


class Presence:
    """A service whose name comes and goes while its values go on.

    Entering and leaving take time, and what is asked for last counts.
    """

    def __init__(
        self,
        name: str,
        items: Iterable[Item],
        *,
        address: str,
        writer: Writer | None = None,
    ) -> None:
        self.service = VictronService(name, items, address=address, writer=writer)
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self.wanted = False  # on the bus, or on the way there
        self._renewing = False  # soon: whatever else is new is seen then too

    @property
    def name(self) -> str:
        """The name on the bus."""
        return self.service.name

    @property
    def there(self) -> bool:
        """Whether the name is ours now."""
        return self.service.claimed

    def update(self, values: Mapping[str, Value]) -> None:
        """Show values; also those that the bus will ask for when the name comes.

        Clients keep the instance that they saw then, so a new one begins anew.
        """
        moved = INSTANCE in values and values[INSTANCE] != self.service.value(INSTANCE)
        self.service.update(values)
        if moved:
            self.begin_anew()

    def add(self, items: Iterable[Item]) -> None:
        """Add leaves that are not there yet."""
        known = self.service.paths
        self.service.add_items(item for item in items if item.path not in known)

    async def enter(self) -> None:
        """Have the service on the bus under its name, unless it is to leave meanwhile.

        Raises `BusError` if somebody else has the name, `BusAway` while there is no
        bus.
        """
        self.wanted = True
        try:
            await self._enter_in_turn()
        except BaseException:
            self.wanted = self.service.wanted  # it may come back by itself
            raise

    def want(self) -> None:
        """Enter in the background, unless that is so or under way; try until it is."""
        if not self.wanted and not self._closed:
            self.wanted = True
            self._start(self._try())

    def leave(self) -> None:
        """Give the name back, in the background."""
        if self.wanted:
            self.wanted = False
            self._start(self._leave())

    def begin_anew(self) -> None:
        """Leave and enter again, in the background, if the service is there.

        What clients look at only when a name appears they look at then.
        """
        if self.there and not self._renewing:
            self._renewing = True
            self._start(self._anew())

    async def close(self) -> None:
        """Leave the bus for good."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        async with self._turn:
            await self.service.close()

    async def _enter(self) -> None:
        try:
            await self.service.connect()
            await self.service.claim()
        except BusError as error:
            if self.service.connected:
                raise
            raise BusAway(str(error)) from error

    async def _try(self) -> None:
        told = ""
        while self.wanted and not self._closed:
            try:
                await self._enter_in_turn()
            except BusError as error:
                if told != str(error):
                    told = str(error)
                    log.warning("%s", told)
                await asyncio.sleep(SOON if isinstance(error, BusAway) else RETRY)
            else:
                return

    async def _enter_in_turn(self) -> None:
        async with self._turn:
            if self.wanted and not self._closed:
                await self._enter()

    async def _leave(self) -> None:
        async with self._turn:
            if not self.wanted:
                await self._release()

    async def _anew(self) -> None:
        async with self._turn:
            self._renewing = False
            if not self.there:
                return
            try:
                await self.service.renew()
            except BusError as error:
                log.warning("%s", error)

    async def _release(self) -> None:
        try:
            await self.service.release()
        except BusError as error:
            log.warning("%s", error)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

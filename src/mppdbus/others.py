"""The other units of a set, of which one inverter tells: on the bus like any unit."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from .errors import BusAway, MppdbusError
from .installation import Installation, Key, Told
from .snapshot import Snapshot
from .venus.views import Unit

SELDOM = 60.0  # s from one reading of the same unit to the next, of nine on one line

log = logging.getLogger("mppdbus.set")


class Others:
    """Introduces units as they turn up; `lead` is the key of the one that tells."""

    def __init__(self, installation: Installation, lead: Key, unit: Unit) -> None:
        self._installation = installation
        self._lead = lead
        self._unit = unit
        self.place = ""  # where the one is plugged in that tells
        self._known: dict[str, bool] = {}  # whether it is on the bus
        self._tasks: set[asyncio.Task[None]] = set()

    def show(self, others: dict[str, Snapshot]) -> None:
        """Take what is said of all of them, by serial number or slot; never waits."""
        for name, snapshot in others.items():
            if self._known.get(name):
                self._installation.show(Told(self._lead, name), snapshot)
            elif name not in self._known and snapshot.online:
                self._known[name] = False
                task = asyncio.get_running_loop().create_task(self._add(name, snapshot))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Introduce nobody any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _add(self, name: str, snapshot: Snapshot) -> None:
        number = list(self._known).index(name) + 1
        unit = replace(
            self._unit,
            name=f"{self._unit.name} {name}",
            connection=f"{self._unit.connection} ({name})",
            instance=self._unit.instance + number,
            bus_name="",
        )
        key, place = Told(self._lead, name), f"{self.place} {name}"
        try:
            await self._installation.introduce(key, unit, snapshot, place, SELDOM)
        except BusAway:
            del self._known[name]  # and try again
        except MppdbusError as error:
            log.warning("%s: %s", unit.name, error)
        else:
            self._known[name] = True

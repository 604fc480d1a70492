"""The other units of a set, of which one inverter tells: on the bus like any unit."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import replace

from mppdbus.daemon.installation import Installation, Key, Told
from mppdbus.errors import BusAway, BusError, ShownAlready
from mppdbus.model.snapshot import Snapshot
from mppdbus.model.views import Unit

SELDOM = 60.0  # s from one reading of the same unit to the next, of nine on one line
SOON, LONG_PAUSE = 5.0, 60.0  # s until a unit is introduced again
GIVEN_UP = 3600.0  # s after which a unit that is away is no part of the set any more

log = logging.getLogger("mppdbus.set")


class Others:
    """Introduces units as they turn up; `lead` is the key of the one that tells."""

    def __init__(self, installation: Installation, lead: Key, unit: Unit) -> None:
        self._installation = installation
        self._lead = lead
        self._unit = unit
        self.place = ""  # where the one is plugged in that tells
        self._numbers: dict[str, int] = {}  # in the order in which they came
        self._seen: dict[str, float] = {}  # when they answered last
        self._pauses: dict[str, float] = {}  # not to be introduced before
        self._told: set[str] = set()  # troubles
        self._online: dict[str, bool] = {}  # as it was told
        self._coming: set[Told] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def show(self, others: dict[str, Snapshot]) -> None:
        """Take what is said of all of them, by serial number or slot; never waits."""
        now = asyncio.get_running_loop().time()
        for name, snapshot in others.items():
            key = Told(self._lead, name)
            if snapshot.online:
                self._seen[name] = now
            if key in self._coming:
                continue
            if self._installation.shows(key):
                self._tell(name, online=snapshot.online)
                self._installation.show(key, snapshot)
                if now - self._seen.get(name, now) > GIVEN_UP:
                    self._start(self._installation.remove(key))
            elif snapshot.online and now >= self._pauses.get(name, now):
                self._coming.add(key)
                self._start(self._add(key, snapshot))

    async def forget(self) -> None:
        """Take all of them off the bus: another inverter tells of others."""
        await self.close()
        for name in self._numbers:
            await self._installation.remove(Told(self._lead, name))
        self._numbers.clear()

    async def close(self) -> None:
        """Introduce nobody any more."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _add(self, key: Told, snapshot: Snapshot) -> None:
        name, place = key.name, f"{self.place} {key.name}"
        number = self._numbers.setdefault(name, len(self._numbers) + 1)
        unit = replace(
            self._unit,
            name=f"{self._unit.name} {name}",
            connection=f"{self._unit.connection} ({name})",
            instance=self._unit.instance + number,
            bus_name="",
        )
        try:
            await self._installation.introduce(key, unit, snapshot, place, SELDOM)
        except BusError as error:
            await self._installation.remove(key)
            self._failed(unit.name, name, error)
        except BaseException:
            await self._installation.remove(key)
            self._pauses[name] = asyncio.get_running_loop().time() + SOON
            raise
        finally:
            self._coming.discard(key)

    def _tell(self, name: str, *, online: bool) -> None:
        """Say that a unit has dropped out of the set, or is back."""
        if self._online.get(name, True) != online:
            what = "answers again" if online else "does not answer any more"
            log.info("%s %s: %s", self._unit.name, name, what)
        self._online[name] = online

    def _failed(self, unit: str, name: str, error: BusError) -> None:
        """Try again later; what it was is said once."""
        pause = SOON if isinstance(error, BusAway) else LONG_PAUSE
        self._pauses[name] = asyncio.get_running_loop().time() + pause
        said = f"{unit}: {error}"
        quiet = isinstance(error, BusAway | ShownAlready)
        if said not in self._told and not quiet:
            self._told.add(said)
            log.warning("%s", said)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("unexpected", exc_info=error)

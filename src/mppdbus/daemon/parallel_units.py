"""Puts the other units of a parallel set, which one inverter reports, on the bus."""

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, replace

from mppdbus.daemon.event_log import SILENT
from mppdbus.daemon.installation import Installation
from mppdbus.errors import BusAway, BusError, ShownAlready
from mppdbus.model.snapshot import Snapshot
from mppdbus.model.views import Unit

SELDOM = 60.0  # s between two readings of a unit when nine share one line
SOON, LONG_PAUSE = 5.0, 60.0  # s until a unit is introduced again
SHOWN_DIGITS = 4  # of a serial number, in the name of a unit
GIVEN_UP = 3600.0  # s without an answer after which a unit leaves the set

log = logging.getLogger("mppdbus.set")


@dataclass(slots=True)
class _Reported:
    """A unit of the set; times are of the loop's clock."""

    name: str  # its serial number, or "slot 2"
    unit: Unit
    uid: str | None = None  # while this report has it on the bus
    seen: float = 0.0  # when it answered last
    not_before: float = 0.0  # when it may be introduced again
    introducing: bool = False
    online: bool = True  # the state logged last


class ParallelUnits:
    """Introduces the units that another unit reports; `unit` is the reporting one."""

    def __init__(self, installation: Installation, unit: Unit) -> None:
        self._installation = installation
        self._unit = unit
        self.place = ""  # where the reporting unit is plugged in
        self._reported: dict[str, _Reported] = {}  # in order of appearance
        self._logged: set[str] = set()  # troubles already logged
        self._held: dict[str, Snapshot] | None = {}  # until the reporting unit shows
        self._tasks: set[asyncio.Task[None]] = set()

    def show(self, others: dict[str, Snapshot]) -> None:
        """Take a report of all units, by serial number or slot; never waits."""
        if self._held is not None:
            self._held = others
            return
        now = asyncio.get_running_loop().time()
        for name, snapshot in others.items():
            known = self._reported.get(name) or self._add(name, now)
            if snapshot.online:
                known.seen = now
            if known.introducing:
                continue
            if known.uid is not None and self._installation.show(
                known.uid, known.unit.connection, snapshot
            ):
                if snapshot.online or now - known.seen >= SILENT:
                    self._log_change(known, online=snapshot.online)
                if now - known.seen > GIVEN_UP:
                    self._start(self._remove(known))
            elif snapshot.online and now >= known.not_before:
                known.introducing = True
                self._start(self._introduce(known, snapshot))

    def release(self) -> None:
        """Show what has been reported so far: the reporting unit is shown now."""
        held, self._held = self._held, None
        if held:
            self.show(held)

    async def forget(self) -> None:
        """Take all reported units off the bus: the reporting inverter has changed."""
        await self.close()
        for known in self._reported.values():
            await self._remove(known)
        self._reported.clear()

    async def close(self) -> None:
        """Stop introducing units."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _add(self, name: str, now: float) -> _Reported:
        unit = replace(
            self._unit,
            name=f"{self._unit.name} {self._short(name)}",
            connection=f"{self._unit.connection} ({name})",
            instance=self._unit.instance + len(self._reported) + 1,
            bus_name="",
            reported=True,
        )
        known = _Reported(name, unit, seen=now)
        self._reported[name] = known
        return known

    def _short(self, name: str) -> str:
        """Return the last digits of a serial number, enough to tell the units apart."""
        short = name[-SHOWN_DIGITS:]
        others = (each for each in self._reported if each.endswith(short))
        return name if not name.isdecimal() or any(others) else short

    async def _introduce(self, known: _Reported, snapshot: Snapshot) -> None:
        loop, known.uid = asyncio.get_running_loop(), None
        known.not_before = loop.time() + SOON
        place = f"{self.place} {known.name}"
        try:
            known.uid = await self._installation.introduce(
                known.unit, snapshot, place, SELDOM
            )
        except BusError as error:
            if not isinstance(error, BusAway):
                known.not_before = loop.time() + LONG_PAUSE
            self._log_failure(known.unit, error)
        finally:
            known.introducing = False

    async def _remove(self, known: _Reported) -> None:
        uid, known.uid = known.uid, None
        if uid is not None:
            await self._installation.remove(uid, known.unit.connection)

    def _log_change(self, known: _Reported, *, online: bool) -> None:
        """Log that a unit has dropped out of the set, or is back."""
        if known.online != online:
            what = "answers again" if online else "does not answer any more"
            log.info("%s: %s", known.unit.name, what)
        known.online = online

    def _log_failure(self, unit: Unit, error: BusError) -> None:
        """Log once why a unit cannot be shown."""
        said = f"{unit.name}: {error}"
        quiet = isinstance(error, BusAway | ShownAlready)
        if said not in self._logged and not quiet:
            self._logged.add(said)
            log.warning("%s", said)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("unexpected", exc_info=error)

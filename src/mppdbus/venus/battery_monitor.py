"""Finds other programs' batteries on the bus: a BMS or shunt is better than us."""

import asyncio
import logging
import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from mppdbus.errors import BusError
from mppdbus.venus.dbus.connection import CallError, Request, to_bus
from mppdbus.venus.dbus.watcher import BusListener, Watcher

PREFIX = "com.victronenergy.battery"
REPEAT = 30.0  # s between two reads of a battery
EARLY = 1.0  # s before the second read; doubled each time
ANSWER = 5.0  # s that a battery may take to answer
PATIENCE = 2  # failures in a row that are tolerated

_ERROR = "org.freedesktop.DBus.Error."
_ABSENT = {f"{_ERROR}Unknown{what}" for what in ("Object", "Interface", "Method")}

log = logging.getLogger("mppdbus.bus")


class _NoAnswer(Exception):
    """A battery did not answer."""


@dataclass(slots=True)
class OtherBattery:
    """A battery service of another program; `counts` is None until it was asked."""

    owner: str
    counts: bool | None = None
    failures: int = 0
    owed: asyncio.Future[Any] | None = None  # the reply to the last call, maybe pending
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class BatteryMonitor(BusListener):
    """Tells which battery services of other processes have a state of charge.

    `on_change` gets the names of all connected batteries with a valid `/Soc`, in order.
    `ours` and other names of this process never count. While the bus is away nothing
    changes.
    """

    def __init__(
        self,
        watcher: Watcher,
        ours: str,
        on_change: Callable[[tuple[str, ...]], None],
        *,
        repeat: float = REPEAT,
        answer: float = ANSWER,
    ) -> None:
        self._watcher, self._ours = watcher, ours
        self._on_change = on_change
        self._repeat, self._answer = repeat, answer
        self._batteries: dict[str, OtherBattery] = {}
        self.monitors: tuple[str, ...] = ()  # last names given to `on_change`
        watcher.add(self)

    async def settled(self) -> None:
        """Return when all batteries on the bus have answered or failed."""
        waiting = [each.asked.wait() for each in self._batteries.values()]
        await asyncio.gather(*waiting)

    def close(self) -> None:
        """Stop asking."""
        for name in tuple(self._batteries):
            self._forget(name)

    # -- who is there ------------------------------------------------------------------

    def owner_changed(self, name: str, owner: str) -> None:
        """Ask a battery that appears; forget one that leaves."""
        if name == self._ours or not f"{name}.".startswith(f"{PREFIX}."):
            return
        self._forget(name)
        if owner:
            battery = self._batteries[name] = OtherBattery(owner)
            battery.task = asyncio.create_task(self._ask_again(battery))
        self._choose()

    def bus_changed(self) -> None:
        """Choose the batteries again when the bus is back."""
        self._choose()

    def _forget(self, name: str) -> None:
        if (battery := self._batteries.pop(name, None)) is not None:
            battery.asked.set()
            if battery.task is not None:
                battery.task.cancel()

    # -- what it says ----------------------------------------------------------------

    async def _ask_again(self, battery: OtherBattery) -> None:
        """Read a battery again and again until it leaves the bus."""
        delay = min(EARLY, self._repeat)
        with suppress(BusError):  # a bus without process numbers
            if await self._is_own(battery.owner):
                battery.counts = False
                battery.asked.set()
                self._choose()
                return
        while True:
            await self._look(battery)
            battery.asked.set()
            self._choose()
            await asyncio.sleep(delay)
            delay = min(2 * delay, self._repeat)

    async def _look(self, battery: OtherBattery) -> None:
        try:
            connected = await self._value(battery, "/Connected", absent=1)
            soc = await self._value(battery, "/Soc", absent=None)
        except _NoAnswer:
            battery.failures += 1
            if battery.failures >= PATIENCE or battery.counts is None:
                battery.counts = False
        else:
            battery.failures = 0
            battery.counts = (
                _is_number(connected) and connected == 1 and _is_number(soc)
            )

    async def _value(self, battery: OtherBattery, path: str, absent: Any) -> Any:  # noqa: ANN401
        """Return the value at `path`, `absent` if there is no such path.

        Raises _NoAnswer. A battery that owes a reply is not asked again: the bus counts
        open calls, and at its limit refuses all of ours.
        """
        if battery.owed is not None:
            await self._replied(battery.owed)
        battery.owed = self._watcher.send(Request(battery.owner, path, "GetValue"))
        await self._replied(battery.owed)
        try:
            return battery.owed.result()
        except CallError as error:
            if error.name in _ABSENT:
                return absent
            raise _NoAnswer from error
        except BusError as error:
            raise _NoAnswer from error

    async def _replied(self, owed: asyncio.Future[Any]) -> None:
        """Wait for a reply or an error; raises _NoAnswer if none comes in time."""
        await asyncio.wait({owed}, timeout=self._answer)
        if not owed.done():
            raise _NoAnswer

    async def _is_own(self, owner: str) -> bool:
        """Tell whether `owner` is a connection of this process."""
        theirs, ours = [
            await self._watcher.call(to_bus("GetConnectionUnixProcessID", "s", name))
            for name in (owner, self._watcher.unique_name)
        ]
        return bool(theirs == ours)

    def _choose(self) -> None:
        """Choose the batteries; report them if they have changed."""
        if not self._watcher.connected:
            return
        monitors = tuple(
            name
            for name, each in sorted(self._batteries.items())
            if each.counts or (each.counts is None and name in self.monitors)
        )
        if monitors == self.monitors:
            return
        self.monitors = monitors
        try:
            self._on_change(monitors)
        except Exception:  # an error of the listener must not end the watch
            log.exception("%s", monitors)


def _is_number(value: object) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
    )

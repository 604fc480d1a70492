"""Finds the batteries of others on the bus: a BMS or a shunt knows better than us."""

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
REPEAT = 30.0  # s between two looks at a battery
EARLY = 1.0  # s before the second look; then twice as long each time
ANSWER = 5.0  # s that a battery may take to answer
PATIENCE = 2  # so often in a row it may fail to

_ERROR = "org.freedesktop.DBus.Error."
_ABSENT = {f"{_ERROR}Unknown{what}" for what in ("Object", "Interface", "Method")}

log = logging.getLogger("mppdbus.bus")


class _NoAnswer(Exception):
    """A battery was asked in vain."""


@dataclass(slots=True)
class OtherBattery:
    """A battery service of another program; `counts` is None until it was asked."""

    owner: str
    counts: bool | None = None
    failures: int = 0
    owed: asyncio.Future[Any] | None = None  # the reply to the last call, there or not
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class BatteryMonitor(BusListener):
    """Tells which battery service of another process has a state of charge.

    `on_change` gets the name of one that is connected and whose `/Soc` is valid, None
    when there is none any more. `ours` never counts, nor what else this process owns.
    While the bus is away it stays as it was.
    """

    def __init__(
        self,
        watcher: Watcher,
        ours: str,
        on_change: Callable[[str | None], None],
        *,
        repeat: float = REPEAT,
        answer: float = ANSWER,
    ) -> None:
        self._watcher, self._ours = watcher, ours
        self._on_change = on_change
        self._repeat, self._answer = repeat, answer
        self._batteries: dict[str, OtherBattery] = {}
        self.monitor: str | None = None  # what `on_change` was told last
        watcher.add(self)

    async def settled(self) -> None:
        """Return when all that are there have answered, or failed to."""
        waiting = [each.asked.wait() for each in self._batteries.values()]
        await asyncio.gather(*waiting)

    def close(self) -> None:
        """Ask nobody any more."""
        for name in tuple(self._batteries):
            self._forget(name)

    # -- who is there ------------------------------------------------------------------

    def owner_changed(self, name: str, owner: str) -> None:
        """Ask a battery that appears, and forget one that goes."""
        if name == self._ours or not f"{name}.".startswith(f"{PREFIX}."):
            return
        self._forget(name)
        if owner:
            battery = self._batteries[name] = OtherBattery(owner)
            battery.task = asyncio.create_task(self._ask_again(battery))
        self._choose()

    def bus_changed(self) -> None:
        """Choose among those that are there when the bus is back."""
        self._choose()

    def _forget(self, name: str) -> None:
        if (battery := self._batteries.pop(name, None)) is not None:
            battery.asked.set()
            if battery.task is not None:
                battery.task.cancel()

    # -- what it says ----------------------------------------------------------------

    async def _ask_again(self, battery: OtherBattery) -> None:
        """Look at a battery for as long as it is there."""
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
        """Return what is at `path`, `absent` if there is no such path.

        Raises _NoAnswer. Who owes a reply is asked nothing more: the bus counts them,
        and at its limit refuses all our calls.
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
        """Wait for a reply, an error too; raises _NoAnswer if there is none in time."""
        await asyncio.wait({owed}, timeout=self._answer)
        if not owed.done():
            raise _NoAnswer

    async def _is_own(self, owner: str) -> bool:
        """Tell whether `owner` is a connection of this process, as the bus sees it."""
        theirs, ours = [
            await self._watcher.call(to_bus("GetConnectionUnixProcessID", "s", name))
            for name in (owner, self._watcher.unique_name)
        ]
        return bool(theirs == ours)

    def _choose(self) -> None:
        """Tell which battery counts, if that is another one now."""
        if not self._watcher.connected:
            return
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


def _is_number(value: object) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
    )

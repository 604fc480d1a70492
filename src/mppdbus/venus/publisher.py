"""Puts an installation on the bus: which services there are, their names, their life.

A service is claimed when the values of its unit are known, keeps its name while the
unit is away for a short time, and is released when it stays away.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from mppdbus.alarms import ALARM_LEVELS
from mppdbus.errors import BusError

from .bus import ACCEPTED, REFUSED, Item, Value, Writer
from .extra_rows import CORRECTION
from .household import Household, Key
from .legs import phases_of_unit
from .localsettings import LocalSettings
from .preferences import Preferences
from .presence import Presence
from .services import (
    INVERTER,
    MULTI,
    Row,
    history_items,
    history_values,
    live,
    on_legs,
    phased,
    values_of,
)
from .shared import (
    BATTERY_NAME,
    BATTERY_UID,
    SYSTEM_NAME,
    UNIT_LEVELS,
    Battery,
    System,
)
from .views import Unit, UnitView
from .wire import Wire

__all__ = ["BATTERY_NAME", "SYSTEM_NAME", "Publisher", "values_of"]

PREFIX = "com.victronenergy"
CORRECTIONS = ("/Soc", CORRECTION)
ACTIVE_INPUT = "/Ac/ActiveIn/ActiveInput"
AWAY = 300.0  # s offline after which a name is released
HISTORY_EVERY = 60.0  # s
FIRST_RECORDS = 5.0  # s, instead, until there are any

log = logging.getLogger("mppdbus.bus")


@dataclass(frozen=True, slots=True)
class _Profile:
    """What a profile publishes of a unit, in which class of services."""

    device_class: str
    rows: tuple[Row[UnitView], ...]
    live: tuple[Row[UnitView], ...]
    phased: tuple[Row[UnitView], ...]

    @classmethod
    def of(cls, device_class: str, rows: tuple[Row[UnitView], ...]) -> _Profile:
        return cls(device_class, rows, live(rows), phased(rows))


PROFILES = {
    "hybrid": _Profile.of("multi", MULTI),
    "inverter": _Profile.of("inverter", INVERTER),
}


@dataclass(slots=True)
class _Shown:
    """A unit on the bus."""

    presence: Presence
    kept: Preferences
    profile: _Profile
    phases: list[int] = field(default_factory=list)
    trackers: int | None = None
    history_at: float = float("-inf")
    history_day: date | None = None
    leaving: asyncio.TimerHandle | None = None


class Publisher:
    """All services of this process; one bus connection each.

    `show` never waits for the bus. `enter` connects and claims, and raises `BusError`
    when the name belongs to somebody else, `BusAway` while there is no bus.
    """

    def __init__(
        self, address: str, household: Household, settings: LocalSettings
    ) -> None:
        self._address = address
        self._household = household
        self._settings = settings
        self._shown: dict[Key, _Shown] = {}
        self._system: System | None = None
        self._battery: Battery | None = None
        self._monitor: str | None = None  # who else watches the battery
        self._turn = asyncio.Lock()  # to make what all units share
        self._moving = asyncio.Lock()  # while units change places
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, units: Sequence[Unit]) -> None:
        """Look at the bus; raises `BusError` if there is none, or a name is taken.

        Only the names that do not depend on a serial number are known by now.
        """
        names = {unit.bus_name for unit in units if unit.bus_name}
        if any(unit.profile == "hybrid" for unit in units):
            names.add(SYSTEM_NAME)
        wire = await Wire.open(self._address, lambda _wire, _call: False)
        try:
            taken = [n for n in names if await wire.call("NameHasOwner", "s", n)]
        finally:
            await wire.close()
        for name in taken:
            presence = Presence(name, (), address=self._address)
            try:
                await presence.enter()  # which says who has it
            finally:
                await presence.close()

    async def prepare(self, key: Key, serial: str | None, place: str) -> str:
        """Learn under which name and instance a unit is to appear; return its uid.

        `place` says where it is plugged in, for units without a number of their own.
        """
        uid = await self._settings.unit_id(key, serial, place)
        unit = self._household.view(key).unit
        name = _name(unit, uid)
        shown = self._shown.get(key)
        if shown is not None and shown.presence.name == name:
            return uid
        async with self._moving:
            await self._make_room(key, name, unit.connection)
        profile = PROFILES[unit.profile]
        kept = self._prefer(uid, ALARM_LEVELS[profile.device_class], key)
        await kept.load(profile.device_class, unit.instance)
        self._household.change(key, replace(unit, instance=kept.instance))
        items = [row.item(unit.phase) for row in profile.rows]
        presence = self._make(name, items, kept)
        self._shown[key] = _Shown(presence, kept, profile, [unit.phase])
        return uid

    async def _make_room(self, key: Key, name: str, connection: str) -> None:
        """Take off the bus whom a unit replaces, and itself where it was before."""
        if (shown := self._shown.get(key)) is not None:
            log.info("%s: another inverter now: %s", shown.presence.name, name)
            await self.remove(key)
        for other, theirs in tuple(self._shown.items()):
            if theirs.presence.name == name:
                log.info("%s is at %s now", name, connection)
                await self.remove(other)

    async def enter(self, key: Key) -> None:
        """Put a prepared unit on the bus, with all its values known before its name."""
        shown, view = self._shown[key], self._household.view(key)
        rows, live_values = shown.profile.rows, self._values(shown, view)
        all_values = values_of(rows, view, shown.phases[0]) | live_values
        shown.presence.update(all_values)
        self.show(key)
        new = not shown.presence.there
        await shown.presence.enter()
        if new:
            log.info("%s is on the bus as %s", view.unit.name, shown.presence.name)
        async with self._turn:
            if _hybrid(view.unit):
                await self._enter_system(key, shown)
            await self._mind_battery()

    def show(self, key: Key) -> None:
        """Show the last view of a unit; only what changed is sent."""
        view = self._household.view(key)
        shown = self._shown.get(key)
        if shown is not None:
            shown.presence.update(
                self._values(shown, view) | self._history(shown, view)
            )
            self._watch_absence(key, shown, online=view.snapshot.online)
        self._show_shared()

    def monitored(self, name: str | None) -> None:
        """Take note who else watches the battery: ours steps back, or returns."""
        self._monitor = name
        self._start(self._mind_battery_later())
        for key in tuple(self._shown):
            self.show(key)

    async def remove(self, key: Key) -> None:
        """Take a unit off the bus."""
        shown = self._shown.pop(key, None)
        if shown is None:
            return
        if shown.leaving is not None:
            shown.leaving.cancel()
        shown.kept.forget()
        if self._system is not None and self._system.lists(key):
            self._system.list_device(key, None, None)
        await shown.presence.close()

    async def close(self) -> None:
        """Release all names and disconnect."""
        for task in self._tasks:
            task.cancel()
        for shown in self._shown.values():
            if shown.leaving is not None:
                shown.leaving.cancel()
        all_of_them = [shown.presence for shown in self._shown.values()]
        all_of_them += [w.presence for w in (self._system, self._battery) if w]
        await asyncio.gather(*(presence.close() for presence in all_of_them))

    # -- units ----------------------------------------------------------------------

    def _values(self, shown: _Shown, view: UnitView) -> dict[str, Value]:
        first, *others = on_legs(view)
        phases = phases_of_unit(view)
        if shown.phases != phases:
            self._move(shown, phases)
        values = values_of(shown.profile.live, first, phases[0])
        for phase, leg in zip(phases[1:], others, strict=True):
            values |= values_of(shown.profile.phased, leg, phase)
        if _hybrid(view.unit) and self._household.several:
            values[ACTIVE_INPUT] = self._household.system("hybrid").active_input
        return values | shown.kept.values()

    def _move(self, shown: _Shown, phases: list[int]) -> None:
        """Move the AC paths to the phases that the unit turns out to be on."""
        rows = shown.profile.phased
        before = {row.path_on(phase): None for phase in shown.phases for row in rows}
        shown.presence.update(before)
        for phase in phases:
            shown.presence.add(row.item(phase) for row in rows)
        shown.phases = phases
        shown.presence.begin_anew()

    def _history(self, shown: _Shown, view: UnitView) -> dict[str, Value]:
        """Return the days, now and then and when one begins."""
        now = asyncio.get_running_loop().time()
        history, trackers = view.history, view.snapshot.trackers
        today = history.today.when if history is not None else None
        begun = history is not None and history.today.max_battery_voltage is not None
        fresh = now - shown.history_at < (HISTORY_EVERY if begun else FIRST_RECORDS)
        if fresh and today == shown.history_day and trackers == shown.trackers:
            return {}
        shown.history_at, shown.history_day, shown.trackers = now, today, trackers
        shown.presence.add(history_items(trackers))
        return history_values(view, trackers)

    def _renumber(self, key: Key, shown: _Shown) -> None:
        """Take what somebody has changed in the settings."""
        if self._system is not None and self._system.lists(key):
            self._system.show_levels(shown.kept.values())
        unit, instance = self._household.view(key).unit, shown.kept.instance
        if instance != unit.instance:
            self._household.change(key, replace(unit, instance=instance))
            if self._system is not None and self._system.lists(key):
                self._system.list_device(key, shown.presence.name, instance)
        self.show(key)

    # -- what all units share -------------------------------------------------------

    async def _enter_system(self, key: Key, shown: _Shown) -> None:
        if self._system is None:
            system = System(self._household, self._make, self._prefer)
            await system.load()
            self._system = system
        self._system.list_device(key, shown.presence.name, shown.kept.instance)
        self._system.show_levels(shown.kept.values())
        self._system.show()
        await self._system.presence.enter()

    async def _mind_battery(self) -> None:
        """Have the battery on the bus where it is needed, and nowhere else."""
        needed = self._household.battery_needed and self._monitor is None
        if self._battery is None and needed:
            battery = Battery(self._household, self._make, self._prefer)
            await battery.load()
            self._battery = battery
        if self._battery is None:
            return
        if needed and self._household.system().online:
            self._battery.show()
            await self._battery.presence.enter()
        else:
            self._battery.presence.leave()

    async def _mind_battery_later(self) -> None:
        try:
            async with self._turn:
                await self._mind_battery()
        except BusError as error:
            log.warning("%s", error)

    def _show_shared(self) -> None:
        if self._household.several:
            self._show_input(self._household.system("hybrid").active_input)
        for whole in (self._system, self._battery):
            if whole is not None:
                whole.show()

    def _show_input(self, value: int | None) -> None:
        """Show one input for all: systemcalc takes that of the lowest instance."""
        for key, shown in self._shown.items():
            if _hybrid(self._household.view(key).unit):
                shown.presence.update({ACTIVE_INPUT: value})

    # -- absence --------------------------------------------------------------------

    def _watch_absence(self, key: Key, shown: _Shown, *, online: bool) -> None:
        if online and shown.leaving is not None:
            shown.leaving.cancel()
            shown.leaving = None
        elif not online and shown.leaving is None:
            loop = asyncio.get_running_loop()
            shown.leaving = loop.call_later(AWAY, self._leave, key)

    def _leave(self, key: Key) -> None:
        """Release the name of a unit that stays away; after the last, all names."""
        shown = self._shown[key]
        log.warning("%s stays away: its name is released", shown.presence.name)
        shown.presence.leave()
        if self._system is not None and self._system.lists(key):
            self._system.list_device(key, None, None)
            if not self._household.system("hybrid").online:
                self._system.presence.leave()
        if self._battery is not None and not self._household.system().online:
            self._battery.presence.leave()

    # -- making services --------------------------------------------------------------

    def _make(self, name: str, items: list[Item], kept: Preferences) -> Presence:
        writer = self._writer(kept)
        return Presence(name, items, address=self._address, writer=writer)

    def _prefer(
        self, uid: str, levels: Sequence[str], key: Key | None = None
    ) -> Preferences:
        """Return what is kept for the service of a unit, or of all of them."""

        def changed() -> None:
            if key is not None and key in self._shown:
                self._renumber(key, self._shown[key])
            else:
                self._show_shared()

        name = "" if key is None else self._household.view(key).unit.name
        return Preferences(
            self._settings, uid, fallback=name, levels=levels, changed=changed
        )

    def _writer(self, kept: Preferences) -> Writer:
        async def write(path: str, value: Value) -> int:
            if kept.knows(path):
                return await kept.write(path, value)
            if path in UNIT_LEVELS:  # on the page of the whole: for all units
                units = [s.kept for s in self._shown.values() if s.kept.knows(path)]
                verdicts = [await unit.write(path, value) for unit in units]
                return max(verdicts, default=REFUSED)
            if path in CORRECTIONS and isinstance(value, float):
                fits = self._shows_charge(kept)
                fits = fits and self._household.correct_charge(value)
                return ACCEPTED if fits else REFUSED
            return REFUSED

        return write

    def _shows_charge(self, kept: Preferences) -> bool:
        """Tell whether a service shows how full the battery is: one for all does."""
        of_all = kept.uid == BATTERY_UID
        return self._monitor is None and of_all == self._household.several

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _hybrid(unit: Unit) -> bool:
    return unit.profile == "hybrid"


def _name(unit: Unit, uid: str) -> str:
    if _hybrid(unit):
        return f"{PREFIX}.multi.{uid}"
    return unit.bus_name or f"{PREFIX}.inverter.{uid}"

"""Puts an installation on the bus: which services there are, their names, their life.

A service is claimed when the values of its unit are known, keeps its name while the
unit is away for a short time, and is released when it stays away.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from mppdbus.model.alarms import ALARM_LEVELS
from mppdbus.model.household import Household, Key
from mppdbus.model.phase_views import phases_of_unit
from mppdbus.model.views import Unit, UnitView
from mppdbus.venus.dbus.service import (
    ACCEPTED,
    REFUSED,
    Item,
    Service,
    Value,
    Writer,
    check_free,
)
from mppdbus.venus.settings.service_settings import ServiceSettings
from mppdbus.venus.settings.store import LocalSettings
from mppdbus.venus.shared_services import (
    BATTERY_UID,
    SYSTEM_NAME,
    UNIT_LEVELS,
)
from mppdbus.venus.system_service import Commons
from mppdbus.venus.tables.battery import NAME as BATTERY_NAME
from mppdbus.venus.tables.cards import CORRECTION
from mppdbus.venus.tables.services import (
    INVERTER,
    MULTI,
    News,
    Row,
    history_items,
    history_values,
    live,
    on_legs,
    phased,
    values_of,
)

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

    service: Service
    kept: ServiceSettings
    profile: _Profile
    news: News[UnitView]
    phases: list[int] = field(default_factory=list)
    trackers: int | None = None
    history_at: float = float("-inf")
    history_day: date | None = None
    history_begun: bool = False  # there was something to show
    leaving: asyncio.TimerHandle | None = None
    released: bool = False  # the name, of a unit that stayed away
    charged: bool | None = None  # whether its charge is known; None: unit is away


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
        self._commons = Commons(household, self._make, self._prefer)

    async def open(self, units: Sequence[Unit]) -> None:
        """Look at the bus; raises `BusError` if there is none, or a name is taken.

        Only the names that do not depend on a serial number are known by now.
        """
        names = {unit.bus_name for unit in units if unit.bus_name}
        if any(unit.profile == "hybrid" for unit in units):
            names.add(SYSTEM_NAME)
        await check_free(self._address, names)

    async def prepare(self, key: Key, serial: str | None, place: str) -> str:
        """Learn under which name and instance a unit is to appear; return its uid.

        `place` says where it is plugged in, for units without a number of their own.
        One unit at a time: see to it that no other is being prepared.
        """
        uid = await self._settings.unit_id(key, serial, place)
        unit = self._household.view(key).unit
        name = _name(unit, uid)
        shown = self._shown.get(key)
        same = shown is not None and shown.service.name == name
        if same and shown is not None and shown.kept.uid == uid:
            self._household.change(key, _as_kept(unit, shown.kept))
            return uid
        await self._make_room(key, name, unit.connection)
        profile = PROFILES[unit.profile]
        kept = self._prefer(uid, ALARM_LEVELS[profile.device_class], key)
        try:
            await kept.load(profile.device_class, unit.instance)
        except BaseException:
            kept.forget()
            raise
        self._household.change(key, _as_kept(unit, kept))
        items = [row.item(unit.phase) for row in profile.rows]
        service = self._make(name, items, kept)
        self._shown[key] = _Shown(
            service, kept, profile, News(profile.live), [unit.phase]
        )
        return uid

    async def _make_room(self, key: Key, name: str, connection: str) -> None:
        """Take off the bus whom a unit replaces, and itself where it was before."""
        if (shown := self._shown.get(key)) is not None:
            log.info("%s: another inverter now: %s", shown.service.name, name)
            await self.remove(key)
        for other, theirs in tuple(self._shown.items()):
            if theirs.service.name == name:
                log.info("%s is at %s now", name, connection)
                await self.remove(other)

    async def enter(self, key: Key) -> None:
        """Put a prepared unit on the bus, with all its values known before its name."""
        shown, view = self._shown[key], self._household.view(key)
        rows, live_values = shown.profile.rows, self._values(shown, view)
        all_values = values_of(rows, view, shown.phases[0]) | live_values
        shown.service.update(all_values)
        self.show(key)
        new, shown.released = not shown.service.claimed, False
        await shown.service.start()
        if new:
            log.info("%s is on the bus as %s", view.unit.name, shown.service.name)
        if _hybrid(view.unit):
            name, instance = shown.service.name, shown.kept.instance
            await self._commons.enter(key, name, instance, self._levels())
        self.show_shared()

    def show(self, key: Key) -> None:
        """Show the last view of a unit; only what changed is sent."""
        view = self._household.view(key)
        shown = self._shown.get(key)
        if shown is not None:
            shown.service.update(self._values(shown, view) | self._history(shown, view))
            self._watch_absence(key, shown, online=view.snapshot.online)
            self._watch_charge(shown, view)
        self.show_shared()

    def monitored(self, name: str | None) -> None:
        """Take note who else watches the battery: ours steps back, or returns."""
        self._commons.monitor = name
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
        self._commons.list_device(key, None, None)
        self._commons.show_levels(self._levels())
        await shown.service.close()

    async def close(self) -> None:
        """Release all names and disconnect."""
        for shown in self._shown.values():
            if shown.leaving is not None:
                shown.leaving.cancel()
        closing = [shown.service.close() for shown in self._shown.values()]
        await asyncio.gather(*closing, self._commons.close())

    # -- units ----------------------------------------------------------------------

    def _values(self, shown: _Shown, view: UnitView) -> dict[str, Value]:
        first, *others = on_legs(view)
        phases = phases_of_unit(view)
        if shown.phases != phases:
            self._move(shown, phases)
        values = shown.news.values(first, phases[0])
        for phase, leg in zip(phases[1:], others, strict=True):
            values |= values_of(shown.profile.phased, leg, phase)
        if _hybrid(view.unit) and self._household.several:
            values[ACTIVE_INPUT] = self._household.system("hybrid").active_input
        return values | shown.kept.values()

    def _move(self, shown: _Shown, phases: list[int]) -> None:
        """Move the AC paths to the phases that the unit turns out to be on."""
        rows = shown.profile.phased
        before = {row.path_on(phase): None for phase in shown.phases for row in rows}
        shown.service.update(before)
        for phase in phases:
            shown.service.add(row.item(phase) for row in rows)
        shown.phases = phases
        shown.news = News(shown.profile.live)
        shown.service.restart()

    def _history(self, shown: _Shown, view: UnitView) -> dict[str, Value]:
        """Return the days, now and then and when one begins."""
        now = asyncio.get_running_loop().time()
        history, trackers = view.history, view.snapshot.trackers
        today = history.today.when if history is not None else None
        every = HISTORY_EVERY if shown.history_begun else FIRST_RECORDS
        fresh = now - shown.history_at < every
        if fresh and today == shown.history_day and trackers == shown.trackers:
            return {}
        records = history.today.max_battery_voltage if history is not None else None
        shown.history_begun = records is not None
        shown.history_at, shown.history_day, shown.trackers = now, today, trackers
        shown.service.add(history_items(trackers))
        return history_values(view, trackers)

    def _renumber(self, key: Key, shown: _Shown) -> None:
        """Take what somebody has changed in the settings."""
        self._commons.show_levels(self._levels())
        before = self._household.view(key).unit
        unit = _as_kept(before, shown.kept)
        if unit != before:
            self._household.change(key, unit)
        if unit.instance != before.instance and not shown.released:
            self._commons.list_device(key, shown.service.name, unit.instance)
        self.show(key)

    def _levels(self) -> dict[str, Value]:
        """Return the alarm levels of all units: the least of each, if they differ."""
        kept = [s.kept.values() for s in self._shown.values()]
        levels: dict[str, Value] = {}
        for leaf in UNIT_LEVELS:
            found = [level for of in kept if isinstance(level := of.get(leaf), int)]
            if found:
                levels[leaf] = min(found)
        return levels

    # -- what all units share -------------------------------------------------------

    def show_shared(self) -> None:
        """Show what all units make together."""
        if self._household.several:
            self._show_input(self._household.system("hybrid").active_input)
        present = [key for key, shown in self._shown.items() if shown.service.wanted]
        hybrids = any(_hybrid(self._household.view(key).unit) for key in present)
        self._commons.show(hybrids=hybrids, anybody=bool(present))

    def _show_input(self, value: int | None) -> None:
        """Show one input for all: systemcalc takes that of the lowest instance."""
        for key, shown in self._shown.items():
            if _hybrid(self._household.view(key).unit):
                shown.service.update({ACTIVE_INPUT: value})

    # -- absence --------------------------------------------------------------------

    def _watch_absence(self, key: Key, shown: _Shown, *, online: bool) -> None:
        if online and shown.leaving is not None:
            shown.leaving.cancel()
            shown.leaving = None
            if shown.released:
                self._return(key, shown)
        elif not online and shown.leaving is None:
            loop = asyncio.get_running_loop()
            shown.leaving = loop.call_later(AWAY, self._leave, key)

    def _watch_charge(self, shown: _Shown, view: UnitView) -> None:
        """Come anew with a charge: systemcalc looks for one only at such moments."""
        before = shown.charged
        shown.charged = view.soc is not None if view.snapshot.online else None
        if shown.charged and before is False:
            shown.service.restart()

    def _return(self, key: Key, shown: _Shown) -> None:
        """Take the name again for a unit that was away for long."""
        shown.released = False
        shown.service.start_soon()
        self._commons.list_device(key, shown.service.name, shown.kept.instance)

    def _leave(self, key: Key) -> None:
        """Release the name of a unit that stays away; after the last, all names."""
        shown = self._shown[key]
        log.warning("%s stays away: its name is released", shown.service.name)
        shown.released = True
        shown.service.stop()
        self._commons.list_device(key, None, None)
        self.show_shared()

    # -- making services --------------------------------------------------------------

    def _make(self, name: str, items: list[Item], kept: ServiceSettings) -> Service:
        writer = self._writer(kept)
        return Service(name, items, address=self._address, writer=writer)

    def _prefer(
        self, uid: str, levels: Sequence[str], key: Key | None = None
    ) -> ServiceSettings:
        """Return what is kept for the service of a unit, or of all of them."""

        def changed() -> None:
            if key is not None and key in self._shown:
                self._renumber(key, self._shown[key])
            else:
                self.show_shared()

        name = "" if key is None else self._household.view(key).unit.name
        return ServiceSettings(
            self._settings, uid, fallback=name, levels=levels, changed=changed
        )

    def _writer(self, kept: ServiceSettings) -> Writer:
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

    def _shows_charge(self, kept: ServiceSettings) -> bool:
        """Tell whether a service shows how full the battery is: one for all does."""
        of_all = kept.uid == BATTERY_UID
        return self._commons.monitor is None and of_all == self._household.several


def _as_kept(unit: Unit, kept: ServiceSettings) -> Unit:
    """Return a unit with the instance and the name that are kept for it."""
    return replace(unit, instance=kept.instance, given=kept.name)


def _hybrid(unit: Unit) -> bool:
    return unit.profile == "hybrid"


def _name(unit: Unit, uid: str) -> str:
    if _hybrid(unit):
        return f"{PREFIX}.multi.{uid}"
    return unit.bus_name or f"{PREFIX}.inverter.{uid}"

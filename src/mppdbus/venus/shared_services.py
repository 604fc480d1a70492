"""The services over all units: the acsystem, and the battery where units share it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mppdbus.model.alarms import ALARM_LEVELS, grid_lost
from mppdbus.model.household import Household, Key
from mppdbus.model.phase_views import part_on, phases_of
from mppdbus.venus.dbus.service import Item, ItemType, Service, Value
from mppdbus.venus.settings.service_settings import ALARM_LEVEL, ServiceSettings
from mppdbus.venus.tables.battery import BATTERY, NAME
from mppdbus.venus.tables.services import SYSTEM, SYSTEM_PHASE, News, live, values_of

SYSTEM_NAME = "com.victronenergy.acsystem.mppdbus"
SYSTEM_UID, BATTERY_UID = "mppdbus_sys", "mppdbus_bat"
SYSTEM_INSTANCE = 0  # Victron's programs look at this one only
BATTERY_INSTANCE = 288
GRID_LOST = "GridLost"
UNIT_LEVELS = tuple(ALARM_LEVEL + name for name in ALARM_LEVELS["multi"])

Make = Callable[[str, list[Item], ServiceSettings], Service]
Prefer = Callable[[str, tuple[str, ...]], ServiceSettings]


class System:
    """The acsystem over all inverters of the hybrid profile."""

    def __init__(self, household: Household, make: Make, prefer: Prefer) -> None:
        self._household = household
        self._kept = prefer(SYSTEM_UID, ALARM_LEVELS["acsystem"])
        self._phases: set[int] = set()
        self._devices: list[Key] = []
        self._news = News(live(SYSTEM))
        items = [row.item(1) for row in SYSTEM]
        self.service = make(SYSTEM_NAME, items, self._kept)

    async def load(self) -> None:
        """Learn what is kept, and show all that never changes."""
        await self._kept.load("acsystem", SYSTEM_INSTANCE)
        self._show_all()

    def _show_all(self) -> None:
        self.service.update(values_of(SYSTEM, self._household.system("hybrid")))

    def show(self) -> None:
        """Show all units as they are now."""
        view = self._household.system("hybrid")
        values = self._news.values(view)
        for phase in self._phases | phases_of(view):
            if phase not in self._phases:
                self._grow(phase)
            values |= values_of(SYSTEM_PHASE, part_on(view, phase), phase)
        kept = self._kept.values()
        level = kept[ALARM_LEVEL + GRID_LOST]
        wanted = level if isinstance(level, int) else None
        lost = view.with_input.alarm(GRID_LOST)
        values[f"/Alarms/{GRID_LOST}"] = grid_lost(lost, wanted)
        self.service.update(values | kept)

    def list_device(self, key: Key, name: str | None, instance: int | None) -> None:
        """Say which service a unit has; None: none at present."""
        if key not in self._devices:
            self._devices.append(key)
            place = self._devices.index(key)
            service = Item(f"/Devices/{place}/Service", ItemType.TEXT)
            number = Item(f"/Devices/{place}/Instance", ItemType.INT)
            self.service.add((service, number))
        place = self._devices.index(key)
        values: dict[str, Value] = {f"/Devices/{place}/Service": name}
        values[f"/Devices/{place}/Instance"] = instance
        self.service.update(values)

    def show_levels(self, levels: Mapping[str, Value]) -> None:
        """Show the alarm levels of the units, all of which clients change here."""
        self.service.update(levels)

    def lists(self, key: Key) -> bool:
        """Tell whether a unit has ever been in the list."""
        return key in self._devices

    def _grow(self, phase: int) -> None:
        """Add the paths of a phase; clients look for such only at the beginning."""
        self._phases.add(phase)
        self.service.add(row.item(phase) for row in SYSTEM_PHASE)
        self.service.restart()


class Battery:
    """The battery that several units share; systemcalc knows no other way."""

    def __init__(self, household: Household, make: Make, prefer: Prefer) -> None:
        self._household = household
        self._kept = prefer(BATTERY_UID, ())
        self._news = News(live(BATTERY))
        items = [row.item(1) for row in BATTERY]
        self.service = make(NAME, items, self._kept)

    async def load(self) -> None:
        """Learn what is kept, and show all that never changes."""
        await self._kept.load("battery", BATTERY_INSTANCE)
        self.service.update(values_of(BATTERY, self._household.system()))

    def show(self) -> None:
        """Show it as it is now."""
        values = self._news.values(self._household.system())
        self.service.update(values | self._kept.values())

"""Puts an installation on the bus: its services, their names and lifetimes.

A service claims its name when the values of its unit are known, keeps it while the
unit is away for a short time, and releases it when the unit stays away.
"""

import asyncio
import logging
from collections.abc import Collection

from mppdbus.errors import BusError
from mppdbus.model.alarms.effects import ALARM_LEVELS, LOW_SOC
from mppdbus.model.alarms.levels import wanted
from mppdbus.model.views import SystemView, Unit, UnitView
from mppdbus.venus.control_paths import ControlView
from mppdbus.venus.dbus.items import Value
from mppdbus.venus.dbus.outage_log import OutageLog
from mppdbus.venus.dbus.writes import REFUSED
from mppdbus.venus.setting_controls import NO_CONTROLS
from mppdbus.venus.settings.service_settings import NAME
from mppdbus.venus.settings.store import LocalSettings
from mppdbus.venus.system_service import SystemService
from mppdbus.venus.table_service import SiteControl, Surroundings, TableService
from mppdbus.venus.tables.battery import BATTERY, BATTERY_NAME, LOW_SOC_ALARM
from mppdbus.venus.tables.diagnostics import DOCTOR
from mppdbus.venus.unit_service import UnitService, service_name

ACTIVE_INPUT = "/Ac/ActiveIn/ActiveInput"
SYSTEM_INSTANCE = 0  # Victron's programs read only this one
LOW_SOC_LEVEL = f"AlarmLevel/{LOW_SOC}"
BATTERY_UID, BATTERY_INSTANCE = "mppdbus_bat", 288

log = logging.getLogger("mppdbus.bus")


class Publisher:
    """All services of this process; one bus connection each.

    `site` gets the changes of users. `show…` never waits for the bus. A service whose
    name has another owner comes to the bus when the name is free. `watched` are the
    batteries that another program measures: our service of such a one leaves the bus.
    """

    def __init__(
        self,
        address: str,
        settings: LocalSettings,
        site: SiteControl,
        outages: OutageLog,
    ) -> None:
        self._around = Surroundings(address, settings, site, outages)
        self._units: dict[str, UnitService] = {}  # by uid
        self._system: SystemService | None = None
        self._batteries: dict[str, TableService[SystemView]] = {}  # by bank
        self._making: dict[str, asyncio.Task[None]] = {}  # batteries, by bank
        self.watched: frozenset[str] = frozenset()  # by bank

    async def close(self) -> None:
        """Release all names and disconnect."""
        making = tuple(self._making.values())
        for task in making:
            task.cancel()
        await asyncio.gather(*making, return_exceptions=True)
        services = (*self._units.values(), self._system, *self._batteries.values())
        await asyncio.gather(*(service.close() for service in services if service))

    # -- units ------------------------------------------------------------------------

    async def prepare(self, unit: Unit) -> Unit:
        """Make the service of a unit; return the unit with its stored settings.

        Prepare only one unit at a time.
        """
        service = self._units.get(unit.uid)
        if service is not None and service.service.name != service_name(unit):
            await self.remove(unit.uid)
            service = None
        if service is None:
            service = UnitService(unit, self._around, self._list_units)
            self._units[unit.uid] = service
            await service.load(service.device_class, unit.instance)
        return service.named(unit)

    async def enter(self, view: UnitView, system: SystemView) -> None:
        """Put a prepared unit on the bus, and the acsystem with it."""
        service = self._units[view.unit.uid]
        await service.enter(view)
        if service.hybrid:
            if self._system is None:
                acsystem = SystemService(self._around, self._keep_in_units)
                whole = system.of_profile("hybrid")
                await acsystem.open("acsystem", SYSTEM_INSTANCE, whole)
                self._system = acsystem
            self._list_units()
            await self._system.put_on_bus()
        self._around.site.render_system()

    def show(self, view: UnitView) -> None:
        """Show a view of a unit; only what changed is sent."""
        service = self._units.get(view.unit.uid)
        if service is not None:
            service.show(view)

    def show_doctor(self, uid: str, sentence: str) -> None:
        """Show what is wrong with a unit, in a sentence; "" if all is well."""
        if (unit := self._units.get(uid)) is not None:
            unit.service.update({DOCTOR: sentence})

    def show_control(self, uid: str, control: ControlView) -> None:
        """Show the settings of a unit, and what may be written."""
        if (unit := self._units.get(uid)) is not None:
            before = unit.controls
            unit.show_control(control)
            if unit.controls != before:  # the acsystem shows those of an only unit
                self._around.site.render_system()

    def show_reply(self, uid: str, reply: str) -> None:
        """Show the answer to a request of the command line; "" takes it away."""
        if (unit := self._units.get(uid)) is not None:
            unit.show_reply(reply)

    async def remove(self, uid: str) -> None:
        """Take a unit off the bus."""
        service = self._units.pop(uid, None)
        if service is not None:
            self._list_units()
            await service.close()

    # -- what all units share -------------------------------------------------------

    def show_system(self, system: SystemView) -> None:
        """Show the values of the whole system."""
        if not self._units:
            return  # a unit is about to replace the last one
        present = [unit for unit in self._units.values() if unit.service.wanted]
        hybrids = [unit for unit in present if unit.hybrid]
        whole = system.of_profile("hybrid")
        if len(system.units) > 1:  # systemcalc uses that of the lowest instance
            for unit in hybrids:
                unit.service.update({ACTIVE_INPUT: whole.active_input})
        if self._system is not None:
            only = hybrids[0].controls if len(hybrids) == 1 else NO_CONTROLS
            self._system.controls = only
            if whole.units:
                self._system.show(whole)
            self._system.keep_on_bus(bool(hybrids))
        for name in system.banks:
            self._show_battery(name, system.of_bank(name))
        for name in self._batteries.keys() - system.banks.keys():
            self._batteries[name].keep_on_bus(False)

    def show_names(self, view: UnitView, system: SystemView) -> None:
        """Show the new name of a unit in the other services; its own has it."""
        self._units[view.unit.uid].view = view
        if self._system is not None:
            self._system.view = system.of_profile("hybrid")
            self._system.setting_changed(NAME)

    def _show_battery(self, name: str, system: SystemView) -> None:
        """Show a battery; its service is on the bus while one of its units is."""
        needed = name not in self.watched and any(
            unit.service.wanted
            for unit in map(self._units.get, (v.unit.uid for v in system.units))
            if unit is not None
        )
        if (battery := self._batteries.get(name)) is not None:
            battery.show(system)
            battery.service.update({LOW_SOC_ALARM: self._low_charge(system)})
            battery.keep_on_bus(needed)
        elif needed and name not in self._making:
            making = self._make_battery(name, system)
            self._making[name] = asyncio.get_running_loop().create_task(making)

    def _low_charge(self, system: SystemView) -> int | None:
        """Return the alarm of a battery, unless the settings of its units hide it."""
        units = [self._units.get(view.unit.uid) for view in system.units]
        settings = [unit.kept.value(LOW_SOC_LEVEL) for unit in units if unit]
        choices = [setting for setting in settings if isinstance(setting, int)]
        return wanted(system.charge.low, min(choices, default=None))

    async def _make_battery(self, name: str, system: SystemView) -> None:
        suffix = f"_{name}" if name else ""
        battery = TableService(
            BATTERY_NAME + suffix,
            BATTERY_UID + suffix,
            BATTERY,
            self._around,
            bank=name,
        )
        try:
            await battery.open("battery", BATTERY_INSTANCE, system)
        except BusError as error:
            log.warning("%s", error)
        else:
            self._batteries[name] = battery
            self._around.site.render_system()
        finally:
            del self._making[name]

    def _list_units(self) -> None:
        """List the units and the lowest of their alarm levels in the acsystem."""
        if self._system is not None:
            devices = {
                unit.view.unit.connection: (unit.service.name, unit.kept.instance)
                for unit in self._units.values()
                if unit.hybrid and unit.view is not None and unit.service.wanted
            }
            self._system.show_devices(devices, self._levels())
        self._around.site.render_system()

    def _levels(self) -> dict[str, Value]:
        levels: dict[str, Value] = {}
        for name in ALARM_LEVELS["multi"]:
            setting = f"AlarmLevel/{name}"
            found = [
                level
                for unit in self._units.values()
                if unit.has_setting(setting)
                and isinstance(level := unit.kept.value(setting), int)
            ]
            if found:
                levels[f"/Settings/{setting}"] = min(found)
        return levels

    async def _keep_in_units(
        self, name: str, value: Value, uids: Collection[str] | None
    ) -> int:
        """Change a setting of all units that have it, or of those with these uids."""
        units = [
            unit
            for uid, unit in self._units.items()
            if unit.has_setting(name) and (uids is None or uid in uids)
        ]
        verdicts = [await unit.kept.set(name, value) for unit in units]
        return max(verdicts, default=REFUSED)

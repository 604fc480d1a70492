"""The acsystem: all inverters of the hybrid profile as one device."""

from collections.abc import Awaitable, Callable, Collection, Mapping

from mppdbus.model.phases import by_phase
from mppdbus.model.victron_codes import AcInput
from mppdbus.model.views import SystemView
from mppdbus.venus.dbus.items import Item, ItemType, Value
from mppdbus.venus.dbus.writes import ACCEPTED, REFUSED, who_writes
from mppdbus.venus.setting_controls import NO_CONTROLS, UnitControls
from mppdbus.venus.settings.service_settings import NAME
from mppdbus.venus.settings.setting import DEVICES, Setting
from mppdbus.venus.table_service import Surroundings, TableService
from mppdbus.venus.tables.row import ChangedRows, ToControl
from mppdbus.venus.tables.system import ESS_MODE, SYSTEM, SYSTEM_PHASE

SYSTEM_NAME, SYSTEM_UID = "com.victronenergy.acsystem.mppdbus", "mppdbus_sys"
GRID_LOST, CUSTOM_NAME = "GridLost", "/CustomName"
# "Monitor for grid failure" in the menu of the GX, as dbus-acsystem declares it; and
# the setting that was ours before, which no page showed.
MONITOR_GRID = Setting("/Settings/Alarm/System/GridLost", 0, 0, 1)
FORMER_LEVEL = Setting(f"{DEVICES}/{SYSTEM_UID}/AlarmLevel/GridLost", 0, 0, 2)

_NOBODY = SystemView(())

Devices = Mapping[str, tuple[str, int]]
"""By the port of a unit: the name of its service and its DeviceInstance."""


KeepInUnits = Callable[[str, Value, Collection[str] | None], Awaitable[int]]


class SystemService(TableService[SystemView]):
    """The acsystem over all inverters of the hybrid profile.

    `keep_in_units` changes a setting of each unit, or of those with the given uids.
    """

    def __init__(self, around: Surroundings, keep_in_units: KeepInUnits) -> None:
        super().__init__(SYSTEM_NAME, SYSTEM_UID, SYSTEM, around)
        self._keep_in_units = keep_in_units
        self._phases: dict[int, ChangedRows[SystemView]] = {}
        self._ports: list[str] = []  # in the order of /Devices
        self.controls: UnitControls = NO_CONTROLS  # of the only unit
        self._end: Callable[[], None] | None = None  # ends listening

    async def load(self, device_class: str, wanted: int) -> None:
        """Load the settings, also the one of the GX that decides on /Alarms/GridLost.

        A user who had switched the alarm on by our former setting keeps it.
        """
        await super().load(device_class, wanted)
        store, site = self.around.store, self.around.site
        self._end = store.on_change(MONITOR_GRID.path, lambda *_: site.render_system())
        await store.add([MONITOR_GRID])
        if await store.holds(FORMER_LEVEL.path):
            former = await store.add([FORMER_LEVEL])
            if former[FORMER_LEVEL.path] and await store.set(MONITOR_GRID.path, 1):
                await store.set(FORMER_LEVEL.path, 0)

    async def close(self) -> None:
        """Leave the bus for good."""
        if self._end is not None:
            self._end()
        await super().close()

    def show(self, view: SystemView) -> None:
        """Show all units as they are now."""
        self.view = view
        values = self.changed_rows.values(view)
        parts = by_phase(view)
        for phase in self._phases.keys() | parts.keys():
            if phase not in self._phases:
                self._grow(phase)
            values |= self._phases[phase].values(parts.get(phase, _NOBODY), phase)
        values[f"/Alarms/{GRID_LOST}"] = self._grid_lost(view)
        values |= self._control_values(view)
        if name := self.kept.custom_name:
            values[CUSTOM_NAME] = name
        self.service.update(values)

    def _control_values(self, view: SystemView) -> dict[str, Value]:
        controls = self.controls if len(view.online) == 1 else NO_CONTROLS
        return {
            "/Mode": controls.mode(view.mode),
            "/ModeIsAdjustable": int(controls.adjustable),
            ESS_MODE.path: controls.ess_mode,
        }

    def show_devices(self, devices: Devices, levels: Mapping[str, Value]) -> None:
        """Show the service of each unit, and the alarm levels of all units."""
        values = dict(levels)
        for port in devices:
            if port not in self._ports:
                place = len(self._ports)
                self._ports.append(port)
                service = Item(f"/Devices/{place}/Service", ItemType.TEXT)
                number = Item(f"/Devices/{place}/Instance", ItemType.INT)
                self.service.add((service, number))
        for place, port in enumerate(self._ports):
            name, instance = devices.get(port, (None, None))
            values[f"/Devices/{place}/Service"] = name
            values[f"/Devices/{place}/Instance"] = instance
        self.service.update(values)

    def keep_in_units(self, name: str, value: Value) -> Awaitable[int]:
        """Store a setting for each unit."""
        return self._keep_in_units(name, value, None)

    def _write(self, path: str, value: Value) -> int | Awaitable[int]:
        """Pass a client's write on: the name of a single unit is that of the unit."""
        units = self.view.units if self.view is not None else ()
        if path == CUSTOM_NAME and len(units) == 1:
            return self._rename_unit(units[0].unit.uid, value)
        if isinstance(target := self.writes[path], ToControl):
            if len(units) != 1:  # a set is not written by halves
                return REFUSED
            uid, controls = units[0].unit.uid, self.around.site.controls
            return controls.write(uid, target.setting, value, who_writes())
        return super()._write(path, value)

    async def _rename_unit(self, uid: str, value: Value) -> int:
        """Rename the only unit; a name that the system had for itself is given up."""
        verdict = await self._keep_in_units(NAME, value, {uid})
        if verdict == ACCEPTED and self.kept.custom_name:
            return await self.kept.set(NAME, "")
        return verdict

    def _grid_lost(self, view: SystemView) -> int | None:
        """Return the alarm, unknown (so no notification) unless the user wants it."""
        if self.around.store.value(MONITOR_GRID.path) != 1:
            return None
        with_input = view.part(lambda unit: unit.ac_input != AcInput.NONE)
        return with_input.alarm(GRID_LOST)

    def _grow(self, phase: int) -> None:
        """Add the paths of a phase; clients look for them only after a restart."""
        self._phases[phase] = ChangedRows(SYSTEM_PHASE)
        self.service.add(row.item(phase) for row in SYSTEM_PHASE)
        self.service.restart()

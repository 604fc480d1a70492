"""A service made of the rows of a table; each row tells where a write goes."""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Generic, Protocol

from mppdbus.errors import BusError
from mppdbus.venus.dbus.items import Value
from mppdbus.venus.dbus.outage_log import OutageLog
from mppdbus.venus.dbus.service import INSTANCE, Service
from mppdbus.venus.dbus.writes import ACCEPTED, REFUSED, who_writes
from mppdbus.venus.settings import service_settings as settings
from mppdbus.venus.settings.service_settings import ServiceSettings
from mppdbus.venus.settings.setting import DEVICES, Setting
from mppdbus.venus.settings.store import LocalSettings
from mppdbus.venus.tables.row import (
    ChangedRows,
    Row,
    ToControl,
    ToRequest,
    ToSetting,
    V,
    live,
    values_of,
)


class SettingControl(Protocol):
    """What writes the settings of inverters, by the uid of one."""

    def write(
        self, uid: str, name: str, value: Value, sender: str
    ) -> int | Awaitable[int]:
        """Write a setting; return the verdict. `sender`: the client's unique name."""

    async def request(self, uid: str, text: str, sender: str) -> int:
        """Do what the command line asks, and show the answer; return the verdict."""

    def refuse(self, uid: str, name: str, written: object, why: str) -> int:
        """Tell people that a value cannot be one of this setting, and `why`."""


class SiteControl(Protocol):
    """The owner of the units, which gets the changes that users make on the bus."""

    @property
    def controls(self) -> SettingControl:
        """What writes the settings of the inverters."""

    def rename(self, uid: str, name: str) -> None:
        """Set the user's name of a unit; "" removes it."""

    def renumber(self, uid: str, instance: int) -> None:
        """Set a new DeviceInstance of a unit."""

    def correct_charge(self, percent: float, bank: str | None) -> bool:
        """Set the user's state of charge of a battery; None: of the only unit."""

    def report_silence(self, uid: str) -> None:
        """Tell people that a unit has not answered for some time."""

    def render_system(self) -> None:
        """Schedule `Publisher.show_system`, once for all calls of this turn."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all services have in common."""

    address: str  # of the bus
    store: LocalSettings
    site: SiteControl
    outages: OutageLog


class TableService(Generic[V]):
    """Serves the rows of a table on the bus; their settings are stored under `uid`.

    `bank` is the name of the battery whose service this is.
    """

    def __init__(
        self,
        name: str,
        uid: str,
        rows: tuple[Row[V], ...],
        around: Surroundings,
        *,
        phase: int = 1,
        bank: str | None = None,
    ) -> None:
        self.around = around
        self.rows = rows
        self.view: V | None = None  # the last one shown
        self.changed_rows = ChangedRows(live(rows))
        self.kept = ServiceSettings(around.store, uid, self.setting_changed)
        self._bank = bank
        self.writes = {row.path_on(phase): row.write for row in rows if row.write}
        self._settings = {
            row.write.name: row
            for row in rows
            if isinstance(row.write, ToSetting) and not row.write.of_units
        }
        items = [row.item(phase) for row in rows]
        self.service = Service(
            name,
            items,
            address=around.address,
            writer=self._write,
            refused=self._refuse,
            outages=around.outages,
        )

    async def open(self, device_class: str, instance: int, view: V) -> None:
        """Load the stored settings, and show the fixed values."""
        await self.load(device_class, instance)
        self.service.update(values_of(self.rows, view) | self.setting_values(view))
        self.show(view)

    def show(self, view: V) -> None:
        """Show a view; only what changed is sent."""
        self.view = view
        self.service.update(self.changed_rows.values(view))

    async def load(self, device_class: str, wanted: int) -> None:
        """Load the settings; `wanted` is the DeviceInstance if none is stored."""
        rows = [
            Setting(
                f"{DEVICES}/{self.kept.uid}/{name}",
                row.default,
                row.minimum,
                row.maximum,
            )
            for name, row in self._settings.items()
            if row.default is not None
        ]
        await self.kept.load(device_class, wanted, rows)

    def setting_values(self, view: V) -> dict[str, Value]:
        """Return the values of all settings: the user's, else those of the rows."""
        values: dict[str, Value] = {INSTANCE: self.kept.instance}
        for name in self._settings:
            values |= self.setting_value(name, view)
        return values

    def setting_value(self, name: str, view: V) -> dict[str, Value]:
        """Return the value of one setting, by its path."""
        if name == settings.INSTANCE:
            return {INSTANCE: self.kept.instance}
        if (row := self._settings.get(name)) is None:
            return {}
        value = self.kept.value(name)
        return {row.path: row.value(view) if value in (None, "") else value}

    def show_setting(self, name: str, view: V) -> None:
        """Show the value of one setting."""
        self.service.update(self.setting_value(name, view))

    def setting_changed(self, name: str) -> None:
        """Show a changed setting."""
        if self.view is not None:
            self.show_setting(name, self.view)

    def keep_on_bus(self, wanted: bool) -> None:  # noqa: FBT001 - a state
        """Put the service on the bus, or take it off, in the background."""
        if wanted:
            self.service.start_soon()
        else:
            self.service.stop()

    async def put_on_bus(self) -> None:
        """Put the service on the bus; if it cannot be there now, as soon as it can."""
        try:
            await self.service.start()
        except BusError:
            self.service.start_soon()  # logs the reason

    async def close(self) -> None:
        """Leave the bus for good."""
        self.kept.close()
        await self.service.close()

    def has_setting(self, name: str) -> bool:
        """Tell whether a row has this setting."""
        return name in self._settings

    def keep_in_units(self, name: str, value: Value) -> Awaitable[int]:
        """Store a setting for each unit; only the service of all units can."""
        raise NotImplementedError

    def _write(self, path: str, value: Value) -> int | Awaitable[int]:
        """Pass a client's write to the target of its row; return the verdict."""
        match self.writes[path]:
            case ToSetting(name, of_units=True):
                return self.keep_in_units(name, value)
            case ToSetting(name):
                return self.kept.set(name, value)
            case ToControl(name):
                controls = self.around.site.controls
                return controls.write(self.kept.uid, name, value, who_writes())
            case ToRequest():
                controls = self.around.site.controls
                return controls.request(self.kept.uid, str(value), who_writes())
        taken = isinstance(value, float) and self.around.site.correct_charge(
            value, self._bank
        )
        return ACCEPTED if taken else REFUSED

    def _refuse(self, path: str, written: object, why: str) -> None:
        """Pass on that a client wrote what no value of a setting can be."""
        match self.writes.get(path):
            case ToControl(name):
                self.around.site.controls.refuse(self.kept.uid, name, written, why)

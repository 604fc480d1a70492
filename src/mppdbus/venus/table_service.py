"""A service made of the rows of a table; a write goes where its row says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol

from mppdbus.venus.dbus.service import ACCEPTED, INSTANCE, REFUSED, Service, Value
from mppdbus.venus.settings import service_settings as settings
from mppdbus.venus.settings.service_settings import ServiceSettings
from mppdbus.venus.settings.setting import DEVICES, Setting
from mppdbus.venus.settings.store import LocalSettings
from mppdbus.venus.tables.row import Row, ToSetting, V, Verdict


class SiteControl(Protocol):
    """Whoever has the units: it is told what users change on the bus."""

    def rename(self, uid: str, name: str) -> None:
        """Take the name that the user has given a unit; "" takes it back."""

    def renumber(self, uid: str, instance: int) -> None:
        """Take another DeviceInstance of a unit."""

    def correct_charge(self, percent: float, *, shared: bool) -> bool:
        """Take the user's state of charge, of a unit or of the shared battery."""

    def render_system(self) -> None:
        """Have `Publisher.show_system` called soon, once for all calls of this turn."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all services have in common."""

    address: str  # of the bus
    store: LocalSettings
    site: SiteControl


class TableService(Generic[V]):
    """The rows of a table on the bus; `uid` is what their settings are kept under."""

    of_all_units = False

    def __init__(
        self,
        name: str,
        uid: str,
        rows: Sequence[Row[V]],
        around: Surroundings,
        *,
        phase: int = 1,
    ) -> None:
        self.around = around
        self.kept = ServiceSettings(around.store, uid, self.setting_changed)
        self._writers = {row.path_on(phase): row.write for row in rows if row.write}
        self._settings = {
            row.write.name: row for row in rows if isinstance(row.write, ToSetting)
        }
        items = [row.item(phase) for row in rows]
        self.service = Service(name, items, address=around.address, writer=self._write)

    async def load(self, device_class: str, wanted: int) -> None:
        """Learn what is kept; `wanted` is the DeviceInstance if there is none yet."""
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
        """Return what the user has set, else what the rows say."""
        values: dict[str, Value] = {INSTANCE: self.kept.instance}
        for name in self._settings:
            values |= self.setting_value(name, view)
        return values

    def setting_value(self, name: str, view: V) -> dict[str, Value]:
        """Return what one setting shows, by its path."""
        if name == settings.INSTANCE:
            return {INSTANCE: self.kept.instance}
        if (row := self._settings.get(name)) is None:
            return {}
        value = self.kept.value(name)
        return {row.path: row.value(view) if value in (None, "") else value}

    def setting_changed(self, name: str) -> None:
        """Show a setting that somebody has changed."""
        raise NotImplementedError

    def keep_on_bus(self, wanted: bool) -> None:  # noqa: FBT001 - a state
        """Have the service on the bus, or take it off, in the background."""
        if wanted:
            self.service.start_soon()
        else:
            self.service.stop()

    async def close(self) -> None:
        """Leave the bus for good."""
        self.kept.close()
        await self.service.close()

    # -- what rows write to -----------------------------------------------------------

    def _write(self, path: str, value: Value) -> Verdict:
        return self._writers[path](self, value)

    def has_setting(self, name: str) -> bool:
        """Tell whether a row keeps this setting."""
        return name in self._settings

    def keep(self, name: str, value: Value) -> Verdict:
        """Keep a setting of this device."""
        return self.kept.set(name, value)

    def keep_for_all(self, _name: str, _value: Value) -> Verdict:
        """Keep a setting of each unit, where the service is that of all of them."""
        return REFUSED

    def correct_charge(self, percent: Value) -> Verdict:
        """Take what the user says of the state of charge."""
        taken = isinstance(percent, float) and self.around.site.correct_charge(
            percent, shared=self.of_all_units
        )
        return ACCEPTED if taken else REFUSED

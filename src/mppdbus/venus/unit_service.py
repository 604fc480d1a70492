"""The service of one inverter: its rows, phases and history, also while it is away."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from mppdbus.model.energy.daily_history import Day
from mppdbus.model.phases import on_phases
from mppdbus.model.views import Unit, UnitView
from mppdbus.venus.control_paths import HEAD_ITEMS, ControlPaths, ControlView
from mppdbus.venus.dbus.items import Value
from mppdbus.venus.dbus.writes import REFUSED, who_writes
from mppdbus.venus.setting_controls import NO_CONTROLS, ControlPanel, UnitControls
from mppdbus.venus.settings.service_settings import INSTANCE, NAME
from mppdbus.venus.table_service import Surroundings, TableService
from mppdbus.venus.tables.cards import EXTRAS
from mppdbus.venus.tables.control import REPLY, REQUEST
from mppdbus.venus.tables.diagnostics import OWN
from mppdbus.venus.tables.energy import (
    ENERGY,
    ENERGY_INVERTER,
    history_items,
    history_values,
)
from mppdbus.venus.tables.row import Row, phased, values_of
from mppdbus.venus.tables.unit import AC_INPUT, SHORT_CIRCUIT, STATUS, UNIT

PREFIX = "com.victronenergy"
CONNECTION = "/Mgmt/Connection"
BLANK = 0.1  # s for which /Mgmt/Connection ends in a blank
SILENT = 30.0  # s offline after which people are told
AWAY = 120.0  # s offline after which a name is released
HISTORY_EVERY = 60.0  # s

log = logging.getLogger("mppdbus.bus")


MULTI: tuple[Row[UnitView], ...] = (*UNIT, *AC_INPUT, *ENERGY, *EXTRAS, *OWN)
INVERTER: tuple[Row[UnitView], ...] = (
    *(*UNIT, SHORT_CIRCUIT, STATUS),
    *(*ENERGY_INVERTER, *EXTRAS, *OWN),
)
PROFILES = {"hybrid": ("multi", MULTI), "inverter": ("inverter", INVERTER)}
"""By the profile of a unit: the class of its service, and the rows of that."""


def service_name(unit: Unit) -> str:
    """Return the name of a unit's service on the bus."""
    device_class, _ = PROFILES[unit.profile]
    return unit.bus_name or f"{PREFIX}.{device_class}.{unit.uid}"


class UnitService(TableService[UnitView]):
    """One inverter on the bus; calls `listed` when the acsystem must list it anew."""

    def __init__(
        self, unit: Unit, around: Surroundings, listed: Callable[[], None]
    ) -> None:
        self.device_class, rows = PROFILES[unit.profile]
        self.hybrid = unit.profile == "hybrid"  # part of the acsystem
        super().__init__(service_name(unit), unit.uid, rows, around, phase=unit.phase)
        self._listed = listed
        self._control = ControlPaths()
        self.service.add(HEAD_ITEMS)
        self.writes |= self._control.writes
        self._phased = phased(rows)
        self._phases = [unit.phase]
        self._history_at = float("-inf")
        self._history_of: tuple[object, ...] = ()  # its day, trackers, and what it has
        self._absence: list[asyncio.TimerHandle] = []  # steps of a longer absence
        self.released = False  # the unit stayed away: its name is released
        self._charged = False  # the charge is known
        self.controls = NO_CONTROLS
        self._panel = ControlPanel(self.service)

    def named(self, unit: Unit) -> Unit:
        """Return a unit with its stored instance and name."""
        return replace(unit, instance=self.kept.instance, given=self.kept.custom_name)

    async def enter(self, view: UnitView) -> None:
        """Put the service on the bus: first all values, then the name."""
        self.show(view)
        fixed = values_of((row for row in self.rows if row.fixed), view)
        self.service.update(fixed | self.setting_values(view))
        new, self.released = not self.service.claimed, False
        await self.put_on_bus()
        if new and self.service.claimed:
            log.info("%s is on the bus as %s", view.unit.name, self.service.name)

    def show(self, view: UnitView) -> None:
        """Show a view; only what changed is sent."""
        last, self.view = self.view, view
        legs = on_phases(view)
        phases = list(legs)
        if self._phases != phases:
            self._move(phases)
        (first, leg), *others = legs.items()
        values = self.changed_rows.values(leg, first)
        for phase, leg in others:
            values |= values_of(self._phased, leg, phase)
        if last is None or last.counters is not view.counters:
            values |= self._history(view)
        self.service.update(values | self._control_values(view))
        self._watch_absence(online=view.snapshot.online)
        self._watch_charge(view)

    def show_control(self, view: ControlView) -> None:
        """Show the settings of the inverter, and what may be written."""
        self.service.renew(self._control.items(view))
        self.writes |= self._control.writes
        self.service.update(self._control.values(view))
        self.controls = UnitControls.of(view)
        if self.view is not None:
            self.service.update(self._control_values(self.view))

    def _control_values(self, view: UnitView) -> dict[str, Value]:
        """Return what the controls add to the rows, and show those of the GUI."""
        controls = self.controls if view.snapshot.online else NO_CONTROLS
        self._panel.show(controls.controls)
        return {
            "/Mode": controls.mode(view.mode),
            "/ModeIsAdjustable": int(controls.adjustable),
            "/Settings/ChargeCurrentLimit": controls.charge_limit,
        }

    def _write(self, path: str, value: Value) -> int | Awaitable[int]:
        """Pass a client's write to the setting of a control, else by its row."""
        if (meant := self._panel.meant(path, value)) is not None:
            controls = self.around.site.controls
            return controls.write(self.kept.uid, *meant, who_writes())
        return super()._write(path, value) if path in self.writes else REFUSED

    def show_reply(self, reply: str) -> None:
        """Show the answer to a request of the command line; "" takes it away."""
        self.service.update({REPLY: reply, REQUEST: ""})

    def setting_changed(self, name: str) -> None:
        """Show a changed setting, and pass it to the site."""
        if self.view is None:
            return
        uid, site = self.kept.uid, self.around.site
        if name == NAME:
            site.rename(uid, self.kept.custom_name)
        self.show_setting(name, self.view)
        if name == INSTANCE:
            site.renumber(uid, self.kept.instance)
        if name != NAME:
            self._listed()

    async def close(self) -> None:
        """Leave the bus for good."""
        self._end_absence()
        await super().close()

    def _move(self, phases: list[int]) -> None:
        """Move the AC paths to the unit's phases, once these are known or change."""
        rows = self._phased
        before = {row.path_on(phase): None for phase in self._phases for row in rows}
        self.service.update(before)
        for phase in phases:
            self.service.add(row.item(phase) for row in rows)
        self._phases = phases
        self.changed_rows.forget()
        self.service.restart()

    def _history(self, view: UnitView) -> dict[str, Value]:
        """Return the values of the history when due: now and then, and on a new day."""
        now = asyncio.get_running_loop().time()
        trackers = view.snapshot.trackers
        today = view.history.today if view.history is not None else Day()
        what = today.when, trackers, today.max_battery_voltage is None
        if now - self._history_at < HISTORY_EVERY and what == self._history_of:
            return {}
        self._history_at, self._history_of = now, what
        self.service.add(history_items(trackers))
        return history_values(view, trackers)

    def _watch_absence(self, *, online: bool) -> None:
        """Release the name of a unit that stays away; take it again when it is back."""
        if online and self._absence:
            self._end_absence()
            if self.released:
                self.released = False
                self.service.start_soon()
                self._listed()
        elif not online and not self._absence:
            later, site = asyncio.get_running_loop().call_later, self.around.site
            self._absence = [
                later(SILENT, site.report_silence, self.kept.uid),
                later(AWAY, self._leave),
            ]

    def _end_absence(self) -> None:
        for timer in self._absence:
            timer.cancel()
        self._absence.clear()

    def _leave(self) -> None:
        log.warning("%s stays away: its name is released", self.service.name)
        self.released = True
        self.service.stop()
        self._listed()

    def _watch_charge(self, view: UnitView) -> None:
        """Make systemcalc choose its battery again when the charge becomes known.

        Systemcalc chooses only when a name appears, or when one of a few paths changes.
        So /Mgmt/Connection, which is one of them, ends in a blank for a moment.
        """
        before, self._charged = self._charged, view.charge.percent is not None
        if self._charged and not before and self.service.claimed:
            self.service.update({CONNECTION: f"{view.unit.connection} "})
            asyncio.get_running_loop().call_later(BLANK, self._show_connection)

    def _show_connection(self) -> None:
        if self.view is not None:
            self.service.update({CONNECTION: self.view.unit.connection})

"""Everything that the inverters of one installation share: bus, books, battery."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Hashable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from mppdbus.daemon.state import StateFiles
from mppdbus.errors import ShownAlready
from mppdbus.host.clock import local_today
from mppdbus.model.battery.bank import Bank, BankSettings
from mppdbus.model.energy.integrator import LONGEST
from mppdbus.model.site import Site
from mppdbus.model.snapshot import Snapshot
from mppdbus.model.victron_codes import AcInput
from mppdbus.model.views import Unit, UnitView
from mppdbus.venus.battery_monitor import BatteryWatch
from mppdbus.venus.notifications import Notifier
from mppdbus.venus.publisher import BATTERY_NAME, Publisher
from mppdbus.venus.settings.setting import Setting
from mppdbus.venus.settings.store import LocalSettings

AC_INPUT = "/Settings/SystemSetup/AcInput1"  # what the GX's own menu edits
OUTWAIT = 10.0  # s at most, to see who of two with one number is still there
POLLS_WAITED = 2.5  # polls, if those are more
LOOK = 0.1  # s from one look to the next
SETTLED = 2.0  # s that other batteries may take to answer at the start
POLLS_APART = 3  # polls between two samples that still count as one stretch

Key = Hashable
log = logging.getLogger("mppdbus.site")


@dataclass(frozen=True, slots=True)
class Told:
    """The key of a unit of which another one tells: by serial number, or its slot."""

    lead: Key
    name: str


class Installation:
    """Shows, counts and keeps what the inverters of a site say.

    `directory` is where state is kept, `expected` the number of inverters that will
    come at least, `patience` the s that localsettings may take to appear. Everything
    but `open`, `introduce` and `close` returns at once.
    """

    def __init__(
        self,
        address: str,
        directory: Path,
        battery: BankSettings,
        *,
        expected: int,
        patience: float,
    ) -> None:
        self._clock = asyncio.get_running_loop().time
        self._state = StateFiles(directory)
        self._battery = battery
        self._settings = LocalSettings(
            address, directory / "settings.json", patience=patience
        )
        self._introducing = asyncio.Lock()
        self._followers: set[Key] = set()  # of the GX's setting of the AC input
        self._watch = BatteryWatch(address, BATTERY_NAME, self._monitored)
        self._notifier = Notifier(address)
        self.site = Site(
            Bank(battery), expected=expected, corrected=self._state.save_bank_soon
        )
        self._publisher = Publisher(address, self.site, self._settings)

    async def open(self, units: list[Unit]) -> None:
        """Connect to the bus; raises `BusError` if there is none, or a name is taken.

        Only the names that do not depend on a serial number are known by now.
        """
        await self._publisher.open(units)
        await self._settings.open()
        self.site.bank = await self._state.bank(self._battery)
        await self._watch.open()
        with suppress(TimeoutError):  # lest ours shows beside a BMS for a moment
            async with asyncio.timeout(SETTLED):
                await self._watch.settled()
        await self._notifier.open()

    async def close(self) -> None:
        """Release all names, and keep everything, whatever goes wrong."""
        done = await asyncio.gather(
            self._state.close(),
            self._watch.close(),
            self._publisher.close(),
            self._notifier.close(),
            self._settings.close(),
            return_exceptions=True,
        )
        for error in done:
            if isinstance(error, Exception):
                log.error("while ending", exc_info=error)

    async def introduce(
        self, key: Key, unit: Unit, snapshot: Snapshot, place: str, interval: float
    ) -> None:
        """Put an inverter on the bus; `interval` s is the time between its snapshots.

        `place` says where it is plugged in. Raises `BusError` when its name belongs to
        somebody else, `ShownAlready` for a unit of which another one tells and that has
        a cable, `BusAway` while there is no bus.
        """
        serial = snapshot.identity.serial
        if not isinstance(key, Told):
            await self._outwait_twins(
                key, serial, max(OUTWAIT, POLLS_WAITED * interval)
            )
        async with self._introducing:
            await self._make_way(key, serial)
            if key not in self.site.keys or self.site.serial(key) != serial:
                self.site.join(key, unit, serial)
            if unit.ac_input_follows:
                await self._follow_ac_input(key)
            uid = await self._publisher.prepare(key, serial, place)
            longest = max(LONGEST, POLLS_APART * interval)
            ledger = await self._state.ledger(uid, longest=longest)
            self.site.open_books(key, ledger)
            self.show(key, snapshot)
            await self._publisher.enter(key)

    async def _outwait_twins(
        self, key: Key, serial: str | None, patience: float
    ) -> None:
        """Wait until it is clear whether this unit is also where it was before.

        It may have been moved just now, so that its old place does not know yet.
        """
        arrived = self._clock()
        while self._clock() - arrived < patience:
            doubtful = [
                twin
                for twin in self.site.twins(key, serial)
                if not isinstance(twin, Told)
                and self.site.view(twin).snapshot.online
                and self.site.heard(twin) < arrived
            ]
            if not doubtful:
                return
            await asyncio.sleep(LOOK)

    async def _make_way(self, key: Key, serial: str | None) -> None:
        """See to it that no unit is shown twice; a cable of its own goes before."""
        for twin in self.site.twins(key, serial):
            away = not self.site.view(twin).snapshot.online
            if isinstance(twin, Told):
                await self.remove(twin)
            elif away:
                self._settings.leave(twin)
            elif isinstance(key, Told):
                raise ShownAlready(f"{serial} is on the bus by a cable of its own")

    def show(self, key: Key, snapshot: Snapshot) -> None:
        """Take a snapshot: show it and count it.

        While values go on they are shown first, with the counters and the charge of the
        last one. Where they come or go the count is first: nothing may be left behind.
        """
        site, now, today = self.site, self._clock(), local_today()
        if key not in site.keys:
            return
        if site.goes_on(key, snapshot, today):
            view = site.look(key, snapshot, now)
            self._publisher.show(key)
            site.count(key, now, today)
        else:
            view = site.see(key, snapshot, now, today)
            self._publisher.show(key)
        self._tell(view)

    def shows(self, key: Key) -> bool:
        """Tell whether a unit is one of ours."""
        return key in self.site.keys

    def meter(self, key: Key, day: date | None, wh: float) -> None:
        """Take what an inverter's own meter says: Wh of PV of a day, or of its life."""
        if key in self.site.keys:
            self.site.read_meter(key, day, wh)

    def gone(self, key: Key) -> None:
        """Take note that a connection ended: its unit may turn up elsewhere."""
        self._settings.leave(key)

    async def remove(self, key: Key) -> None:
        """Take a unit off the bus for good."""
        await self._publisher.remove(key)
        self._settings.leave(key)
        self.site.leave(key)
        self._publisher.show_shared()

    def _tell(self, view: UnitView) -> None:
        """Pass on what no alarm path says: words, and what no document explains."""
        state = view.alarm_state
        for notice in state.notices:
            self._notifier.notify(view.unit.called, notice)
        if state.unknown:
            name, bits = view.unit.name, ", ".join(state.unknown)
            log.info("%s: QPIWS: no document explains %s", name, bits)

    def _monitored(self, name: str | None) -> None:
        """Leave the state of charge to whoever measures it."""
        said = (
            "nobody else watches the battery now"
            if name is None
            else (f"{name} watches the battery: our state of charge steps back")
        )
        log.info(said)
        self.site.step_back(name)
        self._publisher.monitored(name)

    async def _follow_ac_input(self, key: Key) -> None:
        """Let the type of a unit's AC input be what the GX is set to."""
        if not self._followers:
            self._settings.on_change(AC_INPUT, lambda _path, _value: self._follow())
            grid = Setting(AC_INPUT, int(AcInput.GRID), 0, int(AcInput.SHORE))
            await self._settings.add([grid])
        self._followers.add(key)
        self._follow()

    def _follow(self) -> None:
        value = self._settings.value(AC_INPUT)
        kind = AcInput(int(value)) if value is not None else AcInput.GRID
        for key in self._followers & set(self.site.keys):
            unit = self.site.view(key).unit
            self.site.change(key, replace(unit, ac_input=kind))
            self._publisher.show(key)

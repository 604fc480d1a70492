"""Everything that the inverters of one installation share: bus, energy, battery."""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date
from logging import INFO, WARNING
from pathlib import Path

from mppdbus.config.models import InverterConfig
from mppdbus.control.write_check import ControlLevel
from mppdbus.daemon.controls import Controls
from mppdbus.daemon.event_log import EventLog, SumLog
from mppdbus.daemon.gx_menu import GxMenu
from mppdbus.daemon.reply_file import ReplyFile
from mppdbus.daemon.rule_runner import RuleRunner
from mppdbus.daemon.sections import Sections
from mppdbus.daemon.self_check import SelfCheck, silent_unit
from mppdbus.daemon.state import StateFiles
from mppdbus.daemon.twins import twins_of, wait_for_twins
from mppdbus.errors import ShownAlready
from mppdbus.host.clock import local_today
from mppdbus.inverter.device import Inverter
from mppdbus.model.alarms.levels import Notice, NoticeKind
from mppdbus.model.battery.bank import BankSettings
from mppdbus.model.energy.integrator import LONGEST
from mppdbus.model.site import Site
from mppdbus.model.snapshot import Snapshot
from mppdbus.model.unit_ids import candidates, choose_uid
from mppdbus.model.views import Unit, UnitView
from mppdbus.storage.folder_log import FolderLog
from mppdbus.venus.battery_monitor import BatteryMonitor
from mppdbus.venus.dbus.outage_log import OutageLog
from mppdbus.venus.dbus.watcher import Watcher
from mppdbus.venus.notifications import Notifier
from mppdbus.venus.publisher import Publisher
from mppdbus.venus.settings.store import LocalSettings
from mppdbus.venus.tables.battery import BATTERY_NAME

SETTLED = 2.0  # s that other batteries may take to answer at the start
WHOSE = (
    '%s measures one of several batteries; write monitor = "%s" in the [[battery]] '
    "of that one, and our state of charge steps back there"
)
POLLS_APART = 3  # polls; a longer pause between two samples is a gap

log = logging.getLogger("mppdbus.site")
battery_log = logging.getLogger("mppdbus.battery")
settings_log = logging.getLogger("mppdbus.settings")


class Installation:
    """Shows, counts and stores the values of all inverters of a site.

    `directory` is the folder of the state, `batteries` are the settings of each by its
    name, "" for the only one. `configs` are the sections of the inverters, `levels` is
    what may be written to each by its name, `expected`
    is their least number, `patience` the s that localsettings may take to appear,
    `together` those that the first inverters wait for the others at the start. All
    methods except `open`, `introduce`, `remove` and `close` return at once.
    """

    site: Site  # from `open` on
    sections: Sections  # from `open` on

    def __init__(
        self,
        address: str,
        directory: Path,
        batteries: Mapping[str, BankSettings],
        *,
        expected: int,
        patience: float,
        together: float = 0.0,
        configs: Iterable[InverterConfig] = (),
        levels: Mapping[str, ControlLevel] | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._clock = self._loop.time
        self._expected, self._configs = expected, configs
        folder_log = FolderLog()
        self._state = StateFiles(directory, folder_log=folder_log)
        self._battery_settings = batteries
        self._told: set[str] = set()  # remarks on batteries in the log
        outages = OutageLog()
        self.watcher = Watcher(address, outages=outages)
        self._settings = LocalSettings(
            self.watcher,
            directory / "settings.json",
            patience=patience,
            folder_log=folder_log,
        )
        self._introducing = asyncio.Lock()
        self.together = together
        self._arrived: set[str] = set()  # ports whose inverter has answered
        self._gathered = asyncio.Event()  # all have, or the time is over
        self._events: dict[str, EventLog] = {}  # by uid
        self._sums = SumLog()
        self._warned: set[str] = set()  # uids with a warning in the log
        self._batteries = BatteryMonitor(self.watcher, BATTERY_NAME, self._monitored)
        self.notifier = Notifier(self.watcher)
        self._publisher = Publisher(address, self._settings, self, outages)
        self.replies = ReplyFile(directory)
        self.self_check = SelfCheck(
            self.watcher, self._publisher.show_doctor, self.notifier.notify
        )
        self.controls = Controls(
            directory, self.watcher, self._publisher, self._tell_people
        )
        self.controls.use(levels or {})
        self.rules = RuleRunner(self.controls.of, self.notifier.notify)
        self._rendering: asyncio.Handle | None = None
        self._menu = GxMenu(self._settings, self._follow_input)
        self.is_open = False

    async def open(self) -> None:
        """Connect to the bus, and wait for one that is not there yet.

        Raises `BusError` for an invalid address.
        """
        await self._settings.load()
        banks = {
            name: await self._state.bank(settings, name)
            for name, settings in self._battery_settings.items()
        }
        self.sections = Sections(self._configs, await self._state.memberships())
        self.site = Site(banks, expected=self._expected)
        await self.watcher.open(wait=True)
        self.self_check.start(self.site)
        self.replies.start()
        self._menu.follow_zone()
        with suppress(TimeoutError):  # so that ours never shows beside a BMS
            async with asyncio.timeout(SETTLED):
                await self._batteries.settled()
        self.is_open = True

    async def reconfigure(
        self,
        configs: Sequence[InverterConfig],
        batteries: Mapping[str, BankSettings],
        leaving: Collection[str],
        levels: Mapping[str, ControlLevel],
    ) -> None:
        """Take a new config; the units of the sections in `leaving` leave the bus.

        Call it while no session of a section that has changed runs.
        """
        for view in tuple(self.site.views.values()):
            if self.sections.is_of(view.unit, leaving):
                await self._leave(view.unit.uid)
        self._expected = len(configs)
        self.sections.use(configs)
        self.controls.use(levels)
        banks = {
            name: await self._state.bank(settings, name)
            for name, settings in batteries.items()
        }
        self.site.use(banks, expected=self._expected)
        self._show_all()

    async def close(self) -> None:
        """Release all names and store everything, even if one step fails."""
        if self._rendering is not None:
            self._rendering.cancel()
        self._menu.close()
        self._batteries.close()
        self.self_check.close()
        self.rules.close()
        self.replies.close()
        done = await asyncio.gather(
            self._state.close(),
            self.watcher.close(),
            self._publisher.close(),
            self._settings.close(),
            return_exceptions=True,
        )
        for error in done:
            if isinstance(error, Exception):
                log.error("while ending", exc_info=error)

    # -- units come and go ----------------------------------------------------------

    async def introduce(
        self, unit: Unit, snapshot: Snapshot, place: str, interval: float
    ) -> str:
        """Put an inverter on the bus and return its uid.

        `place` is where it is plugged in, and stays when ports are renumbered.
        `interval` s is the time between its snapshots. Raises `ShownAlready` for a
        reported unit that is on the bus by a cable of its own.
        """
        serial = snapshot.identity.serial
        await self._menu.zone_used()  # the day of the first values
        if not unit.reported:
            await wait_for_twins(self.site, unit, serial, interval, self._clock)
            await self._gather(unit.connection)
        async with self._introducing:
            uid = await self._choose_uid(unit, serial, place)
            for view in tuple(self.site.views.values()):
                if view.unit.connection == unit.connection and view.unit.uid != uid:
                    log.info("%s: another inverter now: %s", view.unit.uid, uid)
                    await self._leave(view.unit.uid)
            new = uid not in self.site.views
            found = self.sections.describe(unit, uid, serial, self.site.views.values())
            self._state.save_memberships_soon()
            if found.name != unit.name:
                log.info("%s is plugged in at %s now", found.name, found.connection)
            try:
                await self._enter(found, snapshot, interval)
            except BaseException:
                if new:
                    await self.remove(uid, unit.connection)
                raise
        return uid

    async def _enter(self, unit: Unit, snapshot: Snapshot, interval: float) -> None:
        """Put a unit on the bus: first all its values, then its name."""
        uid, site = unit.uid, self.site
        if unit.ac_input_follows:
            unit = replace(unit, ac_input=await self._menu.follow_input())
        unit = await self._publisher.prepare(unit)
        longest = max(LONGEST, POLLS_APART * interval)
        ledger = await self._state.ledger(uid, longest=longest)
        if uid not in site.views:
            site.join(unit, ledger)
        else:
            before = site.views[uid].unit
            if before.connection != unit.connection:
                log.info("%s is at %s now", uid, unit.connection)
            phase = before.phase if unit.phase_follows else unit.phase
            site.change(replace(unit, phase=phase))
        self._events.setdefault(uid, EventLog(unit.name))
        self.show(uid, unit.connection, snapshot)
        await self._publisher.enter(site.views[uid], site.system())

    async def _gather(self, port: str) -> None:
        """Wait at the start until all have answered, so that all names appear together.

        gui-v2 may keep the number of phases that it sees first, until it is restarted.
        """
        if not self._arrived:
            self._loop.call_later(self.together, self._gathered.set)
        self._arrived.add(port)
        if len(self._arrived) < self._expected:
            await self._gathered.wait()
        else:
            self._gathered.set()
            await asyncio.sleep(0)  # who came first goes first

    async def _choose_uid(self, unit: Unit, serial: str | None, place: str) -> str:
        """Return the uid of a unit: "mppdbus_<serial>", or with its `place`.

        A unit that no longer answers at its old port was moved, and keeps its uid; so
        does a reported unit that gets a cable of its own. Without a serial number, a
        unit is named by its place.
        """
        twins = twins_of(self.site, unit, serial)
        if unit.reported and any(twin.snapshot.online for twin in twins):
            raise ShownAlready(f"{serial} is on the bus by a cable of its own")
        moved = {
            twin.unit.uid
            for twin in twins
            if twin.unit.reported or not twin.snapshot.online
        }
        elsewhere = {
            view.unit.uid
            for view in self.site.views.values()
            if view.unit.connection != unit.connection
        }
        names = candidates(serial, place)
        kept = {name for name in names[1:] if await self._settings.knows(name)}
        uid = choose_uid(serial, place, taken=elsewhere - moved, kept=kept)
        if (uid != names[0] or not serial) and uid not in self._warned:
            self._warned.add(uid)
            number = f"number {serial}, like another" if serial else "no number"
            settings_log.warning(
                "the inverter at %s has %s: it is known as %s, and only while it is "
                "plugged in there",
                place, number, uid,
            )  # fmt: skip
        return uid

    async def remove(self, uid: str, connection: str) -> None:
        """Take a unit off the bus for good, unless it has moved to another port."""
        view = self.site.views.get(uid)
        if view is None or view.unit.connection == connection:
            await self._leave(uid)
            self.render_system()

    async def _leave(self, uid: str) -> None:
        await self._publisher.remove(uid)
        self.site.leave(uid)

    # -- values -----------------------------------------------------------------------

    def show(self, uid: str, connection: str, snapshot: Snapshot) -> bool:
        """Show a snapshot and count it; false if the unit is not at this port now.

        The values are shown first, with the counters and the charge of the last
        snapshot; the system once QPIGS2 has come too, where a unit has it.
        """
        site = self.site
        last = site.views.get(uid)
        if last is None or last.unit.connection != connection:
            return False
        now, today = self._clock(), local_today()
        view = site.update(uid, snapshot, now, today)
        if snapshot.online:
            self.self_check.answers(uid)
        self._publisher.show(view)
        self.controls.show(uid, snapshot)
        if not snapshot.second_follows:
            self.render_system()
            site.count(now)
        self._notify(view, now)
        self.rules.look(view, now)
        return True

    def render_system(self) -> None:
        """Schedule the view of the whole system, once for all changes of this turn."""
        if self._rendering is None:
            self._rendering = self._loop.call_soon(self._render_system)

    def _render_system(self) -> None:
        self._rendering = None
        system = self.site.system()
        self._publisher.show_system(system)
        self._sums.tell(system, self._clock())
        self._remark()

    def _remark(self) -> None:
        """Log what does not fit at a battery, and what is guessed; each once."""
        for bank in self.site.banks.values():
            for level, said in (INFO, bank.guesses), (WARNING, bank.trouble):
                if said and said not in self._told:
                    self._told.add(said)
                    battery_log.log(level, "%s", said)

    def meter(self, uid: str, day: date | None, wh: float) -> None:
        """Take PV Wh of an inverter's own meter: of a day, or of its whole life."""
        if uid in self.site.views:
            self.site.read_meter(uid, day, wh)

    def _notify(self, view: UnitView, now: float) -> None:
        """Log what happens; send notices of warnings without an alarm path."""
        self._events[view.unit.uid].tell(view, now)
        state = view.alarm_state
        for notice in state.notices:
            self.notifier.notify(view.unit.called, notice)
        if state.unknown:
            name, bits = view.unit.name, ", ".join(state.unknown)
            log.info("%s: QPIWS: no document explains %s", name, bits)

    def report_silence(self, uid: str) -> None:
        """Tell people that a unit has not replied for some time.

        A unit that is reported by such a unit is not told of on its own.
        """
        if (view := silent_unit(uid, self.site.views)) is not None:
            text = f"No reply from {view.unit.called}"
            self.notifier.notify(view.unit.called, Notice(NoticeKind.WARNING, text))

    # -- what users and other programs change ------------------------------------------

    def rename(self, uid: str, name: str) -> None:
        """Set the user's name of a unit; "" removes it."""
        view = self.site.change(replace(self.site.views[uid].unit, given=name))
        self._publisher.show_names(view, self.site.system())

    def renumber(self, uid: str, instance: int) -> None:
        """Set a new DeviceInstance of a unit."""
        self._change(replace(self.site.views[uid].unit, instance=instance))

    def correct_charge(self, percent: float, bank: str | None) -> bool:
        """Set the state of charge of a battery; false if that is impossible.

        None as `bank`: the value was written at the service of the only unit.
        """
        names = tuple(self.site.banks) if bank is None else (bank,)
        watched = any(name in self._publisher.watched for name in names)
        taken = not watched and self.site.correct_charge(percent, bank)
        if taken:
            for name in names:
                self._state.save_bank_soon(name)
            self._show_all()
        return taken

    def control(
        self, uid: str, inverter: Inverter, port: str, refresh: Callable[[], None]
    ) -> None:
        """Let the settings of an inverter on the bus be written, as far as allowed."""
        section = self.site.views[uid].unit.name
        self.controls.enter(uid, section, port, inverter, refresh)

    def _tell_people(self, uid: str, sentence: str) -> None:
        name = self.site.views[uid].unit.called
        self.notifier.notify(name, Notice(NoticeKind.WARNING, sentence))

    def _change(self, unit: Unit) -> None:
        self._publisher.show(self.site.change(unit))
        self.render_system()

    def _show_all(self) -> None:
        for view in self.site.views.values():
            self._publisher.show(view)
        self.render_system()

    def _monitored(self, monitors: tuple[str, ...]) -> None:
        """Step back at the batteries that other programs' services measure."""
        banks = self.site.banks
        before = {name: bank.monitor for name, bank in banks.items()}
        self.site.step_back(monitors)
        for name, bank in banks.items():
            which = f"the battery {name}".rstrip()
            if bank.monitor is None and before[name] is not None:
                log.info("nobody else watches %s now", which)
            elif bank.monitor != before[name]:
                said = "%s watches %s: our state of charge steps back"
                log.info(said, bank.monitor, which)
        watching = {name: bank.monitor for name, bank in banks.items() if bank.monitor}
        for monitor in set(monitors) - set(watching.values()) - self._told:
            if len(banks) > 1:
                self._told.add(monitor)
                battery_log.warning(WHOSE, monitor, monitor)
        self._publisher.watched = frozenset(watching)
        self._show_all()

    def _follow_input(self) -> None:
        for view in self.site.views.values():
            if view.unit.ac_input_follows:
                self._change(replace(view.unit, ac_input=self._menu.ac_input))

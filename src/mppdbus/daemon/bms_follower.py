"""Follows a BMS: what DVCC allows becomes settings of the inverters, or what is safe.

Off unless the config says follow = "dvcc". What is decided is in `control.dvcc`; who
writes is the one `UnitControl` of each inverter.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from mppdbus.config.models import Config, InverterConfig
from mppdbus.control.battery_watch import BatteryWatch
from mppdbus.control.dead_man import FollowLock
from mppdbus.control.dead_man_orders import Orders, UnitOrder
from mppdbus.control.dvcc import (
    CURRENT,
    FollowingUnit,
    WantedSetting,
    follow,
    make_safe,
    safe_settings,
)
from mppdbus.control.journal import Journal, WrittenSetting
from mppdbus.control.unit_control import UnitControl
from mppdbus.control.write_check import ControlLevel
from mppdbus.control.write_history import FOLLOWS, HOLDS, SAFE, history
from mppdbus.daemon.dead_man import DeadMan
from mppdbus.daemon.installation import Installation
from mppdbus.errors import MppdbusError, NotWritten
from mppdbus.inverter.timing import PATIENCE
from mppdbus.model.alarms.levels import Notice, NoticeKind
from mppdbus.model.views import UnitView
from mppdbus.venus.dvcc_monitor import Dvcc, DvccMonitor

EVERY = 2.0  # s from one look at the limits to the next
LOST = 15.0  # s without limits, after which the safe settings count
LOST_AT_START = 60.0  # s that Venus OS and the BMS may take to come up
SILENCE = 30.0  # s after which the dead-man takes this process for hanging
GRACE = 15.0  # s that a killed one may take to be there again
REFUSED = 10.0  # s until what was refused is tried again; doubled each time
LONGEST_REFUSED = 3600.0  # s
TITLE = "Charge limits"  # of notifications

log = logging.getLogger("mppdbus.follow")


@dataclass(frozen=True, slots=True)
class _Refusal:
    """A write that was not done: when it may be tried again, and how often it was."""

    until: float
    pause: float


class BmsFollower:
    """Keeps all inverters of a config within what the BMS allows.

    `config` tells the one that counts now, `folder` is that of the state. Use `run` for
    ever, and `close` only if the daemon ends on purpose: then the dead-man leaves the
    inverters as they are.
    """

    def __init__(
        self, config: Callable[[], Config], installation: Installation, folder: Path
    ) -> None:
        self._newest = config
        self._config = config()
        self._installation = installation
        self._clock = asyncio.get_running_loop().time
        self._monitor = DvccMonitor(installation.watcher)
        self._dead_man = DeadMan(folder)
        self._lock = FollowLock(folder)
        self._journal = Journal(folder)
        self._writes: tuple[object, list[WrittenSetting]] = (None, [])
        self._last: float | None = None  # when the limits were known, or will be lost
        self._known = False  # they have been known since following began
        self._begun: float | None = None
        self._complete = False  # all inverters are there, or do not come
        self._state = ""  # what the log says of the limits
        self._said: set[str] = set()
        self._units: dict[str, FollowingUnit] = {}  # as they were last
        self._orders: dict[str, UnitOrder] = {}
        self._watches: dict[str, BatteryWatch] = {}
        self._busy: set[tuple[str, str]] = set()
        self._refused: dict[tuple[str, str], _Refusal] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def _use(self, config: Config) -> None:
        """Take a config that was read again."""
        if config.control != self._config.control:
            self._state = ""
            self._said.clear()
        sections = {section.name for section in config.inverter}
        self._orders = {u: o for u, o in self._orders.items() if o.name in sections}
        self._config = config

    async def run(self) -> None:
        """Follow for ever."""
        while True:
            try:
                await self._look()
            except MppdbusError as error:
                self._say(f"{error}")
            except Exception:  # following must go on, or the dead-man acts
                log.exception("unexpected")
            await asyncio.sleep(EVERY)

    async def close(self) -> None:
        """End on purpose; what is set stays."""
        for task in self._tasks:
            task.cancel()
        await self._dead_man.close()
        self._lock.release()

    # -- the limits --------------------------------------------------------------------

    async def _look(self) -> None:
        """Ask for the limits once, and begin the writes that they want."""
        if (config := self._newest()) is not self._config:
            self._use(config)
        if not self._config.control.follow:
            if self._last is not None:
                await self.close()
                self._last, self._known = None, False
            return
        if not self._holds_lock():
            return
        now = self._clock()
        if self._last is None:
            self._last = now + LOST_AT_START - LOST
        dvcc = await self._monitor.read()
        views = list(self._views(dvcc))
        wanted = self._wanted(dvcc, await self._following(views))
        if self._complete or self._all_there(now):
            for each in wanted:
                self._write_soon(each)
        self._watch_batteries(views, dvcc)
        if self._known:
            orders = Orders(tuple(self._orders.values()), SILENCE, GRACE)
            await self._dead_man.feed(orders)

    def _wanted(self, dvcc: Dvcc, units: list[FollowingUnit]) -> list[WantedSetting]:
        """Return what is to be written now: by the limits, or what is safe."""
        if dvcc.limits is not None:
            self._last, self._known = self._clock(), True
            self._tell_found(dvcc)
            most = self._config.control.most_charging_current
            return follow(dvcc.limits, units, most, _now())
        if self._last is None or self._clock() - self._last <= LOST:
            return []
        self._tell_lost(dvcc)
        safe = self._config.control.safe
        return [
            wanted
            for unit in units
            if unit.obeys
            for wanted in make_safe(unit, safe, dvcc.why)
        ]

    def _all_there(self, now: float) -> bool:
        """Wait at the start until all inverters can be set: they share the limit."""
        if self._begun is None:
            self._begun = now
        ready = sum(bool(unit.currents()) for unit in self._units.values())
        waited = now - self._begun > LOST_AT_START
        self._complete = waited or ready >= len(self._config.inverter)
        return self._complete

    def _holds_lock(self) -> bool:
        try:
            if self._lock.take():
                return True
        except OSError as error:
            self._say(f"limits are not followed: {error}")
        else:
            self._say(
                "another process sets the safe settings, or follows; it is waited for"
            )
        return False

    def _tell_found(self, dvcc: Dvcc) -> None:
        if self._state != dvcc.bms and dvcc.limits is not None:
            amps, volts = dvcc.limits.charge_current, dvcc.limits.charge_voltage
            log.info("following %s: %s A, %s V", dvcc.bms, amps, volts)
            self._state = dvcc.bms
            self._said.clear()

    def _tell_lost(self, dvcc: Dvcc) -> None:
        if self._state != "lost":
            self._state = "lost"
            self._say(f"the limits are lost, so the safe settings count: {dvcc.why}")

    def _say(self, text: str) -> None:
        """Tell people something once, until the limits are found anew."""
        if text not in self._said:
            self._said.add(text)
            log.warning("%s", text)
            notice = Notice(NoticeKind.WARNING, text)
            self._installation.notifier.notify(TITLE, notice)

    # -- the inverters -----------------------------------------------------------------

    def _views(self, dvcc: Dvcc) -> Iterator[UnitView]:
        """Yield the inverters at the battery of the BMS; all at the only battery."""
        site = self._installation.site
        for view in site.views.values():
            bank = site.banks.get(view.unit.bank)
            ours = bank is not None and bank.monitor == (dvcc.bms or bank.monitor)
            if len(site.banks) == 1 or ours:
                yield view

    async def _following(self, views: Iterable[UnitView]) -> list[FollowingUnit]:
        """Return the inverters as they are now; those away as they were last."""
        writes = await asyncio.to_thread(self._read_journal)
        found = []
        for view in views:
            uid = view.unit.uid
            control = self._installation.controls.of(uid)
            if control is not None:
                self._units[uid] = self._following_unit(view, control, writes)
                found.append(self._units[uid])
            elif uid in self._units:
                found.append(replace(self._units[uid], obeys=False))
            elif view.unit.reported:  # nobody knows what it takes
                self._say(f"{view.unit.called} has no cable of its own: cannot follow")
                found.append(FollowingUnit(uid, {}, obeys=False))
        return found

    def _following_unit(
        self, view: UnitView, control: UnitControl, writes: list[WrittenSetting]
    ) -> FollowingUnit:
        uid = view.unit.uid
        settings = {each.name: each for each in control.settings()}
        shown = settings.get(CURRENT)
        locked = f"it shows no {CURRENT}"
        if shown is not None:
            locked = control.why_locked(shown)
        if locked and self._complete:  # before that it may just not be known yet
            self._say(f"{view.unit.called} does not follow: {locked}")
        if not locked:
            self._prepare(view, control)
        values = {name: each.value for name, each in settings.items()}
        return FollowingUnit(
            uid,
            settings,
            history(writes, control.unit.name, values, _now()),
            obeys=not locked and not self._waits((uid, CURRENT)),
            voltages=control.level is ControlLevel.FULL,
            line=view.snapshot.mode == "L",
            sinking=uid in self._watches and self._watches[uid].sinking,
        )

    def _prepare(self, view: UnitView, control: UnitControl) -> None:
        """Note how the dead-man reaches an inverter, and what is safe for it."""
        section = self._section(view)
        if section is None:
            return
        safe = self._config.control.safe
        settings = {each.name: each for each in control.settings()}
        for trouble in safe_settings(settings, safe)[1]:
            self._say(f"{view.unit.called}: safe: {trouble}")
        port = section.port
        self._orders[view.unit.uid] = UnitOrder(
            unit=control.unit.name,
            name=section.name,
            port=str(port),
            baud=section.baud,
            patience=section.timeout or PATIENCE[port.scheme],
            dialect=control.unit.found.dialect.name,
            level=str(control.level),
            serial=view.snapshot.identity.serial or "",
            safe=dict(safe),
        )

    def _section(self, view: UnitView) -> InverterConfig | None:
        """Return the section of the port that an inverter is at."""
        at = view.unit.connection
        return next((s for s in self._config.inverter if s.port.label == at), None)

    def _read_journal(self) -> list[WrittenSetting]:
        """Return all writes; the file is read only if it has changed."""
        try:
            stat = self._journal.path.stat()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise NotWritten(f"{self._journal.path}: {error.strerror}") from error
        seen = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        if self._writes[0] != seen:
            self._writes = (seen, self._journal.writes())
        return self._writes[1]

    def _watch_batteries(self, views: Iterable[UnitView], dvcc: Dvcc) -> None:
        """Tell of a float stage before the wanted voltage, and see what sinks."""
        for view in views:
            watch = self._watches.setdefault(view.unit.uid, BatteryWatch())
            ratings = view.snapshot.ratings
            bulk = ratings.battery_bulk_voltage if ratings is not None else None
            volts = dvcc.limits.charge_voltage if dvcc.limits is not None else None
            known = [each for each in (bulk, volts) if each is not None]
            text = watch.see(
                self._clock(),
                view.flow.battery_voltage,
                view.flow.battery_current,
                view.state,
                wanted=min(known, default=None),
                line=view.snapshot.mode == "L",
            )
            if text:
                self._said.discard(f"{view.unit.called}: {text}")
                self._say(f"{view.unit.called}: {text}")

    # -- writes ------------------------------------------------------------------------

    def _write_soon(self, wanted: WantedSetting) -> None:
        """Begin a write, unless one is under way or was refused a moment ago."""
        key = (wanted.uid, wanted.name)
        control = self._installation.controls.of(wanted.uid)
        if key in self._busy or self._waits(key) or control is None:
            return
        self._busy.add(key)
        task = asyncio.create_task(self._write(control, wanted, key))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _waits(self, key: tuple[str, str]) -> bool:
        """Tell whether a write was refused a moment ago."""
        refusal = self._refused.get(key)
        return refusal is not None and self._clock() < refusal.until

    async def _write(
        self, control: UnitControl, wanted: WantedSetting, key: tuple[str, str]
    ) -> None:
        """Write; an urgent one may follow as soon as the value was read back."""
        who = HOLDS if wanted.holds else FOLLOWS
        who = SAFE if self._state == "lost" else who

        def seen(write: WrittenSetting) -> None:
            if write.done:
                self._busy.discard(key)

        try:
            write = await control.set(
                wanted.name,
                wanted.value,
                by=f"{who}: {wanted.why}",
                automatic=not wanted.urgent,
                confirmed=True,
                seen=seen,
            )
        except (MppdbusError, ValueError):
            self._refuse(key)  # people were told
        else:
            self._refused.pop(key, None) if write.done else self._refuse(key)
        finally:
            self._busy.discard(key)

    def _refuse(self, key: tuple[str, str]) -> None:
        before = self._refused.get(key)
        pause = min(2 * before.pause, LONGEST_REFUSED) if before else REFUSED
        self._refused[key] = _Refusal(self._clock() + pause, pause)


def _now() -> datetime:
    return datetime.now().astimezone()

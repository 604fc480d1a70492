"""What may be written to each inverter, by whom, and what came of it on the bus."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from operator import is_
from pathlib import Path

from mppdbus.control.journal import Journal, WrittenSetting
from mppdbus.control.known_unit import PolledUnit
from mppdbus.control.settings import QUERIES, ShownSetting
from mppdbus.control.several import write_several
from mppdbus.control.unit_control import UnitControl
from mppdbus.control.victron_settings import MODE, VICTRONS
from mppdbus.control.write_check import ControlLevel
from mppdbus.daemon.control_requests import answer
from mppdbus.errors import BusError, LinkError, MppdbusError, NotWritten
from mppdbus.host.port_holders import process
from mppdbus.inverter.device import Inverter
from mppdbus.model.snapshot import Snapshot
from mppdbus.venus.control_paths import ControlView
from mppdbus.venus.dbus.connection import to_bus
from mppdbus.venus.dbus.items import Value
from mppdbus.venus.dbus.watcher import Watcher
from mppdbus.venus.dbus.writes import ACCEPTED, REFUSED
from mppdbus.venus.publisher import Publisher

ASKED_AGAIN = 600.0  # s between two questions for what the poller asks only once
MOST_CLIENTS = 100  # that are remembered; their names on the bus never come again
MOST_TOLD = 500  # refusals that are remembered, as clients choose their values
REPLY_STAYS = 60.0  # s for which the answer to the command line can be read
AWAY = "the inverter does not answer the service now; nothing was sent"
TOO_OLD = 3 * ASKED_AGAIN  # s after which that is not known any more
READ_ONLY = ControlLevel.READ_ONLY
NO_MODE = (
    "Mode: PI30 has no such switch; to let it set priorities write mode = true in the "
    "section [control]"
)

log = logging.getLogger("mppdbus.control")


@dataclass(slots=True)
class _Entry:
    """One inverter: what controls it, and what is shown of that."""

    control: UnitControl
    inverter: Inverter
    section: str
    refresh: Callable[[], None]
    snapshot: Snapshot
    here: bool = True  # its port is open
    last_write: str = ""
    seen: tuple[object, ...] = ()
    tasks: set[asyncio.Task[object]] = field(default_factory=set)


class Controls:
    """The control of all inverters that answer at a port of their own, by uid.

    `directory` is the folder of the state, where the journal is. `publisher` shows
    the settings of one on the bus, `notify` tells people why something was not written.
    `watcher` tells which process is behind a name on the bus.
    """

    def __init__(
        self,
        directory: Path,
        watcher: Watcher,
        publisher: Publisher,
        notify: Callable[[str, str], None],
    ) -> None:
        self.journal = Journal(directory)
        self._watcher, self._publisher, self._notify = watcher, publisher, notify
        self._levels: Mapping[str, ControlLevel] = {}  # by section
        self._entries: dict[str, _Entry] = {}
        self._mode = False  # the switch "Mode" may set priorities
        self._clients: dict[str, str] = {}  # who is behind a unique name on the bus
        self._told: set[tuple[str, str]] = set()  # uids and refusals in the log

    # -- who is controlled ---------------------------------------------------------

    def of(self, uid: str) -> UnitControl | None:
        """Return what controls an inverter; None while it does not answer here.

        A unit that another one tells of is never controlled.
        """
        entry = self._entries.get(uid)
        return entry.control if entry is not None and entry.here else None

    def units(self) -> dict[str, UnitControl]:
        """Return what controls each inverter that answers now, by its uid."""
        return {uid: e.control for uid, e in self._entries.items() if e.here}

    def use(self, levels: Mapping[str, ControlLevel]) -> None:
        """Take the level of each section of the config, also while they run."""
        self._levels = levels
        for uid, entry in self._entries.items():
            before, entry.control.level = entry.control.level, self._level(entry)
            if entry.control.level != before:
                log.info("%s: control is %s now", entry.section, entry.control.level)
                if entry.here:
                    self._begin(uid, entry)
                self._show(uid, entry)

    def allow_mode(self, wanted: bool) -> None:  # noqa: FBT001 - a state
        """Let the switch "Mode" of the GUI set priorities, or not."""
        if wanted != self._mode:
            self._mode = wanted
            for uid, entry in self._entries.items():
                self._show(uid, entry)

    def enter(
        self,
        uid: str,
        section: str,
        port: str,
        inverter: Inverter,
        refresh: Callable[[], None],
    ) -> None:
        """Control an inverter that is on the bus now.

        `section` is the name of its section in the config, `port` stands for its serial
        number in the journal where it has none. `refresh` shows its readings at once.
        """
        unit = PolledUnit(inverter.identity.serial or port, inverter)

        def told(sentence: str, done: bool) -> None:  # noqa: FBT001 - see `Told`
            self._tell(uid, sentence, done=done)

        control = UnitControl(unit, self.journal, told=told)
        last = self._entries.get(uid)
        entry = _Entry(control, inverter, section, refresh, inverter.away())
        entry.last_write = last.last_write if last is not None else ""
        control.level = self._level(entry)
        self._entries[uid] = entry
        self._begin(uid, entry)
        refresh()

    def leave(self, uid: str, inverter: Inverter) -> None:
        """Control this inverter no more: its port is closed."""
        entry = self._entries.get(uid)
        if entry is not None and entry.inverter is inverter:
            entry.here = False
            for task in entry.tasks:
                task.cancel()

    def _level(self, entry: _Entry) -> ControlLevel:
        return self._levels.get(entry.section, READ_ONLY)

    # -- what is known -------------------------------------------------------------

    def show(self, uid: str, snapshot: Snapshot) -> None:
        """Show the settings on the bus, if they were read anew or are too old now."""
        entry = self._entries.get(uid)
        if entry is None:
            return
        entry.snapshot = snapshot
        kept = entry.inverter.readings.kept
        readings = map(kept.get, QUERIES)
        seen = (snapshot.ratings, snapshot.flags, snapshot.online, *readings)
        if len(seen) != len(entry.seen) or not all(map(is_, seen, entry.seen)):
            entry.seen = seen
            self._show(uid, entry)

    def _show(self, uid: str, entry: _Entry) -> None:
        control, snapshot = entry.control, entry.snapshot
        settings = control.settings()
        shown = [each for each in settings if self._fresh(each, snapshot, control)]
        reasons = control.locked(settings)
        locked = {each.name: reasons[each.name] for each in shown}
        view = ControlView(
            str(control.level), entry.last_write, shown, locked, self._mode
        )
        self._publisher.show_control(uid, view)

    @staticmethod
    def _fresh(shown: ShownSetting, snapshot: Snapshot, control: UnitControl) -> bool:
        match shown.setting.query:
            case "QPIRI":
                return snapshot.ratings is not None
            case "QFLAG":
                return snapshot.flags is not None
            case query:
                return snapshot.online and control.unit.age(query) < TOO_OLD

    def _begin(self, uid: str, entry: _Entry) -> None:
        """Show the settings, and learn in the background what is not known yet."""
        entry.seen = ()
        for task in entry.tasks:
            task.cancel()
        task = asyncio.create_task(self._learn(uid, entry))
        entry.tasks.add(task)
        task.add_done_callback(entry.tasks.discard)

    async def _learn(self, uid: str, entry: _Entry) -> None:
        """Settle writes without an end, and ask now and then what is asked only once.

        Nothing is asked for control that is off.
        """
        control = entry.control
        with suppress(NotWritten):
            values = {each.name: each.value for each in control.settings()}
            await asyncio.to_thread(self.journal.settle, control.unit.name, values)
        while True:
            if control.level is not READ_ONLY:
                with suppress(LinkError):
                    await control.learn()
            self._show(uid, entry)
            if control.level is READ_ONLY:
                return
            await asyncio.sleep(ASKED_AGAIN)
            with suppress(LinkError):
                await control.ask_again(ASKED_AGAIN)

    # -- writes from the bus -------------------------------------------------------

    def write(
        self, uid: str, name: str, value: Value, sender: str
    ) -> int | Awaitable[int]:
        """Write a setting for a client of the bus; the verdict: 0, or not.

        It comes once the inverter has answered and was read back; ten seconds later it
        is read once more, and what fell back is told. `sender` is the unique name of
        the client. What a program may write has its risk confirmed by the level; what
        is for experts only is never written so.
        """
        entry = self._entries.get(uid)
        if entry is None or not isinstance(value, float | int):
            return REFUSED
        if not entry.here:
            self._tell(uid, f"{name}: {AWAY}", done=False)
            return REFUSED
        if name in VICTRONS:
            return self._write_several(uid, entry, name, value, sender)
        if entry.control.level is READ_ONLY:
            return self.refuse(uid, name, value, "")
        return self._write(entry, name, value, sender)

    async def _write(self, entry: _Entry, name: str, value: float, sender: str) -> int:
        by = await self._whose(sender)
        verdict: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def seen(write: WrittenSetting) -> None:
            if not verdict.done():
                verdict.set_result(write.done)

        async def work() -> None:
            try:
                await entry.control.set(name, value, by=by, confirmed=True, seen=seen)
            except (MppdbusError, ValueError):
                pass  # people were told
            finally:
                if not verdict.done():
                    verdict.set_result(False)

        task = asyncio.create_task(work())
        entry.tasks.add(task)
        task.add_done_callback(entry.tasks.discard)
        return ACCEPTED if await verdict else REFUSED

    async def request(self, uid: str, text: str, sender: str) -> int:
        """Do what the command line asks, and show the answer; return the verdict."""
        entry, done = self._entries.get(uid), False
        reply = json.dumps({"kind": NotWritten.kind, "error": AWAY})
        if entry is not None and entry.here:
            by = await self._whose(sender)
            work = answer(entry.control, entry.inverter, text, by)
            reply, done = await asyncio.shield(asyncio.create_task(work))
            self._show(uid, entry)
        self._publisher.show_reply(uid, reply)
        asyncio.get_running_loop().call_later(
            REPLY_STAYS, self._publisher.show_reply, uid, ""
        )
        return ACCEPTED if done else REFUSED

    async def _write_several(
        self, uid: str, entry: _Entry, name: str, value: float, sender: str
    ) -> int:
        """Write what a control of Victron's stands for; the verdict comes at its end.

        It goes on if the service leaves the bus meanwhile.
        """
        if name == MODE and not self._mode:
            self._tell(uid, NO_MODE, done=False)
            return REFUSED
        by = await self._whose(sender)
        task = asyncio.create_task(write_several(entry.control, name, value, by))
        entry.tasks.add(task)
        task.add_done_callback(entry.tasks.discard)
        try:
            why = await asyncio.shield(task)
        except (MppdbusError, ValueError) as error:
            why = str(error)
        if why:
            self._tell(uid, why, done=False)
        return REFUSED if why else ACCEPTED

    def refuse(self, uid: str, name: str, written: object, why: str) -> int:
        """Tell people that something is not written; return the verdict.

        The reason is that of the setting, else `why`.
        """
        entry = self._entries.get(uid)
        if entry is not None:
            try:
                if isinstance(written, float | int | str):
                    entry.control.plan(name, written, confirmed=True)
            except (NotWritten, ValueError) as error:
                why = str(error)
            self._tell(uid, why, done=False)
        return REFUSED

    async def _whose(self, sender: str) -> str:
        """Return who writes, for the journal: the name on the bus and the process."""
        if sender not in self._clients:
            request = to_bus("GetConnectionUnixProcessID", "s", sender)
            try:
                pid = await self._watcher.call(request)
            except BusError:
                return f"D-Bus {sender}"
            found = await asyncio.to_thread(process, int(pid))
            if len(self._clients) >= MOST_CLIENTS:
                self._clients.clear()
            self._clients[sender] = f"D-Bus {sender}, {found}"
        return self._clients[sender]

    def _tell(self, uid: str, sentence: str, *, done: bool) -> None:
        """Show how a write ended; a failure also in the list of notifications."""
        entry = self._entries.get(uid)
        if entry is None:
            return
        if done:
            log.info("%s: %s", entry.section, sentence)
        elif (uid, sentence) not in self._told:
            if len(self._told) >= MOST_TOLD:
                self._told.clear()
            self._told.add((uid, sentence))
            log.warning("%s: not done: %s", entry.section, sentence)
        entry.refresh()
        entry.last_write = sentence
        self._show(uid, entry)
        if not done:
            self._notify(uid, sentence)

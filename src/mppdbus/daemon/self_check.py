"""The doctor's sentence of each inverter, from what the daemon has in memory."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace

from mppdbus.doctor.bus_facts import DRIVERS, SYSTEM
from mppdbus.doctor.causes import CAUSES
from mppdbus.doctor.facts import (
    BusFacts,
    Facts,
    Heard,
    HostFacts,
    LineFacts,
    PortFacts,
    VenusFacts,
)
from mppdbus.doctor.findings import Finding, judge, troubles
from mppdbus.doctor.line_facts import heard_from
from mppdbus.doctor.port_facts import with_error
from mppdbus.errors import MppdbusError, PortError
from mppdbus.host.clock import local_today
from mppdbus.model.alarms.levels import Notice, NoticeKind
from mppdbus.model.site import Site
from mppdbus.model.views import UnitView
from mppdbus.venus.dbus.watcher import Watcher

EVERY = 10.0  # s between two looks
LASTS = 300.0  # s after which a trouble is told to people

log = logging.getLogger("mppdbus.doctor")


class LastingTroubles:
    """Tells which troubles last, and when they end; pure, times are passed in."""

    def __init__(self) -> None:
        self._since: dict[str, tuple[str, float]] = {}  # uid → cause, since when
        self._told: dict[str, Finding] = {}  # by uid

    def begun(
        self, uid: str, first: Finding | None, now: float, heard: float = float("-inf")
    ) -> Finding | None:
        """Return the trouble of a unit once it has lasted, and was not told yet.

        `heard` is when a unit that is silent now gave values last: a silence that
        began anew does not last.
        """
        if first is None:
            self._since.pop(uid, None)
            return None
        cause, since = self._since.get(uid, ("", now))
        if cause != first.name:
            cause, since = first.name, now
        since = max(since, heard)
        self._since[uid] = cause, since
        told = self._told.get(uid)
        if now - since < LASTS or (told is not None and told.name == cause):
            return None
        self._told[uid] = first
        return first

    def ended(self, uid: str, first: Finding | None) -> Finding | None:
        """Return the trouble that was told, when there is none any more."""
        return self._told.pop(uid, None) if first is None else None


class SelfCheck:
    """Judges each inverter now and then; never in the way of a reply.

    `show` gets the uid and the sentence of each, "" when all is well; `notify` gets the
    name of an inverter and a notice.
    """

    def __init__(
        self,
        watcher: Watcher,
        show: Callable[[str, str], None],
        notify: Callable[[str, Notice], None],
    ) -> None:
        self._watcher = watcher
        self._show, self._notify = show, notify
        self._answered: dict[str, float] = {}  # when each uid was online last, in s
        self._errors: dict[str, MppdbusError] = {}  # the last one of each uid
        self._judged: dict[str, tuple[Facts, list[Finding]]] = {}  # by uid
        self._lasting = LastingTroubles()
        self._timer: asyncio.TimerHandle | None = None

    def start(self, site: Site) -> None:
        """Look every ten seconds from now on."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(EVERY, self._look, site)

    def close(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def answers(self, uid: str) -> None:
        """Note that an inverter answers now."""
        self._answered[uid] = asyncio.get_running_loop().time()

    def complain(self, uid: str, error: MppdbusError) -> None:
        """Take why the line of an inverter has failed."""
        self._errors[uid] = error

    def _look(self, site: Site) -> None:
        loop = asyncio.get_running_loop()
        common = self._common()
        for uid, view in tuple(site.views.items()):
            if not view.unit.reported:
                facts = facts_of(view, self._errors.get(uid), site, common)
                before = self._judged.get(uid)
                if before is None or facts != before[0]:
                    before = self._judged[uid] = facts, judge(facts, CAUSES)
                found = before[1]
                silent = not view.snapshot.online
                heard = self._answered.get(uid) if silent else None
                self._tell(view, found, loop.time(), heard or float("-inf"))
        for of_units in (self._errors, self._judged):
            for uid in of_units.keys() - site.views.keys():
                del of_units[uid]
        self._timer = loop.call_later(EVERY, self._look, site)

    def _tell(
        self, view: UnitView, found: list[Finding], now: float, heard: float
    ) -> None:
        """Show the sentence of a unit; tell what lasts, and when that is over."""
        uid, called = view.unit.uid, view.unit.called
        first = next(iter(troubles(found)), None)
        self._show(uid, first.sentence if first else "")
        if lasting := self._lasting.begun(uid, first, now, heard):
            log.warning("%s: %s", view.unit.name, lasting.sentence)
            text = f"{lasting.what}: {lasting.evidence[0]}"
            self._notify(called, Notice(NoticeKind.WARNING, text))
        if over := self._lasting.ended(uid, first):
            log.info("%s: over: %s", view.unit.name, over.what)
            text = f"Over: {over.what[0].lower()}{over.what[1:]}"
            self._notify(called, Notice(NoticeKind.INFORMATION, text))

    def _common(self) -> Facts:
        """Return what is the same for all inverters."""
        names = self._watcher.names()
        others = tuple(n for n in names if "mppdbus" not in n and DRIVERS.search(n))
        return Facts(
            host=HostFacts(year=local_today().year),
            bus=BusFacts(others=others),
            venus=VenusFacts(systemcalc=SYSTEM in names or None),
        )


def facts_of(
    view: UnitView, error: MppdbusError | None, site: Site, common: Facts
) -> Facts:
    """Return the facts of a unit; `error` is why its line failed last, if it did."""
    snapshot, unit = view.snapshot, view.unit
    scheme = "serial" if unit.connection.startswith("/") else "tcp"
    port = PortFacts(label=unit.connection, scheme=scheme)
    heard, said = Heard.UNKNOWN, ""
    if not snapshot.online and isinstance(error, PortError):
        port = with_error(port, error)
    elif not snapshot.online and error is not None:
        heard, said = heard_from(error, silent=False), str(error)
    bank = site.banks.get(unit.bank)
    line = LineFacts(
        heard=heard,
        said=said,
        other=said,
        offline=not snapshot.online,
        quality=snapshot.link.quality,
        fault=view.alarm_state.fault or "",
        battery=bank.trouble if bank is not None else "",
    )
    return replace(common, port=port, line=line)


def silent_unit(uid: str, views: Mapping[str, UnitView]) -> UnitView | None:
    """Return the unit to tell of when `uid` has not replied for some time.

    None for one that is gone, and for one that is reported by a unit which is silent
    itself: that one is told.
    """
    if (view := views.get(uid)) is None:
        return None
    unit = view.unit
    mute = [v.unit for v in views.values() if not v.snapshot.online]
    ports = {each.connection for each in mute if not each.reported}
    beside = any(unit.connection.startswith(f"{port} (") for port in ports)
    return None if unit.reported and beside else view

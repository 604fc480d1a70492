"""Tells systemd that the daemon has started, what it does, and that it is not hung."""

import asyncio
import logging
from collections.abc import Mapping

from mppdbus.daemon.installation import Installation
from mppdbus.daemon.session import Session
from mppdbus.host.service_manager import ServiceManager
from mppdbus.model.snapshot import Snapshot
from mppdbus.protocol.modes import MODES

EVERY = 5.0  # s between two reports, and
TIMES = 4  # in the time within which systemd wants to hear us
READY_WITHIN = 15.0  # s; a start without an inverter must not seem to fail
STALLED = 180.0  # s without an exchange; no pause between two is so long

log = logging.getLogger("mppdbus.daemon")


class ServiceReport:
    """Reports on the `sessions`, by name, which may come and go.

    The watchdog is fed while the event loop runs and no session is stalled. A session
    whose inverter is silent, whose port is missing or which waits for the bus is not.
    """

    def __init__(
        self,
        manager: ServiceManager,
        installation: Installation,
        sessions: Mapping[str, Session],
    ) -> None:
        self._manager, self._installation = manager, installation
        self._sessions = sessions
        self._clock = asyncio.get_running_loop().time
        self._seen: dict[str, tuple[object, float]] = {}  # progress, and since when
        self._stalled: set[str] = set()
        self._ready = False

    async def run(self) -> None:
        """Report for ever; ends at once where nobody listens."""
        if not self._manager.listens:
            return
        began, limit = self._clock(), self._manager.watchdog
        pause = EVERY if limit is None else min(EVERY, limit / TIMES)
        while True:
            self._report(self._clock() - began)
            wait = pause if self._ready else min(pause, 0.5)
            await asyncio.sleep(wait)

    def _report(self, age: float) -> None:
        manager = self._manager
        manager.status(self.words())
        started = [session.introduced for session in self._sessions.values()]
        complete = bool(started) and all(started)
        if not self._ready and (complete or age >= READY_WITHIN):
            self._ready = True
            manager.ready()
        if not self._anyone_stalled():
            manager.alive()

    def words(self) -> str:
        """Return one line: each inverter, and what it does."""
        if not self._installation.is_open:
            return "waits for the D-Bus"
        units = [view.unit for view in self._installation.site.views.values()]
        known = {unit.name for unit in units}
        parts = [
            f"{view.unit.name}: {_doing(view.snapshot)}"
            for view in self._installation.site.views.values()
        ]
        parts += [f"{name}: not seen yet" for name in self._sessions.keys() - known]
        return "; ".join(sorted(parts))

    def _anyone_stalled(self) -> bool:
        now, stalled = self._clock(), set()
        for name, session in self._sessions.items():
            progress, since = session.progress, now
            if name in self._seen and self._seen[name][0] == progress is not None:
                since = self._seen[name][1]
            self._seen[name] = progress, since
            if now - since >= STALLED:
                stalled.add(name)
        for name in stalled - self._stalled:
            log.error("%s: stalled for %d s: the watchdog may act", name, STALLED)
        self._stalled = stalled
        return bool(stalled)


def _doing(snapshot: Snapshot) -> str:
    if not snapshot.online:
        return "does not answer"
    mode = MODES.get(snapshot.mode or "")
    return f"{mode.name} mode" if mode else "live"

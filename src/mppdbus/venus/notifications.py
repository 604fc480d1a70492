"""Texts for the notifications of a GX, for warnings that have no alarm path."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from mppdbus.errors import BusError
from mppdbus.model.alarms.levels import Notice
from mppdbus.venus.dbus.connection import Request
from mppdbus.venus.dbus.values import variant
from mppdbus.venus.dbus.watcher import Watcher

PLATFORM = "com.victronenergy.platform"
INJECT = "/Notifications/Inject"
QUIET = 3600.0  # s in which a text of one device is sent only once

log = logging.getLogger("mppdbus.bus")


class Notifier:
    """Sends notices to venus-platform; drops them where it does not run.

    `clock` gives seconds of a steady clock.
    """

    def __init__(
        self, watcher: Watcher, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._watcher = watcher
        self._clock = clock
        self._given: dict[tuple[str, str], float] = {}

    @property
    def heard(self) -> bool:
        """True while venus-platform is on the bus."""
        return bool(self._watcher.owner(PLATFORM))

    def notify(self, device: str, notice: Notice) -> None:
        """Send a notice about `device` (its name for people); never waits or raises."""
        now = self._clock()
        key = _clean(device), _clean(notice.text)
        self._given = {k: t for k, t in self._given.items() if now - t < QUIET}
        if not self.heard or key in self._given:
            return
        self._given[key] = now
        text = variant("\t".join((str(int(notice.kind)), *key)))
        owner = self._watcher.owner(PLATFORM)
        request = Request(owner, INJECT, "SetValue", "v", [text])
        self._watcher.send(request).add_done_callback(_check)


def _check(call: asyncio.Future[Any]) -> None:
    """Log an error in the answer, but not that older versions lack the item."""
    try:
        verdict = call.result()
    except BusError as error:
        verdict = error
    if verdict != 0:
        log.debug("%s does not take a notice: %s", PLATFORM, verdict)


def _clean(text: str) -> str:
    """Return the text without characters that D-Bus refuses, and without tabs.

    A tab separates the parts. All white space and invisible characters become blanks.
    """
    shown = "".join(c if c.isprintable() else " " for c in text)
    return shown.encode(errors="replace").decode()

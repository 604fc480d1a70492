"""Words for the list of notifications on a GX, for what no alarm path says."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from dbus_fast import Message, MessageType, Variant

from mppdbus.model.alarms import Notice
from mppdbus.venus.dbus.connection import Connection
from mppdbus.venus.dbus.watcher import FIRST_DELAY, NameWatch

PLATFORM = "com.victronenergy.platform"
INJECT = "/Notifications/Inject"
QUIET = 3600.0  # s in which the same words of the same device come once

log = logging.getLogger("mppdbus.bus")


class Notifier:
    """Hands notices to venus-platform; where that does not run they are dropped.

    `clock` gives seconds that only grow.
    """

    def __init__(
        self,
        address: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        first_delay: float = FIRST_DELAY,
    ) -> None:
        self._watch = NameWatch(
            address,
            PLATFORM,
            self._owner_changed,
            lambda _signal: None,
            first_delay=first_delay,
        )
        self._clock = clock
        self._wire: Connection | None = None
        self._owner = ""
        self._given: dict[tuple[str, str], float] = {}

    @property
    def heard(self) -> bool:
        """True while somebody is there to take notices."""
        return bool(self._owner) and self._wire is not None and self._wire.alive

    async def open(self) -> None:
        """Connect; raises BusError if there is no bus."""
        await self._watch.open()

    async def close(self) -> None:
        """Leave the bus."""
        await self._watch.close()

    def notify(self, device: str, notice: Notice) -> None:
        """Give a notice about `device`, its name for people; never waits or raises."""
        now = self._clock()
        key = _clean(device), _clean(notice.text)
        self._given = {k: t for k, t in self._given.items() if now - t < QUIET}
        if self._wire is None or not self.heard or key in self._given:
            return
        self._given[key] = now
        text = "\t".join((str(int(notice.kind)), *key))
        message = Message(
            destination=self._owner,
            path=INJECT,
            interface="com.victronenergy.BusItem",
            member="SetValue",
            signature="v",
            body=[Variant("s", text)],
        )
        self._wire.ask(message, _check)

    def _owner_changed(self, wire: Connection, owner: str) -> None:
        self._wire, self._owner = wire, owner


def _check(reply: Message | None) -> None:
    """Look at the answer; older versions have no such item, and that is all right."""
    if reply is None:
        return
    if reply.message_type is MessageType.ERROR or reply.body != [0]:
        log.debug("%s does not take a notice: %s", PLATFORM, reply.body)


def _clean(text: str) -> str:
    """Return a text that D-Bus carries and that has no tab, which separates the parts.

    Whatever else is white or invisible becomes a blank as well.
    """
    shown = "".join(c if c.isprintable() else " " for c in text)
    return shown.encode(errors="replace").decode()

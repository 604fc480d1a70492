"""Changed leaves on their way out, as ItemsChanged."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from dbus_fast import Message

from mppdbus.venus.dbus.connection import to_bus
from mppdbus.venus.dbus.tree import UNSENT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mppdbus.venus.dbus.connection import Connection
    from mppdbus.venus.dbus.tree import Leaf

log = logging.getLogger("mppdbus.bus")

NUDGE_AFTER = 1.0  # s without an answer from the bus
STUCK_AFTER = 60.0  # s likewise


class ChangeSignals:
    """Sends one batch of changes at a time; meanwhile newer values replace older ones.

    The next batch goes out when the bus has read the last one. If it has not by then, a
    call of the bus itself goes behind, and its reply says when. So a slow bus costs one
    batch of memory, a full socket never is, and a quick bus hears nothing but changes.
    """

    def __init__(self) -> None:
        self._wire: Connection | None = None
        self._dirty: dict[Leaf, None] = {}
        self._since: float | None = None  # when the last batch was sent, if unread
        self._asked = False  # a call is behind it
        self._nudged = 0.0
        self._loop: asyncio.AbstractEventLoop
        self._signal = Message.new_signal(
            "/", "com.victronenergy.BusItem", "ItemsChanged", "a{sa{sv}}"
        )
        self._barrier = to_bus("GetId").message()  # every policy allows it, unlike Ping

    def start(self, wire: Connection, leaves: Iterable[Leaf]) -> None:
        """Begin to tell changes; whoever asks from now on sees `leaves` as they are."""
        self._loop = asyncio.get_running_loop()
        self._wire = wire
        self._since, self._asked = None, False
        self._dirty.clear()
        for leaf in leaves:
            leaf.sent = leaf.value

    def stop(self) -> None:
        """Forget what waits, and tell nothing any more."""
        self._wire = None
        self._dirty.clear()

    def put(self, leaf: Leaf) -> None:
        """Note that the value of `leaf` has changed."""
        if self._wire is not None:
            self._dirty[leaf] = None

    def expose(self) -> None:
        """Note that a client reads: what waits must go out even if it changes back."""
        for leaf in self._dirty:
            leaf.sent = UNSENT

    def flush(self) -> None:
        """Send what has changed, unless a batch is under way."""
        wire = self._wire
        if wire is None or not self._dirty:
            return
        if self._since is not None and (self._asked or wire.unread):
            if not self._asked:
                self._asked = True
                wire.ask(self._barrier, self._taken)
            self._push(wire, self._loop.time(), self._since)
            return
        batch = {}
        for leaf in self._dirty:
            if leaf.value != leaf.sent:
                batch[leaf.path] = leaf.entry()
                leaf.sent = leaf.value
        self._dirty.clear()
        if batch:
            self._since = self._nudged = self._loop.time()
            signal = self._signal  # sent before the next batch needs it
            signal.serial = 0
            signal.body = [batch]
            wire.send(signal)

    def _taken(self, reply: Message | None) -> None:
        if reply is not None:
            self._since, self._asked = None, False
            self.flush()

    def _push(self, wire: Connection, now: float, since: float) -> None:
        """Help a bus that owes an answer.

        A dbus-daemon stops reading from us when a subscriber leaves too much of ours
        unread. When that is over it goes on only as something new comes in, so send
        something; and as long as it is not, only a new connection begins without debt.
        """
        if now - since > STUCK_AFTER:
            log.error("the bus has not answered for %.0f s: hang up", now - since)
            wire.abort()
        elif now - self._nudged > NUDGE_AFTER:
            self._nudged = now
            wire.ask(to_bus("GetId").message(), _ignore)


def _ignore(_reply: Message | None) -> None:
    """The barrier was sent before, so its answer is here already."""

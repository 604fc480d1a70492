"""Sends changed leaves as ItemsChanged signals."""

import asyncio
import logging
from collections.abc import Iterable

from dbus_fast import Message

from mppdbus.venus.dbus.connection import ITEM, Connection, to_bus
from mppdbus.venus.dbus.leaf import UNSENT, Leaf

log = logging.getLogger("mppdbus.bus")

NUDGE_AFTER = 1.0  # s without an answer from the bus
STUCK_AFTER = 60.0  # s without an answer, then the connection is closed


class ChangeSignals:
    """Sends one batch of changes at a time; meanwhile newer values replace older ones.

    The next batch is sent when the bus has read the last one. If it has not, a call to
    the bus follows the batch, and its reply shows when. So a slow bus costs memory for
    one batch only, the socket never fills, and a fast bus gets only changes.
    """

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._changed: dict[Leaf, None] = {}  # changes not sent yet
        self._since: float | None = None  # when the last batch was sent, if unread
        self._asked = False  # a call follows the batch
        self._nudged = 0.0
        self._loop: asyncio.AbstractEventLoop
        self._signal = Message.new_signal("/", ITEM, "ItemsChanged", "a{sa{sv}}")
        self._barrier = to_bus("GetId").message()  # every policy allows it, unlike Ping

    def start(self, connection: Connection, leaves: Iterable[Leaf]) -> None:
        """Start sending changes; clients that read from now on get present values."""
        self._loop = asyncio.get_running_loop()
        self._connection = connection
        self._since, self._asked = None, False
        self._changed.clear()
        for leaf in leaves:
            leaf.sent = leaf.value

    def stop(self) -> None:
        """Drop the waiting changes, and send no more."""
        self._connection = None
        self._changed.clear()

    def expose(self) -> None:
        """Note that a client has read: send waiting changes even if they revert."""
        for leaf in self._changed:
            leaf.sent = UNSENT

    def tell(self, leaves: Iterable[Leaf] = ()) -> None:
        """Send `leaves` and the waiting changes, unless a batch is under way.

        Call it also without changes, so that waiting ones are sent.
        """
        connection, changed = self._connection, self._changed
        if connection is None:
            return
        changed |= dict.fromkeys(leaves)
        if not changed:
            return
        if self._since is not None and (self._asked or connection.unread):
            self._wait_for_bus(connection, self._since)
            return
        batch = {}
        for leaf in changed:
            if leaf.value != leaf.sent:
                batch[leaf.path] = leaf.row()
                leaf.sent = leaf.value
        changed.clear()
        if batch:
            self._since = self._nudged = self._loop.time()
            signal = self._signal  # sent before the next batch needs it
            signal.serial = 0
            signal.body = [batch]
            connection.send(signal)

    def _wait_for_bus(self, connection: Connection, since: float) -> None:
        """Ask a bus that has not read the last batch yet, and make it go on.

        A dbus-daemon stops reading from us while a subscriber leaves too much of ours
        unread. Afterwards it goes on only when new data comes, so this sends a call. If
        it never goes on, only a new connection helps.
        """
        if not self._asked:
            self._asked = True
            connection.ask(self._barrier, self._answered)
        now = self._loop.time()
        if now - since > STUCK_AFTER:
            log.error("the bus has not answered for %.0f s: hang up", now - since)
            connection.abort()
        elif now - self._nudged > NUDGE_AFTER:
            self._nudged = now
            connection.ask(to_bus("GetId").message(), _ignore)

    def _answered(self, reply: Message | None) -> None:
        if reply is not None:
            self._since, self._asked = None, False
            self.tell()


def _ignore(_reply: Message | None) -> None:
    """Do nothing: the reply that counts is the one that `_answered` gets."""

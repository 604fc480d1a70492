"""Changed leaves on their way out, as ItemsChanged."""

import asyncio
import logging
from collections.abc import Iterable

from dbus_fast import Message

from mppdbus.venus.dbus.connection import ITEM, Connection, to_bus
from mppdbus.venus.dbus.leaf import UNSENT, Leaf

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
        self._connection: Connection | None = None
        self._changed: dict[Leaf, None] = {}  # and not told yet
        self._since: float | None = None  # when the last batch was sent, if unread
        self._asked = False  # a call is behind it
        self._nudged = 0.0
        self._loop: asyncio.AbstractEventLoop
        self._signal = Message.new_signal("/", ITEM, "ItemsChanged", "a{sa{sv}}")
        self._barrier = to_bus("GetId").message()  # every policy allows it, unlike Ping

    def start(self, connection: Connection, leaves: Iterable[Leaf]) -> None:
        """Begin to tell changes; whoever asks from now on sees `leaves` as they are."""
        self._loop = asyncio.get_running_loop()
        self._connection = connection
        self._since, self._asked = None, False
        self._changed.clear()
        for leaf in leaves:
            leaf.sent = leaf.value

    def stop(self) -> None:
        """Forget what waits, and tell nothing any more."""
        self._connection = None
        self._changed.clear()

    def expose(self) -> None:
        """Note that a client reads: what waits must go out even if it changes back."""
        for leaf in self._changed:
            leaf.sent = UNSENT

    def tell(self, leaves: Iterable[Leaf] = ()) -> None:
        """Send the new values of `leaves` with what waits, unless a batch is under way.

        Whoever changes nothing calls it, too, so that what waits is looked after.
        """
        connection, changed = self._connection, self._changed
        if connection is None:
            return
        for leaf in leaves:
            changed[leaf] = None
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
        """Ask a bus that has not read the last batch yet, and help it along.

        A dbus-daemon stops reading from us when a subscriber leaves too much of ours
        unread. When that is over it goes on only as something new comes in, so send
        something; and as long as it is not, only a new connection begins without debt.
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
    """The barrier was sent before, so its answer is here already."""

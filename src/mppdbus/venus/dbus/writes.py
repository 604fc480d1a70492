"""SetValue: from a client's write to the verdict of the setting's owner."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from functools import partial

from mppdbus.errors import MppdbusError
from mppdbus.venus.dbus.items import Value
from mppdbus.venus.dbus.leaf import UNSENT, Leaf, PendingWrite
from mppdbus.venus.dbus.signals import ChangeSignals

Writer = Callable[[str, Value], int | Awaitable[int]]
"""(path, value in the item's type) → 0 accepted, else refused; an awaitable defers."""

Refusal = Callable[[str, object, str], None]
"""(path, what a client wrote, why it is no value of this item)"""

ACCEPTED = 0
NOT_WRITABLE = 1
REFUSED = 2

log = logging.getLogger("mppdbus.bus")

_current: ContextVar[PendingWrite | None] = ContextVar("write", default=None)


class Writes:
    """Handles each write: refuse it, or show it at once and settle it by the verdict.

    The writer gets one write of a leaf at a time. Only the newest value waits; an older
    waiting one is refused. Equal values share a verdict. A leaf with a `quiet` time
    waits for it anew at each write, before the writer is asked.
    """

    def __init__(
        self,
        writer: Writer | None,
        signals: ChangeSignals,
        refused: Refusal | None = None,
    ) -> None:
        self._writer = writer or _accept
        self._refused = refused or _pass_over
        self._signals = signals
        self._tasks: dict[asyncio.Future[int], Leaf] = {}
        self._waiting: dict[Leaf, asyncio.TimerHandle] = {}  # for the end of `quiet`

    def set(
        self,
        leaf: Leaf,
        written: object,
        answer: Callable[[int], None],
        sender: str = "",
    ) -> None:
        """Write to `leaf`; `answer` gets the verdict, at once or later."""
        item = leaf.item
        if not item.writable:
            answer(NOT_WRITABLE)
            return
        try:
            value = item.coerced(written)
        except (TypeError, ValueError) as error:
            log.info("refused: %s", error)
            answer(REFUSED)
            self._refused(leaf.path, written, str(error))
            return
        write = PendingWrite(value, answer, sender)
        if leaf in self._waiting and leaf.pending is not None:
            self._replace(leaf, leaf.pending, write)
        elif leaf.pending is not None:
            self._queue(leaf, leaf.pending, write)
        elif value == leaf.value and not item.confirmable:
            answer(ACCEPTED)
        else:
            write.before = leaf.value
            self._begin(leaf, write)

    def see(self, leaf: Leaf, value: Value) -> None:
        """Keep a value that was read while the bus shows the echo."""
        if (write := leaf.pending) is not None:
            write.seen = value
            write.read_back = write.read_back or _current.get() is write

    async def close(self) -> None:
        """Give up all writes without a verdict; their callers get a failure."""
        for leaf in list(self._waiting):
            self._waiting.pop(leaf).cancel()
            if leaf.pending is not None:
                self._settle(leaf, leaf.pending, REFUSED)
        for leaf in self._tasks.values():
            self._drop_queued(leaf)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _queue(self, leaf: Leaf, pending: PendingWrite, write: PendingWrite) -> None:
        """Queue a write behind the pending one, in place of an older queued one."""
        if leaf.queued is not None and leaf.queued.value == write.value:
            leaf.queued.answers += write.answers
            return
        self._drop_queued(leaf)
        if pending.value == write.value:
            pending.answers += write.answers
        else:
            leaf.queued = write
        self._show(leaf, write.value)

    def _replace(self, leaf: Leaf, waiting: PendingWrite, write: PendingWrite) -> None:
        """Put a write in the place of one that the writer has not got yet."""
        if waiting.value == write.value:
            write.answers += waiting.answers
        else:
            waiting.settle(REFUSED)
        write.before, write.seen = waiting.before, waiting.seen
        self._waiting.pop(leaf).cancel()
        self._begin(leaf, write)

    @staticmethod
    def _drop_queued(leaf: Leaf) -> None:
        if (write := leaf.queued) is not None:
            leaf.queued = None
            write.settle(REFUSED)

    def _begin(self, leaf: Leaf, write: PendingWrite) -> None:
        """Show the echo, and ask the writer, as soon as the leaf is quiet."""
        leaf.pending = write
        self._show(leaf, write.value)
        if leaf.item.quiet:
            later = asyncio.get_running_loop().call_later
            self._waiting[leaf] = later(leaf.item.quiet, self._ask, leaf, write)
        else:
            self._ask(leaf, write)

    def _ask(self, leaf: Leaf, write: PendingWrite) -> None:
        self._waiting.pop(leaf, None)
        token = _current.set(write)
        try:
            verdict = self._writer(leaf.path, write.value)
            if not isinstance(verdict, int):
                verdict = asyncio.ensure_future(verdict)
        except Exception as error:  # noqa: BLE001 - of any kind: refused
            _complain(leaf, error)
            verdict = REFUSED
        finally:
            _current.reset(token)
        if isinstance(verdict, int):
            self._settle(leaf, write, verdict)
        else:
            self._tasks[verdict] = leaf
            verdict.add_done_callback(partial(self._done, leaf, write))

    def _done(self, leaf: Leaf, write: PendingWrite, task: asyncio.Future[int]) -> None:
        del self._tasks[task]
        verdict = REFUSED
        if not task.cancelled():
            if (error := task.exception()) is None:
                verdict = task.result()
            else:
                _complain(leaf, error)
        self._settle(leaf, write, verdict)

    def _settle(self, leaf: Leaf, write: PendingWrite, verdict: int) -> None:
        """Show the outcome, give the verdict, and begin the queued write."""
        outcome = write.outcome(accepted=verdict == ACCEPTED)
        following, leaf.pending, leaf.queued = leaf.queued, None, None
        if following is None:
            self._show(leaf, outcome)
        write.settle(int(verdict))
        if following is not None:  # its echo is there already
            following.before = outcome
            self._begin(leaf, following)

    def _show(self, leaf: Leaf, value: Value) -> None:
        """Publish `value`, even if it changed and reverted since the last batch."""
        if value != leaf.value:
            leaf.value, leaf.sent = value, UNSENT
            self._signals.tell([leaf])


def who_writes() -> str:
    """Return the unique name of the client whose write the writer is asked about."""
    write = _current.get()
    return "" if write is None else write.sender


def _pass_over(_path: str, _written: object, _why: str) -> None:
    pass


def _accept(_path: str, _value: Value) -> int:
    return ACCEPTED


def _complain(leaf: Leaf, error: BaseException) -> None:
    unexpected = None if isinstance(error, MppdbusError) else error
    log.error("%s: write failed: %s", leaf.path, error, exc_info=unexpected)

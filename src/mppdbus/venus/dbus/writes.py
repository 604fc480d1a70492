"""SetValue: from what a client wrote to the verdict of whoever owns the setting."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING

from mppdbus.errors import MppdbusError
from mppdbus.venus.dbus.items import Value

if TYPE_CHECKING:
    from mppdbus.venus.dbus.signals import ChangeSignals
    from mppdbus.venus.dbus.tree import Leaf

Writer = Callable[[str, Value], int | Awaitable[int]]
"""(path, value in the item's type) → 0 accepted, else refused; an awaitable defers."""

ACCEPTED = 0
NOT_WRITABLE = 1
REFUSED = 2

log = logging.getLogger("mppdbus.bus")

_UNSEEN = object()
_current: ContextVar[Pending | None] = ContextVar("write in this context", default=None)


class Pending:
    """A write without a verdict: what to go back to, and what was seen meanwhile."""

    __slots__ = ("before", "final", "seen")

    def __init__(self, before: Value) -> None:
        self.before = before
        self.seen: Value | object = _UNSEEN  # by update(), since the write began
        self.final = False  # the writer itself has read back

    def see(self, value: Value) -> None:
        """Keep what update() was given, in place of the echo that is on the bus."""
        self.seen = value
        self.final = self.final or _current.get() is self

    def outcome(self, verdict: int, echo: Value) -> Value:
        """Return what the bus shall show now.

        A poll may have begun before the write: if it saw the old value, it does not
        contradict a writer that accepts. What the writer itself read back does.
        """
        if self.seen is _UNSEEN:
            return echo if verdict == ACCEPTED else self.before
        if verdict == ACCEPTED and self.seen == self.before and not self.final:
            return echo
        return self.seen  # type: ignore[return-value]


class Writes:
    """Takes each write through: refuse, or echo at once and settle by the verdict."""

    def __init__(self, writer: Writer | None, signals: ChangeSignals) -> None:
        self._writer = writer
        self._signals = signals
        self._tasks: set[asyncio.Future[int]] = set()

    def set(self, leaf: Leaf, written: object, answer: Callable[[int], None]) -> None:
        """Write to `leaf`; `answer` gets the verdict, at once or when it is there."""
        item = leaf.item
        if not item.writable:
            answer(NOT_WRITABLE)
            return
        try:
            value = item.coerced(written)
        except (TypeError, ValueError) as error:
            log.info("refused: %s", error)
            answer(REFUSED)
            return
        if value == leaf.value and not item.confirmable:
            answer(ACCEPTED)
        elif self._writer is None:
            self._show(leaf, value)
            answer(ACCEPTED)
        else:
            self._write(self._writer, leaf, value, answer)

    async def close(self) -> None:
        """Give up on what waits for a verdict; the callers are told that it failed."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _write(
        self, writer: Writer, leaf: Leaf, value: Value, answer: Callable[[int], None]
    ) -> None:
        earlier = leaf.pending
        before = leaf.value if earlier is None else earlier.before
        leaf.pending = pending = Pending(before)
        self._show(leaf, value)
        settle = partial(self._settle, leaf, pending, value, answer)
        token = _current.set(pending)
        try:
            verdict = writer(leaf.path, value)
            if not isinstance(verdict, int):
                verdict = asyncio.ensure_future(verdict)
        except Exception as error:  # noqa: BLE001 - of any kind: refused
            self._complain(leaf, error)
            verdict = REFUSED
        finally:
            _current.reset(token)
        if isinstance(verdict, int):
            settle(verdict)
            return
        self._tasks.add(verdict)
        verdict.add_done_callback(partial(self._done, leaf, settle))

    def _done(
        self, leaf: Leaf, settle: Callable[[int], None], task: asyncio.Future[int]
    ) -> None:
        self._tasks.discard(task)
        verdict = REFUSED
        if not task.cancelled():
            error = task.exception()
            if error is None:
                verdict = task.result()
            else:
                self._complain(leaf, error)
        settle(verdict)

    def _settle(
        self,
        leaf: Leaf,
        pending: Pending,
        echo: Value,
        answer: Callable[[int], None],
        verdict: int,
    ) -> None:
        newest = leaf.pending
        if newest is pending:
            leaf.pending = None
            self._show(leaf, pending.outcome(verdict, echo))
        elif newest is not None and verdict == ACCEPTED:
            newest.before = echo  # overtaken, but it took: the later one goes back here
        answer(int(verdict))

    def _show(self, leaf: Leaf, value: Value) -> None:
        """Publish `value`, even if it is back before its predecessor went out."""
        if value != leaf.value:
            leaf.value = value
            self._signals.put(leaf)
            self._signals.expose()
            self._signals.flush()

    def _complain(self, leaf: Leaf, error: BaseException) -> None:
        unexpected = None if isinstance(error, MppdbusError) else error
        log.error("%s: write failed: %s", leaf.path, error, exc_info=unexpected)

"""An event loop whose time passes at once while everybody only waits for it."""

# ruff: noqa: ANN401 - calls that are only passed on

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest
from dbus_fast.aio import MessageBus

from helpers.bus import BusItemClient
from mppdbus.venus.dbus.connection import Connection, _Bus

T = TypeVar("T")


class _Jumping(selectors.DefaultSelector):
    """Returns at once instead of sleeping, unless a thread or the bus is at work."""

    def __init__(self) -> None:
        super().__init__()
        self.jumped = 0.0  # s
        self.busy: Callable[[], object] = lambda: False

    def select(
        self, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if timeout is None or self.busy():
            return super().select(0.02 if timeout is None else min(timeout, 0.02))
        self.jumped += timeout
        return []


class FastLoop(asyncio.SelectorEventLoop):
    """The loop; `busy` tells whether real time must pass, such as for a bus."""

    def __init__(self, busy: Callable[[], object]) -> None:
        self._jumping = _Jumping()
        self._threads = 0
        super().__init__(self._jumping)
        self._jumping.busy = lambda: self._threads or busy()

    def time(self) -> float:
        return super().time() + self._jumping.jumped

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        self._threads += 1
        job = super().run_in_executor(executor, func, *args)
        job.add_done_callback(self._done)
        return job

    def _done(self, _job: asyncio.Future[Any]) -> None:
        self._threads -= 1


def run_fast(
    work: Coroutine[Any, Any, T], busy: Callable[[], object] = lambda: False
) -> T:
    """Run `work` in a loop of its own and return what it returns."""
    with asyncio.Runner(loop_factory=lambda: FastLoop(busy)) as runner:
        return runner.run(work)


def run_with_bus(work: Coroutine[Any, Any, T], monkeypatch: pytest.MonkeyPatch) -> T:
    """Run `work`; real time passes while somebody waits for an answer of the bus."""
    waiting: set[Connection] = set()
    opening: set[object] = set()
    clients: list[MessageBus] = []
    ask, connect, bus_connect = Connection.ask, BusItemClient.connect, _Bus.connect

    def noted(self: Connection, *call: Any) -> None:
        waiting.add(self)
        ask(self, *call)

    def busy() -> bool:
        waiting.difference_update([each for each in waiting if not each._expected])
        asked = any(bus._method_return_handlers for bus in clients)
        return bool(waiting) or bool(opening) or asked

    async def opened(self: _Bus) -> MessageBus:
        opening.add(self)
        try:
            return await bus_connect(self)
        finally:
            opening.discard(self)

    async def connected(address: str, service: str) -> BusItemClient:
        client = await connect(address, service)
        clients.append(client.bus)
        return client

    with monkeypatch.context() as patch:
        patch.setattr(Connection, "ask", noted)
        patch.setattr(BusItemClient, "connect", connected)
        patch.setattr(_Bus, "connect", opened)
        return run_fast(work, busy)

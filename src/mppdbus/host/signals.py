"""Ends a program in good order when a signal asks for it."""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def on_signals(
    call: Callable[[], object], *, signals: tuple[signal.Signals, ...] = ENDING
) -> Iterator[None]:
    """Call `call` at each of the signals while the context lasts.

    SIGHUP stays ignored where the program was started so, as by nohup.
    """
    loop = asyncio.get_running_loop()
    nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    taken = [one for one in signals if not (nohup and one is signal.SIGHUP)]
    for number in taken:
        loop.add_signal_handler(number, call)
    try:
        yield
    finally:
        for number in taken:
            loop.remove_signal_handler(number)


async def until_signal(
    work: Coroutine[Any, Any, T], *, signals: tuple[signal.Signals, ...] = ENDING
) -> T | None:
    """Return what `work` returns, or None when a signal has cancelled it.

    The first signal cancels; another one does not disturb the clearing up.
    """
    task = asyncio.create_task(work)
    ended = asyncio.Event()

    def end() -> None:
        if not ended.is_set():
            task.cancel()
        ended.set()

    with on_signals(end, signals=signals):
        try:
            return await task
        except asyncio.CancelledError:
            if ended.is_set():
                return None
            raise

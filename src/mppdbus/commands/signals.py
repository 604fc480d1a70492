"""Ends a command in good order when it is told to: SIGINT, SIGTERM, SIGHUP."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

from mppdbus.commands.output import DONE

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def until_told(work: Coroutine[Any, Any, int]) -> int:
    """Return what `work` returns; a signal cancels it, and that is 0.

    It is cancelled once: who presses Ctrl-C again does not disturb the clearing up.
    """
    loop = asyncio.get_running_loop()
    task = loop.create_task(work)
    told = asyncio.Event()

    def tell() -> None:
        if not told.is_set():
            task.cancel()
        told.set()

    for number in SIGNALS:
        loop.add_signal_handler(number, tell)
    try:
        return await task
    except asyncio.CancelledError:
        if told.is_set():
            return DONE
        raise
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)

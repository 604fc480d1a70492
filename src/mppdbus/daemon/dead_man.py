"""Starts the dead-man, feeds it, and tells it when the daemon ends on purpose."""

import asyncio
import logging
import os
import sys
from contextlib import suppress
from pathlib import Path

from mppdbus.control.dead_man_orders import Orders

GOODBYE = 2.0  # s that it may take to end

log = logging.getLogger("mppdbus.dead_man")


class DeadMan:
    """The process that makes the inverters safe when this one is lost.

    It has a session of its own, so that what ends this process does not end it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None
        self._pipe = -1
        self._told = b""

    async def feed(self, orders: Orders) -> None:
        """Give a sign of life, and what is to be done without us; never blocks."""
        ended = self._process is not None and self._process.returncode is not None
        if self._process is None or ended:
            await self._start()
        line = orders.line()
        try:
            os.write(self._pipe, b"\n" if line == self._told else line)
            self._told = line
            if ended:
                log.warning("the dead-man had ended; it was started again")
        except BlockingIOError:
            pass  # it is busy; it has signs of life enough
        except OSError as error:
            log.warning("the dead-man does not listen: %s", error.strerror)

    async def close(self) -> None:
        """Tell it that all is well, and wait for its end."""
        if self._process is None:
            return
        with suppress(OSError):
            os.set_blocking(self._pipe, True)
            os.write(self._pipe, Orders().line())
        os.close(self._pipe)
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE):
                await self._process.wait()
        self._process = None

    async def _start(self) -> None:
        if self._process is not None:
            os.close(self._pipe)
        self._told = b""
        theirs, self._pipe = os.pipe()
        os.set_blocking(self._pipe, False)
        isolated = ["-I"] if sys.flags.isolated else []
        module = "mppdbus.control.dead_man"
        try:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, *isolated, "-m", module, str(self._folder)),
                stdin=theirs,
                start_new_session=True,
            )
        finally:
            os.close(theirs)

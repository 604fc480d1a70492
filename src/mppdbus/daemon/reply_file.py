"""Writes the last replies of all inverters into a file when a file asks for it.

`mppdbus support-bundle` cannot ask an inverter whose port the daemon has. It puts an
empty file into the folder of the state, and takes what appears beside it.
"""

import asyncio
import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mppdbus.inverter.device import Inverter
from mppdbus.storage.atomic_file import write_file

WANTED, REPLIES = "replies.wanted", "replies.json"
EVERY = 5.0  # s between two looks for the request

log = logging.getLogger("mppdbus.state")


class ReplyFile:
    """Looks for the request now and then; without a thread, which would cost more."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._wanted = directory / WANTED
        self._sources: dict[str, Callable[[], Inverter | None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Future[None] | None = None

    @contextmanager
    def of(self, name: str, source: Callable[[], Inverter | None]) -> Iterator[None]:
        """Take the replies of an inverter while the context lasts."""
        self._sources[name] = source
        try:
            yield
        finally:
            self._sources.pop(name, None)

    def start(self) -> None:
        """Look from now on."""
        self._timer = asyncio.get_running_loop().call_later(EVERY, self._look)

    def close(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        busy = self._writing is not None and not self._writing.done()
        if not busy and os.access(self._wanted, os.F_OK):
            self._writing = loop.run_in_executor(None, self._write, self._text())
        self._timer = loop.call_later(EVERY, self._look)

    def _text(self) -> str:
        units = [
            {
                "name": name,
                "model": unit.identity.model,
                "dialect": unit.dialect.name,
                "replies": {
                    query: payload.hex()
                    for query, payload in unit.readings.payloads.items()
                },
            }
            for name, source in self._sources.items()
            if (unit := source()) is not None
        ]
        return json.dumps({"inverters": units})

    def _write(self, text: str) -> None:
        new = self._directory / f"{REPLIES}.new"
        try:
            write_file(new, text.encode())
            new.replace(self._directory / REPLIES)
        except OSError as error:
            log.warning("%s cannot be written: %s", REPLIES, error.strerror or error)
        with suppress(OSError):
            self._wanted.unlink()

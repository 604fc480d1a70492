"""Writes the last replies of all inverters into a file when a file asks for it.

`mppdbus support-bundle` cannot ask an inverter whose port the daemon has. It puts an
empty file into the folder of the state, and takes what appears beside it.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mppdbus.inverter.device import Inverter
from mppdbus.storage.atomic_file import write_file

WANTED, REPLIES = "replies.wanted", "replies.json"
EVERY = 5.0  # s between two looks for the request

log = logging.getLogger("mppdbus.state")


class ReplyFile:
    """Looks for the request now and then."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._sources: dict[str, Callable[[], Inverter | None]] = {}
        self._task: asyncio.Task[None] | None = None

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
        self._task = asyncio.get_running_loop().create_task(self._run())

    def close(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            if await asyncio.to_thread(self._wanted):
                await asyncio.to_thread(self._write, self._text())

    def _wanted(self) -> bool:
        try:
            return (self._directory / WANTED).exists()
        except OSError:
            return False

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
            (self._directory / WANTED).unlink()

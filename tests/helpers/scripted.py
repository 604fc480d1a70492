"""An inverter that answers from a script: what was reported from the field, in turn.

The scripts are in tests/data/field; its README says what may stand in them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import tty
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

from helpers.places import TESTS
from helpers.run import eventually
from mppdbus.protocol.framing import checksum_fits, encode_reply

FIELD = TESTS / "data" / "field"
NAK = "NAK"

Item = str | dict[str, Any] | None


def pieces_of(item: Item) -> Iterator[tuple[float, bytes]]:
    """Yield what an item of a script sends: pauses in s, and the bytes after each."""
    match item:
        case None:
            return
        case str():
            yield 0.0, encode_reply(item)
        case {"raw": data}:
            yield 0.0, bytes.fromhex(data)
        case {"pieces": pieces}:
            for pause, each in pieces:
                for more, data in pieces_of(each):
                    yield pause + more, data
        case _:
            raise ValueError(f"no item of a script: {item}")


class ScriptedInverter:
    """Answers each command with its items, one after the other; the last one stays.

    With `cycle` they come round and round. `asked` counts the commands. A request
    with a wrong checksum gets a NAK.
    """

    def __init__(self, script: dict[str, Any], *, cycle: bool = False) -> None:
        self.replies: dict[str, list[Item]] = {
            command: list(items) if isinstance(items, list) else [items]
            for command, items in script["replies"].items()
        }
        self.asked: Counter[str] = Counter()
        self._else: Item = script.get("else", NAK)
        self._cycle = script.get("cycle", cycle)
        self._master = -1

    @classmethod
    def of(cls, case: str, *, cycle: bool = False) -> Self:
        """Return the inverter of tests/data/field/`case`.json."""
        return cls(json.loads((FIELD / f"{case}.json").read_text()), cycle=cycle)

    def first(self, command: str, *items: Item) -> Self:
        """Put items before the replies to a command."""
        said = self.replies.get(command, [self._else])
        self.replies[command] = [*items, *said]
        return self

    def then(self, command: str, *items: Item) -> None:
        """Say these from now on, the last one for good."""
        self.replies[command] = list(items)
        self.asked[command] = 0

    def say(self, data: bytes) -> None:
        """Send bytes that nobody asked for."""
        os.write(self._master, data)

    async def is_asked(self, command: str, more: int = 1, seconds: float = 120) -> None:
        """Wait until it has been asked `more` times from now on."""
        wanted = self.asked[command] + more
        await eventually(lambda: self.asked[command] >= wanted, seconds)

    @asynccontextmanager
    async def at(self, path: Path) -> AsyncIterator[None]:
        """Serve on a pty that is linked at `path`, for as long as the context lasts."""
        master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)
        path.symlink_to(os.ttyname(slave))
        self._master = master
        heard: asyncio.Queue[bytes] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        loop.add_reader(master, lambda: heard.put_nowait(os.read(master, 4096)))
        answering = asyncio.create_task(self._answer(heard))
        try:
            yield
        finally:
            loop.remove_reader(master)
            answering.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await answering
            path.unlink()
            os.close(master)
            os.close(slave)

    async def _answer(self, heard: asyncio.Queue[bytes]) -> None:
        buffer = b""
        while True:
            buffer += await heard.get()
            *requests, buffer = buffer.split(b"\r")
            for request in requests:
                for pause, data in pieces_of(self._reply(request)):
                    await asyncio.sleep(pause)
                    self.say(data)

    def _reply(self, request: bytes) -> Item:
        body, crc = request[:-2], request[-2:]
        if len(crc) < 2 or not checksum_fits(body, crc):
            return NAK
        command = body.decode("latin-1")
        turn, items = self.asked[command], self.replies.get(command, [self._else])
        self.asked[command] += 1
        return items[turn % len(items) if self._cycle else min(turn, len(items) - 1)]

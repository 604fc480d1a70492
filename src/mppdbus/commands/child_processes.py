"""Programs that a command starts, watches and ends."""

import asyncio
import os
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NoReturn

from mppdbus.errors import MppdbusError

LAST_LINES = 8  # of stderr that are shown when a program dies
GRACE = 3.0  # s between the request to end and the end by force
LOOK_EVERY = 0.02  # s


class ChildDied(MppdbusError):
    """A program that we started ended by itself, or did not get ready."""


class Child:
    """A running program; its stderr goes to the file `log`."""

    def __init__(self, name: str, process: Process, log: Path) -> None:
        self.name = name
        self.process = process
        self._log = log

    def last_words(self) -> str:
        """Return the last lines of stderr, to be put behind a message."""
        lines = self._log.read_text("utf-8", "replace").splitlines()[-LAST_LINES:]
        text = "".join(f"\n  {line}" for line in lines)
        return f"; {self.name} said:{text}" if text else ""

    async def makes(self, path: Path, seconds: float) -> None:
        """Wait until `path` exists, which shows that the program is ready.

        Raises `ChildDied` when the program ends before, or takes more than `seconds`.
        """
        end = asyncio.get_running_loop().time() + seconds
        while not await asyncio.to_thread(path.exists):
            if self.process.returncode is not None:
                await self.watch()
            if asyncio.get_running_loop().time() > end:
                said = self.last_words()
                raise ChildDied(f"{self.name} is not ready after {seconds:g} s{said}")
            await asyncio.sleep(LOOK_EVERY)

    async def watch(self) -> NoReturn:
        """Wait until the program ends, then raise `ChildDied` with its last lines."""
        code = await self.process.wait()
        raise ChildDied(f"{self.name} ended with {code}{self.last_words()}")

    async def tell(self, line: str) -> None:
        """Write a line to the program's stdin."""
        if (stdin := self.process.stdin) is not None:
            with suppress(ConnectionError):
                stdin.write(f"{line}\n".encode())
                await stdin.drain()

    async def end(self) -> None:
        """Ask the program to end; after a while, end it by force."""
        with suppress(ProcessLookupError):
            self.process.terminate()
        try:
            async with asyncio.timeout(GRACE):
                await self.process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()


@asynccontextmanager
async def running(
    name: str, log: Path, *command: str, **environment: str
) -> AsyncIterator[Child]:
    """Run a program as long as the context lasts, apart from our terminal's Ctrl-C.

    `environment` is added to ours.
    """
    try:
        with log.open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=PIPE,
                stdout=DEVNULL,
                stderr=stderr,
                start_new_session=True,
                env={**os.environ, **environment},
            )
    except OSError as error:
        raise ChildDied(f"{name} cannot be started: {error}") from error
    child = Child(name, process, log)
    try:
        yield child
    finally:
        await asyncio.shield(child.end())

"""Programs that a command starts, watches and ends."""

from __future__ import annotations

import asyncio
import os
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from mppdbus.errors import MppdbusError

LAST_LINES = 8  # of stderr that are shown when a program dies
GRACE = 3.0  # s between the request to end and the end by force


class ChildDied(MppdbusError):
    """A program that we started ended by itself."""


class Child:
    """A running program; its stderr is read, and its last lines are kept."""

    def __init__(self, name: str, process: Process) -> None:
        self.name = name
        self.process = process
        self._lines: deque[str] = deque(maxlen=LAST_LINES)
        self._waiting: list[tuple[Callable[[str], bool], asyncio.Future[str]]] = []
        self._reader = asyncio.create_task(self._read())

    async def said(self, wanted: Callable[[str], bool], seconds: float) -> str:
        """Return the first line of stderr that is wanted, of the last ones or later.

        Raises `ChildDied` when the program ends, or stays quiet for so long.
        """
        if found := next(filter(wanted, self._lines), None):
            return found
        line: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting.append((wanted, line))
        try:
            async with asyncio.timeout(seconds):
                return await line
        except TimeoutError as error:
            raise ChildDied(f"{self.name} is not ready after {seconds:g} s") from error

    def last_words(self) -> str:
        """Return the last lines of stderr, to be put behind a message."""
        lines = "".join(f"\n  {line}" for line in self._lines)
        return f"; {self.name} said:{lines}" if lines else ""

    async def died(self) -> ChildDied:
        """Wait for the end, and return it as an error with the last lines."""
        await asyncio.shield(self._reader)
        code = await self.process.wait()
        return ChildDied(f"{self.name} ended with {code}{self.last_words()}")

    async def tell(self, line: str) -> None:
        """Write a line to its stdin."""
        if (stdin := self.process.stdin) is not None:
            with suppress(ConnectionError):
                stdin.write(f"{line}\n".encode())
                await stdin.drain()

    async def end(self) -> None:
        """Ask it to end, and see to it that it does."""
        with suppress(ProcessLookupError):
            self.process.terminate()
        try:
            async with asyncio.timeout(GRACE):
                await self.process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()
        await self._reader

    async def _read(self) -> None:
        stderr = self.process.stderr
        assert stderr is not None  # noqa: S101 - started with a pipe
        while data := await stderr.readline():
            line = data.decode("utf-8", "replace").rstrip()
            self._lines.append(line)
            for wanted, future in self._waiting:
                if not future.done() and wanted(line):
                    future.set_result(line)
        for _, future in self._waiting:
            if not future.done():
                code = await self.process.wait()
                text = f"{self.name} ended with {code}{self.last_words()}"
                future.set_exception(ChildDied(text))


@asynccontextmanager
async def running(name: str, *command: str, **environment: str) -> AsyncIterator[Child]:
    """Run a program as long as the context lasts, apart from our terminal's Ctrl-C.

    `environment` is added to ours.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=PIPE,
            stdout=DEVNULL,
            stderr=PIPE,
            start_new_session=True,
            env={**os.environ, **environment},
        )
    except OSError as error:
        raise ChildDied(f"{name} cannot be started: {error}") from error
    child = Child(name, process)
    try:
        yield child
    finally:
        await asyncio.shield(child.end())


async def first_death(*children: Child) -> None:
    """Raise `ChildDied` as soon as one of the programs ends; never return."""
    tasks = [asyncio.create_task(child.died()) for child in children]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        raise done.pop().result()
    finally:
        for task in tasks:
            task.cancel()

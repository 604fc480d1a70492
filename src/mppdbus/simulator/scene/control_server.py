"""The control language on a socket and on stdin."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from mppdbus.errors import ConfigError
from mppdbus.simulator.listen_errors import cannot_listen


class ControlledScene(Protocol):
    """A scene of a unit or of a set, which obeys control lines."""

    @property
    def quitting(self) -> bool:
        """Whether somebody said "quit"."""

    def catch_up(self, now: float) -> None:
        """Let time pass up to `now`."""

    def apply(self, line: str) -> str:
        """Obey a line and answer it."""


@asynccontextmanager
async def serve_control(
    scene: ControlledScene, address: str, stop: Callable[[], None]
) -> AsyncIterator[str]:
    """Serve `scene` at "unix:PATH" or "HOST:PORT"; yields the real address.

    `stop` is called after "quit". Raises `ConfigError` for an invalid address.
    """
    talks: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(_talk(scene, reader, writer, stop))
        talks[task] = writer
        task.add_done_callback(talks.pop)

    try:
        server, shown = await _listen(talk, address)
    except OSError as error:
        raise cannot_listen(address, error) from error
    try:
        yield shown
    finally:
        server.close()
        for task, writer in talks.items():
            task.cancel()
            writer.close()
        await asyncio.gather(*talks, return_exceptions=True)
        await server.wait_closed()
        _remove_socket(address)


_Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]


async def _listen(talk: _Talk, address: str) -> tuple[asyncio.Server, str]:
    kind, _, rest = address.partition(":")
    if kind == "unix" and rest:
        with contextlib.suppress(FileNotFoundError):
            os.stat(rest)  # noqa: PTH116 - asyncio would log what this raises
        return await asyncio.start_unix_server(talk, rest), address
    host, port = parse_address(address)
    server = await asyncio.start_server(talk, host, port)
    return server, f"{host}:{server.sockets[0].getsockname()[1]}"


async def _talk(
    scene: ControlledScene,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    stop: Callable[[], None],
) -> None:
    with contextlib.closing(writer), contextlib.suppress(ConnectionError, ValueError):
        # A ValueError is a line without end.
        while line := await reader.readline():
            writer.write(f"{_obey(scene, line)}\n".encode())
            await writer.drain()
            if scene.quitting:
                stop()


def listen_on_stdin(
    scene: ControlledScene, stop: Callable[[], None]
) -> Callable[[], None]:
    """Obey lines from stdin, if it can be waited for; return a function to end it.

    A background job must not read its terminal, or the shell would stop it. The
    descriptor stays blocking, because the shell shares it.
    """
    fd = 0
    loop = asyncio.get_running_loop()
    buffer = bytearray()

    def readable() -> None:
        data = os.read(fd, 4096)
        if not data:
            loop.remove_reader(fd)
        buffer.extend(data)
        while (end := buffer.find(b"\n")) >= 0:
            line = bytes(buffer[:end])
            del buffer[: end + 1]
            print(_obey(scene, line), flush=True)  # noqa: T201 - the answer
        if scene.quitting:
            stop()

    with contextlib.suppress(OSError, ValueError):  # a file, /dev/null, or closed
        if not sys.stdin.isatty() or os.tcgetpgrp(fd) == os.getpgrp():
            loop.add_reader(fd, readable)
    return lambda: _forget(loop, fd)


def _remove_socket(address: str) -> None:
    if address.startswith("unix:"):
        Path(address.removeprefix("unix:")).unlink(missing_ok=True)


def parse_address(text: str) -> tuple[str, int]:
    """Read "[HOST:]PORT"; raise `ConfigError` for anything else."""
    host, _, port = text.rpartition(":")
    if not port.isdigit() or int(port) > 65535:
        raise ConfigError(f"{text} is no address: write HOST:PORT")
    return host.strip("[]") or "127.0.0.1", int(port)


def _obey(scene: ControlledScene, line: bytes) -> str:
    scene.catch_up(asyncio.get_running_loop().time())
    return scene.apply(line.decode("utf-8", "replace"))


def _forget(loop: asyncio.AbstractEventLoop, fd: int) -> None:
    with contextlib.suppress(OSError, ValueError):
        loop.remove_reader(fd)

"""The ports of a simulator: a pty or TCP. Leaving the context closes the port."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import socket
import termios
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from mppdbus.errors import ConfigError
from mppdbus.simulator.line.line import Line
from mppdbus.simulator.line.simulator import Simulator
from mppdbus.simulator.listen_errors import cannot_listen
from mppdbus.simulator.ports.hidraw import REPORT, without_report_numbers

_CHUNK = 4096


class PtyPort:
    """A pseudo terminal behind a symlink; it survives clients and its own faults.

    With `hid` it speaks in reports of 8 bytes, like a hidraw device.
    """

    def __init__(self, simulator: Simulator, path: Path, *, hid: bool = False) -> None:
        self.path = path
        self.claim = contextlib.ExitStack()  # holds the path until `close`
        self._simulator = simulator
        self._hid = hid
        self._loop = asyncio.get_running_loop()
        self._line: Line | None = None
        self._fds: tuple[int, int] | None = None
        self._link = ""
        self._return: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Create the pty and its symlink at the path, replacing an old symlink."""
        try:
            taken = not self.path.is_symlink() and self.path.exists()
        except OSError as error:
            raise _cannot_make(self.path, error) from error
        if taken:
            raise ConfigError(f"{self.path} exists and is no symlink: choose another")
        # Our own end of the slave stays open, so that clients may come and go.
        try:
            master, slave = os.openpty()
        except OSError as error:  # as in a chroot
            why = f"no pty is to be had: {error.strerror}; is /dev/pts mounted?"
            raise ConfigError(why) from error
        self._fds = master, slave
        _make_raw(slave)
        os.set_blocking(master, False)
        self._link = os.ttyname(slave)
        try:
            _link(self._link, self.path)
        except OSError as error:
            self._shut()
            raise _cannot_make(self.path, error) from error
        report = REPORT if self._hid else 0
        self._line = Line(self._simulator, self._send, self._hang_up, report=report)
        self._loop.add_reader(master, self._readable, master, self._line)

    def close(self) -> None:
        """Close the pty, remove its symlink, and let others have its path."""
        if self._return is not None:
            self._return.cancel()
        self._shut()
        self.claim.close()

    def _readable(self, master: int, line: Line) -> None:
        with contextlib.suppress(BlockingIOError):
            data = os.read(master, _CHUNK)
            line.feed(without_report_numbers(data) if self._hid else data)

    def _send(self, data: bytes) -> None:
        if self._fds is None:
            return
        # Nobody reads and the buffer is full: the bytes are lost, as on a wire.
        with contextlib.suppress(BlockingIOError):
            os.write(self._fds[0], data)

    def _hang_up(self, seconds: float) -> None:
        self._shut()
        self._return = self._loop.call_later(seconds, self.open)

    def _shut(self) -> None:
        if self._fds is None:
            return
        if self._line is not None:
            self._line.close()
        self._loop.remove_reader(self._fds[0])
        with contextlib.suppress(OSError):
            if str(self.path.readlink()) == self._link:
                self.path.unlink()
        for fd in self._fds:
            os.close(fd)
        self._fds = None


@asynccontextmanager
async def serve_pty(
    simulator: Simulator, path: str | os.PathLike[str], *, hid: bool = False
) -> AsyncIterator[PtyPort]:
    """Serve on a pty whose slave is linked at `path`, until the context ends."""
    port = PtyPort(simulator, Path(path), hid=hid)
    try:
        port.claim.enter_context(_claimed(port.path))
        port.open()
        yield port
    finally:
        port.close()


@dataclass(frozen=True, slots=True)
class TcpPort:
    """Where a TCP simulator listens; the port is the real one."""

    host: str
    port: int


class _Connection(asyncio.Protocol):
    """One client; each has a line of its own to the same unit."""

    def __init__(self, simulator: Simulator, open_ones: set[_Connection]) -> None:
        self._simulator = simulator
        self._open_ones = open_ones
        self._transport: asyncio.Transport | None = None
        self._line: Line | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._line = Line(self._simulator, self._transport.write, self._hang_up)
        self._open_ones.add(self)

    def data_received(self, data: bytes) -> None:
        if self._line is not None:
            self._line.feed(data)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self._line is not None:
            self._line.close()
        self._open_ones.discard(self)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _hang_up(self, seconds: float) -> None:
        del seconds  # only the client is cut off, as by a gateway
        self.abort()


@asynccontextmanager
async def serve_tcp(
    simulator: Simulator, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[TcpPort]:
    """Serve on TCP; port 0 takes a free one. Raises `ConfigError` if it is taken."""
    open_ones: set[_Connection] = set()
    loop = asyncio.get_running_loop()
    try:
        server = await loop.create_server(
            lambda: _Connection(simulator, open_ones), host, port
        )
    except OSError as error:
        raise cannot_listen(f"{host}:{port}", error) from error
    try:
        yield TcpPort(host, server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for connection in tuple(open_ones):
            connection.abort()
        await server.wait_closed()


def _cannot_make(path: Path, error: OSError) -> ConfigError:
    reason = error.strerror or error
    return ConfigError(f"{path} cannot be made: {reason}; choose another path")


@contextlib.contextmanager
def _claimed(path: Path) -> Iterator[None]:
    """Hold a path, so that a second simulator does not take it away.

    The claim is a socket without a file, which ends with its process in any case.
    """
    name = hashlib.sha256(os.fsencode(path.absolute())).hexdigest()
    with socket.socket(socket.AF_UNIX) as claim:
        try:
            claim.bind(f"\0mppdbus-simulate-{name}")
        except OSError as error:
            raise ConfigError(
                f"{path} is the port of another simulator; end it, or choose another"
            ) from error
        yield


def _link(target: str, path: Path) -> None:
    """Point `path` at `target` in one step."""
    aside = path.with_name(f".mppdbus.{os.getpid()}")  # a name may be too long already
    aside.unlink(missing_ok=True)
    aside.symlink_to(target)
    aside.replace(path)


def _make_raw(fd: int) -> None:
    """Make the pty raw; report 2400 baud as its speed."""
    settings = termios.tcgetattr(fd)
    control = settings[6]
    control[termios.VMIN], control[termios.VTIME] = 1, 0
    flags = termios.CS8 | termios.CREAD | termios.CLOCAL
    speed = termios.B2400
    raw = [0, 0, flags, 0, speed, speed, control]
    termios.tcsetattr(fd, termios.TCSANOW, raw)

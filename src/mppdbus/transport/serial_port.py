"""Serial ports, through pySerial's asyncio transport."""

import asyncio
import fcntl
import os
import select
import termios
from contextlib import suppress
from errno import EINVAL, ENOTTY

import serial
from serial_asyncio import SerialTransport as PySerialTransport

from mppdbus.errors import PortError
from mppdbus.transport.base import Forwarder, Receiver, in_thread
from mppdbus.transport.open_errors import cannot_open, check_device

_UNPLUGGED = "is the cable still plugged in?"


async def open_serial(path: str, receiver: Receiver, baud: int) -> "SerialTransport":
    """Open a serial port, 8N1, and lock it with flock and TIOCEXCL."""
    port = await in_thread(lambda: _open(path, baud), _Port.close)
    return SerialTransport(path, port, receiver, baud)


class SerialTransport(Forwarder):
    """A serial port; each wake-up reads all that has arrived."""

    sends_zero_as_one = False

    def __init__(
        self, label: str, port: "_Port", receiver: Receiver, baud: int
    ) -> None:
        super().__init__(label, receiver, _UNPLUGGED)
        self.byte_time = 10 / baud  # 8N1: ten bits
        self._port = port
        self._line = _Line(asyncio.get_running_loop(), self, port)

    def write(self, data: bytes) -> None:
        """Queue for sending."""
        if data:  # upstream asserts that there is something to write
            self._line.write(data)

    def pause_reading(self) -> None:
        """Stop listening; the kernel keeps up to 4 KiB."""
        self._line.pause_reading()

    def resume_reading(self) -> None:
        """Listen again."""
        self._line.resume_reading()

    def discard_input(self) -> None:
        """Empty the kernel's input buffer."""
        if not self._ended.is_set():
            with suppress(termios.error, OSError):  # the reader tells of a lost port
                self._port.reset_input_buffer()

    async def close(self) -> None:
        """Drop what is unsent and close; returns when the port is free again."""
        self._closing = True
        self._line.close()
        await self._ended.wait()
        if self._port.released:
            await asyncio.shield(self._port.released)


class _Port(serial.Serial):
    """pySerial's port, made safe to be closed by the loop.

    An adapter that takes no more bytes would hold up draining, and closing for up to
    30 s: so nothing is drained, and the loop leaves closing to a thread.
    """

    released: asyncio.Future[None] | None = None

    def read(self, size: int = 1) -> bytes:
        """Take what has arrived; upstream first asks whether anything has."""
        try:
            data = os.read(self.fileno(), size)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise serial.SerialException(f"read failed: {error}") from error
        if not data:
            raise serial.SerialException("readable, but there is nothing: hung up")
        return data

    def flush(self) -> None:
        """Drop what is not sent yet; upstream would wait for it."""
        self.reset_output_buffer()

    def close(self) -> None:
        """Close at once when called in a thread; on a loop, leave it to a thread."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._close()
        else:
            if self.is_open and not self.released:
                self.released = loop.run_in_executor(None, self._close)

    def _close(self) -> None:
        if self.is_open:
            with suppress(OSError):  # a pseudo-terminal would stay exclusive
                fcntl.ioctl(self.fileno(), termios.TIOCNXCL)
        super().close()


class _Line(PySerialTransport):  # type: ignore[misc]
    """pySerial's transport, made to end at once and without a traceback in the log.

    The loop watches an epoll of our own, which watches the port: to pause and to resume
    is one call then. In the loop it would take a tenth of the CPU of a poll.
    """

    _has_reader: bool  # of upstream: bytes are delivered

    def __init__(
        self, loop: asyncio.AbstractEventLoop, protocol: Forwarder, port: _Port
    ) -> None:
        super().__init__(loop, protocol, port)
        self._watch = select.epoll()
        self._watch.register(port.fileno(), 0)
        loop.add_reader(self._watch.fileno(), self._read_ready)

    def _ensure_reader(self) -> None:
        if not self._has_reader and not self._closing:
            self._watch.modify(self._serial.fileno(), select.EPOLLIN)
            self._has_reader = True

    def _remove_reader(self) -> None:
        if self._closing and not self._watch.closed:
            self._loop.remove_reader(self._watch.fileno())
            self._watch.close()
        elif self._has_reader:
            self._watch.modify(self._serial.fileno(), 0)
        self._has_reader = False

    def write(self, data: bytes) -> None:
        """Send at once what the port takes; upstream waits a round of the loop."""
        if not self._closing and not self.get_write_buffer_size():
            with suppress(OSError):  # upstream meets it too, and tells of it
                data = data[os.write(self._serial.fileno(), data) :]
        if data:
            super().write(data)

    def resume_reading(self) -> None:
        """Take at once what has arrived; upstream waits a round of the loop."""
        if not self._has_reader and not self._closing:
            super().resume_reading()
            self._read_ready()

    def _close(self, exc: Exception | None = None) -> None:
        # Upstream first waits for the unsent bytes, which a lost adapter never takes.
        if not self._closing:
            self._abort(exc and (exc.__context__ or ConnectionError("hung up")))

    def _fatal_error(self, exc: Exception, message: str = "") -> None:
        # Upstream logs a traceback besides; `connection_lost` is enough.
        del message
        self._close(exc)


def _open(path: str, baud: int) -> _Port:
    check_device(path)
    try:
        # 0 makes an empty buffer differ from a lost port (VMIN 1).
        port = _Port(path, baud, exclusive=True, inter_byte_timeout=0)
    except serial.SerialException as error:
        cause = error.__context__
        if isinstance(cause, termios.error) and cause.args[0] in (ENOTTY, EINVAL):
            raise PortError(f"{path} is no serial port; name another device") from error
        raise cannot_open(path, error) from error
    fcntl.ioctl(port.fileno(), termios.TIOCEXCL)
    return port

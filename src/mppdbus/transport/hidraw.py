"""Voltronic's USB port: a HID device that carries bytes in 8-byte reports.

Behind it is the same 2400-baud UART that a serial cable reaches.
"""

import asyncio
import fcntl
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from errno import ENODEV, ETIMEDOUT
from pathlib import Path

from mppdbus.errors import PortError
from mppdbus.host.ports import is_hidraw
from mppdbus.transport.base import INVERTER_BYTE_TIME, Forwarder, Receiver, in_thread
from mppdbus.transport.open_errors import cannot_open, check_device

REPORT_SIZE = 8
REPORTS_KEPT = 64  # that the kernel keeps of a device while it is not read
# The inverter's UART needs 33 ms for a report. No document gives the gap that the
# device needs; drivers in the field wait 50 ms.
PIECE_GAP = 0.05
WRITE_RETRY = 0.01
WRITE_PATIENCE = 1.0  # a device that takes nothing for so long is lost

_UNPLUGGED = "is the USB cable still plugged in?"


async def open_hidraw(
    path: str, receiver: Receiver, sysfs: Path = Path("/sys")
) -> "HidrawTransport":
    """Open a hidraw node and lock it with flock."""
    fd = await in_thread(lambda: _open(path, sysfs), os.close)
    return HidrawTransport(fd, path, receiver)


class HidrawTransport(Forwarder):
    """A HID device at the open, non-blocking `fd`, which it owns from now on."""

    byte_time = INVERTER_BYTE_TIME
    sends_zero_as_one = True

    def __init__(self, fd: int, label: str, receiver: Receiver) -> None:
        super().__init__(label, receiver, _UNPLUGGED)
        self._fd = fd
        self._loop = asyncio.get_running_loop()
        # The kernel blocks a write until the device has taken the report, O_NONBLOCK or
        # not, for up to 5 s. One thread writes and closes, hence in that order.
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="hidraw")
        self._unsent: deque[bytes] = deque()
        self._sender: asyncio.Task[None] | None = None
        self._released: asyncio.Future[None] | None = None
        self._reading = False
        self._padding = True  # a 00 that comes next is padding, not data
        self.resume_reading()

    def write(self, data: bytes) -> None:
        """Send in pieces of 8 bytes, with a gap between them."""
        if self._ended.is_set():
            return
        self._unsent.extend(_reports(data))
        if self._sender is None:
            self._sender = self._loop.create_task(self._send())

    def pause_reading(self) -> None:
        """Stop listening; the kernel keeps 64 reports."""
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._fd)

    def resume_reading(self) -> None:
        """Listen again."""
        if not self._reading and not self._ended.is_set():
            self._reading = True
            self._loop.add_reader(self._fd, self._on_readable)

    def discard_input(self) -> None:
        """Read and forget the reports that wait."""
        if not self._ended.is_set():
            self._read_reports()

    async def close(self) -> None:
        """Drop what is unsent and close, once the report on its way is written."""
        self._closing = True
        self._end(None)
        if self._released:
            await asyncio.shield(self._released)

    def _on_readable(self) -> None:
        data, error = self._read_reports()
        if data:
            self.data_received(data)
        if error:
            self._end(error)

    def _read_reports(self) -> tuple[bytes, OSError | None]:
        """Read all waiting reports; also return the error if the device is gone."""
        data = bytearray()
        try:
            for _ in range(REPORTS_KEPT):
                report = os.read(self._fd, REPORT_SIZE)
                if not report:
                    return bytes(data), OSError(ENODEV, os.strerror(ENODEV))
                data += self._without_padding(report)
        except BlockingIOError:
            pass
        except OSError as error:
            return bytes(data), error
        return bytes(data), None

    def _without_padding(self, report: bytes) -> bytes:
        """Drop the 00 that follow a CR; before it they may be checksum bytes."""
        if self._padding:
            report = report.lstrip(b"\0")
        head, end, rest = report.rpartition(b"\r")
        rest = rest.strip(b"\0") if end else rest
        # After a whole reply, or a whole report of padding, the next may begin with it.
        self._padding = not rest if end else self._padding and not report
        return head + end + rest

    async def _send(self) -> None:
        try:
            while self._unsent:
                await self._write_report(self._unsent.popleft())
                if self._unsent:
                    await asyncio.sleep(PIECE_GAP)
        except OSError as error:
            self._end(error)
        finally:
            self._sender = None

    async def _write_report(self, report: bytes) -> None:
        # No add_writer: a hidraw node always claims to be writable.
        patience = self._loop.time() + WRITE_PATIENCE
        while self._loop.time() < patience:
            job = self._loop.run_in_executor(self._worker, os.write, self._fd, report)
            try:
                await job
            except BlockingIOError:
                await asyncio.sleep(WRITE_RETRY)
            else:
                return
        raise OSError(ETIMEDOUT, "it takes no data")

    def _end(self, error: Exception | None) -> None:
        if self._released:
            return
        self.pause_reading()
        self._unsent.clear()
        if self._sender:
            self._sender.cancel()
        self._released = self._loop.run_in_executor(self._worker, os.close, self._fd)
        self._worker.shutdown(wait=False)
        self.connection_lost(error)


def _reports(data: bytes) -> Iterator[bytes]:
    """Cut into output reports: the report number 0, and 8 bytes, padded with 00."""
    for start in range(0, len(data), REPORT_SIZE):
        yield b"\0" + data[start : start + REPORT_SIZE].ljust(REPORT_SIZE, b"\0")


def _open(path: str, sysfs: Path) -> int:
    check_device(path)
    if not is_hidraw(path, sysfs):
        raise PortError(f"{path} is no hidraw device; for a tty write serial:{path}")
    fd = None
    try:
        fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if fd is not None:
            os.close(fd)
        raise cannot_open(path, error) from error
    return fd

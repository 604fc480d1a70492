"""The common part of all transports, and their interface to the link."""

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeVar

from mppdbus.errors import PortLost

T = TypeVar("T")

INVERTER_BYTE_TIME = 10 / 2400  # s; the UART of the inverter behind HID and TCP


class Receiver(Protocol):
    """Receives the bytes of a transport."""

    def data_received(self, data: bytes) -> None:
        """Take bytes as they arrived, cut anywhere."""

    def connection_lost(self, error: Exception | None) -> None:
        """Take note that the pipe has ended: `PortLost`, or None after `close`."""


class Transport(Protocol):
    """A byte pipe to one inverter."""

    @property
    def label(self) -> str:
        """The name of the port for people."""

    @property
    def byte_time(self) -> float:
        """Seconds that one byte takes on the wire of the inverter."""

    @property
    def sends_zero_as_one(self) -> bool:
        """Whether a byte 00 would be taken for padding on its way."""

    def write(self, data: bytes) -> None:
        """Send a request. Never blocks; after the end of the pipe it does nothing."""

    def pause_reading(self) -> None:
        """Leave received bytes in the kernel's buffer, without waking up."""

    def resume_reading(self) -> None:
        """Deliver bytes again; first those in the kernel's buffer, in one piece."""

    def discard_input(self) -> None:
        """Drop received bytes that were not delivered. Never blocks."""

    async def close(self) -> None:
        """Drop what is unsent and close; returns when the port is free again."""


class Forwarder(asyncio.Protocol):
    """Forwards bytes to the receiver, and tells it once when the pipe has ended.

    It is the base of all transports; `label` is the name of the port for people, and
    `hint` returns the likely reason of its end.
    """

    def __init__(self, label: str, receiver: Receiver, hint: str) -> None:
        self.label = label
        self._closing = False  # set by close(): the pipe ends because we want it
        self._ended = asyncio.Event()
        self._receiver = receiver
        self._hint = hint
        self.data_received = receiver.data_received  # type: ignore[method-assign]

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the receiver the reason."""
        self._ended.set()
        lost = None
        if not self._closing:
            reason = exc or "end of file"
            lost = PortLost(f"{self.label} was lost ({reason}); {self._hint}")
            lost.__cause__ = exc
        self._receiver.connection_lost(lost)


async def in_thread(acquire: Callable[[], T], release: Callable[[T], object]) -> T:
    """Return what the blocking `acquire` returns; it runs beside the loop.

    If the caller is cancelled meanwhile, a later result is released.
    """
    loop = asyncio.get_running_loop()
    job = loop.run_in_executor(None, acquire)

    def give_back(done: asyncio.Future[T]) -> None:
        if not done.cancelled() and done.exception() is None:
            loop.run_in_executor(None, release, done.result())

    try:
        return await asyncio.shield(job)
    except asyncio.CancelledError:
        job.add_done_callback(give_back)
        raise

"""A simulated line without a port between, for a loop whose time is not real."""

from __future__ import annotations

from mppdbus.errors import PortLost
from mppdbus.inverter.link import Link
from mppdbus.simulator.line.line import Line
from mppdbus.simulator.line.simulator import Simulator
from mppdbus.transport.base import Receiver


class MemoryTransport:
    """A byte pipe onto a `Line` at its true pace."""

    label = "memory"
    sends_zero_as_one = False

    def __init__(self, simulator: Simulator, receiver: Receiver) -> None:
        self.byte_time = 10 / simulator.scene.pace.baud
        self._receiver = receiver
        self._line = Line(simulator, self._arrived, self._hang_up)
        self._paused = False
        self._waiting = bytearray()

    def write(self, data: bytes) -> None:
        self._line.feed(data)

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        self._paused = False
        if self._waiting:
            data = bytes(self._waiting)
            self._waiting.clear()
            self._receiver.data_received(data)

    def discard_input(self) -> None:
        self._waiting.clear()

    async def close(self) -> None:
        self._line.close()

    def _arrived(self, data: bytes) -> None:
        if self._paused:
            self._waiting += data
        else:
            self._receiver.data_received(data)

    def _hang_up(self, seconds: float) -> None:
        del seconds
        self._line.close()
        self._receiver.connection_lost(PortLost("memory was lost"))


def linked(simulator: Simulator, *, patience: float = 1.0) -> Link:
    """Return a link to a unit, whose adapter hands over 16 bytes at a time.

    Byte by byte it would take three times the work.
    """
    simulator.scene.pace.chunk = max(16, simulator.scene.pace.chunk)
    link = Link("garage", patience=patience)
    link.attach(MemoryTransport(simulator, link))
    return link

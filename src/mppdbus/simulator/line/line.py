"""One half-duplex line at its true speed, on the running loop's timers."""

import asyncio
from collections.abc import Callable

from mppdbus.simulator.line.simulator import Response, Simulator
from mppdbus.simulator.line.speed import Overrun, RequestCutter


class Line:
    """Passes received bytes to a simulator and sends its replies byte by byte.

    `send` must not block; `hang_up` is called with the seconds for which the port is
    to be gone. `report` is the size of a HID report, or 0 on a serial line. With HID,
    replies are sent in whole reports, padded with NUL.
    """

    def __init__(
        self,
        simulator: Simulator,
        send: Callable[[bytes], None],
        hang_up: Callable[[float], None],
        *,
        report: int = 0,
    ) -> None:
        self._simulator = simulator
        self._send = send
        self._hang_up = hang_up
        self._report = report
        self._loop = asyncio.get_running_loop()
        self._cutter = RequestCutter()
        self._first_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._reply = b""
        self._sent = 0
        self._began = 0.0
        self._queue = bytearray()

    @property
    def busy(self) -> bool:
        """Whether the unit thinks or answers, and so does not listen."""
        return self._timer is not None

    def feed(self, data: bytes) -> None:
        """Take bytes that arrived just now."""
        now = self._loop.time()
        for at, byte in enumerate(data):
            if self.busy:
                self._overrun(data[at:])
                return
            if self._simulator.scene.modbus is not None:
                self._take_modbus(byte, now)
                continue
            if not self._cutter:
                self._first_at = now
            if (request := self._cutter.take(byte)) is not None:
                self._begin(request, now)

    def close(self) -> None:
        """Stop at once, even within a reply."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._queue.clear()

    def _take_modbus(self, byte: int, now: float) -> None:
        """Pass a byte to the Modbus station that replaces the PI30 inverter."""
        station = self._simulator.scene.modbus
        if station is not None and (reply := station.take(byte, now)) is not None:
            self._respond(Response(reply), now)

    def _overrun(self, data: bytes) -> None:
        """Handle bytes that arrive while the unit does not listen."""
        data = data.lstrip(b"\x00")  # padding of a HID report
        match self._simulator.scene.pace.overrun:
            case Overrun.QUEUED:
                self._queue += data
            case Overrun.CORRUPT if data and self._sent + 1 < len(self._reply):
                damaged = bytearray(self._reply)
                damaged[self._sent + 1] ^= 0x20
                self._reply = bytes(damaged)

    def _begin(self, request: bytes, now: float) -> None:
        response = self._simulator.respond(request, now)
        if response is None:
            return
        byte_s = self._simulator.scene.pace.byte_s
        heard = max(self._first_at + (len(request) + 1) * byte_s, now)
        self._respond(response, heard)

    def _respond(self, response: Response, heard: float) -> None:
        """Think about a request that ended at `heard`, and answer."""
        pace = self._simulator.scene.pace
        think = pace.think + response.delay
        if pace.jitter:
            rng = self._simulator.scene.faults.rng
            think = max(think + rng.uniform(-pace.jitter, pace.jitter), 0.0)
        self._reply, self._sent = self._on_the_wire(response), 0
        self._began = heard + think
        if response.gone_s is not None:
            self._timer = self._loop.call_at(self._began, self._go, response.gone_s)
        else:
            self._timer = self._loop.call_at(self._next_at(), self._pump)

    def _on_the_wire(self, response: Response) -> bytes:
        missing = -len(response.data) % self._report if self._report else 0
        return response.data + bytes(missing)

    def _next_at(self) -> float:
        """Return when the next chunk is complete, without accumulating errors."""
        pace = self._simulator.scene.pace
        chunk = self._report or pace.chunk
        return self._began + min(self._sent + chunk, len(self._reply)) * pace.byte_s

    def _pump(self) -> None:
        """Send what the wire has carried by now, and sleep until the next chunk."""
        pace = self._simulator.scene.pace
        chunk, due = self._report or pace.chunk, len(self._reply)
        if pace.byte_s:
            carried = int((self._loop.time() - self._began) / pace.byte_s + 0.01)
            due = min(max(carried, self._sent + 1), due)
        if due < len(self._reply):
            due = max(due - due % chunk, min(self._sent + chunk, len(self._reply)))
        data, self._sent = self._reply[self._sent : due], due
        done = due == len(self._reply)
        self._timer = None if done else self._loop.call_at(self._next_at(), self._pump)
        if data:
            self._send(data)
        if done and self._queue:
            queued = bytes(self._queue)
            self._queue.clear()
            self.feed(queued)

    def _go(self, seconds: float) -> None:
        self._timer = None
        self._hang_up(seconds)

"""A line that fails at one byte of the exchange in which a setting is written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from helpers.line import MemoryTransport
from helpers.simulator import inverter_of
from helpers.written import UNIT, Unit
from mppdbus.errors import PortLost
from mppdbus.inverter.link import Link
from mppdbus.simulator.line.simulator import Response, Simulator, simulate
from mppdbus.simulator.unit.settings import Settings
from mppdbus.transport.base import Receiver

# What happens at a byte; a port that goes and a killed writer end the attempt.
AT_A_BYTE = ("flip", "hole", "noise", "reboot", "gone", "killed")
REBOOT = 8.0  # s


class BreakingTransport(MemoryTransport):
    """Fails at byte `at`, counted in both directions from the first of the setter."""

    def __init__(
        self, simulator: Simulator, receiver: Receiver, kind: str, at: int
    ) -> None:
        super().__init__(simulator, receiver)
        self._scene = simulator.scene
        self._kind, self._at = kind, at
        self.setter = b"not known yet"
        self.writer: asyncio.Task[object] | None = None
        self.passed: int | None = None  # bytes since the setter began
        self.sent = 0  # times that the setter was sent
        self.struck = False

    def write(self, data: bytes) -> None:
        if data.startswith(self.setter):
            self.sent += 1
            self.passed = self.passed or 0
        super().write(self._through(data))

    def _arrived(self, data: bytes) -> None:
        super()._arrived(self._through(data))

    def _through(self, data: bytes) -> bytes:
        if self.passed is None:
            return data
        place, self.passed = self._at - self.passed, self.passed + len(data)
        if not 0 <= place < len(data):
            return data
        self.struck = True
        loop = asyncio.get_running_loop()
        match self._kind:
            case "flip":
                flipped = bytes([data[place] ^ 0x10])
                return data[:place] + flipped + data[place + 1 :]
            case "noise":
                return data[:place] + b"\xff(?" + data[place:]
            case "reboot":
                self._scene.apply("power off")
                loop.call_later(REBOOT, self._scene.apply, "power on")
            case "gone":
                loop.call_soon(self._receiver.connection_lost, PortLost("it was lost"))
            case "killed":
                assert self.writer is not None
                self.writer.cancel()
        return data[:place]


class OneLate(Simulator):
    """After a setter, `late` replies come one late; the last one is lost."""

    late = 0
    _held: Response | None = None

    def respond(self, request: bytes, now: float) -> Response | None:
        response = super().respond(request, now)
        if not self.late or (self._held is None and request.startswith(b"Q")):
            return response
        self.late -= 1
        held, self._held = self._held, response
        return held


class Clamping(Simulator):
    """Acknowledges one command and carries out another, silently."""

    instead = ("no command", "")

    def respond(self, request: bytes, now: float) -> Response | None:
        command, other = self.instead
        if not request.startswith(command.encode()):
            return super().respond(request, now)
        self.scene.requests[command] += 1
        return Response(inverter_of(self).reply(other) or b"")


class Delayed(Simulator):
    """Acknowledges at once, and acts `delay` s later."""

    delay = 0.0

    def respond(self, request: bytes, now: float) -> Response | None:
        plant = inverter_of(self).plant
        before = replace(plant.settings)
        response = super().respond(request, now)
        if self.delay and plant.settings != before:
            after, plant.settings = plant.settings, before
            loop = asyncio.get_running_loop()
            loop.call_later(self.delay, setattr, plant, "settings", after)
        return response


async def unit_of(folder: Path, kind: type[Simulator] = Simulator) -> Unit:
    """Return a unit whose battery is of the type "User", with its settings read."""
    made = simulate("axpert-5000")
    simulator = kind(made.source, made.scene, name=made.name)
    inverter_of(simulator).plant.settings.battery_type = 2
    return await Unit(simulator, folder).learn()


# What the inverter itself holds, in the numbers of the settings.
TRUTH: dict[str, Callable[[Settings], float]] = {
    "buzzer": lambda held: int("a" in held.flags),
    "battery_bulk_voltage": lambda held: held.bulk_v,
}


def truth_of(unit: Unit, name: str) -> float:
    return TRUTH[name](inverter_of(unit.simulator).plant.settings)


async def write_with_fault(
    folder: Path, name: str, value: str | float, kind: str, at: int
) -> tuple[Unit, BreakingTransport]:
    """Write a setting, with a fault at one byte; return the unit as it is after that.

    It is as a new process finds it, after the write's end is settled.
    """
    simulator = (await unit_of(folder)).simulator
    link = Link("garage")
    transport = BreakingTransport(simulator, link, kind, at)
    link.attach(transport)
    unit = await Unit(simulator, folder, link).learn()
    transport.setter = unit.writer.planned(name, value).command.encode()
    transport.writer = asyncio.create_task(unit.write(name, value))
    await asyncio.wait([transport.writer])
    if not transport.writer.cancelled():
        verdict = transport.writer.result()
        assert verdict.observed in (None, truth_of(unit, name)), (kind, at, verdict)
        assert verdict.done == (verdict.observed == verdict.value), (kind, at, verdict)
        assert unit.journal.writes()[-1] == verdict
    await unit.link.close()
    await asyncio.sleep(2 * REBOOT)
    again = await Unit(simulator, folder).learn()
    again.journal.settle(UNIT, again.values)
    return again, transport

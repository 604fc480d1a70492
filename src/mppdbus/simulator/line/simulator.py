"""One simulated unit on its line: request bytes in, reply bytes out."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from mppdbus.errors import ConfigError
from mppdbus.protocol.framing import encode_reply
from mppdbus.simulator.line.faults import (
    GONE_S,
    SLOW_S,
    UNHEARD,
    Fault,
    FaultKind,
    Faults,
)
from mppdbus.simulator.line.speed import Pace, verified
from mppdbus.simulator.plant.clock import PlantClock
from mppdbus.simulator.scene.control import Scene
from mppdbus.simulator.unit.inverter import SimulatedInverter, plant_for
from mppdbus.simulator.unit.profile import UnitProfile
from mppdbus.simulator.unit.profiles import DEFAULT_PROFILE, PROFILES

_NAK = encode_reply("NAK")


class Responder(Protocol):
    """Something that answers commands: an inverter made of physics, or a recording."""

    def reply(self, command: str) -> bytes | None:
        """Return the bytes of the reply; None is silence."""


@dataclass(frozen=True, slots=True)
class Response:
    """The reaction of the unit to a request."""

    data: bytes = b""
    delay: float = 0.0  # s on top of the pace's think time
    gone_s: float | None = None  # the port goes away for so long


class Simulator:
    """A source behind a line with faults.

    `scene` controls the plant, the faults and the pace; `source` answers; `bare`
    answers a request whose checksum is wrong. `respond` is pure: it is given the time.
    """

    def __init__(
        self,
        source: Responder,
        scene: Scene,
        *,
        name: str = "recording",
        bare: Callable[[bytes], bytes | None] = lambda _request: _NAK,
    ) -> None:
        self.source = source
        self.scene = scene
        self.name = name
        self._bare = bare
        self._heard_at: float | None = None

    def respond(self, request: bytes, now: float) -> Response | None:
        """Answer a request (without its CR) that ended at `now`; None is silence."""
        self.scene.catch_up(now)
        if not self.scene.powered:
            return None
        habits = self.scene.habits
        command = verified(request, zero=habits.zero_crc)
        if self._overslept(now, habits.idle_deaf_s):
            return None
        if command is None:
            return self._respond_bare(request)
        self.scene.requests[command] += 1
        fault = self.scene.faults.take(command)
        if fault is not None and fault.kind in UNHEARD:
            return self._unheard(fault, request)
        reply = self.source.reply(command)
        if fault is not None and fault.kind is FaultKind.WRONG:
            reply = self.source.reply("QMOD" if command != "QMOD" else "QID")
        if reply is None or (fault is not None and fault.kind is FaultKind.LOST):
            return None
        return self._damaged(fault, request, self._spoiled(request, reply))

    def _respond_bare(self, request: bytes) -> Response | None:
        self.scene.requests["(bad checksum)"] += 1
        data = self._bare(request)
        return None if data is None else Response(data)

    def _overslept(self, now: float, deaf_s: float | None) -> bool:
        """Tell whether the unit misses this request after a long silence."""
        before, self._heard_at = self._heard_at, now
        return deaf_s is not None and before is not None and now - before >= deaf_s

    def _spoiled(self, request: bytes, reply: bytes) -> bytes:
        """Return a reply with the bugs of the firmware and this unit's end of line."""
        if (firmware := self.scene.firmware) is not None:
            wire = request + b"\r"
            reply = firmware.spoil_reply(wire, reply, self.source.reply)
        if reply.endswith(b"\r"):
            return reply[:-1] + self.scene.habits.ends_with
        return reply

    def _unheard(self, fault: Fault, request: bytes) -> Response | None:
        if fault.kind is FaultKind.SILENCE:
            return None
        if fault.kind is FaultKind.DISCONNECT:
            return Response(gone_s=GONE_S if fault.seconds is None else fault.seconds)
        wire = request + b"\r"
        return Response(self.scene.faults.damage(fault.kind, wire, _NAK))

    def _damaged(self, fault: Fault | None, request: bytes, reply: bytes) -> Response:
        if fault is None:
            return Response(reply)
        delay = 0.0
        if fault.kind is FaultKind.SLOW:
            delay = SLOW_S if fault.seconds is None else fault.seconds
        data = self.scene.faults.damage(fault.kind, request + b"\r", reply)
        return Response(data, delay)


def simulate(
    profile: str | UnitProfile = DEFAULT_PROFILE,
    *,
    pace: Pace | None = None,
    scene: str = "",
    seed: int = 0,
    speed: float = 1.0,
) -> Simulator:
    """Build a simulator of `profile` and set its scene (lines parted by ";").

    Raises `ConfigError` for an unknown profile or a line that the scene refuses.
    """
    row = profile if isinstance(profile, UnitProfile) else find_profile(profile)
    unit = SimulatedInverter(plant_for(row), row)
    simulator = build_simulator(unit, PlantClock(speed), pace or Pace(), seed)
    simulator.scene.apply_script(scene)
    return simulator


def build_simulator(
    unit: SimulatedInverter, clock: PlantClock, pace: Pace, seed: int
) -> Simulator:
    """Return a simulator of `unit` on a line of its own, with time by `clock`."""
    faults = Faults(random.Random(seed))  # noqa: S311 - damage, not secrets
    scene = Scene(unit.plant, faults, pace, clock, unit.firmware)
    return Simulator(unit, scene, name=unit.profile.name, bare=unit.bare)


def find_profile(name: str) -> UnitProfile:
    """Return the profile called `name`, or raise `ConfigError` with all names."""
    if name not in PROFILES:
        raise ConfigError(f"no profile {name!r}; there are {', '.join(PROFILES)}")
    return PROFILES[name]

"""A profile, and the bugs that are switched on at the moment."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from mppdbus.errors import ConfigError
from mppdbus.simulator.plant.physics import Plant
from mppdbus.simulator.unit.bugs import BUGS, OutgoingPayload, OutgoingReply
from mppdbus.simulator.unit.profile import UnitProfile


class SimulatedFirmware:
    """A profile that bugs change while the unit runs.

    `profile` is the present one; bugs that act on physics change `plant`.
    """

    def __init__(self, row: UnitProfile, plant: Plant) -> None:
        self._row = row
        self._plant = plant
        self._memories: dict[str, dict[str, object]] = {}
        self.profile = row
        self._settle()

    @property
    def bugs(self) -> tuple[str, ...]:
        """The bugs that are on, in the order of their beginning."""
        return tuple(self._memories)

    def switch(self, name: str, *, on: bool) -> None:
        """Switch a bug; raises `ConfigError` for an unknown name."""
        if name not in BUGS:
            raise ConfigError(f"no bug {name!r}; there are {', '.join(BUGS)}")
        self._memories.pop(name, None)
        if on:
            self._memories[name] = {}
        self._settle()

    def spoil_payload(self, command: str, payload: str) -> str:
        """Return a payload with the bugs applied."""
        for name, memory in self._memories.items():
            if say := BUGS[name].says:
                payload = say(OutgoingPayload(command, payload, self._plant, memory))
        return payload

    def spoil_reply(
        self, request: bytes, reply: bytes, ask: Callable[[str], bytes | None]
    ) -> bytes:
        """Return the bytes of a reply with the bugs applied."""
        for name, memory in self._memories.items():
            if send := BUGS[name].sends:
                reply = send(OutgoingReply(request, reply, memory, ask))
        return reply

    def _settle(self) -> None:
        traits: dict[str, Any] = {}
        for name in self._memories:
            traits |= BUGS[name].traits
        self.profile = replace(self._row, **traits)
        self._plant.acts_after_s = self.profile.acts_after_s
        self._plant.battery.premature_float = self.profile.premature_float

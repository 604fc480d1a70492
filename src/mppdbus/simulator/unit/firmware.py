"""A personality and the bugs that are switched on: what the unit is at the moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from mppdbus.errors import ConfigError
from mppdbus.simulator.plant.physics import Plant
from mppdbus.simulator.unit.bugs import BUGS, Bytes, Words
from mppdbus.simulator.unit.profile import Profile


class Firmware:
    """A profile that bugs can change while the unit runs.

    `profile` is what holds now; `plant` is told of what acts on physics.
    """

    def __init__(self, row: Profile, plant: Plant) -> None:
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
        """Switch a bug; raises `ConfigError` for a name that is none."""
        if name not in BUGS:
            raise ConfigError(f"no bug {name!r}; there are {', '.join(BUGS)}")
        self._memories.pop(name, None)
        if on:
            self._memories[name] = {}
        self._settle()

    def spoil_words(self, command: str, payload: str) -> str:
        """Return what is said in place of `payload`."""
        for name, memory in self._memories.items():
            if say := BUGS[name].says:
                payload = say(Words(command, payload, self._plant, memory))
        return payload

    def spoil_bytes(
        self, request: bytes, reply: bytes, ask: Callable[[str], bytes | None]
    ) -> bytes:
        """Return what is sent in place of `reply`."""
        for name, memory in self._memories.items():
            if send := BUGS[name].sends:
                reply = send(Bytes(request, reply, memory, ask))
        return reply

    def _settle(self) -> None:
        traits: dict[str, Any] = {}
        for name in self._memories:
            traits |= BUGS[name].traits
        self.profile = replace(self._row, **traits)
        self._plant.acts_after_s = self.profile.acts_after_s
        self._plant.battery.premature_float = self.profile.premature_float

"""A simulated inverter: commands in, payloads out. Pure; the plant holds the state."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date

from mppdbus.protocol.framing import encode_reply
from mppdbus.simulator import replies
from mppdbus.simulator.battery import Battery
from mppdbus.simulator.physics import Plant
from mppdbus.simulator.profiles import PROFILES, Profile
from mppdbus.simulator.setters import obey

_DATED = re.compile(r"(Q[EL][YMD])(\d{4}|\d{6}|\d{8})")
_DATE_DIGITS = {"Y": 4, "M": 6, "D": 8}
_PARALLEL = re.compile(r"QPGS(\d)")


def plant_for(profile: Profile) -> Plant:
    """Return a plant of the size that `profile` is made for."""
    return Plant(
        replace(profile.settings),
        battery=Battery(
            nominal_v=profile.battery_v, ohm=0.02 * profile.battery_v / 48.0
        ),
        rated_w=profile.rated_w,
        rated_va=profile.rated_w,
        trackers=profile.trackers,
    )


class SimulatedInverter:
    """One personality over one plant."""

    def __init__(
        self, plant: Plant | None = None, profile: Profile | None = None
    ) -> None:
        self.profile = profile or PROFILES["axpert-5000"]
        self.plant = plant or plant_for(self.profile)
        self.serial = self.profile.serial
        self.writes: list[str] = []  # setters that were obeyed, oldest first
        self._changed = False
        self._queries = self._table()

    def answer(self, command: str) -> str | None:
        """Return the payload that answers `command`; None is silence."""
        if command == "QID" and "QID" in self.profile.fixed:
            return self.serial
        if command in self.profile.fixed:
            return self.profile.fixed[command]
        if command in self.profile.queries and command in self._queries:
            return self._queries[command]()
        if command.startswith("Q"):
            answer = self._with_argument(command)
            return self.profile.refusal if answer is None else answer
        if not obey(command, self.plant, self.profile):
            return self.profile.refusal
        self._after_write(command)
        return "ACK"

    def reply(self, command: str) -> bytes | None:
        """Return the framed answer to `command`; None is silence."""
        payload = self.answer(command)
        return None if payload is None else encode_reply(payload)

    def _after_write(self, command: str) -> None:
        self.writes.append(command)
        self._changed = True
        if command == "PF" and self.profile.reset_serial is not None:
            self.serial = self.profile.reset_serial
        self.plant.settle()

    def _table(self) -> dict[str, Callable[[], str]]:
        """Return the queries without argument."""
        plant, profile = self.plant, self.profile
        return {
            "QPIGS": self._qpigs,
            "QPIGS2": lambda: replies.qpigs2(plant),
            "QPIRI": lambda: replies.qpiri(plant, profile),
            "QMOD": lambda: replies.mode_letter(plant, profile),
            "QPIWS": lambda: replies.qpiws(plant, profile),
            "QFLAG": lambda: replies.qflag(plant, profile),
            "QDI": lambda: replies.qdi(profile),
            "QMCHGCR": lambda: _amps(profile.charge_amps),
            "QMUCHGCR": lambda: _amps(profile.ac_charge_amps),
            "QBEQI": lambda: replies.qbeqi(plant),
            "QOPM": lambda: f"{plant.settings.output_mode:02d}",
            "Q1": lambda: replies.q1(plant, profile),
            "QT": lambda: plant.clock.strftime("%Y%m%d%H%M%S"),
            "QET": lambda: f"{plant.energy.pv_wh:08.0f}",
            "QLT": lambda: f"{plant.energy.load_wh:08.0f}",
        }

    def _qpigs(self) -> str:
        changed, self._changed = self._changed, False
        return replies.qpigs(self.plant, self.profile, changed=changed)

    def _with_argument(self, command: str) -> str | None:
        if (words := _PARALLEL.fullmatch(command)) and "QPGS" in self.profile.queries:
            present = words[1] == "0"
            return replies.qpgs(self.plant, self.profile, self.serial, present=present)
        words = _DATED.fullmatch(command)
        if words and words[1] in self.profile.queries:
            return self._energy_of(words[1], words[2])
        return None

    def _energy_of(self, query: str, digits: str) -> str | None:
        """Answer QEYyyyy and its kin from the plant's days; None refuses the date."""
        if len(digits) != _DATE_DIGITS[query[2]]:
            return None
        try:
            date.fromisoformat(digits + "20240101"[len(digits) :])
        except ValueError:
            return None
        days = [
            day
            for at, day in self.plant.history.items()
            if at.strftime("%Y%m%d").startswith(digits)
        ]
        if query[1] == "E":
            return f"{sum(day.pv_wh for day in days):08.0f}"
        return f"{sum(day.load_wh for day in days):08.0f}"


def _amps(listed: tuple[int, ...]) -> str:
    return " ".join(f"{amps:03d}" for amps in listed)

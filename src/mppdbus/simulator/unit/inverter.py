"""A simulated inverter: commands in, payloads out. Pure; the plant holds the state."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date

from mppdbus.protocol.framing import encode_reply
from mppdbus.simulator.plant.battery import PlantBattery
from mppdbus.simulator.plant.physics import Plant
from mppdbus.simulator.unit import replies, replies_charge, replies_parallel
from mppdbus.simulator.unit.firmware import SimulatedFirmware
from mppdbus.simulator.unit.profile import UnitProfile
from mppdbus.simulator.unit.profiles import DEFAULT_PROFILE, PROFILES
from mppdbus.simulator.unit.replies_parallel import SetUnit
from mppdbus.simulator.unit.setters import obey

_DATED = re.compile(r"(Q[EL][YMD])(\d{4}|\d{6}|\d{8})")
_DATE_DIGITS = {"Y": 4, "M": 6, "D": 8}
_NUMBERED = re.compile(r"(QPGS|QP2GS)(\d)")
_ALONE, _SLAVE, _MASTER = 0, 1, 2  # Q1's word for the role in a set


def plant_for(profile: UnitProfile) -> Plant:
    """Return a plant of the size that `profile` is made for."""
    plant = Plant(
        replace(profile.settings),
        battery=battery_for(profile),
        rated_w=profile.rated_w,
        rated_va=profile.rated_va or profile.rated_w,
        trackers=profile.trackers,
        light_v=profile.pv_v,
    )
    fit(plant, profile)
    return plant


def battery_for(profile: UnitProfile) -> PlantBattery:
    """Return a battery of the voltage that `profile` is made for."""
    return PlantBattery(
        nominal_v=profile.battery_v, ohm=0.02 * profile.battery_v / 48.0
    )


def fit(plant: Plant, profile: UnitProfile) -> None:
    """Share the load of a new plant between the legs of its output."""
    plant.load.first_leg = 1.0 / profile.legs


class SimulatedInverter:
    """One profile and one plant; `units` are all units of its set, itself included."""

    def __init__(
        self, plant: Plant | None = None, profile: UnitProfile | None = None
    ) -> None:
        row = profile or PROFILES[DEFAULT_PROFILE]
        self.plant = plant or plant_for(row)
        self.firmware = SimulatedFirmware(row, self.plant)
        self.serial = row.serial
        self.units: list[SimulatedInverter] = [self]
        self.writes: list[str] = []  # setters that were obeyed, oldest first
        self._changed = False
        self._queries = self._table()

    @property
    def profile(self) -> UnitProfile:
        """The profile at present, bugs included."""
        return self.firmware.profile

    @property
    def slot(self) -> SetUnit:
        """This unit as the other units report it."""
        return SetUnit(self.plant, self.profile, self.serial)

    def answer(self, command: str) -> str | None:
        """Return the payload that answers `command`; None is silence."""
        if command in self.profile.summed:
            return self.profile.refusal
        payload = self._answer(command)
        if payload is None or not command.startswith("Q") or payload == "NAK":
            return payload
        return self.firmware.spoil_payload(command, payload)

    def reply(self, command: str) -> bytes | None:
        """Return the framed answer to `command`; None is silence."""
        payload = self.answer(command)
        return None if payload is None else encode_reply(payload)

    def bare(self, request: bytes) -> bytes | None:
        """Return the answer to a request whose checksum is wrong; None is silence.

        Some have none at all (the H dialect), some a one-byte sum (the REVO).
        """
        profile = self.profile
        if (text := profile.bare.get(request.decode("latin-1"))) is not None:
            truth = self.plant.truth()
            return b"(" + text.format_map(truth).encode() + b"\r"
        command = request[:-1]
        if profile.summed and request[-1:] == _sum(command):
            text = command.decode("latin-1")
            said = self._answer(text) if text in profile.summed else None
            data = b"(" + (said or "NAK").encode()
            return data + _sum(data) + b"\r"
        return profile.to_garbage

    def _answer(self, command: str) -> str | None:
        profile = self.profile
        if command == "QID" and "QID" in profile.fixed:
            return self.serial
        if command == "QSID" and "QSID" in profile.fixed and len(self.units) > 1:
            return f"{len(self.serial):02d}{self.serial:0<20}"
        if command in profile.fixed:
            return profile.fixed[command]
        if command in profile.queries and command in self._queries:
            return self._queries[command]()
        if command.startswith(("Q", "VERFW")):
            answer = self._with_argument(command)
            return profile.refusal if answer is None else answer
        return self._set(command)

    def _set(self, command: str) -> str | None:
        """Obey a setter, which may name another unit of the set."""
        plants = [unit.plant for unit in self.units]
        before = replace(self.plant.settings)
        if not obey(command, self.plant, self.profile, plants):
            return self.profile.refusal
        if self.profile.forgets_writes:
            self.plant.settings = before
            return "ACK"
        self.writes.append(command)
        self._changed = True
        if command == "PF" and self.profile.reset_serial is not None:
            self.serial = self.profile.reset_serial
        self.plant.written()
        return "ACK"

    def _table(self) -> dict[str, Callable[[], str]]:
        """Return the queries without argument."""
        plant = self.plant
        return {
            "QPIGS": self._qpigs,
            "QPIGS2": lambda: replies_charge.qpigs2(plant, self.profile),
            "QPIRI": lambda: replies.qpiri(plant, self.profile),
            "QMOD": lambda: replies.mode_letter(plant, self.profile),
            "QPIWS": lambda: replies.qpiws(plant, self.profile),
            "QFLAG": lambda: replies.qflag(plant, self.profile),
            "QDI": lambda: replies.qdi(self.profile),
            "QMCHGCR": lambda: _amps(self.profile.charge_amps),
            "QMUCHGCR": lambda: _amps(self.profile.ac_charge_amps),
            "QMSCHGCR": lambda: _amps(self.profile.charge_amps),
            "QCST": lambda: f"{plant.settings.charging_stage:02d}",
            "QCVT": lambda: replies.cv_minutes(plant.settings, self.profile),
            "QBEQI": lambda: replies_charge.qbeqi(plant),
            "QOPM": lambda: f"{plant.settings.output_mode:02d}",
            "Q1": lambda: replies_charge.q1(plant, self.profile, self._role()),
            "QDOP": lambda: replies_charge.qdop(plant),
            "QBMS": lambda: replies_charge.qbms(plant, self.profile),
            "QBATCD": lambda: f"{plant.settings.battery_control:03d}",
            "QOPPT": lambda: replies_charge.qoppt(plant, self.profile),
            "QCHPT": lambda: replies_charge.qchpt(plant, self.profile),
            "QBV": lambda: replies_charge.qbv(plant, self.profile),
            "QALL": lambda: replies_charge.qall(plant, self.profile),
            "QT": lambda: plant.clock.strftime("%Y%m%d%H%M%S"),
            "QET": lambda: f"{plant.energy.pv_wh:08.0f}",
            "QLT": lambda: f"{plant.energy.load_wh:08.0f}",
        }

    def _qpigs(self) -> str:
        changed, self._changed = self._changed, False
        return replies.qpigs(self.plant, self.profile, changed=changed)

    def _role(self) -> int:
        running = [unit for unit in self.units if unit.plant.powered]
        if len(self.units) == 1:
            return _ALONE
        return _MASTER if running and running[0] is self else _SLAVE

    def _with_argument(self, command: str) -> str | None:
        words = _NUMBERED.fullmatch(command)
        if words and words[1] in self.profile.queries:
            return self._of_the_set(words[1], int(words[2]))
        words = _DATED.fullmatch(command)
        if words and words[1] in self.profile.queries:
            return self._energy_of(words[1], words[2])
        return None

    def _of_the_set(self, query: str, number: int) -> str | None:
        """Answer QPGSn and QP2GSn; n is the number of a unit, from 0."""
        unit = self.units[number] if number < len(self.units) else None
        slot = unit.slot if unit is not None and unit.plant.powered else None
        if query == "QP2GS":
            return None if slot is None else replies_parallel.qp2gs(slot, number)
        present = [unit.slot for unit in self.units if unit.plant.powered]
        exists = "1" if len(self.units) > 1 else self.profile.alone
        return replies_parallel.qpgs(self.slot, slot, present, exists)

    def _energy_of(self, query: str, digits: str) -> str | None:
        """Answer QEYyyyy, QLDyyyymmdd and so on; None refuses the date."""
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


def _sum(data: bytes) -> bytes:
    """Return the REVO's check: the sum of all bytes and 1, in one byte."""
    return bytes(((sum(data) + 1) & 0xFF,))

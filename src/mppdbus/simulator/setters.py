"""Setters: a table of what each writes, checked against the profile's rules. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from mppdbus.simulator.physics import CHARGE_MODES, Energy, Plant
from mppdbus.simulator.profiles import Profile
from mppdbus.simulator.settings import Settings


@dataclass(frozen=True, slots=True)
class Write:
    """A setter with one number: its digits, the setting, what kind of number."""

    digits: str
    setting: str
    kind: type[int | float] = int


WRITES = {
    "PBCV": Write(r"\d\d\.\d", "recharge_v", float),
    "PBDV": Write(r"\d\d\.\d", "redischarge_v", float),
    "PSDV": Write(r"\d\d\.\d", "cutoff_v", float),
    "PCVV": Write(r"\d\d\.\d", "bulk_v", float),
    "PBFT": Write(r"\d\d\.\d", "float_v", float),
    "PGR": Write(r"\d\d", "input_range"),
    "PBT": Write(r"\d\d", "battery_type"),
    "F": Write(r"\d\d", "output_hz", float),
    "V": Write(r"\d{3}", "output_v", float),
    "POPM": Write(r"\d\d", "output_mode"),
    "POPLG": Write(r"\d\d", "operation_logic"),
    "PPVOKC": Write(r"\d", "pv_ok_all"),
    "PSPB": Write(r"\d", "pv_balance"),
    "PCVT": Write(r"\d{3}", "cv_minutes"),
    "PBATMAXDISC": Write(r"\d{3}", "max_discharge_a"),
    "PBEQE": Write(r"\d", "equalize_enabled"),
    "PBEQA": Write(r"\d", "equalize_active"),
    "PBEQT": Write(r"\d{3}", "equalize_minutes"),
    "PBEQOT": Write(r"\d{3}", "equalize_timeout_minutes"),
    "PBEQP": Write(r"\d{3}", "equalize_days"),
    "PBEQV": Write(r"\d\d\.\d\d", "equalize_v", float),
}
_CURRENTS = {
    "MCHGC": "max_charge_a",
    "MNCHGC": "max_charge_a",
    "MUCHGC": "max_ac_charge_a",
}
_CHARGE_VOLTS = ("PBCV", "PSDV", "PCVV", "PBFT")
_OUTPUT_OFF_FIRST = ("F", "POPM")
# What a battery type brings along, for a 12 V block: bulk, float, cut-off.
_TYPE_VOLTS = {0: (14.1, 13.5, 10.5), 1: (14.6, 13.5, 10.5)}
_OWN_NUMBER = "0"  # the parallel number that a single unit answers to


def obey(command: str, plant: Plant, profile: Profile) -> bool:
    """Carry `command` out; False when it is unknown or its value is refused."""
    return any(
        bool(words and act(words, plant, profile))
        for pattern, act in _ACTIONS
        if (words := pattern.fullmatch(command))
    )


def factory(profile: Profile) -> Settings:
    """Return the settings after PF, as QDI shows them."""
    held = profile.settings
    values = {name: getattr(held, name) for name in held.__slots__}
    return Settings(**(values | {"battery_type": 0}))


def _write(words: re.Match[str], plant: Plant, profile: Profile) -> bool:
    name, text = words["name"], words["value"]
    row, rule = WRITES[name], profile.rules.get(name)
    value = row.kind(text)
    if rule is None or not rule.allows(value):
        return False
    if name in _OUTPUT_OFF_FIRST and plant.mode not in CHARGE_MODES:
        return False
    held = plant.settings
    user_type = held.battery_type == 2
    if name in _CHARGE_VOLTS and profile.volts_need_user_type and not user_type:
        return False
    if name == "PCVV" and value < held.float_v:
        return False
    if name == "PBFT" and value > held.bulk_v:
        return False
    setattr(held, row.setting, value)
    if name == "PBT":
        _bring_volts(held, profile)
    return True


def _bring_volts(held: Settings, profile: Profile) -> None:
    """Let a battery type overwrite bulk, float and cut-off, as real units do."""
    blocks = profile.battery_v / 12
    if held.battery_type in _TYPE_VOLTS:
        volts = [round(v * blocks, 1) for v in _TYPE_VOLTS[held.battery_type]]
        held.bulk_v, held.float_v, held.cutoff_v = volts


def _current(words: re.Match[str], plant: Plant, profile: Profile) -> bool:
    name, text = words["name"], words["value"]
    listed = profile.ac_charge_amps if name == "MUCHGC" else profile.charge_amps
    for form in profile.current_forms.get(name, ()):
        if len(form) != len(text):
            continue
        addressed = not form.startswith("m") or text.startswith(_OWN_NUMBER)
        amps = int(text.removeprefix(_OWN_NUMBER) if form[0] == "m" else text)
        if addressed and amps in listed:
            setattr(plant.settings, _CURRENTS[name], amps)
            return True
    return False


def _output_priority(words: re.Match[str], plant: Plant, profile: Profile) -> bool:
    codes = profile.output_set_codes or profile.output_codes
    return _coded("output_priority", codes, words["value"], plant)


def _charger_priority(words: re.Match[str], plant: Plant, profile: Profile) -> bool:
    codes = profile.charger_set_codes or profile.charger_codes
    number = words.groupdict().get("unit") or _OWN_NUMBER
    if number != _OWN_NUMBER or (words["name"] == "PPCP" and not _parallel(profile)):
        return False
    return _coded("charger_priority", codes, words["value"], plant)


def _coded(setting: str, codes: Mapping[int, StrEnum], text: str, plant: Plant) -> bool:
    value = codes.get(int(text))
    if value is None:
        return False
    setattr(plant.settings, setting, value)
    return True


def _parallel(profile: Profile) -> bool:
    return "QPGS" in profile.queries


def _flags(words: re.Match[str], plant: Plant, profile: Profile) -> bool:
    on, off = set(words["on"] or ""), set(words["off"] or "")
    if not on | off or not on | off <= set(profile.flags):
        return False
    plant.settings.flags = plant.settings.flags - off | on
    return True


def _factory(_words: re.Match[str], plant: Plant, profile: Profile) -> bool:
    plant.settings = factory(profile)
    return True


def _clock(words: re.Match[str], plant: Plant, _profile: Profile) -> bool:
    try:
        at = datetime.strptime(words["value"], "%y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return False
    plant.clock = at
    return True


def _forget_energy(_words: re.Match[str], plant: Plant, _profile: Profile) -> bool:
    plant.energy = Energy()
    plant.history.clear()
    return True


def _nothing(_words: re.Match[str], _plant: Plant, _profile: Profile) -> bool:
    return True


_Action = Callable[[re.Match[str], Plant, Profile], bool]
_ACTIONS: tuple[tuple[re.Pattern[str], _Action], ...] = (
    *(
        (re.compile(f"(?P<name>{name})(?P<value>{row.digits})"), _write)
        for name, row in WRITES.items()
    ),
    (re.compile(r"(?P<name>MCHGC|MNCHGC|MUCHGC)(?P<value>\d+)"), _current),
    (re.compile(r"(?P<name>POP)(?P<value>\d\d)"), _output_priority),
    (re.compile(r"(?P<name>PCP)(?P<value>\d\d)"), _charger_priority),
    (re.compile(r"(?P<name>PPCP)(?P<unit>\d)(?P<value>\d\d)"), _charger_priority),
    (re.compile(r"(PE(?P<on>[a-z]+))?(PD(?P<off>[a-z]+))?"), _flags),
    (re.compile(r"PF"), _factory),
    (re.compile(r"DAT(?P<value>\d{12})"), _clock),
    (re.compile(r"RTEY"), _forget_energy),
    (re.compile(r"RTDL"), _nothing),
)

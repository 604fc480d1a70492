"""Setters: a table of what each one writes, checked by the profile's rules. Pure."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from mppdbus.simulator.plant.physics import CHARGE_MODES, EnergySums, Plant
from mppdbus.simulator.unit.profile import UnitProfile
from mppdbus.simulator.unit.settings import Settings


@dataclass(frozen=True, slots=True)
class Write:
    """A setter with one number: its digits, the setting, what kind of number."""

    digits: str
    setting: str
    kind: type[int | float] = int
    scale: float = 1.0


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
    "POPV": Write(r"\d{4}", "output_v", float, 0.1),
    "MSCHGC": Write(r"\d{3}", "max_solar_charge_a"),
    "PCST": Write(r"\d\d", "charging_stage"),
    "PBATCD": Write(r"[01]{3}", "battery_control"),
    "PBCC": Write(r"\d{3}", "recharge_soc"),
    "PBDC": Write(r"\d{3}", "redischarge_soc"),
    "PSDC": Write(r"\d{3}", "cutoff_soc"),
    "PTOPV": Write(r"\d\d\.\d", "relay_off_v", float),
    "PTOPVC": Write(r"\d{3}", "relay_off_soc"),
    "PTOPC": Write(r"\d\d", "relay_amps"),
    "PTOPD": Write(r"\d{3}", "relay_off_minutes"),
    "PTOPE": Write(r"\d", "relay_intent"),
    "PVENGUSE": Write(r"\d\d", "pv_to_load_first"),
    "SRS": Write(r"\d\d", "country"),
}
_CURRENTS = {
    "MCHGC": "max_charge_a",
    "MNCHGC": "max_charge_a",
    "MUCHGC": "max_ac_charge_a",
}
_CHARGE_VOLTS = ("PBCV", "PSDV", "PCVV", "PBFT")
_OUTPUT_OFF_FIRST = ("F", "POPM")
# What a battery type sets, for a 12 V block: bulk, float, cut-off.
_TYPE_VOLTS = {0: (14.1, 13.5, 10.5), 1: (14.6, 13.5, 10.5)}


@dataclass(frozen=True, slots=True)
class SetterTarget:
    """The unit that got the setter, and the plants of its set by parallel number."""

    plant: Plant
    plants: Sequence[Plant]

    def numbered(self, digit: str) -> Plant | None:
        """Return the plant that a parallel number names, if it runs; alone it is 0."""
        number = int(digit)
        if number < len(self.plants) and self.plants[number].powered:
            return self.plants[number]
        return None


def obey(
    command: str, plant: Plant, profile: UnitProfile, plants: Sequence[Plant] = ()
) -> bool:
    """Carry `command` out; False when it is unknown or its value is refused."""
    target = SetterTarget(plant, plants or (plant,))
    return any(
        bool(words and act(words, target, profile))
        for pattern, act in _ACTIONS
        if (words := pattern.fullmatch(command))
    )


def factory(profile: UnitProfile) -> Settings:
    """Return the settings after PF, as QDI shows them."""
    held = profile.settings
    values = {name: getattr(held, name) for name in held.__slots__}
    return Settings(**(values | {"battery_type": 0}))


def _write(words: re.Match[str], target: SetterTarget, profile: UnitProfile) -> bool:
    name, text = words["name"], words["value"]
    row, rule = WRITES[name], profile.rules.get(name)
    plant, value = target.plant, row.kind(text)
    if row.scale != 1.0:
        value *= row.scale
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
    if name == "PCVT" and value == profile.cv_auto:
        value = 0
    setattr(held, row.setting, value)
    if name == "PBT":
        _set_type_volts(held, profile)
    return True


def _set_type_volts(held: Settings, profile: UnitProfile) -> None:
    """Let a battery type overwrite bulk, float and cut-off, as real units do."""
    blocks = profile.battery_v / 12
    if held.battery_type in _TYPE_VOLTS:
        volts = [round(v * blocks, 1) for v in _TYPE_VOLTS[held.battery_type]]
        held.bulk_v, held.float_v, held.cutoff_v = volts


def _current(words: re.Match[str], target: SetterTarget, profile: UnitProfile) -> bool:
    name, text = words["name"], words["value"]
    listed = profile.ac_charge_amps if name == "MUCHGC" else profile.charge_amps
    for form in profile.current_forms.get(name, ()):
        if len(form) != len(text):
            continue
        addressed = form[0] == "m"
        plant = target.numbered(text[0]) if addressed else target.plant
        amps = int(text[1:] if addressed else text)
        if plant is not None and amps in listed:
            setattr(plant.settings, _CURRENTS[name], amps)
            return True
    return False


def _output_priority(
    words: re.Match[str], target: SetterTarget, profile: UnitProfile
) -> bool:
    codes = profile.output_set_codes or profile.output_codes
    return _coded("output_priority", codes, words["value"], target.plant)


def _charger_priority(
    words: re.Match[str], target: SetterTarget, profile: UnitProfile
) -> bool:
    codes = profile.charger_set_codes or profile.charger_codes
    return _coded("charger_priority", codes, words["value"], target.plant)


def _charger_priority_of(
    words: re.Match[str], target: SetterTarget, profile: UnitProfile
) -> bool:
    codes = profile.charger_set_codes or profile.charger_codes
    plant = target.numbered(words["unit"])
    if plant is None or "QPGS" not in profile.queries:
        return False
    return _coded("charger_priority", codes, words["value"], plant)


def _coded(setting: str, codes: Mapping[int, StrEnum], text: str, plant: Plant) -> bool:
    value = codes.get(int(text))
    if value is None:
        return False
    setattr(plant.settings, setting, value)
    return True


def _flags(words: re.Match[str], target: SetterTarget, profile: UnitProfile) -> bool:
    on, off = set(words["on"] or ""), set(words["off"] or "")
    if not on | off or not on | off <= set(profile.flags):
        return False
    held = target.plant.settings
    held.flags = held.flags - off | on
    return True


def _factory(_words: re.Match[str], target: SetterTarget, profile: UnitProfile) -> bool:
    if "PGR" not in profile.rules:  # the REVO has setters of its own
        return False
    target.plant.settings = factory(profile)
    return True


def _clock(words: re.Match[str], target: SetterTarget, profile: UnitProfile) -> bool:
    if "QT" not in profile.queries:
        return False
    try:
        at = datetime.strptime(words["value"], "%y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return False
    target.plant.clock = at
    return True


def _forget_energy(
    _words: re.Match[str], target: SetterTarget, profile: UnitProfile
) -> bool:
    if "QET" not in profile.queries:
        return False
    target.plant.energy = EnergySums()
    target.plant.history.clear()
    return True


def _forget_log(
    _words: re.Match[str], _target: SetterTarget, profile: UnitProfile
) -> bool:
    return "QET" in profile.queries


def _battery_told(
    words: re.Match[str], target: SetterTarget, profile: UnitProfile
) -> bool:
    """Take ten numbers of a BMS; only the state of charge is used."""
    if "PBMS" not in profile.rules:
        return False
    linked = words["state"] == "0"
    target.plant.settings.bms_soc = int(words["soc"]) if linked else None
    return True


_Action = Callable[[re.Match[str], SetterTarget, UnitProfile], bool]
_ACTIONS: tuple[tuple[re.Pattern[str], _Action], ...] = (
    *(
        (re.compile(f"(?P<name>{name})(?P<value>{row.digits})"), _write)
        for name, row in WRITES.items()
    ),
    (re.compile(r"(?P<name>MCHGC|MNCHGC|MUCHGC)(?P<value>\d+)"), _current),
    (re.compile(r"(?P<name>POP)(?P<value>\d\d)"), _output_priority),
    (re.compile(r"(?P<name>PCP)(?P<value>\d\d)"), _charger_priority),
    (re.compile(r"(?P<name>PPCP)(?P<unit>\d)(?P<value>\d\d)"), _charger_priority_of),
    (re.compile(r"(PE(?P<on>[a-z]+))?(PD(?P<off>[a-z]+))?"), _flags),
    (re.compile(r"PF"), _factory),
    (re.compile(r"DAT(?P<value>\d{12})"), _clock),
    (re.compile(r"RTEY"), _forget_energy),
    (re.compile(r"RTDL"), _forget_log),
    (
        re.compile(
            r"PBMS(?P<state>[01]) (?P<soc>\d{3}) \d \d \d \d{3} \d{3} \d{3} "
            r"\d{4} \d{4}"
        ),
        _battery_told,
    ),
)

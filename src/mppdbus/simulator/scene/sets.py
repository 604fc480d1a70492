"""Simulators of sets: parallel, three phases, two legs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mppdbus.errors import ConfigError
from mppdbus.simulator.line.simulator import Simulator, build_simulator, find_profile
from mppdbus.simulator.line.speed import Pace
from mppdbus.simulator.plant.clock import PlantClock
from mppdbus.simulator.plant.plant_set import PlantSet, SetPlant
from mppdbus.simulator.scene.arguments import number
from mppdbus.simulator.scene.control import COMMANDS, MAX_WATTS, SCENES, Scene
from mppdbus.simulator.unit.inverter import SimulatedInverter, battery_for, fit
from mppdbus.simulator.unit.profile import UnitProfile
from mppdbus.simulator.unit.profiles import PROFILES

MOST_UNITS = 9  # what QPIRI calls the largest set
USAGE = "3, or L1,L2,L3, or L1,L2 for two legs of 120/240 V"


@dataclass(frozen=True, slots=True)
class SimulatedSet:
    """The simulators of a set, and the scene that controls them all."""

    simulators: tuple[Simulator, ...]
    scene: SetScene

    @property
    def name(self) -> str:
        """The number of units, and their profile."""
        return f"{len(self.simulators)} × {self.simulators[0].name}"


def parse_set(text: str) -> tuple[str, ...]:
    """Return a label for each unit: parallel, L1 to L3, or S1 and S2 for two legs.

    Raises `ConfigError` for anything but a number, or a phase for each unit.
    """
    if text.isdecimal():
        labels = ("parallel",) * int(text)
    else:
        labels = tuple(word.strip().upper() for word in text.split(","))
        if set(labels) == {"L1", "L2"}:
            labels = tuple(label.replace("L", "S") for label in labels)
        elif set(labels) != {"L1", "L2", "L3"}:
            raise ConfigError(f"{text!r} is no set: write {USAGE}")
    if not 2 <= len(labels) <= MOST_UNITS:
        raise ConfigError(f"a set has 2 to {MOST_UNITS} units, not {len(labels)}")
    return labels


def simulate_set(
    profile: str | UnitProfile,
    labels: Sequence[str],
    *,
    pace: Pace | None = None,
    scene: str = "",
    seed: int = 0,
    speed: float = 1.0,
) -> SimulatedSet:
    """Build a set of `profile`, a unit for each label (see `parse_set`).

    Raises `ConfigError` for a profile that cannot, or a line that the scene refuses.
    """
    row = profile if isinstance(profile, UnitProfile) else find_profile(profile)
    _check(row, labels)
    members = [_member(row, label) for label in labels]
    plants = PlantSet(members)
    rows = [
        replace(row, serial=_serial(row.serial, number))
        for number in range(len(labels))
    ]
    units = [SimulatedInverter(m, r) for m, r in zip(members, rows, strict=True)]
    clock = PlantClock(speed)
    simulators = []
    for place, unit in enumerate(units):
        unit.units = units
        own = replace(pace) if pace else Pace()
        simulators.append(build_simulator(unit, clock, own, seed + place))
    whole = SetScene(plants, [simulator.scene for simulator in simulators], units)
    whole.apply_script(scene)
    return SimulatedSet(tuple(simulators), whole)


def _check(row: UnitProfile, labels: Sequence[str]) -> None:
    if "QPGS" not in row.queries:
        able = [name for name, other in PROFILES.items() if "QPGS" in other.queries]
        raise ConfigError(f"{row.name} works alone; for sets take {', '.join(able)}")
    for label in labels:
        if label not in row.output_modes:
            raise ConfigError(
                f"{row.name} cannot be {label.replace('S', 'L')} of two legs; "
                "take eg4-6500, or lv5048, which has both legs in each unit"
            )


def _member(row: UnitProfile, label: str) -> SetPlant:
    member = SetPlant(
        replace(row.settings, output_mode=row.output_modes[label]),
        battery=battery_for(row),
        rated_w=row.rated_w,
        rated_va=row.rated_va or row.rated_w,
        trackers=row.trackers,
        light_v=row.pv_v,
    )
    member.label = label
    fit(member, row)
    return member


def _serial(first: str, number: int) -> str:
    return f"{int(first) + number:0{len(first)}d}"


class SetScene:
    """The control language for a set: a line for all, or "unit N LINE" for one."""

    def __init__(
        self,
        plants: PlantSet,
        scenes: Sequence[Scene],
        units: Sequence[SimulatedInverter],
    ) -> None:
        self.plants = plants
        self.scenes = tuple(scenes)
        self._units = tuple(units)

    @property
    def quitting(self) -> bool:
        """Whether somebody said "quit"."""
        return any(scene.quitting for scene in self.scenes)

    def catch_up(self, now: float) -> None:
        """Let time pass for all up to `now`; they have one clock."""
        self.scenes[0].catch_up(now)

    def apply(self, line: str) -> str:
        """Obey one control line and return the answer; never raises."""
        name, *words = line.split() or [""]
        act = _OF_THE_SET.get(name)
        if act is None:
            return self._for_all(name, line)
        try:
            return f"ok {act(self, words)}".rstrip()
        except (ConfigError, ValueError, IndexError) as error:
            why = str(error) if isinstance(error, ConfigError) else "cannot be read"
            return f"error: {line.strip()}: {why}; usage: {_USAGE[name]}"

    def apply_script(self, script: str) -> None:
        """Obey lines parted by ";"; raise `ConfigError` with the first that fails."""
        for line in filter(str.strip, script.split(";")):
            answer = self.apply(line)
            if not answer.startswith("ok"):
                raise ConfigError(answer.removeprefix("error: "))

    def truth(self) -> dict[str, object]:
        """Return the true values of each unit, and of all together."""
        units = [
            {
                "number": number,
                "serial": unit.serial,
                "label": member.label,
                "on": member.powered,
            }
            | member.truth()
            for number, (unit, member) in enumerate(
                zip(self._units, self.plants.members, strict=True), 1
            )
        ]
        return {"total": self.plants.truth(), "units": units}

    def _for_all(self, name: str, line: str) -> str:
        if name in _ONCE:
            return self.scenes[0].apply(line)
        answers = [scene.apply(line) for scene in self.scenes]
        return next((a for a in answers if a.startswith("error")), answers[0])


def _unit(scene: SetScene, words: list[str]) -> str:
    place = int(words[0])
    if not 1 <= place <= len(scene.scenes):
        raise ConfigError(f"there are units 1 to {len(scene.scenes)}")
    rest = words[1:]
    if rest in (["on"], ["off"]):
        rest = ["power", *rest]
    if not rest or rest[0] in ("battery", "unit", "scene"):
        raise ConfigError("that is not for one unit")
    answer = scene.scenes[place - 1].apply(" ".join(rest))
    if answer.startswith("error: "):
        raise ConfigError(answer.removeprefix("error: "))
    return f"unit {place}: {answer.removeprefix('ok').strip()}"


def _load(scene: SetScene, words: list[str]) -> str:
    watts = number(words[0], 0, MAX_WATTS)
    va = number(words[1], 0, MAX_WATTS) if words[1:] else None
    count = len(scene.scenes)
    for member in scene.plants.members:
        member.load.watts = watts / count
        member.load.va = None if va is None else va / count
    scene.plants.settle()
    return f"load {watts:g} W"


def _battery(scene: SetScene, words: list[str]) -> str:
    if words == ["auto"]:
        scene.plants.pin = None
    else:
        volts, amps = words
        scene.plants.pin = number(volts, 0, 1000), number(amps, -1e4, 1e4)
    scene.plants.settle()
    scene.plants.settle()  # the modes follow the voltage that the first one found
    return f"battery {' '.join(words)}"


def _scene(scene: SetScene, words: list[str]) -> str:
    if words[0] not in SCENES:
        raise ConfigError(f"{words[0]} is none of {', '.join(SCENES)}")
    scene.apply_script(SCENES[words[0]])
    return f"scene {words[0]}"


def _truth(scene: SetScene, _words: list[str]) -> str:
    return json.dumps(scene.truth())


def _requests(scene: SetScene, words: list[str]) -> str:
    if words not in ([], ["clear"]):
        raise ConfigError(f"{words[0]} is not known")
    if words:
        for one in scene.scenes:
            one.requests.clear()
    return json.dumps(sum((one.requests for one in scene.scenes), Counter[str]()))


def _help(_scene: SetScene, _words: list[str]) -> str:
    lines = [_USAGE.get(name, row.usage) for name, row in COMMANDS.items()]
    return " | ".join((_USAGE["unit"], *lines))


_ONCE = ("soc", "speed", "pause", "resume", "step", "bugs", "quit")
_USAGE = {
    "unit": "unit N on|off, or unit N LINE",
    "load": "load WATTS [VA] of all together",
    "battery": "battery VOLTS AMPS, or battery auto (charging is positive)",
    "scene": f"scene {'|'.join(SCENES)}",
    "truth": "truth",
    "requests": "requests [clear]",
    "help": "help",
}
_OF_THE_SET = {
    "unit": _unit,
    "load": _load,
    "battery": _battery,
    "scene": _scene,
    "truth": _truth,
    "requests": _requests,
    "help": _help,
}

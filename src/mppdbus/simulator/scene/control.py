"""The scene: all that can be changed while a simulator runs, by control lines.

One line, one command, one answer: "ok …" or "error: …". Pure.
"""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from mppdbus.errors import ConfigError
from mppdbus.simulator.line.faults import FaultKind, Faults, arm
from mppdbus.simulator.line.speed import Pace
from mppdbus.simulator.plant.clock import PlantClock
from mppdbus.simulator.plant.physics import MODES, Plant
from mppdbus.simulator.scene.arguments import number, switch
from mppdbus.simulator.unit.bugs import BUGS
from mppdbus.simulator.unit.firmware import SimulatedFirmware
from mppdbus.simulator.unit.modbus import ModbusStation
from mppdbus.simulator.unit.profile import Habits
from mppdbus.simulator.unit.setters import obey

# The four flows that Victron's own programs were checked against.
SCENES = {
    "bat+pv": "grid off; pv 800; load 500; battery 52 6",
    "bat": "grid off; pv 0; load 500; battery 51 -10",
    "mains": "grid on; pv 0; load 500; battery 52 6",
    "mains+pv": "grid on; pv 800; load 500; battery 52 6",
}
MAX_WARNING_BIT = 39
MAX_WATTS = 1e6
MAX_STEP_S = 31 * 86400.0
MAX_SPEED = 1e4


@dataclass(slots=True)
class Scene:
    """A plant (None: a recording), its line, its clock and its firmware."""

    plant: Plant | None
    faults: Faults = field(default_factory=Faults)
    pace: Pace = field(default_factory=Pace)
    clock: PlantClock = field(default_factory=PlantClock)
    firmware: SimulatedFirmware | None = None
    modbus: ModbusStation | None = None  # a Modbus unit in place of it, silent to PI30
    quitting: bool = False
    requests: Counter[str] = field(default_factory=Counter)

    @property
    def physics(self) -> Plant:
        """The plant; raises `ConfigError` for a recording."""
        if self.plant is None:
            raise ConfigError("a recording has no physics to change")
        return self.plant

    @property
    def habits(self) -> Habits:
        """How the unit behaves on the line at present."""
        return Habits() if self.firmware is None else self.firmware.profile.habits

    @property
    def powered(self) -> bool:
        """Whether the unit answers at all."""
        return self.plant is None or self.plant.powered

    def catch_up(self, now: float) -> None:
        """Let time pass for the plant up to `now` (s of any steady clock)."""
        seconds = self.clock.passed(now)
        if self.plant is not None and seconds > 0:
            self.plant.step(seconds)

    def truth(self) -> dict[str, object]:
        """Return the true values now, in SI units."""
        return self.physics.truth()

    def apply(self, line: str) -> str:
        """Obey one control line and return the answer; never raises."""
        name, *words = line.split() or [""]
        command = COMMANDS.get(name)
        if command is None:
            return f"error: {name or 'an empty line'} is no command; try help"
        try:
            if not command.least <= len(words) <= command.most:
                raise ConfigError("too few or too many words")  # noqa: TRY301
            result = command.act(self, words)
        except (ConfigError, ValueError) as error:
            why = str(error) if isinstance(error, ConfigError) else "cannot be read"
            return f"error: {line.strip()}: {why}; usage: {command.usage}"
        return f"ok {result}".rstrip()

    def apply_script(self, script: str) -> None:
        """Obey lines parted by ";"; raise `ConfigError` with the first that fails."""
        for line in filter(str.strip, script.split(";")):
            answer = self.apply(line)
            if not answer.startswith("ok"):
                raise ConfigError(answer.removeprefix("error: "))


@dataclass(frozen=True, slots=True)
class ControlCommand:
    """One command of the language."""

    usage: str
    act: Callable[[Scene, list[str]], str]
    least: int = 1  # words that it needs
    most: int = 1  # words that it takes


def _grid(scene: Scene, words: list[str]) -> str:
    plant = scene.physics
    on = switch(words[0])
    volts = number(words[1], 0, 400) if words[1:] else plant.settings.output_v
    hertz = number(words[2], 0, 100) if words[2:] else plant.settings.output_hz
    plant.grid.on, plant.grid.volts, plant.grid.hz = on, volts, hertz
    plant.settle()
    return f"grid {words[0]}"


def _pv(scene: Scene, words: list[str]) -> str:
    plant = scene.physics
    curve = words[0] == "curve"
    trackers = len(plant.pv_w)
    watts = [number(word, 0, MAX_WATTS) for word in (words[1:] if curve else words)]
    if curve and not watts:
        watts = [plant.rated_w / trackers] * trackers
    if not watts or len(watts) > trackers:
        raise ConfigError(f"this unit has {trackers} tracker(s)")
    plant.sun.watts = watts + [0.0] * (trackers - len(watts))
    plant.sun.curve = curve
    plant.settle()
    return f"pv {' '.join(words)}"


def _day(scene: Scene, words: list[str]) -> str:
    if words[0] != "curve":
        raise ConfigError(f"{words[0]} is not known")
    return _pv(scene, words)


def _load(scene: Scene, words: list[str]) -> str:
    plant = scene.physics
    plant.load.watts = number(words[0], 0, MAX_WATTS)
    plant.load.va = number(words[1], 0, MAX_WATTS) if words[1:] else None
    plant.settle()
    return f"load {plant.load.watts:g} W"


def _battery(scene: Scene, words: list[str]) -> str:
    plant = scene.physics
    if words == ["auto"]:
        plant.pins.battery = None
    elif len(words) == 1:
        raise ConfigError("the amps are missing")
    else:
        plant.pins.battery = number(words[0], 0, 1000), number(words[1], -1e4, 1e4)
    plant.settle()
    plant.settle()  # the mode follows the voltage that the first one found
    return f"battery {' '.join(words)}"


def _soc(scene: Scene, words: list[str]) -> str:
    plant = scene.physics
    plant.battery.soc = number(words[0], 0, 100)
    plant.settle()
    return f"soc {plant.battery.soc:g} %"


def _time(scene: Scene, words: list[str]) -> str:
    plant = scene.physics
    hour, minute = (int(part) for part in words[0].split(":"))
    plant.clock = plant.clock.replace(hour=hour, minute=minute, second=0)
    plant.settle()
    return f"time {plant.clock:%H:%M}"


def _temperature(scene: Scene, words: list[str]) -> str:
    plant = scene.physics
    auto = words[0] == "auto"
    plant.pins.temperature_c = None if auto else number(words[0], 0, 999)
    plant.settle()
    return f"temperature {words[0]}"


def _losses(scene: Scene, words: list[str]) -> str:
    machine = scene.physics.machine
    efficiency = number(words[0], 0.01, 1)
    own = number(words[1], 0, 1e4) if words[1:] else machine.own_w
    scene.physics.machine = type(machine)(efficiency, own)
    scene.physics.settle()
    return f"efficiency {efficiency:g}, own consumption {own:g} W"


def _mode(scene: Scene, words: list[str]) -> str:
    if words[0] != "auto" and (words[0] not in MODES or len(words[0]) != 1):
        raise ConfigError(f"{words[0]} is none of {' '.join(MODES)}")
    plant = scene.physics
    plant.pins.mode = None if words[0] == "auto" else words[0]
    plant.settle()
    return f"mode {plant.mode}"


def _output(scene: Scene, words: list[str]) -> str:
    plant = scene.physics
    plant.output_on = switch(words[0])
    plant.settle()
    return f"output {words[0]}"


def _panel(scene: Scene, words: list[str]) -> str:
    """A setter, obeyed as if somebody had changed it with the unit's own buttons."""
    plant, firmware = scene.physics, scene.firmware
    if firmware is None or not obey(words[0], plant, firmware.profile):
        raise ConfigError("this unit refuses that")
    plant.written()
    return f"panel {words[0]}"


def _warn(scene: Scene, words: list[str]) -> str:
    plant = scene.physics
    bit = int(number(words[0], 0, MAX_WARNING_BIT))
    if words[1] == "auto":
        plant.forced_warnings.pop(bit, None)
    else:
        plant.forced_warnings[bit] = switch(words[1])
    return f"warn {bit} {words[1]}"


def _fault(scene: Scene, words: list[str]) -> str:
    """A number is the inverter's fault code, a word a fault of the line."""
    if words[0] == "off":
        scene.faults.clear()
        return "no fault on the line"
    if words[0].isdigit():
        plant = scene.physics
        plant.fault_code = int(number(words[0], 0, 99))
        plant.settle()
        return f"fault code {plant.fault_code:02d}"
    if words[0] not in list(FaultKind):
        raise ConfigError(f"{words[0]} is none of {' '.join(FaultKind)}")
    return arm(scene.faults, FaultKind(words[0]), words[1:])


def _power(scene: Scene, words: list[str]) -> str:
    plant = scene.physics
    plant.powered = switch(words[0])
    plant.settle()
    return f"power {words[0]}"


def _modbus(scene: Scene, words: list[str]) -> str:
    if words[0] == "off":
        scene.modbus = None
        return "modbus off: PI30 again"
    scene.modbus = ModbusStation(int(number(words[0], 1, 247)))
    return f"modbus: station {scene.modbus.number}, silent to PI30"


def _legs(scene: Scene, words: list[str]) -> str:
    plant = scene.physics
    if plant.load.first_leg == 1.0:
        raise ConfigError("this unit has a single leg")
    plant.load.first_leg = number(words[0], 0, 99) / 100
    return f"legs {words[0]} %"


def _bug(scene: Scene, words: list[str]) -> str:
    if scene.firmware is None:
        raise ConfigError("a recording has no firmware")
    scene.firmware.switch(words[0], on=switch(words[1]))
    scene.physics.settle()
    return f"bugs: {' '.join(scene.firmware.bugs) or 'none'}"


def _bugs(scene: Scene, _words: list[str]) -> str:
    on = scene.firmware.bugs if scene.firmware else ()
    return json.dumps({name: name in on for name in BUGS})


def _scene(scene: Scene, words: list[str]) -> str:
    if words[0] not in SCENES:
        raise ConfigError(f"{words[0]} is none of {', '.join(SCENES)}")
    scene.apply_script(SCENES[words[0]])
    return f"scene {words[0]}"


def _speed(scene: Scene, words: list[str]) -> str:
    scene.clock.speed = number(words[0], 0, MAX_SPEED)
    return f"speed {scene.clock.speed:g}"


def _pause(scene: Scene, _words: list[str]) -> str:
    scene.clock.paused = True
    return "paused"


def _resume(scene: Scene, _words: list[str]) -> str:
    scene.clock.resume()
    return "running"


def _step(scene: Scene, words: list[str]) -> str:
    plant = scene.physics
    plant.step(number(words[0], 0, MAX_STEP_S))
    return f"{plant.clock:%Y-%m-%dT%H:%M:%S}"


def _truth(scene: Scene, _words: list[str]) -> str:
    return json.dumps(scene.truth())


def _requests(scene: Scene, words: list[str]) -> str:
    if words:
        if words != ["clear"]:
            raise ConfigError(f"{words[0]} is not known")
        scene.requests.clear()
    return json.dumps(scene.requests)


def _think(scene: Scene, words: list[str]) -> str:
    scene.pace.think = number(words[0], 0, 3600)
    return f"{scene.pace}"


def _baud(scene: Scene, words: list[str]) -> str:
    scene.pace.paced = words[0] != "unpaced"
    if scene.pace.paced:
        scene.pace.baud = number(words[0], 1, 1e9)
    return f"{scene.pace}"


def _help(_scene: Scene, _words: list[str]) -> str:
    return " | ".join(command.usage for command in COMMANDS.values())


def _quit(scene: Scene, _words: list[str]) -> str:
    scene.quitting = True
    return "bye"


COMMANDS = {
    command.usage.split()[0]: command
    for command in (
        ControlCommand("grid on|off [VOLTS [HERTZ]]", _grid, most=3),
        ControlCommand("pv WATTS…, or pv curve [PEAK…], one a tracker", _pv, most=4),
        ControlCommand("day curve [PEAK…]", _day, most=4),
        ControlCommand("load WATTS [VA]", _load, most=2),
        ControlCommand(
            "battery VOLTS AMPS, or battery auto (charging is positive)",
            _battery,
            most=2,
        ),
        ControlCommand("soc PERCENT", _soc),
        ControlCommand("time HH:MM", _time),
        ControlCommand("temperature CELSIUS|auto", _temperature),
        ControlCommand("losses EFFICIENCY [OWN_WATTS]", _losses, most=2),
        ControlCommand(f"mode auto|{'|'.join(MODES)}", _mode),
        ControlCommand("output on|off", _output),
        ControlCommand(
            "panel SETTER (such as POP02, set with its own buttons)", _panel
        ),
        ControlCommand("warn BIT on|off|auto", _warn, least=2, most=2),
        ControlCommand(
            "fault CODE (0 clears it), or "
            "fault KIND [COUNT|PERCENT%|forever] [COMMAND] [SECONDSs], "
            f"or fault off, which clears the line (kinds: {' '.join(FaultKind)})",
            _fault,
            most=4,
        ),
        ControlCommand("power on|off", _power),
        ControlCommand(
            "modbus STATION|off (a unit that speaks Modbus RTU only)", _modbus
        ),
        ControlCommand("legs PERCENT (of the load on L1, split phase)", _legs),
        ControlCommand("bug NAME on|off", _bug, least=2, most=2),
        ControlCommand("bugs", _bugs, least=0, most=0),
        ControlCommand(f"scene {'|'.join(SCENES)}", _scene),
        ControlCommand("speed FACTOR", _speed),
        ControlCommand("pause", _pause, least=0, most=0),
        ControlCommand("resume", _resume, least=0, most=0),
        ControlCommand("step SECONDS", _step),
        ControlCommand("truth", _truth, least=0, most=0),
        ControlCommand("requests [clear]", _requests, least=0),
        ControlCommand("think SECONDS", _think),
        ControlCommand("baud BAUD|unpaced", _baud),
        ControlCommand("help", _help, least=0, most=0),
        ControlCommand("quit", _quit, least=0, most=0),
    )
}

"""config.toml as frozen pydantic models, with errors that say what to do.

Reading looks at the disk (the file, and ports that are links), so it blocks: do it
before the event loop runs. Messages count from one: ``inverter[1]`` is the first.
"""

import re
from collections.abc import Iterator
from itertools import count
from os.path import realpath
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, get_args

import tomli
from pydantic import (
    AfterValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationError,
    ValidationInfo,
)
from pydantic_core import ErrorDetails

from mppdbus.config.batteries import assign
from mppdbus.config.control import Control, ControlConfig
from mppdbus.config.messages import (
    any_of,
    bad_syntax,
    bad_value,
    place,
    show,
    unknown_key,
)
from mppdbus.config.rules import RuleConfig, clashes
from mppdbus.config.table import ConfigTable
from mppdbus.errors import ConfigError
from mppdbus.protocol.dialects import DIALECTS
from mppdbus.transport.port_url import FORMS, PortUrl, parse_port

Level: TypeAlias = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
Profile: TypeAlias = Literal["hybrid", "inverter"]
AcInput: TypeAlias = Literal["grid", "generator", "shore", "none", "setting"]
Soc: TypeAlias = Literal["estimate", "inverter", "none"]
Battery: TypeAlias = Literal[
    "auto", "lead-agm", "lead-gel", "lead-flooded", "lithium-lfp", "lithium-nmc"
]

DIALECT_NAMES = ("auto", *DIALECTS)
BAUDS = (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)
FIRST_INSTANCE = 288
BARE_BUS_NAME = "com.victronenergy.inverter"
BUS_NAME = re.compile(re.escape(BARE_BUS_NAME) + r"(\.[A-Za-z_-][A-Za-z0-9_-]*)*")
BANK = r"^[A-Za-z0-9_]{0,32}$"
NAME = re.compile(r"[^\W_]([\w .-]{0,30}[\w.-])?")  # letters of any language

_BATTERY_NAME = r"^(com\.victronenergy\.battery(\.[A-Za-z0-9_-]+)+)?$"
_BUS = r"^(system|session|(unix:(path|abstract)=|tcp:host=)[!-~]+)$"
_PATIENCE = "0.2 to 10 seconds, or 0 for automatic"
_CAPACITY = "1 to 100000 Ah of the whole bank, or 0 if you do not know"
_NAME = "1 to 32 letters, digits, space _ . -, a letter or digit first"
_BANK_NAME = '1 to 32 of A-Z a-z 0-9 _, or "" for the only battery'
_MONITOR = 'the name of the service, "com.victronenergy.battery.…", or ""'
_NO_INVERTER = 'nothing to drive; write "[[inverter]]" and below it "port = …"'


# The messages of these validators are complete: what is wrong, and what to do.


def _read_port(value: object) -> PortUrl:
    if isinstance(value, PortUrl):
        return value
    if not isinstance(value, str):
        raise ValueError(f"{show(value)} is no port; use {FORMS}")  # noqa: TRY004
    return parse_port(value)


def _known_dialect(value: object) -> str:
    if value not in DIALECT_NAMES:
        raise ValueError(f"{show(value)} is not allowed; use {any_of(DIALECT_NAMES)}")
    return str(value)


def _known_baud(value: int, info: ValidationInfo) -> int:
    port = info.data.get("port")
    if value not in BAUDS:
        raise ValueError(f"{show(value)} is no speed of a port; use {any_of(BAUDS)}")
    if value != 2400 and isinstance(port, PortUrl) and port.scheme != "serial":
        raise ValueError(f"{port} has no speed to set; remove this line")
    return value


def _patience(value: float) -> float:
    if 0 < value < 0.2:
        raise ValueError(f"{value} is less than 0.2; use {_PATIENCE}")
    return value


def _name_on_bus(value: str, info: ValidationInfo) -> str:
    if not value:
        return value
    if len(value) > 255 or not BUS_NAME.fullmatch(value):
        what = f"{show(value)} is no name for an inverter on D-Bus"
        raise ValueError(f'{what}; use "{BARE_BUS_NAME}", bare or with ".suffix"')
    if info.data.get("profile") == "hybrid":
        advice = 'remove this line, or write profile = "inverter"'
        raise ValueError(f"a hybrid inverter has names of its own; {advice}")
    return value


def _name(value: str) -> str:
    if not NAME.fullmatch(value):  # the patterns of pydantic know other letters
        raise ValueError(f"{show(value)} is not allowed; use {_NAME}")
    return value


def _at_least_one(units: tuple[object, ...]) -> tuple[object, ...]:
    if not units:
        raise ValueError(_NO_INVERTER)
    return units


class DbusConfig(ConfigTable):
    """[dbus]"""

    bus: str = Field(
        "system",
        pattern=_BUS,
        description='"system", "session" or an address: "unix:path=/run/dbus/…"',
    )


class LogConfig(ConfigTable):
    """[log]"""

    level: Level = Field("INFO", description=any_of(get_args(Level)))


def _amp_hours(value: float) -> float:
    if 0 < value < 1:
        raise ValueError(f"{value} is less than 1; use {_CAPACITY}")
    return value


class BatteryConfig(ConfigTable):
    """[battery], the one that all inverters share; or [[battery]], each with a name"""

    name: str = Field("", pattern=BANK, description=_BANK_NAME)
    soc: Soc = Field("estimate", description=any_of(get_args(Soc)))
    chemistry: Battery = Field("auto", description=any_of(get_args(Battery)))
    capacity_ah: Annotated[float, AfterValidator(_amp_hours)] = Field(
        0.0, ge=0, le=100_000, description=_CAPACITY
    )
    cells: int = Field(
        0, ge=0, le=400, description="the cells in series, or 0 for automatic"
    )
    monitor: str = Field("", pattern=_BATTERY_NAME, description=_MONITOR)


class InverterConfig(ConfigTable):
    """[[inverter]]; `port` and `profile` stand before what depends on them."""

    name: Annotated[str, AfterValidator(_name)] = Field("inverter", description=_NAME)
    port: Annotated[
        PortUrl, PlainValidator(_read_port), PlainSerializer(PortUrl.__str__)
    ] = Field(description=FORMS)
    baud: Annotated[int, AfterValidator(_known_baud)] = Field(
        2400, description=any_of(BAUDS)
    )
    serial: str = Field(
        "",
        pattern=r"^[!-~]{0,32}$",
        description='the serial number in quotes, or "" for whatever answers',
    )
    profile: Profile = Field("hybrid", description=any_of(get_args(Profile)))
    bus_name: Annotated[str, AfterValidator(_name_on_bus)] = Field(
        "", description=f'"" for automatic, or "{BARE_BUS_NAME}"'
    )
    dialect: Annotated[str, PlainValidator(_known_dialect)] = "auto"
    poll: Annotated[float, Field(ge=0.5, le=60)] | Literal["fast"] = Field(
        2.0, description='0.5 to 60 seconds, or "fast"'
    )
    timeout: Annotated[float, AfterValidator(_patience)] = Field(
        0.0, ge=0, le=10, description=_PATIENCE
    )
    instance: int = Field(FIRST_INSTANCE, ge=0, le=65535, description="0 to 65535")
    phase: Annotated[int, Field(ge=1, le=3)] | Literal["auto"] = Field(
        "auto", description='1, 2, 3 or "auto"'
    )
    battery: str = Field("", pattern=BANK, description=_BANK_NAME)
    ac_input: AcInput = Field("grid", description=any_of(get_args(AcInput)))
    others: bool | Literal["auto"] = Field("auto", description='true, false or "auto"')
    control: Control | Literal[""] = Field(
        "", description=f'"" for the level of [control], or {any_of(get_args(Control))}'
    )


class Config(ConfigTable):
    """All of config.toml. `parse` also checks that no two inverters conflict."""

    dbus: DbusConfig = Field(DbusConfig(), description="[dbus]")
    log: LogConfig = Field(LogConfig(), description="[log]")
    battery: Annotated[tuple[BatteryConfig, ...], Field(strict=False)] = Field(
        (BatteryConfig(),), description="[battery]"
    )
    control: ControlConfig = Field(ControlConfig(), description="[control]")
    rule: Annotated[tuple[RuleConfig, ...], Field(strict=False)] = Field(
        (), description="[[rule]], with double brackets"
    )
    inverter: Annotated[
        tuple[InverterConfig, ...], Field(strict=False), AfterValidator(_at_least_one)
    ] = Field(description="[[inverter]], with double brackets")

    def bank(self, name: str) -> BatteryConfig:
        """Return the settings of a battery: its own table, else the nameless one."""
        tables = {table.name: table for table in self.battery}
        return tables.get(name) or tables.get("") or BatteryConfig()


_TABLES: dict[str, type[ConfigTable]] = {
    "dbus": DbusConfig, "log": LogConfig, "battery": BatteryConfig,
    "control": ControlConfig, "inverter": InverterConfig, "rule": RuleConfig,
}  # fmt: skip


def load(path: Path) -> Config:
    """Read the file; ConfigError names every problem, one a line."""
    try:
        if path.exists() and not path.is_file():
            raise ConfigError(f"{path}: not a file; name a config.toml")
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        advice = "copy config.example.toml there and set the port"
        raise ConfigError(f"{path}: no such file; {advice}") from error
    except UnicodeDecodeError as error:
        where = f"byte {error.start + 1} is not UTF-8"
        raise ConfigError(f"{path}: {where}; save the file as UTF-8 text") from error
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
        raise ConfigError(f"{path}: {what}; see who may read it") from error
    return parse(text, str(path))


def parse(text: str, source: str) -> Config:
    """Read TOML text; ConfigError names every problem, one a line, after `source`."""
    try:
        document = tomli.loads(text)
    except (ValueError, RecursionError) as error:  # a huge number is a ValueError too
        raise ConfigError(f"{source}: {bad_syntax(str(error), text)}") from error
    tables = document.get("inverter")
    if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
        tables = []
    _number(tables)
    batteries = document.get("battery", {})
    one = not isinstance(batteries, list)
    document["battery"] = [batteries] if one else batteries
    problems = list(_clashes(tables))
    if all(isinstance(table, dict) for table in document["battery"]):
        problems += assign(tables, document["battery"])
    rules = document.get("rule")
    if isinstance(rules, list) and all(isinstance(rule, dict) for rule in rules):
        problems += clashes(rules, tables)
    try:
        config = Config.model_validate(document)
    except ValidationError as error:
        problems = [*_in_words(error, one_battery=one), *problems]
    if problems:
        raise ConfigError("\n".join(f"{source}: {problem}" for problem in problems))
    return config


def _number(tables: list[dict[str, Any]]) -> None:
    """Give each inverter the defaults that depend on its position."""
    instances = [table.get("instance") for table in tables]
    taken = {instance for instance in instances if type(instance) is int}
    for position, table in enumerate(tables):
        table.setdefault("name", f"inverter {position + 1}" if position else "inverter")
        if "instance" not in table:
            free = (n for n in count(FIRST_INSTANCE + position) if n not in taken)
            table["instance"] = next(free)
            taken.add(table["instance"])


def _clashes(tables: list[dict[str, Any]]) -> Iterator[str]:
    """Find values that must be unique but are shared; ignores invalid values."""
    for field in ("name", "port", "serial", "bus_name", "instance"):
        seen: dict[object, int] = {}
        for position, table in enumerate(tables):
            identity = _identity(field, table)
            first = seen.setdefault(identity, position)
            if identity is None or first == position:
                continue
            ours, theirs = show(table[field]), show(tables[first][field])
            also = "" if ours == theirs else f", there written {theirs}"
            yield (
                f"{place(('inverter', position, field))}: {ours} is the {field} of "
                f"{place(('inverter', first))} too{also}; give each its own"
            )


def _identity(field: str, table: dict[str, Any]) -> object:
    """Return the values that must be unique; None if unset or invalid."""
    value = table.get(field)
    if field == "instance":
        usable = type(value) is int
        return (str(table.get("profile", "hybrid")), value) if usable else None
    if not isinstance(value, str) or not value:
        return None
    if field != "port":
        return value
    try:
        port = parse_port(value)
    except ValueError:
        return None
    return realpath(port.path) if port.path else port.label


def _in_words(error: ValidationError, *, one_battery: bool) -> Iterator[str]:
    seen = set()
    for problem in error.errors(include_url=False):
        loc = problem["loc"]
        if one_battery and loc[0] == "battery":
            loc = (loc[0], *loc[2:])  # [battery], without a number
        listed = len(loc) > 1 and isinstance(loc[1], int)
        loc = loc[: 3 if listed else 2]  # cuts off the arms of a union
        if loc not in seen:
            seen.add(loc)
            yield _one_in_words(loc, problem)


def _one_in_words(loc: tuple[int | str, ...], problem: ErrorDetails) -> str:
    kind, key = problem["type"], str(loc[-1])
    table = _TABLES[str(loc[0])] if len(loc) > 1 else Config
    if kind == "extra_forbidden":
        inside = f"{place(loc[:-1])}: " if len(loc) > 1 else ""
        return inside + unknown_key(key, table.model_fields)
    if kind == "missing":
        what = _NO_INVERTER
        if len(loc) > 1:
            what = f"is missing; use {table.model_fields[key].description}"
        return f"{place(loc)}: {what}"
    text = bad_value(kind, problem["input"], problem.get("ctx", {}))
    if kind != "value_error":
        field = (Config if kind == "model_type" else table).model_fields
        key = str(loc[0]) if kind == "model_type" else key
        text = f"{text}; use {field[key].description}"
    return f"{place(loc)}: {text}"


def describe(config: Config) -> list[str]:
    """Say in words what would run, defaults included."""
    bus = config.dbus.bus
    lines = [
        f"D-Bus: {bus if ':' in bus else f'the {bus} bus'}",
        f"log: {config.log.level}",
        f"control: {_describe_control(config.control)}",
        *(f"rule: {rule.called}" for rule in config.rule),
    ]
    for name in dict.fromkeys(unit.battery for unit in config.inverter):
        called = f'battery "{name}"' if name else "battery"
        lines.append(f"{called}: {_describe_battery(config.bank(name))}")
    for unit in config.inverter:
        lines.append(f'inverter "{unit.name}"')
        lines += (f"  {key + ':':9}{value}" for key, value in _describe(unit))
    return lines


def _describe(unit: InverterConfig) -> Iterator[tuple[str, str]]:
    speed = f", {unit.baud} baud" if unit.port.scheme == "serial" else ""
    yield "port", f"{unit.port}{speed}"
    yield "serial", unit.serial or "whatever answers"
    yield "dialect", "found by asking" if unit.dialect == "auto" else unit.dialect
    kind = "multi" if unit.profile == "hybrid" else "inverter"
    name = unit.bus_name or f"com.victronenergy.{kind}.…"
    yield "profile", f"{unit.profile}, as {name}, instance {unit.instance}"
    yield "poll", "without pause" if unit.poll == "fast" else f"every {unit.poll:g} s"
    yield "timeout", f"{unit.timeout:g} s" if unit.timeout else "automatic"
    phase = "found by asking" if unit.phase == "auto" else f"L{unit.phase}"
    ac_input = "as set in the GX" if unit.ac_input == "setting" else unit.ac_input
    yield "AC", f"phase: {phase}, input: {ac_input}"
    if unit.battery:
        yield "battery", unit.battery
    if unit.control:
        yield "control", unit.control
    told = {True: "shown too", False: "not shown", "auto": "shown if it is alone here"}
    yield "others", f"those of its set {told[unit.others]}"


def _describe_control(control: ControlConfig) -> str:
    if not control.follow:
        return control.level
    return f"{control.level}, follows DVCC up to {control.most_charging_current:g} A"


def _describe_battery(battery: BatteryConfig) -> str:
    match battery.soc:
        case "inverter":
            return "the inverter's own percent"
        case "none":
            return "no state of charge"
    kind = "found by asking" if battery.chemistry == "auto" else battery.chemistry
    amp_hours = f"{battery.capacity_ah:g} Ah" if battery.capacity_ah else "guessed"
    cells = battery.cells or "by the voltages"
    known = f"chemistry: {kind}, capacity: {amp_hours}, cells: {cells}"
    return f"state of charge estimated; {known}"

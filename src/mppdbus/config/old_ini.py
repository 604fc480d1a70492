"""Converts the config.ini of dbus-mppsolar to config.toml, with remarks.

Its keys: [MPPSOLAR] PORT, BAUD_RATE, PROTOCOL, TIMEOUT (seconds), POLL_INTERVAL
(milliseconds), DEBUG; [DBUS] SERVICE_NAME, DEVICE_INSTANCE; [VENUS] PRODUCT_NAME.
"""

import re
from collections.abc import Callable, Iterator
from configparser import ConfigParser, MissingSectionHeaderError, ParsingError
from dataclasses import dataclass
from math import isfinite
from textwrap import wrap

from mppdbus.config.messages import any_of, plain, show
from mppdbus.config.models import BARE_BUS_NAME, BAUDS, BUS_NAME, NAME, InverterConfig
from mppdbus.config.toml_writer import toml_value
from mppdbus.errors import ConfigError
from mppdbus.transport.port_url import parse_port


@dataclass(frozen=True, slots=True)
class _Option:
    """A line of the new file, with a remark above it; value None: only the remark."""

    key: str
    value: str | float | None
    remark: str


_Key = tuple[str, str]  # section and key, in capitals
_Rule = Callable[[str], Iterator[_Option]]

_DIALECTS = {"PI30MAX": "pi30max", "PI30REVO": "revo", "PI41": "pi41"}
_HYBRID = (
    'For a hybrid inverter profile = "hybrid" is better: Venus OS then shows its AC '
    "input too, under another name on D-Bus. To change, remove the next two lines."
)
_NOT_SERIAL = "[MPPSOLAR] BAUD_RATE is left out: only a serial port has a speed."
_DROPPED = {
    "DEBUG": "off is the default",
    "DEBUG_ENABLED": "off is the default",
    "PRODUCT_NAME": "it is too long for a name, or has letters that one may not have",
    "PRODUCT_ID": "mppdbus has a product id of its own; 0xA381 is that of a BMV-712",
    "DEVICE_TYPE": "nothing on Venus OS reads it",
    "SOLAR_SERVICE_NAME": "solar power is part of the inverter's own service",
    "BATTERY_SERVICE_NAME": "the battery is part of the inverter's own service",
}


def convert(text: str, source: str) -> str:
    """Turn the ini text into TOML text that `config.parse` accepts.

    Raises ConfigError with every problem, one a line, after `source`.
    """
    options: dict[str, _Option] = {}
    dropped: list[str] = []
    problems: list[str] = []
    for (section, key), value in _read(text, source).items():
        rule = _RULES.get((section, key))
        try:
            new = list(rule(value)) if rule else []
        except ValueError as error:
            problems.append(f"{source}: [{section}] {key}: {error}")
            continue
        options |= {option.key: option for option in new}
        if not new:
            why = _DROPPED.get(key, "mppdbus has no such option")
            dropped.append(f"{plain(f'[{section}] {key} = {value}', 100)}: {why}")
    if problems:
        raise ConfigError("\n".join(problems))
    _complete(options)
    return "\n".join(_write(options, dropped, source))


def _read(text: str, source: str) -> dict[_Key, str]:
    """Return all values, without quotes; the last one of a repeated key."""
    # Indented lines would be taken for the rest of the value before.
    lines = [line.strip() for line in text.removeprefix("\ufeff").splitlines()]
    parser = ConfigParser(
        strict=False, interpolation=None, inline_comment_prefixes=("#", ";"),
        default_section="",  # [DEFAULT] is a section like any other
    )  # fmt: skip
    parser.optionxform = str.upper  # type: ignore[assignment, method-assign]
    bad_lines: list[int] = []
    try:
        parser.read_file(lines)
    except MissingSectionHeaderError as error:
        bad_lines = [error.lineno]
    except ParsingError as error:
        bad_lines = [number for number, _ in error.errors]
    names = {section: section.strip().upper() for section in parser.sections()}
    if "MPPSOLAR" not in names.values():
        what = "no section [MPPSOLAR], so not the config.ini of dbus-mppsolar"
        raise ConfigError(f"{source}: {what}; name that file")
    if bad_lines:
        shown = ((number, show(lines[number - 1])) for number in bad_lines)
        problems = (f"line {n}: {line} is no option" for n, line in shown)
        advice = "write KEY = value"
        raise ConfigError("\n".join(f"{source}: {p}; {advice}" for p in problems))
    return {
        (name, key): re.sub(r"""^(["'])(.*)\1$""", r"\2", value)
        for section, name in names.items()
        for key, value in parser.items(section)
    }


def _port(value: str) -> Iterator[_Option]:
    parse_port(value)
    yield _Option("port", value.strip(), "[MPPSOLAR] PORT")


def _baud(value: str) -> Iterator[_Option]:
    if value not in map(str, BAUDS):
        raise ValueError(f"{show(value)} is no speed of a port; use {any_of(BAUDS)}")
    yield _Option("baud", int(value), "[MPPSOLAR] BAUD_RATE")


def _protocol(value: str) -> Iterator[_Option]:
    name, remark = value.upper(), f"[MPPSOLAR] PROTOCOL = {plain(value.upper())}"
    if dialect := _DIALECTS.get(name):
        yield _Option("dialect", dialect, remark)
    elif name.startswith("PI30"):
        remark += ". The inverter is asked for its family."
        yield _Option("dialect", "auto", remark)
    else:
        what = f"{show(value)} is another protocol, and this daemon speaks PI30 only"
        raise ValueError(f"{what}; if the inverter speaks PI30, write PI30")


def _timeout(value: str) -> Iterator[_Option]:
    seconds, change = _fitted(_number(value, "seconds"), 0.2, 10)
    advice = "Better remove it: then mppdbus waits as long as suits the port."
    yield _Option("timeout", seconds, f"[MPPSOLAR] TIMEOUT{change}. {advice}")


def _poll(value: str) -> Iterator[_Option]:
    seconds, change = _fitted(_number(value, "milliseconds") / 1000, 0.5, 60)
    yield _Option("poll", seconds, f"[MPPSOLAR] POLL_INTERVAL, in seconds{change}")


def _number(value: str, unit: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not isfinite(number):
        raise ValueError(f"{show(value)} is no number; use a number of {unit}")
    return number


def _fitted(wanted: float, least: float, most: float) -> tuple[float, str]:
    """Return the nearest allowed value, and the remark on a change."""
    value = min(max(wanted, least), most)
    return value, (
        "" if value == wanted else f", {value:g} because {wanted:g} is not allowed"
    )


def _debug(value: str) -> Iterator[_Option]:
    wanted = ConfigParser.BOOLEAN_STATES.get(value.lower())
    if wanted is None:
        raise ValueError(f"{show(value)} is not yes or no; use True or False")
    if wanted:
        yield _Option("level", "DEBUG", "DEBUG")


def _service_name(value: str) -> Iterator[_Option]:
    if re.match(r"com\.victronenergy\.multi(\.|$)", value):
        remark = "[DBUS] SERVICE_NAME = com.victronenergy.multi, now with a suffix"
        yield _Option("profile", "hybrid", remark)
        return
    usable = BUS_NAME.fullmatch(value) and len(value) <= 255
    remark = "[DBUS] SERVICE_NAME"
    if not usable:
        remark += f" = {show(value)} is no name for an inverter"
    yield _Option("profile", "inverter", f"{remark}. {_HYBRID}")
    yield _Option("bus_name", value if usable else BARE_BUS_NAME, "")


def _instance(value: str) -> Iterator[_Option]:
    if not re.fullmatch(r"[0-9]{1,5}", value) or int(value) > 65535:
        raise ValueError(f"{show(value)} is no device instance; use 0 to 65535")
    yield _Option("instance", int(value), "[DBUS] DEVICE_INSTANCE")


def _product_name(value: str) -> Iterator[_Option]:
    if NAME.fullmatch(value):
        yield _Option("name", value, "[VENUS] PRODUCT_NAME")


def _complete(options: dict[str, _Option]) -> None:
    """Add the defaults of dbus-mppsolar, and drop invalid values."""
    port = _Option("port", "/dev/ttyUSB0", "The port that dbus-mppsolar took by itself")
    port = options.setdefault("port", port)
    if "baud" in options and parse_port(str(port.value)).scheme != "serial":
        options["baud"] = _Option("baud", None, _NOT_SERIAL)
    if "profile" not in options:
        remark = f"The name that dbus-mppsolar documents. {_HYBRID}"
        options["profile"] = _Option("profile", "inverter", remark)
        options["bus_name"] = _Option("bus_name", BARE_BUS_NAME, "")


def _write(
    options: dict[str, _Option], dropped: list[str], source: str
) -> Iterator[str]:
    yield f"# Converted from {plain(source)} of dbus-mppsolar."
    yield ""
    if level := options.pop("level", None):
        yield from ("[log]", *_lines(level), "")
    yield "[[inverter]]"
    for key in InverterConfig.model_fields:
        if option := options.get(key):
            yield from _lines(option)
    if dropped:
        yield from ("", "# Not taken over:", *(f"#   {line}" for line in dropped))
    yield ""


def _lines(option: _Option) -> Iterator[str]:
    yield from wrap(option.remark, 86, initial_indent="# ", subsequent_indent="# ")
    if option.value is not None:
        yield f"{option.key} = {toml_value(option.value)}"


_RULES: dict[tuple[str, str], _Rule] = {
    ("MPPSOLAR", "PORT"): _port,
    ("MPPSOLAR", "BAUD_RATE"): _baud,
    ("MPPSOLAR", "PROTOCOL"): _protocol,
    ("MPPSOLAR", "TIMEOUT"): _timeout,
    ("MPPSOLAR", "POLL_INTERVAL"): _poll,
    ("MPPSOLAR", "DEBUG"): _debug,
    ("DBUS", "DEBUG_ENABLED"): _debug,
    ("DBUS", "SERVICE_NAME"): _service_name,
    ("DBUS", "DEVICE_INSTANCE"): _instance,
    ("VENUS", "PRODUCT_NAME"): _product_name,
}

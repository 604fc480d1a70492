import re
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path
from subprocess import run

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from helpers.places import ROOT
from mppdbus.config.control import ControlConfig
from mppdbus.config.messages import closest, show
from mppdbus.config.models import (
    BAUDS,
    DIALECT_NAMES,
    BatteryConfig,
    Config,
    DbusConfig,
    InverterConfig,
    LogConfig,
    describe,
    load,
    parse,
)
from mppdbus.config.rules import RuleConfig
from mppdbus.daemon.sections import banks_of
from mppdbus.errors import ConfigError
from mppdbus.model.battery.bank import BankSettings
from mppdbus.transport.port_url import PortUrl

EXAMPLE = ROOT / "config.example.toml"
ONE = '[[inverter]]\nport = "/dev/ttyUSB0"\n'
TWO = f'{ONE}[[inverter]]\nport = "/dev/ttyUSB1"\n'


def test_a_port_is_all_it_takes() -> None:
    unit = parse(ONE, "config.toml").inverter[0]
    assert unit == InverterConfig(port=PortUrl("serial", "/dev/ttyUSB0"))
    assert (unit.profile, unit.poll, unit.dialect) == ("hybrid", 2.0, "auto")


def test_every_option_is_read() -> None:
    unit = {
        "name": "Garage 1", "port": "/dev/ttyS1", "baud": 9600, "serial": "96332309",
        "profile": "inverter", "bus_name": "com.victronenergy.inverter",
        "dialect": "pi30max", "poll": "fast", "timeout": 0.2, "instance": 0,
        "phase": 3, "battery": "house", "ac_input": "shore", "others": False,
        "control": "safe",
    }  # fmt: skip
    lines = [f"{key} = {show(value)}" for key, value in unit.items()]
    battery = {
        "name": "house", "soc": "inverter", "chemistry": "lead-agm",
        "capacity_ah": 200.0, "cells": 24,
            "monitor": "com.victronenergy.battery.ttyUSB3",
    }  # fmt: skip
    bank = "\n".join(f"{key} = {show(value)}" for key, value in battery.items())
    text = (
        '[dbus]\nbus = "session"\n[log]\nlevel = "DEBUG"\n'
        f'[control]\nlevel = "full"\nclock = true\nmode = true\n'
        f"[battery]\n{bank}\n[[inverter]]\n"
    )
    config = parse(text + "\n".join(lines), "config.toml")
    assert config.model_dump(mode="json") == {
        "dbus": {"bus": "session"},
        "log": {"level": "DEBUG"},
        "battery": [battery],
        "control": {
            **ControlConfig().model_dump(),
            "level": "full",
            "clock": True,
            "mode": True,
        },
        "rule": [],
        "inverter": [unit | {"port": "serial:/dev/ttyS1"}],
    }
    assert Config.model_validate(config.model_dump()) == config


TWO_BANKS = """
[[battery]]
name = "house"
capacity_ah = 200.0
[[battery]]
name = "barn"
chemistry = "lead-agm"
[[inverter]]
port = "/dev/ttyUSB0"
battery = "barn"
[[inverter]]
port = "/dev/ttyUSB1"
battery = "house"
[[inverter]]
port = "/dev/ttyUSB2"
battery = "barn"
"""


def test_each_battery_has_its_own_settings() -> None:
    barn, house = banks_of(parse(TWO_BANKS, "")).items()
    assert barn == ("barn", BankSettings(chemistry="lead-agm", units=2))
    assert house == ("house", BankSettings(capacity_ah=200.0, units=1))


def test_a_battery_without_a_table_has_the_settings_of_the_nameless_one() -> None:
    lines = f'[battery]\ncells = 16\n{ONE}battery = "a"\n{ONE}battery = "b"\n'
    config = parse(lines.replace("USB0", "USB1", 1), "")
    assert banks_of(config) == dict.fromkeys("ab", BankSettings(cells=16))


def test_the_only_battery_may_have_a_name() -> None:
    config = parse(f'[[battery]]\nname = "house"\ncells = 16\n{TWO}', "")
    assert banks_of(config) == {"house": BankSettings(cells=16, units=2)}


@pytest.mark.parametrize("baud", BAUDS)
def test_every_speed(baud: int) -> None:
    assert parse(f"{ONE}baud = {baud}", "").inverter[0].baud == baud


@pytest.mark.parametrize("dialect", DIALECT_NAMES)
def test_every_dialect(dialect: str) -> None:
    assert parse(f'{ONE}dialect = "{dialect}"', "").inverter[0].dialect == dialect


@pytest.mark.parametrize(
    "bus", ["system", "session", "unix:path=/run/x", "unix:abstract=a", "tcp:host=h"]
)
def test_every_kind_of_bus(bus: str) -> None:
    assert parse(f'[dbus]\nbus = "{bus}"\n{ONE}', "").dbus.bus == bus


@pytest.mark.parametrize("poll", [0.5, 2, 60])
def test_the_limits_of_poll_are_allowed(poll: float) -> None:
    assert parse(f"{ONE}poll = {poll}", "").inverter[0].poll == poll


def test_what_two_inverters_may_share() -> None:
    """An instance in another class, no serial number, a gateway with two sockets."""
    config = parse(
        '[[inverter]]\nport = "tcp://gw:1"\ninstance = 5\n'
        '[[inverter]]\nport = "tcp://gw:2"\ninstance = 5\nprofile = "inverter"\n',
        "config.toml",
    )
    assert [unit.instance for unit in config.inverter] == [5, 5]


def test_defaults_follow_the_position() -> None:
    units = parse(TWO, "config.toml").inverter
    assert [unit.name for unit in units] == ["inverter", "inverter 2"]
    assert [unit.instance for unit in units] == [288, 289]


def test_a_default_instance_steps_aside() -> None:
    text = TWO.replace('USB0"', 'USB0"\ninstance = 289')
    assert [unit.instance for unit in parse(text, "").inverter] == [289, 290]


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(parse(ONE, "config.toml").inverter[0], "poll", 5)  # noqa: B010


def test_load_reads_a_file_of_any_editor(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xef\xbb\xbf" + ONE.replace("\n", "\r\n").encode())
    assert load(path) == parse(ONE, "config.toml")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"[[inverter]]\nname = '\xff'",
            "byte 22 is not UTF-8; save the file as UTF-8",
        ),
        (ONE.encode("utf-16"), "byte 1 is not UTF-8"),
        (b"poll = ", "line 1, at its end: Invalid value"),
    ],
)
def test_load_of_a_bad_file(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=re.escape(f"{path}: {message}")):
        load(path)


def test_load_without_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"config\.toml: no such file; copy config"):
        load(tmp_path / "config.toml")
    with pytest.raises(ConfigError, match=r"not a file; name a config\.toml"):
        load(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be read: Not a directory"):
        load(tmp_path / "file" / "config.toml")


def test_the_example_is_valid_and_all_default() -> None:
    config = load(EXAMPLE)
    assert config == parse(ONE, "config.toml")


def test_the_example_shows_every_option_with_its_default() -> None:
    text = EXAMPLE.read_text("utf-8")
    shown = re.sub(r"(?m)^#(?=\w+ = )", "", text)
    shown, mark, rule = shown.partition("#[[rule]]")
    assert parse(shown, "config.example.toml") == load(EXAMPLE)
    document = tomllib.loads(shown)
    assert document.keys() | {"rule"} == Config.model_fields.keys()
    parse(shown + mark[1:] + rule, "config.example.toml")
    assert tomllib.loads(rule).keys() == RuleConfig.model_fields.keys()
    assert document["dbus"].keys() == DbusConfig.model_fields.keys()
    assert document["log"].keys() == LogConfig.model_fields.keys()
    assert document["battery"].keys() == BatteryConfig.model_fields.keys()
    assert document["inverter"][0].keys() == InverterConfig.model_fields.keys()


def test_describe_tells_what_would_run() -> None:
    assert describe(parse(ONE, "config.toml")) == [
        "D-Bus: the system bus",
        "log: INFO",
        "control: read-only",
        (
            "battery: state of charge estimated; chemistry: found by asking, "
            "capacity: guessed, cells: by the voltages"
        ),
        'inverter "inverter"',
        "  port:    serial:/dev/ttyUSB0, 2400 baud",
        "  serial:  whatever answers",
        "  dialect: found by asking",
        "  profile: hybrid, as com.victronenergy.multi.…, instance 288",
        "  poll:    every 2 s",
        "  timeout: automatic",
        "  AC:      phase: found by asking, input: grid",
        "  others:  those of its set shown if it is alone here",
    ]


def test_describe_without_defaults() -> None:
    text = (
        '[dbus]\nbus = "unix:path=/x"\n[[inverter]]\nport = "tcp://gw:1"\n'
        'poll = "fast"\n'
        'serial = "96"\ndialect = "pi41"\nprofile = "inverter"\ntimeout = 1.5\n'
        'bus_name = "com.victronenergy.inverter"\nphase = 2\nac_input = "setting"\n'
        '[battery]\nsoc = "none"\n'
    )
    described = "\n".join(describe(parse(text, "config.toml")))
    for words in (
        "D-Bus: unix:path=/x\n", "port:    tcp://gw:1\n", "serial:  96\n",
        "dialect: pi41\n", "inverter, as com.victronenergy.inverter, instance 288\n",
        "poll:    without pause\n", "timeout: 1.5 s\n",
        "battery: no state of charge\n", "phase: L2, input: as set in the GX",
    ):  # fmt: skip
        assert words in described


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("prot", "port"),
        ("Port", "port"),
        ("por", "port"),
        ("serial_number", "serial"),
        ("phases", "phase"),
        ("", None),
        ("x", None),
        ("zzzzzz", None),
    ],
)
def test_closest(word: str, meant: str | None) -> None:
    assert closest(word, InverterConfig.model_fields) == meant


VALUES = st.one_of(
    st.integers(),
    st.floats(),
    st.booleans().map(lambda value: str(value).lower()),
    st.text().map(show),
    st.sampled_from(['"/dev/ttyUSB0"', '"tcp://gw:1"', "[1]", "{a = 1}", "07:30:00"]),
)
KEYS = st.sampled_from([*InverterConfig.model_fields, "bus", "level", "prot", "a.b"])
HEADS = ["[[inverter]]", "[dbus]", "[log]", "[inverter.x]", "[[dbus]]", ""]
LINES = st.one_of(
    st.sampled_from(HEADS),
    st.tuples(KEYS, VALUES).map(lambda pair: f"{pair[0]} = {pair[1]}"),
    st.text(),
)


@given(st.lists(LINES).map("\n".join) | st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        config = parse(text, "config.toml")
    except ConfigError as error:
        lines = str(error).split("\n")
    else:
        lines = [f"config.toml: {len(describe(config))}"]
    assert all(line.startswith("config.toml: ") for line in lines)


# pydantic from 2.9 on needs zoneinfo, which Venus OS has where it has such a pydantic.
ABSENT = {
    "tomllib", "statistics", "sqlite3", "multiprocessing", "unittest", "difflib",
    "getpass", "doctest", "pty", "tty", "curses", "syslog",
} | ({"zoneinfo"} if int(version("pydantic").split(".")[1]) < 9 else set())  # fmt: skip
CUT = f"""
import sys
class Cut:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {ABSENT!r}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Cut())
sys.path.append({str(ROOT / "src")!r})
from pathlib import Path
from mppdbus.config import models, old_ini
models.parse(old_ini.convert("[MPPSOLAR]", "config.ini"), "config.toml")
print(len(models.load(Path({str(EXAMPLE)!r})).inverter))
"""


def test_it_runs_on_the_python_of_venus_os() -> None:
    done = run([sys.executable, "-c", CUT], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("1\n", "")


FOLLOW = 'follow = "dvcc"\nmost_charging_current = 60\n'


@pytest.mark.parametrize(
    ("lines", "trouble"),
    [
        ('level = "safe"\n' + FOLLOW, ""),
        ('level = "safe"\n' + FOLLOW + "safe = { max_charging_current = 10 }", ""),
        ('level = "safe"\n' + FOLLOW + "[control.safe]\nmax_charging_current = 10", ""),
        (FOLLOW, 'control: follow = "dvcc" writes to the inverters; it needs level'),
        ('level = "full"\nfollow = "dvcc"', "needs most_charging_current, the A that"),
        ('follow = "bms"', 'control.follow: "bms" is not allowed; use "" or "dvcc"'),
        ("most_charging_current = -1", "use 1 to 1000 A"),
        ("safe = { max_charge = 10 }", 'control.safe: "max_charge" is no setting for'),
        ("safe = { max_chargin_current = 10 }", 'did you mean "max_charging_current"?'),
        ('safe = { max_charging_current = "ten" }', '"ten" is text, not a number'),
        ("safe = { max_charging_current = -1 }", "-1 is not allowed; 0 to 1000"),
        ("safe = { max_charging_current = true }", "control.safe: "),
        ("safe = { battery_bulk_voltage = 564 }", "564 is not allowed; 0 to 80"),
        (
            f'level = "safe"\n{FOLLOW}safe = {{ battery_bulk_voltage = 54.0 }}',
            'control: safe: battery_bulk_voltage needs level = "full"',
        ),
    ],
)
def test_who_follows_a_bms_says_how_much_and_what_is_safe(
    lines: str, trouble: str
) -> None:
    text = f'[control]\n{lines}\n[[inverter]]\nport = "/dev/ttyUSB0"\n'
    if not trouble:
        assert "follows DVCC up to 60 A" in "\n".join(describe(parse(text, "c")))
        return
    with pytest.raises(ConfigError) as found:
        parse(text, "c")
    assert trouble in str(found.value)
    assert len(str(found.value).splitlines()) == 1

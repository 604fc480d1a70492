import re
from pathlib import Path

import pytest

from mppdbus.config.models import parse
from mppdbus.errors import ConfigError

ONE = '[[inverter]]\nport = "/dev/ttyUSB0"\n'
TWO = f'{ONE}[[inverter]]\nport = "/dev/ttyUSB1"\n'


def errors(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text, "config.toml")
    return str(caught.value).splitlines()


BAD_OPTIONS = r"""
poll = 0.1             .poll: 0.1 is less than 0.5; use 0.5 to 60 seconds, or "fast"
poll = 61              .poll: 61 is more than 60; use 0.5 to 60 seconds, or "fast"
poll = "slow"          .poll: "slow" is text, not a number; use 0.5 to 60 seconds, or
poll = "2"             .poll: "2" is text, not a number; use 0.5 to 60 seconds, or
poll = true            .poll: true is a yes or no, not a number; use 0.5 to 60
poll = nan             .poll: nan is not a finite number; use 0.5 to 60
poll = -inf            .poll: -inf is not a finite number; use 0.5 to 60
poll = [1]             .poll: a list is not a number; use 0.5 to 60
poll = 2024-01-01      .poll: 2024-01-01 is not a number; use 0.5 to 60
timeout = 0.1          .timeout: 0.1 is less than 0.2; use 0.2 to 10 seconds, or 0 for
timeout = -1           .timeout: -1 is less than 0; use 0.2 to 10 seconds, or 0 for
timeout = 11           .timeout: 11 is more than 10; use 0.2 to 10 seconds
timeout = "5"          .timeout: "5" is text, not a number; use 0.2 to 10 seconds
baud = 2401            .baud: 2401 is no speed of a port; use 1200, 2400, 4800, 9600,
baud = true            .baud: true is a yes or no, not a whole number; use 1200, 2400,
baud = 2400.5          .baud: 2400.5 is not a whole number; use 1200, 2400,
name = ""              .name: "" is not allowed; use 1 to 32 letters, digits
name = "a/b"           .name: "a/b" is not allowed; use 1 to 32 letters
name = "a\n"           .name: "a\n" is not allowed; use 1 to 32 letters
name = ".."            .name: ".." is not allowed; use 1 to 32 letters
name = "abcdefghijklmnopqrstuvwxyz0123456"  .name: "abcdefghijklmnopqrstuvwxyz0123456"
name = 5               .name: 5 is not text; use 1 to 32 letters
serial = 96332309100   .serial: 96332309100 is not text; use the serial number in quotes
serial = "1 2"         .serial: "1 2" is not allowed; use the serial number in quotes
profile = "multi"      .profile: "multi" is not allowed; use "hybrid" or "inverter"
dialect = "pi18"       .dialect: "pi18" is not allowed; use "auto", "pi30", "pi30clone",
instance = -1          .instance: -1 is less than 0; use 0 to 65535
instance = 65536       .instance: 65536 is more than 65535; use 0 to 65535
instance = 1.5         .instance: 1.5 is not a whole number; use 0 to 65535
phase = 4              .phase: 4 is more than 3; use 1, 2, 3 or "auto"
phase = 0              .phase: 0 is less than 1; use 1, 2, 3 or "auto"
phase = true           .phase: true is a yes or no, not a whole number; use 1, 2, 3 or
ac_input = "gird"      .ac_input: "gird" is not allowed; use "grid", "generator", "sho
ac_input = 1           .ac_input: 1 is not allowed; use "grid", "generator", "shore",
soc = "none"           : "soc" stands in the section [battery] now
others = "yes"         .others: "yes"
bus_name = 1           .bus_name: 1 is not text; use "" for automatic, or "com.victron
bus_name = "com.victronenergy.inverter"  .bus_name: a hybrid inverter has names of its
prot = "x"             : unknown key "prot"; did you mean "port"?
POLL = 1               : unknown key "POLL"; did you mean "poll"?
poll_interval = 1      : unknown key "poll_interval"; did you mean "poll"?
baudrate = 2400        : unknown key "baudrate"; did you mean "baud"?
device_instance = 1    : unknown key "device_instance"; did you mean "instance"?
"x\ny" = 1             : unknown key "x\ny"; known are ac_input, battery, baud, bus
battery = "a b"        .battery: "a b" is not allowed; use 1 to 32 of A-Z a-z 0-9 _, or
"""


@pytest.mark.parametrize("row", BAD_OPTIONS.strip().splitlines())
def test_a_bad_option(row: str) -> None:
    option, message = re.split("  +", row)
    (line,) = errors(ONE + option)
    assert line.startswith(f"config.toml: inverter[1]{message}")


@pytest.mark.parametrize(
    "name",
    [
        "com.victronenergy.vebus",
        "com.victronenergy.inverters",
        "com.victronenergy.inverter.",
        "com.victronenergy.inverter.0x",
        "com.victronenergy.inverter.tty/USB0",
        f"com.victronenergy.inverter.{'x' * 240}",
    ],
)
def test_a_bad_name_on_the_bus(name: str) -> None:
    (line,) = errors(f'{ONE}profile = "inverter"\nbus_name = "{name}"')
    assert line.startswith(f'config.toml: inverter[1].bus_name: "{name[:40]}')
    assert (
        'no name for an inverter on D-Bus; use "com.victronenergy.inverter", ' in line
    )


def test_a_huge_number() -> None:
    (line,) = errors(f"{ONE}instance = 0x{'f' * 5000}")
    assert line.endswith(".instance: a huge number is more than 65535; use 0 to 65535")


WRITE = "write battery ="
BATTERIES = '[[battery]]\nname = "east"\n[[battery]]\nname = "west"\n'


def test_an_inverter_says_at_which_battery_it_is() -> None:
    wrong = errors(BATTERIES + ONE + 'battery = "eats"')
    assert [line.removeprefix("config.toml: ") for line in wrong] == [
        'inverter[1].battery: no [[battery]] has the name "eats"; use "east" or "west"',
        f'battery[1].name: no inverter is at "east"; {WRITE} "east" in an [[inverter]]',
        f'battery[2].name: no inverter is at "west"; {WRITE} "west" in an [[inverter]]',
    ]
    first, *_ = errors(BATTERIES + ONE)
    assert first.endswith('inverter[1].battery: is missing; use "east" or "west"')


BAD_TABLES = """
!  inverter: nothing to drive; write "[[inverter]]" and below it "port = …"
inverter = []  inverter: nothing to drive; write "[[inverter]]" and below it "port = …"
inverter = [1]  inverter[1]: 1 is not a table; use [[inverter]], with double brackets
[inverter]!port = '/dev/x'  inverter: a table is not a list of tables; use [[inverter]],
[[inverter]]  inverter[1].port: is missing; use "/dev/ttyUSB0", "hidraw:/dev/hidraw0" or
[[inverter]]!port = 1  inverter[1].port: 1 is no port; use "/dev/ttyUSB0", "hidraw:
[[inverter]]!port = 'gw:80'  inverter[1].port: "gw:80" is a network address; write "tcp:
[[inverter]]!port = 'tcp://gw:80'!baud = 9600  inverter[1].baud: tcp://gw:80 has no sp
dbus = 1!ONE  dbus: 1 is not a table; use [dbus]
[dbus]!bus = 'sytem'!ONE  dbus.bus: "sytem" is not allowed; use "system", "session" or a
[dbus]!bus = 'unix:'!ONE  dbus.bus: "unix:" is not allowed; use "system", "session" or a
[dbus]!buss = 1!ONE  dbus: unknown key "buss"; did you mean "bus"?
[log]!level = 'info'!ONE  log.level: "info" is not allowed; use "DEBUG", "INFO", "WARNIN
battery = 1!ONE  battery: 1 is not a table; use [battery]
[battery]!cels = 1!ONE  battery: unknown key "cels"; did you mean "cells"?
[[battery]]!cels = 1!ONE  battery[1]: unknown key "cels"; did you mean "cells"?
[battery]!cells = 500!ONE  battery.cells: 500 is more than 400; use the cells in series
[[battery]]!name = "a"!cells = 500!ONE  battery[1].cells: 500 is more than 400; use the
[[battery]]!name = "a"![[battery]]!name = "a"!ONEbattery = "a"  battery[2].name: "a"
[loging]!ONE  unknown key "loging"; did you mean "log"?
[gui]!ONE  unknown key "gui"; known are battery, control, dbus, inverter, log
[[inverter]]!port = /dev/x  line 2, column 8: Invalid value: port = /dev/x; text stands
[[inverter]!  line 1, column 11: Expected ']]' at the end of an array declaration: [[inv
a!  line 1, column 2: Expected '=' after a key in a key/value pair: a; a line is: key =
a = 1!a = 2  line 2, at its end: Cannot overwrite a value: a = 2; the same key stands
a = "x  line 1: the quote is not closed; here it is: a = "x
a = 'x!b = 1  line 1: the quote is not closed; here it is: a = 'x
a = “x”  line 1, column 5: these quotes are typographic; write plain ones: "text"; here
a = 2,5  line 1, column 6: a number has a point: 2.5; here it is: a = 2,5
a = 0034  line 1, column 6: what begins with 0 stands in quotes: "0034"; here it is: a
a = 2400 Bd  line 1, column 10: a number stands without its unit; here it is: a = 2400
a = Yes  line 1, column 5: write true, in small letters; here it is: a = Yes
a = "C:\\x"  line 1, column 10: a backslash is written twice, or the text in 'single
[MPPSOLAR]!PORT = /dev/x  this is the ini file of dbus-mppsolar; convert it first
"""


@pytest.mark.parametrize("row", BAD_TABLES.strip().splitlines())
def test_a_bad_table(row: str) -> None:
    """An exclamation mark stands for the end of a line."""
    text, message = row.split("  ")
    (line,) = errors(text.replace("!", "\n").replace("ONE", ONE))
    assert line.startswith(f"config.toml: {message}")


@pytest.mark.parametrize("value", ["9" * 5000, "[" * 5000])
def test_a_value_beyond_all_measure(value: str) -> None:
    (line,) = errors(f"{ONE}poll = {value}")
    assert line.endswith("; look for a value that is far too long or deep")


BARE = 'profile = "inverter"\nbus_name = "com.victronenergy.inverter"'


@pytest.mark.parametrize(
    ("shared", "message"),
    [
        ('name = "a"', 'name: "a" is the name of inverter[1] too'),
        ('serial = "9"', 'serial: "9" is the serial of inverter[1] too'),
        ("instance = 5", "instance: 5 is the instance of inverter[1] too"),
        (BARE, 'bus_name: "com.victronenergy.inverter" is the bus_name of inverter[1]'),
    ],
)
def test_two_inverters_that_clash(shared: str, message: str) -> None:
    (line,) = errors(f"{TWO}{shared}\n".replace('USB0"', f'USB0"\n{shared}'))
    assert line.startswith(f"config.toml: inverter[2].{message}")
    assert line.endswith("; give each its own")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("/dev/ttyUSB0", "serial:/dev/ttyUSB0"),
        ("/dev/ttyUSB0", "/dev//ttyUSB0"),
        ("tcp://Gw:80", "tcp://gw:80"),
    ],
)
def test_one_port_for_two_inverters(first: str, second: str) -> None:
    (line,) = errors(f'[[inverter]]\nport = "{first}"\n[[inverter]]\nport = "{second}"')
    assert line == (
        f'config.toml: inverter[2].port: "{second}" is the port of inverter[1] too, '
        f'there written "{first}"; give each its own'
    )


def test_one_port_twice_in_the_same_words() -> None:
    (line,) = errors(TWO.replace("USB1", "USB0"))
    assert line.endswith("is the port of inverter[1] too; give each its own")


def test_one_port_behind_two_links(tmp_path: Path) -> None:
    for name in ("by-id", "by-path"):
        (tmp_path / name).symlink_to("/dev/null")
    (line,) = errors(
        f"[[inverter]]\nport = '{tmp_path}/by-id'\n"
        f"[[inverter]]\nport = '{tmp_path}/by-path'"
    )
    assert "inverter[2].port: " in line


def test_all_problems_are_told_at_once() -> None:
    lines = errors(
        '[dbus]\nbus = "x"\n[[inverter]]\nprot = 1\npoll = 0\nname = "a"\n'
        '[[inverter]]\nport = "/dev/ttyUSB0"\nphase = 0\nname = "a"\n'
    )
    assert [line.split(": ")[1] for line in lines] == [
        "dbus.bus",
        "inverter[1].port",
        "inverter[1].poll",
        "inverter[1]",
        "inverter[2].phase",
        "inverter[2].name",
    ]

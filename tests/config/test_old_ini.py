import pytest
from hypothesis import given
from hypothesis import strategies as st

from mppdbus.config.models import InverterConfig, parse
from mppdbus.config.old_ini import _RULES, convert
from mppdbus.errors import ConfigError
from mppdbus.transport.port_url import PortUrl

README_SAMPLE = """\
[MPPSOLAR]
PORT = /dev/ttyUSB0          # Serial port (check with ls /dev/ttyUSB*)
BAUD_RATE = 2400            # Communication baud rate
PROTOCOL = PI30             # MPP Solar protocol
TIMEOUT = 5                 # Connection timeout in seconds
"""

EVERY_KEY = """\
[DEFAULT]
; dbus-mppsolar configuration file

[MPPSOLAR]
; Serial port or USB device path
PORT = /dev/hidraw0
BAUD_RATE = 2400
PROTOCOL = PI30
TIMEOUT = 5
; Polling interval in milliseconds
POLL_INTERVAL = 1000
DEBUG = False

[DBUS]
SERVICE_NAME = com.victronenergy.multi
SOLAR_SERVICE_NAME = com.victronenergy.solarcharger
BATTERY_SERVICE_NAME = com.victronenergy.battery
DEVICE_INSTANCE = 7
DEBUG_ENABLED = True

[VENUS]
PRODUCT_NAME = MPP Solar Inverter
PRODUCT_ID = 0xA381
DEVICE_TYPE = 0x0000
COLOUR = red
"""


def converted(text: str) -> InverterConfig:
    (unit,) = parse(convert(text, "config.ini"), "config.toml").inverter
    return unit


def option(line: str, section: str = "MPPSOLAR") -> InverterConfig:
    return converted(f"[MPPSOLAR]\n[{section}]\n{line}\n")


def test_the_sample_that_everybody_copied() -> None:
    assert (
        convert(README_SAMPLE, "config.ini")
        == """\
# Converted from config.ini of dbus-mppsolar.

[[inverter]]
# [MPPSOLAR] PORT
port = "/dev/ttyUSB0"
# [MPPSOLAR] BAUD_RATE
baud = 2400
# The name that dbus-mppsolar documents. For a hybrid inverter profile = "hybrid" is
# better: Venus OS then shows its AC input too, under another name on D-Bus. To
# change, remove the next two lines.
profile = "inverter"
bus_name = "com.victronenergy.inverter"
# [MPPSOLAR] PROTOCOL = PI30. The inverter is asked for its family.
dialect = "auto"
# [MPPSOLAR] TIMEOUT. Better remove it: then mppdbus waits as long as suits the port.
timeout = 5.0
"""
    )


def test_the_sample_runs_as_it_is() -> None:
    assert converted(README_SAMPLE) == InverterConfig(
        port=PortUrl("serial", "/dev/ttyUSB0"),
        profile="inverter",
        bus_name="com.victronenergy.inverter",
        timeout=5.0,
    )


def test_every_key_is_taken_over_or_accounted_for() -> None:
    text = convert(EVERY_KEY, "config.ini")
    config = parse(text, "config.toml")
    assert config.log.level == "DEBUG"
    assert config.inverter[0] == InverterConfig(
        name="MPP Solar Inverter",
        port=PortUrl("hidraw", "/dev/hidraw0"),
        profile="hybrid",
        poll=1.0,
        timeout=5.0,
        instance=7,
    )
    assert "# [MPPSOLAR] BAUD_RATE is left out: only a serial port has a speed." in text
    dropped = text.partition("# Not taken over:\n")[2].splitlines()
    assert [line.split(":")[0].removeprefix("#   ") for line in dropped] == [
        "[MPPSOLAR] DEBUG = False",
        "[DBUS] SOLAR_SERVICE_NAME = com.victronenergy.solarcharger",
        "[DBUS] BATTERY_SERVICE_NAME = com.victronenergy.battery",
        "[VENUS] PRODUCT_ID = 0xA381",
        "[VENUS] DEVICE_TYPE = 0x0000",
        "[VENUS] COLOUR = red",
    ]
    assert dropped[-1].endswith("= red: mppdbus has no such option")


@pytest.mark.parametrize(
    "text",
    [
        "[mppsolar]\nport=/dev/ttyS1 ; the second\n",
        "\ufeff[ MPPSOLAR ]\r\nPort : '/dev/ttyS1'\r\n",
        '[MPPSOLAR]\n  PORT = /dev/ttyS0\n  PORT = "/dev/ttyS1"\t# the other one\n',
        "[MPPSOLAR]\nBAUD_RATE = 2400\n    PORT = /dev/ttyS1\n",
    ],
)
def test_ini_files_as_people_write_them(text: str) -> None:
    assert converted(text).port.path == "/dev/ttyS1"


def test_without_a_port_the_old_default_holds() -> None:
    assert converted("[MPPSOLAR]").port.path == "/dev/ttyUSB0"


@pytest.mark.parametrize(
    ("protocol", "dialect"),
    [
        ("PI30", "auto"),
        ("pi30", "auto"),
        ("PI30MAX", "pi30max"),
        ("PI30REVO", "revo"),
        ("PI30MST", "auto"),
        ("PI30M045", "auto"),
        ("PI41", "pi41"),
    ],
)
def test_protocol(protocol: str, dialect: str) -> None:
    assert option(f"PROTOCOL = {protocol}").dialect == dialect


@pytest.mark.parametrize(
    ("old", "new"),
    [("1000", 1.0), ("500", 0.5), ("100", 0.5), ("2500.5", 2.5005), ("99999", 60)],
)
def test_poll_interval_is_in_milliseconds(old: str, new: float) -> None:
    assert option(f"POLL_INTERVAL = {old}").poll == new


@pytest.mark.parametrize(
    ("old", "new"), [("5", 5.0), ("0.5", 0.5), ("0", 0.2), ("30", 10.0)]
)
def test_timeout_is_fitted(old: str, new: float) -> None:
    assert option(f"TIMEOUT = {old}").timeout == new


def test_a_fitted_value_is_explained() -> None:
    text = convert("[MPPSOLAR]\nTIMEOUT = 30\nPOLL_INTERVAL = 100", "config.ini")
    assert "# [MPPSOLAR] TIMEOUT, 10 because 30 is not allowed." in text
    assert "# [MPPSOLAR] POLL_INTERVAL, in seconds, 0.5 because 0.1 is not all" in text


@pytest.mark.parametrize(
    ("old", "profile", "new"),
    [
        ("com.victronenergy.inverter", "inverter", "com.victronenergy.inverter"),
        ("com.victronenergy.inverter.a", "inverter", "com.victronenergy.inverter.a"),
        ("com.victronenergy.inverter.0", "inverter", "com.victronenergy.inverter"),
        ("com.victronenergy.vebus", "inverter", "com.victronenergy.inverter"),
        ("com.victronenergy.multi", "hybrid", ""),
        ("com.victronenergy.multi.ttyUSB0", "hybrid", ""),
    ],
)
def test_service_name(old: str, profile: str, new: str) -> None:
    unit = option(f"SERVICE_NAME = {old}", "DBUS")
    assert (unit.profile, unit.bus_name) == (profile, new)


def test_a_product_name_that_is_no_name_is_dropped() -> None:
    text = convert("[MPPSOLAR]\n[VENUS]\nPRODUCT_NAME = a/b\n", "config.ini")
    assert "[VENUS] PRODUCT_NAME = a/b: it is too long for a name, or has" in text
    assert parse(text, "config.toml").inverter[0].name == "inverter"


REFUSED = """
!  no section [MPPSOLAR], so not the config.ini of dbus-mppsolar; name that file
[[inverter]]!port = "/dev/x"  no section [MPPSOLAR], so not the config.ini
[MPPSOLAR]!PORT  line 2: "PORT" is no option; write KEY = value
[MPPSOLAR]!PORT=COM3  [MPPSOLAR] PORT: "COM3" is no port; use "/dev/ttyUSB0",
[MPPSOLAR]!PORT=  [MPPSOLAR] PORT: no port is given; use "/dev/ttyUSB0",
[MPPSOLAR]!PROTOCOL=PI18  [MPPSOLAR] PROTOCOL: "PI18" is another protocol, and this
[MPPSOLAR]!PROTOCOL=PI17  [MPPSOLAR] PROTOCOL: "PI17" is another protocol, and this
[MPPSOLAR]!BAUD_RATE=2401  [MPPSOLAR] BAUD_RATE: "2401" is no speed of a port; use 1200,
[MPPSOLAR]!TIMEOUT=soon  [MPPSOLAR] TIMEOUT: "soon" is no number; use a number of sec
[MPPSOLAR]!TIMEOUT=nan  [MPPSOLAR] TIMEOUT: "nan" is no number; use a number of sec
[MPPSOLAR]!POLL_INTERVAL=  [MPPSOLAR] POLL_INTERVAL: "" is no number; use a number of mi
[MPPSOLAR]!DEBUG=maybe  [MPPSOLAR] DEBUG: "maybe" is not yes or no; use True or False
[MPPSOLAR]![DBUS]!DEVICE_INSTANCE=-1  [DBUS] DEVICE_INSTANCE: "-1" is no device inst
"""


@pytest.mark.parametrize("row", REFUSED.strip().splitlines())
def test_what_cannot_be_converted(row: str) -> None:
    """An exclamation mark stands for the end of a line."""
    text, message = row.split("  ")
    with pytest.raises(ConfigError) as caught:
        convert(text.replace("!", "\n"), "config.ini")
    assert str(caught.value).startswith(f"config.ini: {message}")


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        convert("[MPPSOLAR]\nPORT=x\nBAUD_RATE=x\nPROTOCOL=x", "config.ini")
    assert [line.split(": ")[1] for line in str(caught.value).splitlines()] == [
        "[MPPSOLAR] PORT",
        "[MPPSOLAR] BAUD_RATE",
        "[MPPSOLAR] PROTOCOL",
    ]


SAMPLES = """/dev/ttyUSB0 /dev/hidraw0 tcp://gw:1 2400 PI30 5 0 1e9 True Garage é\x7f
com.victronenergy.inverter com.victronenergy.inverter.x com.victronenergy.multi"""
VALUES = st.text() | st.sampled_from(SAMPLES.split())
KEYS = st.sampled_from([key for _, key in _RULES] + ["COLOUR"])
LINES = st.one_of(
    st.sampled_from(["[DBUS]", "[VENUS]", "[MPPSOLAR]", "# x", ""]),
    st.tuples(KEYS, VALUES).map(" = ".join),
)


@given(st.lists(LINES).map("\n".join), st.text())
def test_whatever_is_converted_can_be_read(lines: str, source: str) -> None:
    try:
        text = convert(f"[MPPSOLAR]\n{lines}", source)
    except ConfigError:
        return
    assert parse(text, "config.toml").inverter


def test_a_name_with_letters_of_any_language_is_one() -> None:
    for name in ("süd", "Größe 1", "дом"):
        text = convert(f"[MPPSOLAR]\n[VENUS]\nPRODUCT_NAME = {name}\n", "config.ini")
        assert parse(text, "config.toml").inverter[0].name == name

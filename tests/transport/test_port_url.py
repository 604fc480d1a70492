import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mppdbus.transport.port_url import PortUrl, parse_port


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/dev/ttyUSB0", PortUrl("serial", "/dev/ttyUSB0")),
        (" /dev/ttyACM1 ", PortUrl("serial", "/dev/ttyACM1")),
        ("/dev/serial/by-id/x", PortUrl("serial", "/dev/serial/by-id/x")),
        ("/dev/pts/3", PortUrl("serial", "/dev/pts/3")),
        ("/dev/my inverter", PortUrl("serial", "/dev/my inverter")),
        ("/dev/hidraw0", PortUrl("hidraw", "/dev/hidraw0")),
        ("serial:/dev/ttyUSB0", PortUrl("serial", "/dev/ttyUSB0")),
        ("serial:///dev/ttyUSB0", PortUrl("serial", "/dev/ttyUSB0")),
        ("serial:////dev//ttyUSB0", PortUrl("serial", "/dev/ttyUSB0")),
        ("//dev/ttyUSB0", PortUrl("serial", "/dev/ttyUSB0")),
        ("SERIAL:/dev/ttyUSB0", PortUrl("serial", "/dev/ttyUSB0")),
        ("hidraw:/run/fake", PortUrl("hidraw", "/run/fake")),
        ("tcp://gateway.local:8899", PortUrl("tcp", host="gateway.local", port=8899)),
        ("tcp://Gateway:1/", PortUrl("tcp", host="gateway", port=1)),
        ("tcp://192.168.1.7:65535", PortUrl("tcp", host="192.168.1.7", port=65535)),
        ("tcp://[::1]:8899", PortUrl("tcp", host="::1", port=8899)),
        ("tcp://[FE80:0::1%eth0]:502", PortUrl("tcp", host="fe80::1%eth0", port=502)),
    ],
)  # fmt: skip
def test_reads_what_people_write(text: str, expected: PortUrl) -> None:
    assert parse_port(text) == expected
    assert parse_port(str(expected)) == expected


@pytest.mark.parametrize(
    ("url", "canonical", "label"),
    [
        (PortUrl("serial", "/dev/ttyUSB0"), "serial:/dev/ttyUSB0", "/dev/ttyUSB0"),
        (PortUrl("hidraw", "/dev/hidraw0"), "hidraw:/dev/hidraw0", "/dev/hidraw0"),
        (PortUrl("tcp", host="gw", port=23), "tcp://gw:23", "gw:23"),
        (PortUrl("tcp", host="::1", port=23), "tcp://[::1]:23", "[::1]:23"),
    ],
)
def test_one_spelling_for_the_log_and_one_for_people(
    url: PortUrl, canonical: str, label: str
) -> None:
    assert str(url) == canonical
    assert url.label == label


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no port is given"),
        ("  ", "no port is given"),
        ("ttyUSB0", '"ttyUSB0" is no port; use "/dev/ttyUSB0"'),
        ("COM3", '"COM3" is no port'),
        ("gateway:8899", 'write "tcp://gateway:8899"'),
        ("192.168.1.7:8899", 'write "tcp://192.168.1.7:8899"'),
        ("[::1]:8899", 'write "tcp://[::1]:8899"'),
        ("tcp:gateway:8899", 'write "tcp://gateway:8899"'),
        ("socket://gateway:8899", 'write "tcp://gateway:8899"'),
        ("tcp://gateway", "host and port are needed"),
        ("tcp://:8899", "host and port are needed"),
        ("tcp://[::1]", "host and port are needed"),
        ("tcp://gateway:0", '"0" is no port number; use 1 to 65535'),
        ("tcp://gateway:65536", '"65536" is no port number'),
        ("tcp://gateway:", '"" is no port number'),
        ("tcp://gateway:\u0661", "is no port number"),
        ("tcp://gateway:8899/x", "is no port number"),
        ("tcp://::1:8899", "put an IPv6 address in brackets"),
        ("tcp://[gateway]:8899", '"[gateway]" is no IPv6 address'),
        ("tcp://gate way:8899", '"gate way" is no host name'),
        ("rfc2217://gateway:8899", 'unknown kind of port "rfc2217:"'),
        ("serial:ttyUSB0", 'write it in full: "serial:/dev/ttyUSB0"'),
        ("hidraw:0x", 'write it in full: "hidraw:/dev/hidraw0"'),
        ("serial:", '"" is no device path'),
        ("/dev/", '"/dev/" is no device path'),
        ("serial:/dev/hidraw0", 'write "hidraw:/dev/hidraw0"'),
        ("hidraw:/dev/ttyUSB0", 'write "serial:/dev/ttyUSB0"'),
        ("/dev/tty\x00USB0", "control character"),
    ],
)
def test_says_what_to_write_instead(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_port(text)


def test_a_link_to_a_hidraw_device_is_hidraw(tmp_path: Path) -> None:
    link = tmp_path / "garage"
    link.symlink_to("/dev/hidraw7")
    assert parse_port(str(link)) == PortUrl("hidraw", str(link))
    link.unlink()
    link.symlink_to("/dev/ttyUSB7")
    assert parse_port(str(link)) == PortUrl("serial", str(link))


@given(st.text() | st.from_regex(r"(tcp|serial|hidraw):?/{0,3}[\[\]:a-z0-9/.]*"))
def test_anything_is_read_or_refused(text: str) -> None:
    try:
        url = parse_port(text, resolve=str)
    except ValueError:
        return
    assert parse_port(str(url), resolve=str) == url

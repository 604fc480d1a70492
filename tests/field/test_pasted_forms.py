"""Recorded replies in other forms that people paste, and texts that are no replies."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest

from helpers.field import decoded
from mppdbus.protocol.framing import encode_reply

REPLIES = {
    "QMOD": "B",
    "QPI": "PI30",  # its checksum holds a byte below 16
    "QPIGS": (
        "201.4 49.9 201.4 49.9 03927 03919 035 436 55.60 001 100 0046 00.0 000.0 00.00 "
        "00000 00010101 00 00 00000 110"  # the checksum is nR: it can be read as text
    ),
    "QPIRI": (
        "230.0 21.7 230.0 50.0 21.7 5000 5000 48.0 47.0 44.0 56.4 54.0 2 30 060 0 2 1 "
        "9 01 0 0 54.0 0 1"
    ),
    "QFLAG": "EakxyDbjuvz",
    "QPIWS": "0" * 36,
}


def printable(data: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data)


def rows(data: bytes, size: int) -> Iterator[tuple[int, bytes]]:
    return ((at, data[at : at + size]) for at in range(0, len(data), size))


def octal(data: bytes) -> str:
    return "".join(chr(b) if 32 <= b < 127 and b != 92 else f"\\{b:03o}" for b in data)


def words(data: bytes) -> str:
    even = data + b"\0" * (len(data) % 2)
    lines = (
        f"{at:07x} " + " ".join(f"{b:02x}{a:02x}" for a, b in rows_of_two(row))
        for at, row in rows(even, 16)
    )
    return "\n".join((*lines, f"{len(data):07x}"))


def rows_of_two(row: bytes) -> Iterator[tuple[int, int]]:
    return ((pair[0], pair[1]) for _, pair in rows(row, 2))


def characters(data: bytes) -> str:
    def shown(byte: int) -> str:
        named = {0: "\\0", 7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v"}
        named |= {12: "\\f", 13: "\\r"}
        return named.get(byte) or (chr(byte) if 32 <= byte < 127 else f"{byte:03o}")

    lines = (
        f"{at:07o} " + " ".join(f"{shown(byte):>3}" for byte in row)
        for at, row in rows(data, 16)
    )
    return "\n".join((*lines, f"{len(data):07o}"))


def captured(data: bytes) -> str:
    """Return a packet with IP and TCP headers as `tcpdump -X` shows it."""
    packet = bytes.fromhex("4500002d1c4640004006b1e6ac100a63ac100a0c") + bytes(20)
    lines = (
        f"\t0x{at:04x}:  "
        + " ".join(pair.hex() for _, pair in rows(row, 2)).ljust(41)
        + printable(row)
        for at, row in rows(packet + data, 16)
    )
    return "12:00:00.1 IP 192.168.1.50.8899 > 192.168.1.2.40000: Flags [P.]\n" + (
        "\n".join(lines)
    )


def array(data: bytes, number: Callable[[int], str]) -> str:
    lines = ("  " + ", ".join(map(number, row)) + "," for _, row in rows(data, 12))
    return "const uint8_t reply[] = {\n" + "\n".join(lines) + "\n};"


def pieces_of_esphome(data: bytes) -> str:
    log = "[12:00:00][D][uart_debug:114]: <<< "
    return "\n".join(log + row.hex(":").upper() for _, row in rows(data, 50))


def usbmon(data: bytes) -> str:
    """Return reports of eight bytes as /sys/kernel/debug/usb/usbmon shows them."""
    urb = "ffff9a3f2c40 35759145{} Ii:2:003:1 "
    return "\n".join(
        f"{urb.format('55 S')}-115:8 8 <\n{urb.format('60 C')}0:8 8 = "
        + " ".join(each.hex() for _, each in rows(row.ljust(8, b"\0"), 4))
        for _, row in rows(data, 8)
    )


FORMS: dict[str, Callable[[bytes], str]] = {
    "hexdump, words": words,
    "od -c": characters,
    "tcpdump -X": captured,
    "a dump without offsets": lambda data: "\n".join(
        f"          {row.hex(' ').upper():50}{printable(row)}"
        for _, row in rows(data, 16)
    ),
    "an array over lines": lambda data: array(data, "0x{:02X}".format),
    "an array of decimals": lambda data: array(data, str),
    "a decimal a line": lambda data: "\n".join(map(str, data)),
    "decimals of Go": lambda data: f"[{' '.join(map(str, data))}]",
    "signed bytes of Java": lambda data: str([b - 256 * (b > 127) for b in data]),
    "Serial.print(c, HEX)": lambda data: " ".join(f"{byte:X}" for byte in data),
    "format_hex_pretty": lambda data: (
        f"[12:00:00][D][x:1]: got {data.hex('.').upper()} ({len(data)})"
    ),
    "dollars": lambda data: " ".join(f"${byte:02X}" for byte in data),
    "bars": lambda data: f"|{data.hex('|').upper()}|",
    "underlines": lambda data: data.hex("_"),
    "slashes": lambda data: data.hex("/"),
    "hex in pieces, ESPHome": pieces_of_esphome,
    "reports of 8 bytes, strace": lambda data: "\n".join(
        f'read(3, "{octal(row)}", 8) = {len(row)}' for _, row in rows(data, 8)
    ),
    "an address": quote,
    "an address of JavaScript": lambda data: quote(data.decode("latin-1")),
    "0x without separators": lambda data: "".join(f"0x{byte:02x}" for byte in data),
    "binary digits": lambda data: " ".join(f"{byte:08b}" for byte in data),
    "usbmon": usbmon,
    "a log within JSON": lambda data: json.dumps({"log": f"{data!r}\n"}),
    "a log within a log": lambda data: json.dumps(json.dumps(data.decode("latin-1"))),
}


@pytest.mark.parametrize("command", REPLIES)
@pytest.mark.parametrize("form", FORMS)
def test_a_reply_with_its_checksum(form: str, command: str) -> None:
    text = FORMS[form](encode_reply(REPLIES[command]))
    assert_read(f"{command}\n{text}\n", command, checked=True)


def assert_read(text: str, command: str, *, checked: bool) -> None:
    """Compare the only reply in a text with the recorded one."""
    (record,) = decoded(text).records
    expected = decoded(f"{command}: {encode_reply(REPLIES[command]).hex()}\n").records
    assert record["values"] == expected[0]["values"]
    assert record["command"] == command
    assert ("no checksum" not in str(record.get("warnings"))) is checked


HALVES: dict[str, Callable[[bytes], str]] = {
    "the first half is not shown": lambda crc: f"\ufffd{crc[1:].decode('latin-1')}",
    "the second half is not shown": lambda crc: f"{crc[:1].decode('latin-1')}⸮",
    "as JSON": lambda crc: f"{crc[:1].decode('latin-1')}\\ufffd\\r",
    "in words": lambda crc: f" CRC: {crc.hex(' ')}",
    "as numbers": lambda crc: f" {crc.hex(' ')} 0d",
    "a smile": lambda _: " 👍",
}


@pytest.mark.parametrize("command", REPLIES)
@pytest.mark.parametrize("form", HALVES)
def test_what_is_left_of_a_checksum(form: str, command: str) -> None:
    data = encode_reply(REPLIES[command])
    end = HALVES[form](data[-3:-1])
    assert_read(f'{command} "({REPLIES[command]}{end}"\n', command, checked=False)


def test_the_half_of_a_checksum_does_not_lengthen_a_name() -> None:
    name = next(n for n in map("VMII-NXPW{}KW".format, range(9999)) if half_is_word(n))
    shown = encode_reply(name)[-3:-2].decode()
    (record,) = decoded(f'QMN "({name}{shown}\ufffd"\n').records
    assert record["values"]["model"] == name


def half_is_word(name: str) -> bool:
    return encode_reply(name)[-3:-2].isalnum()


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16"])
def test_a_file_in_utf_16(encoding: str) -> None:
    """Also without a mark at its beginning."""
    text = f"QMOD (B\r\nQPIRI ({REPLIES['QPIRI']}\r\n"
    records = decoded(text.encode(encoding)).records
    assert [record["command"] for record in records] == ["QMOD", "QPIRI"]
    assert records[1]["values"]["battery_type"] == 2


def test_a_list_of_words() -> None:
    data = encode_reply(REPLIES["QPIRI"].replace(" 9 ", " - "))
    (record,) = decoded(f"QPIRI {data.split()!r}\n").records
    assert record["values"]["max_parallel_units"] is None
    assert record["values"]["pv_power_balance"] == 1


# -- what is no reply -----------------------------------------------------------------

PROGRAM = """\
void setup() {
  Serial.begin(2400);
  pinMode(13, OUTPUT);
  n = read(3, "abc", 8);
  digitalWrite(4, HIGH);
  lcd.setCursor(0, 1);
  setMode(B);
  f(S
  // mode (B
  send("QMOD"); // returns (B
  /* QMOD answers (L */
"""
MEASURED = """\
2024-05-01 12:00:00 230.0 50.0 230.0
Sent QMN (6 bytes)
Sent QMOD (4 bytes)
  40, 50, 48, 49, 46, 52, 32, 52, 57, 46, 57, 32,
  40, 50, 48, 49, 46, 52, 32, 52, 57, 46, 57, 32,
"""


@pytest.mark.parametrize("text", [PROGRAM, MEASURED], ids=["program", "numbers"])
def test_a_text_gives_no_values(text: str) -> None:
    assert values(decoded(text).records) == []


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("command", ["QPIGS", "QMOD", "QPIRI"])
def test_a_damaged_reply_gives_no_values(form: str, command: str) -> None:
    data = bytearray(encode_reply(REPLIES[command]))
    data[-3] ^= 0x11
    text = FORMS[form](bytes(data))
    assert values(decoded(f"{command}\n{text}\n").records) == []


def values(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [record for record in records if record.get("values")]


@pytest.mark.parametrize(
    ("text", "speaks"),
    [
        (
            "^D1062300,499,2300,499,0000,0000,000,480,480,000,000,000,000,100,030",
            "PI18",
        ),
        ("(226.0 195.0 226.0 014 49.0 27.5 30.0 00001000", "Megatec"),
    ],
)
def test_another_protocol_without_its_checksum(text: str, speaks: str) -> None:
    (record,) = decoded(f"{text}\n").records
    assert speaks in record["error"]

"""What people paste into `decode`: logs, source code, monitors of a serial port."""

from __future__ import annotations

import json
from typing import Any

import pytest

from helpers.commands import FRAMES
from helpers.field import decoded, decoded_case, text_of
from helpers.frames import BY_ID
from mppdbus.protocol.framing import encode_reply, encode_request

NO_CHECKSUM = "no checksum"
STATUS = (
    "230.1 49.9 230.0 50.0 0712 0635 014 369 52.90 003 097 0037 06.2 145.1 00.00 00000 "
    "10010110 00 00 00907 110"
)


def one(text: str | bytes) -> dict[str, Any]:
    """Decode a text that holds one reply."""
    (record,) = decoded(text).records
    return record


def by_line(case: str) -> dict[int, dict[str, Any]]:
    """Decode a case; the records by the number of their line."""
    records = decoded_case(case).records
    return {int(record["id"].removeprefix("line ")): record for record in records}


def marked(record: dict[str, Any]) -> bool:
    """Tell whether a record says that there was no checksum."""
    return NO_CHECKSUM in str(record.get("warnings"))


# -- logs of ESPHome -----------------------------------------------------------------

ESPHOME = dict(zip(b'\a\b\t\n\v\f\r\x1b\\"', r"abtnvfre\"", strict=True))


def escaped(data: bytes) -> str:
    """Return bytes as ESPHome writes them into its log."""
    shown = (
        f"\\{ESPHOME[b]}"
        if b in ESPHOME
        else chr(b)
        if 32 <= b < 127
        else f"\\x{b:02X}"
        for b in data
    )
    return f'"{"".join(shown)}"'


def awkward() -> list[tuple[str, bytes]]:
    """Return recorded replies whose checksum holds a byte with an escape of C."""
    found: dict[int, tuple[str, bytes]] = {}
    for line in FRAMES.read_text().splitlines():
        row = json.loads(line)
        data = bytes.fromhex(row["response_hex"]).rstrip(b"\0")
        if row["quality"] == "good" and not data.startswith(b"(NAK"):
            for byte in {*data[-3:-1]} & ({*ESPHOME} - {*b'\\"\r'}):
                found.setdefault(byte, (row["command"], data))
    return list(found.values())


AWKWARD = awkward()


def test_escapes_of_esphome() -> None:
    done = decoded_case("esphome-escapes")
    assert done.code == 0
    mode, *protocols = done.records
    assert (mode["command"], mode["values"]["mode"]) == ("QMOD", "L")
    assert [each["values"] for each in protocols] == [{"protocol": "PI30"}] * 4
    assert not any(map(marked, done.records))


def test_there_are_replies_with_many_escapes() -> None:
    assert len(AWKWARD) >= 4


@pytest.mark.parametrize(
    ("command", "data"),
    [pytest.param(command, data, id=command) for command, data in AWKWARD],
)
def test_any_reply_as_esphome_logs_it(command: str, data: bytes) -> None:
    record = one(f"{command} [14:30:18][D][uart_debug:158]: <<< {escaped(data)}\n")
    assert "error" not in record
    assert not marked(record)


def test_pieces_of_a_reply_are_joined() -> None:
    records = decoded_case("esphome-pieces").records
    flags, ratings, *_ = (each for each in records if "values" in each)
    assert flags["command"] == "QFLAG"
    assert ratings["command"] == "QPIRI"
    assert ratings["values"]["ac_output_rating_active_power"] == 6200
    assert ratings["values"]["battery_rating_voltage"] == 48.0
    assert not marked(ratings)
    assert not any(">>>" in str(each) for each in records)


@pytest.mark.parametrize("cuts", [(10,), (40, 41), (1, 50, 107)])
def test_a_reply_in_any_pieces(cuts: tuple[int, ...]) -> None:
    data, at = encode_reply(STATUS), 0
    lines = [f"[01:09:25][D][uart_debug:158]: >>> {escaped(encode_request('QPIGS'))}"]
    for end in (*cuts, len(data)):
        lines.append(f"[01:09:25][D][uart_debug:158]: <<< {escaped(data[at:end])}")
        lines.append("[01:09:25][D][pipsolar:860]: checking crc on incoming message")
        at = end
    record = one("\n".join(lines))
    assert record["command"] == "QPIGS"
    assert record["values"]["ac_output_active_power"] == 635
    assert not marked(record)


@pytest.mark.parametrize(
    ("command", "reply"),
    [("QMUCHGCR", "002 010 020 030 040 050 060"), ("QVFW3", "VERFW:00001.21")],
)
def test_what_was_sent_names_the_question(command: str, reply: str) -> None:
    asked, said = escaped(encode_request(command)), escaped(encode_reply(reply))
    record = one(f"[I][uart]: >>> {asked}\n[I][uart]: <<< {said}\n")
    assert record["command"] == command
    assert "error" not in record


def test_an_echo_in_a_log() -> None:
    records = by_line("esphome-echo")
    assert records[2]["error"].startswith("echo: ")
    assert "QMOD" in records[2]["error"]
    assert records[10]["error"].startswith("echo: ")
    assert "QFLAG" in records[10]["error"]


def test_echoes() -> None:
    errors = [record["error"] for record in decoded_case("echoes").records]
    assert [error.split(":")[0] for error in errors] == ["echo"] * 4
    assert [("QMOD" in error, "QPIGS" in error) for error in errors] == [
        *[(True, False)] * 3,
        (False, True),
    ]


# -- source code ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "volts", "checked"),
    [
        (1, 27.0, True),
        (2, 53.2, True),
        (4, 53.2, True),
        (5, 53.1, False),
        (7, 54.5, False),
    ],
)
def test_replies_in_source_code(line: int, volts: float, checked: bool) -> None:  # noqa: FBT001
    record = by_line("source-code")[line]
    assert record["command"] == "QPIGS"
    assert record["values"]["battery_voltage"] == volts
    assert marked(record) is not checked


def test_ratings_in_source_code() -> None:
    record = by_line("source-code")[6]
    assert record["command"] == "QPIRI"
    assert record["values"]["battery_float_voltage"] == 54.8


@pytest.mark.parametrize(
    "text",
    [
        r'reply = "(B\xe7\xc9\r";',
        r"    'QMOD': b'(B\xe7\xc9\r',",
        r'["(B\xe7\xc9\r"]',
        r'{"time": "12:00:01", "QMOD": "(B\xe7\xc9\r"}',
        r'12:00:01,QMOD,"(B\xe7\xc9\r",ok',
        r'Serial.print("(B\xe7\xc9\r");',
    ],
)
def test_what_stands_around_a_reply(text: str) -> None:
    record = one(text)
    assert (record["command"], record["values"]["mode"]) == ("QMOD", "B")
    assert not marked(record)


# -- labels --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "label", ["HEX:", "RX", "RAW:", "DATA:", "Rx:", "recv:", "Received:", "HBYTES:"]
)
def test_a_label_is_no_command(label: str) -> None:
    record = one(f"{label} 28 42 e7 c9 0d\n")
    assert (record["command"], record["values"]["mode"]) == ("QMOD", "B")


def test_a_command_before_hex_is_one() -> None:
    reply = encode_reply("002 010 020 030").hex(" ")
    assert one(f"QMUCHGCR: {reply}\n")["command"] == "QMUCHGCR"
    assert "H dialect" in one("HGRID: 28 31 0d\n")["error"]


# -- replies that have lost their ends -----------------------------------------------


def test_ratings_without_a_bracket() -> None:
    record = one(text_of("ratings-bare"))
    assert record["command"] == "QPIRI"
    assert record["values"]["ac_output_rating_active_power"] == 5500
    assert marked(record)


def test_a_second_tracker_without_a_bracket() -> None:
    found = [r for r in decoded_case("second-tracker-bare").records if "values" in r]
    assert [(r["command"], r["values"]["pv2_power"]) for r in found] == [
        ("QPIGS2", 222),
        ("QPIGS2", 274),
    ]
    assert all(map(marked, found))


def test_a_nak_without_a_bracket() -> None:
    records = by_line("arduino-nak")
    assert records[2]["values"] == {"acknowledged": False}


@pytest.mark.parametrize(
    "text",
    [
        f"QPIGS {STATUS}",
        f"QPIGS: [{STATUS}]",
        f"QPIGS raw: {STATUS}",
        "QPIGS (" + STATUS.replace("0635", "**0635**"),
        f"QPIGS ({STATUS}\x12",
        STATUS,
    ],
    ids=["bare", "brackets", "raw", "bold", "one-character", "alone"],
)
def test_a_status_without_its_ends(text: str) -> None:
    record = one(text)
    assert record["command"] == "QPIGS"
    assert record["values"]["ac_output_active_power"] == 635
    assert record["values"]["device_status_2"] == "110"
    assert marked(record)


# -- a byte of the checksum is lost ----------------------------------------------------

SHORT = ("00036.25", "00037.12", "00039.09")  # their checksum ends in a NUL


@pytest.mark.parametrize("version", [*SHORT, "00032.17", "00044.13", "00050.15"])
def test_a_firmware_is_whole_or_its_loss_is_said(version: str) -> None:
    data = encode_reply(f"VERFW:{version}").rstrip(b"\r")
    assert 0 in data
    record = one(b"QVFW " + data.replace(b"\0", b"") + b"\n")
    whole = record.get("values", {}).get("firmware") == version
    assert whole or marked(record) or "error" in record
    assert whole


TWENTY_FIVE = (
    "230.0 21.7 230.0 50.0 21.7 5000 5000 48.0 46.0 42.0 56.4 54.0 2 30 060 0 1 2 9 01 "
    "0 0 54.0 0 1"
)


def lossy(command: str, payload: str) -> dict[str, Any]:
    """Return what `decode` says of a reply whose checksum has lost its NULs."""
    data = encode_reply(payload).rstrip(b"\r").replace(b"\0", b"")
    return one(f"{command} ".encode() + data + b"\n")


def test_no_reply_is_shortened_in_silence() -> None:
    """Whatever ends in a checksum with a NUL: the words of all replies, renumbered."""
    seen = 0
    for command, reply in (
        ("QID", "9233210110{:04}"),
        ("QET", "0012{:04}"),
        ("QMN", "VMIII-{:04}"),
        ("QPIRI", TWENTY_FIVE + " 480 0 {:03}"),
        ("QMCHGCR", "010 020 030 {:03}"),
        ("QGMN", "{:03}"),
    ):
        for number in range(1000):
            said = reply.format(number)
            if b"\0" not in encode_reply(said)[-2:]:
                continue
            seen += 1
            record = lossy(command, said)
            full = said.split()[-1] in str(record["values"])
            notes = str(record.get("warnings"))
            assert full or "checksum" in notes or str(number) in notes, (said, record)
    assert seen > 20


def test_a_whole_reply_gets_no_remark() -> None:
    """Four in a hundred checksums begin with a digit: these hide nothing."""
    for number in range(300):
        data = encode_reply(f"9233210110{number:04}")
        record = one("QID " + "".join(f"\\x{byte:02x}" for byte in data) + "\n")
        assert record["values"]["serial"] == f"9233210110{number:04}"
        assert "warnings" not in record


def test_a_status_is_whole() -> None:
    records = decoded_case("checksum-nul-lost").records
    assert [record["values"]["device_status_2"] for record in records] == ["010"] * 3
    assert [record["values"]["pv_charging_power"] for record in records] == [
        270, 466, 1171,
    ]  # fmt: skip


# -- codes and values that need a remark ---------------------------------------------

CLONES = ("n0027", "n0068", "n0081")  # QPIRI of three clones


def unproven(record: dict[str, Any]) -> bool:
    """Tell whether names of priorities are left out, or said to be unproven."""
    named = [key for key in record["values"] if key.endswith("priority_name")]
    return not named or "proven" in str(record.get("warnings"))


def test_the_codes_of_a_clone_are_not_proven() -> None:
    _, ratings = decoded_case("clone-codes").records
    assert unproven(ratings)


@pytest.mark.parametrize("frame", CLONES)
def test_the_codes_of_other_clones(frame: str) -> None:
    assert unproven(one(f"QPIRI {BY_ID[frame].response.hex()}\n"))


def test_the_codes_of_a_known_family_are() -> None:
    (record,) = decoded(f"QPIRI {BY_ID['n0030'].response.hex()}\n").records
    assert not unproven(record) or "charger_source_priority_name" in record["values"]


def test_a_heat_sink_of_498_degrees() -> None:
    record = by_line("heatsink-498")[2]
    assert record["values"]["heatsink_temperature"] == 498
    assert "498" in str(record["warnings"])


@pytest.mark.parametrize(
    ("before", "after", "value"),
    [
        ("0037", "0498", "498"),
        (" 369 ", " 999 ", "999"),
        ("230.1 49.9", "230.1 99.9", "99.9"),
        ("52.90", "99.90", "99.9"),
    ],
)
def test_other_values_that_are_not_shown(before: str, after: str, value: str) -> None:
    reply = encode_reply(STATUS.replace(before, after, 1))
    record = one(f"QPIGS {reply.hex()}\n")
    assert value in str(record["warnings"])


# -- the many ways to paste a reply ----------------------------------------------------

REPLY = encode_reply(STATUS)
MODE = encode_reply("B")
WORDS = STATUS.split()
ESCAPED = repr(REPLY)[2:-1]


def dumped(data: bytes) -> str:
    """Return bytes as `hexdump -C` shows them."""
    lines = []
    for at in range(0, len(data), 16):
        part = data[at : at + 16]
        text = "".join(chr(b) if 32 <= b < 127 else "." for b in part)
        halves = f"{part[:8].hex(' ')}  {part[8:].hex(' ')}"
        lines.append(f"{at:08x}  {halves:<48}  |{text}|")
    return "\n".join(lines)


def xxd(data: bytes) -> str:
    """Return bytes as `xxd` shows them."""
    lines = []
    for at in range(0, len(data), 16):
        part = data[at : at + 16]
        text = "".join(chr(b) if 32 <= b < 127 else "." for b in part)
        pairs = " ".join(part[n : n + 2].hex() for n in range(0, len(part), 2))
        lines.append(f"{at:08x}: {pairs:<39}  {text}")
    return "\n".join(lines)


def octal(data: bytes) -> str:
    """Return bytes as `strace` shows them."""
    shown = (chr(b) if 32 <= b < 127 else f"\\{b:o}" for b in data[:-1])
    return f'read(3, "{"".join(shown)}\\r", 64) = {len(data)}'


def shown_by_cat(data: bytes) -> str:
    """Return bytes as `cat -A` shows them."""
    text = ""
    for byte in data:
        low = byte & 127
        text += "M-" if byte > 127 else ""
        text += chr(low) if 32 <= low < 127 else f"^{chr(low ^ 64)}"
    return f"{text}$"


WHOLE = {  # the checksum is there
    "hexdump": dumped(REPLY),
    "xxd": xxd(REPLY),
    "hex in lines": "\n".join(
        REPLY.hex(" ")[n : n + 48] for n in range(0, 3 * len(REPLY), 48)
    ),
    "hex with 0x": ", ".join(f"0x{byte:02X}" for byte in REPLY),
    "hex with h": " ".join(f"{byte:02X}h" for byte in REPLY),
    "decimals": str(list(REPLY)),
    "cat -A": shown_by_cat(REPLY),
    "strace": octal(REPLY),
    "Python": f"reply = {REPLY!r}",
    "bytearray": str(bytearray(REPLY)),
    "JSON": json.dumps({"command": "QPIGS", "response": REPLY.decode("latin-1")}),
    "Node-RED": json.dumps({"type": "Buffer", "data": list(REPLY)}),
    "Tasmota": json.dumps({"SerialReceived": REPLY.hex().upper()}),
    "mpp-solar -D": f"2023-01-01 12:00:00,9:DEBUG:serialio: response was: {REPLY!r}",
    "Docklight": f"12:00:00.00 [RX] - ({STATUS}<{REPLY[-3]:02X}><{REPLY[-2]:02X}><CR>",
    "colours": f'\x1b[0;36m[12:00:01][D][uart:1]: <<< "{ESCAPED}"\x1b[0m',
    "ESPHome in hex": f"[12:00:01][D][uart:1]: <<< {REPLY.hex(':').upper()}",
    "typographic quotes": f"“{ESCAPED}”",
    "cut at 80 columns": f"{ESCAPED[:80]}\n{ESCAPED[80:]}",
    "a port": encode_request("QPIGS") + REPLY,
}
BARE_TEXT = {  # there is none
    "HTML": f"<p>QPIGS: <code>({STATUS}</code><br>",
    "a cell of HTML": f"<td>QPIGS</td><td>&#40;{STATUS.replace(' ', '&nbsp;')}</td>",
    "a table": f"| QPIGS | ({STATUS} | fine |",
    "a quotation": f"> `({STATUS}`",
    "a list": f"- **QPIGS**: `({STATUS}`",
    "typographic quotes": f"QPIGS = “({STATUS}”",
    "tabs": "QPIGS (" + STATUS.replace(" ", "\t"),
    "Windows": f"QPIGS\r\n({STATUS}\r\n",
    "PowerShell": f"QPIGS\r\n({STATUS}\r\n".encode("utf-16"),
    "wrapped": "(" + " ".join(WORDS[:9]) + "\n" + " ".join(WORDS[9:]),
    "wrapped twice": "\n".join(
        [f"({' '.join(WORDS[:7])}", " ".join(WORDS[7:14]), " ".join(WORDS[14:])]
    ),
    "cut at 62 columns": f"({STATUS[:62]}\n{STATUS[62:]}",
    "MQTT": f'solar/QPIGS {{"raw":"({STATUS}","ts":1700000000}}',
    "JSON, the name behind": json.dumps({"response": f"({STATUS}", "is": "QPIGS"}),
    "a serial monitor": f"12:00:01.500 -> ({STATUS}\u2e2e\u2e2e",
    "lost characters": f"QPIGS\n({STATUS}\ufffd\ufffd",
    "a table of numbers": f"2024-01-01;QPIGS;({STATUS};ok",
    "commas": "QPIGS," + ",".join(WORDS),
    "a prompt": f"QPIGS> {STATUS}",
    "a sentence": f"The reply to QPIGS (general status) is: ({STATUS}",
    "a remark": f"({STATUS} CRC: unknown",
}


@pytest.mark.parametrize(
    ("text", "checked"),
    [
        *(pytest.param(text, True, id=name) for name, text in WHOLE.items()),
        *(pytest.param(text, False, id=name) for name, text in BARE_TEXT.items()),
    ],
)
def test_a_status_as_people_paste_it(text: str | bytes, checked: bool) -> None:  # noqa: FBT001
    record = one(text)
    assert record["command"] == "QPIGS"
    assert record["values"]["pv_charging_power"] == 907
    assert record["values"]["device_status_2"] == "110"
    assert marked(record) is not checked


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"QPIGS": f"({STATUS}", "QMOD": "(B"}),
        json.dumps({"QPIGS": f"({STATUS}", "QMOD": "(B"}, indent=2),
        f"{{'QPIGS': {REPLY!r}, 'QMOD': {MODE!r}}}",
        f"QPIGS\n{dumped(REPLY)}\nQMOD\n{dumped(MODE)}",
        encode_request("QPIGS") + REPLY + encode_request("QMOD") + MODE,
        f"I typed QPIGS\n({STATUS}\nand then QMOD\n(B\n```",
    ],
    ids=["JSON", "pretty JSON", "Python", "hexdump", "a port", "a story"],
)
def test_two_replies(text: str | bytes) -> None:
    first, second = decoded(text).records
    assert (first["command"], second["command"]) == ("QPIGS", "QMOD")
    assert second["values"]["mode"] == "B"


@pytest.mark.parametrize(
    ("text", "command", "values"),
    [
        ("QPI: PI30", "QPI", {"protocol": "PI30"}),
        ("QVFW: VERFW:00071.10", "QVFW", {"firmware": "00071.10"}),
        ("QPIGS2 NAK", "QPIGS2", {"acknowledged": False}),
        ("QMCHGCR: 010 020 030", "QMCHGCR", {"amps": [10, 20, 30]}),
    ],
)
def test_a_word_without_a_bracket(
    text: str, command: str, values: dict[str, Any]
) -> None:
    record = one(text)
    assert record["command"] == command
    assert values.items() <= record["values"].items()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (r"QMOD (B\xe7\xc8\r", "corrupt: bad checksum e7 c8"),
        ("HEX: 28 42 e7 c8 0d", "corrupt: bad checksum in …42 e7 c8"),
        (f"({STATUS}XY\\r", "corrupt: bad checksum 58 59"),
        ('[I][uart:1]: <<< "(230.1 49.9"', "truncated: no end of the reply"),
    ],
)
def test_a_message_names_the_true_fault(text: str, said: str) -> None:
    assert one(text)["error"].startswith(said)


def test_prose_is_no_recording() -> None:
    done = decoded("The inverter (see QPIGS) is fine.\nIt says nothing (POP02).\n" * 9)
    assert (done.code, done.out) == (2, "")
    (line,) = done.err.splitlines()
    assert "is no recording: there is no reply in it" in line


def test_few_of_many_lines_without_a_reply_are_named() -> None:
    done = decoded("QMOD (B\n" + "a word\n" * 80)
    assert done.code == 2
    assert len(done.records) == 1
    *lines, rest = done.err.splitlines()
    assert len(lines) == 5
    assert rest.endswith(": 75 more lines without a reply")

"""`mppdbus decode`: journals, hex and text as people paste it, and any rubbish."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.commands import FRAMES, cli, command
from mppdbus.commands.decode import decode_all
from mppdbus.commands.decoded_reply import NO_CHECKSUM, in_words
from mppdbus.protocol.framing import (
    ResponseFramer,
    checksum,
    encode_reply,
    encode_request,
)
from mppdbus.protocol.queries import UNEXPLAINED, base_command
from mppdbus.recording.pasted_replies import PastedReplies
from mppdbus.recording.query_guess import guess_query

QPIGS = (
    "230.1 49.9 230.0 50.0 0712 0635 014 369 52.90 003 097 0037 06.2 145.1 00.00 "
    "00000 10010110 00 00 00907 110"
)
RECORDED = [json.loads(line) for line in FRAMES.read_text().splitlines()]
JOURNAL = PastedReplies.of(FRAMES.read_bytes()).replies
KIND_OF_QUALITY = {
    "corrupt": ("corrupt", "truncated"),
    "wrong-crc-in-source": ("corrupt",),
    "echo": ("echo",),
    "other-protocol": ("other-protocol",),
}


# Damaged before their checksum was made: only the odd word tells.
ODD_WORDS = ("f0093-", "f0360-")


def known(frame: dict[str, Any]) -> bool:
    """Whether anybody knows what the words of a reply mean."""
    return frame["command"] not in UNEXPLAINED


def decoded(*lines: str, dialect: str = "auto") -> list[dict[str, Any]]:
    pasted = PastedReplies.of("\n".join(lines).encode())
    return [result.record() for result in decode_all(pasted.replies, dialect)]


def one(line: str) -> dict[str, Any]:
    return decoded(line)[0]


# -- journals ------------------------------------------------------------------------


def test_every_recorded_reply_is_decoded_or_refused_by_its_right_name() -> None:
    results = decode_all(JOURNAL)
    for frame, result in zip(RECORDED, results, strict=True):
        record = result.record()
        assert record["command"] == frame["command"]
        if frame["variant"] == "PI01":  # tests/field/test_detect.py
            continue
        kinds = KIND_OF_QUALITY.get(frame["quality"])
        if frame["id"].startswith(ODD_WORDS):
            assert record["partial"]
            assert "values" in record
        elif kinds is not None:
            error = str(record.get("error"))
            assert error.split(":", 1)[0] in kinds, (frame["id"], record)
        elif frame["quality"] == "good":
            assert "values" in record, (frame["id"], record)
            assert "partial" not in record


def test_what_was_read_from_the_display_is_what_is_decoded() -> None:
    results = decode_all(JOURNAL)
    compared = 0
    for frame, result in zip(RECORDED, results, strict=True):
        values = result.record().get("values", {})
        for name, wanted in frame.get("expected", {}).items():
            if name in values and name not in ("flags", "warnings"):
                got = values[name]
                assert wanted in (got, values.get(f"{name}_name")), (frame["id"], name)
                compared += 1
    assert compared > 80


def test_an_inverter_that_says_pi34_has_no_pi30_reply_at_all() -> None:
    def line(command: str, payload: str, source: str) -> str:
        frame = encode_reply(payload).hex()
        where = {"model": "MPPT-3000", "source": source}
        return json.dumps({"command": command, "response_hex": frame, **where})

    nak, said, elsewhere = decoded(
        line("QFLAG", "NAK", "here"),
        line("QPI", "PI34", "here"),
        line("QFLAG", "NAK", "elsewhere"),
    )
    assert nak["error"].startswith("other-protocol: QPI: the device speaks PI34")
    assert said["error"].startswith("other-protocol:")
    assert elsewhere["values"] == {"acknowledged": False}


def test_the_replies_of_one_inverter_tell_its_dialect_together() -> None:
    lines = [f"QPIRI: ({ratings()}", "QVFW: (VERFW:00040.09", "QMN: (VMII-4000"]
    alone, together = decoded(lines[0])[0], decoded(*lines)[0]
    assert alone["values"]["output_source_priority_name"] == "SBU"
    assert together["values"].get("output_source_priority_name") != "SBU"
    fixed = decoded(*lines, dialect="pi30")[0]
    assert fixed["values"]["output_source_priority_name"] == "SBU"


def ratings() -> str:
    return (
        "230.0 21.7 230.0 50.0 21.7 5000 4000 48.0 46.0 42.0 56.4 54.0 0 10 010 1 2 2 "
        "- 01 0 0 27.0 0 1"
    )


def test_a_dash_is_a_field_that_is_not_known() -> None:
    values = one(f"QPIRI ({ratings()}")["values"]
    assert values["max_parallel_units"] is None
    assert values["battery_type_name"] == "AGM"
    assert "operation_logic" not in values  # this layout ends before


def test_a_family_with_layouts_of_its_own_is_read_with_them() -> None:
    status = "(121.0 59.9 121.0 59.9 0500 0400 010 380 52.0 010 080 0040 02 120.0 "
    status += "52.00 00000 11100010 00 00 00300 010"
    general = one(f"QPIGS: {status}")
    phases = decoded("QPI: (PI41", f"QPIGS: {status}")[1]
    assert general["layout"] == "GeneralStatus"
    assert phases["layout"] == "GeneralStatusSplitPhase"
    assert phases["warnings"] == [NO_CHECKSUM]


@pytest.mark.parametrize(
    "line",
    [
        '{"id": 7}',
        '{"response_hex": 28}',
        '{"response_hex": "2"}',
        '{"response_hex": "é"}',
        '{"a":' * 100_000,
    ],
)
def test_a_line_of_json_that_is_no_journal(line: str) -> None:
    found = PastedReplies.of(line.encode())
    assert found.replies == []
    ((number, problem),) = found.others
    assert number == 1
    assert "JSON" in problem or "response_hex" in problem


# -- pasted lines ------------------------------------------------------------------


def text_forms() -> list[str]:
    reply = encode_reply(QPIGS)
    escaped = "".join(chr(b) if 32 <= b < 127 else f"\\x{b:02x}" for b in reply[:-1])
    crc = reply[-3:-1]
    return [
        f"({QPIGS}",
        f"({QPIGS}\\r",
        f"QPIGS: ({QPIGS}",
        f"QPIGS ({QPIGS}",
        f"  qpigs => ({QPIGS}  ",
        f"{escaped}\\r",
        f"b'{escaped}\\r'",
        f"QPIGS: b'{escaped}\\r'",
        f'2024-10-22 12:00:01 RX QPIGS "{escaped}\\r"',
        f"({QPIGS}<{crc[0]:02X}><{crc[1]:02x}><cr>",
        f"({QPIGS}<crc><CR>",
        reply.hex(),
        reply.hex().upper(),
        reply.hex(" "),
        reply.hex(":"),
        f"QPIGS {reply.hex()}",
        f"QPIGS: {reply[:-1].hex(' ')}",
        ",".join(f"0x{byte:02x}" for byte in reply),
        "".join(f"\\x{byte:02x}" for byte in reply),
        reply.decode("latin-1"),
    ]


@pytest.mark.parametrize("line", text_forms())
def test_all_that_people_paste_is_the_same_reply(line: str) -> None:
    record = one(line)
    assert record["command"] == "QPIGS"
    assert record["layout"] == "GeneralStatus"
    assert record["values"]["grid_voltage"] == 230.1
    assert record["values"]["pv_charging_power"] == 907


def test_text_without_a_checksum_says_so() -> None:
    assert one(f"({QPIGS}")["warnings"] == [NO_CHECKSUM]
    assert "warnings" not in one(encode_reply(QPIGS).hex())


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (f"({QPIGS}XY\\r", "corrupt"),
        (f"QPIGS: ({QPIGS}\\x00\\x01\\r", "corrupt"),
        ("(B\\xe7\\xc8\\r", "corrupt"),
        (encode_reply("B").hex().replace("42", "4c"), "corrupt"),
        ("ff", "corrupt"),
        ("28 50 49 33", "truncated"),
        (encode_request("QFLAG").hex(), "echo"),
        ("QFLAG\\x98t\\r", "echo"),
        ("^D0253000000", "other-protocol"),
        ("QPI: (PI18", "other-protocol"),
        ("HGRID 2832333920300d", "other-protocol"),
        ("(1 2 3 4 5 6 7", "unknown-layout"),
        ("(0", "unknown-layout"),
        ("QXYZ: (1 2 3", "unknown-layout"),
    ],
)
def test_what_cannot_be_decoded_is_refused_by_name(line: str, kind: str) -> None:
    assert one(line)["error"].split(":")[0] == kind


def test_an_ambiguous_reply_says_which_commands_fit() -> None:
    assert "QOPM, QBOOT" in one("(0")["error"]


def test_an_echo_before_the_reply_does_no_harm() -> None:
    data = encode_request("QMOD") + encode_reply("B")
    assert one(data.hex())["values"] == {"mode": "B", "mode_name": "battery"}


@pytest.mark.parametrize(
    ("line", "acknowledged"),
    [
        ("(ACK9 \\r", True),
        ("(ACK9", True),  # an editor cut the blank of the checksum off
        ("POP02 (NAKss\\r", False),
        ("(NAK", False),
        ("QPIGS: (NAK", False),
        ("POP02: 284e414b7373 0d", False),
    ],
)
def test_ack_and_nak(line: str, *, acknowledged: bool) -> None:
    assert one(line)["values"] == {"acknowledged": acknowledged}


def test_an_unknown_number_of_fields_is_read_as_far_as_it_goes() -> None:
    record = one(f"QPIGS: ({QPIGS}{19 * ' 1'}")  # 40: nobody has so many
    assert record["partial"] is True
    assert record["values"]["battery_voltage"] == 52.9
    assert any("40 fields" in warning for warning in record["warnings"])
    assert record["warnings"][-1].startswith("unexplained at its end: 1 1")


@pytest.mark.parametrize(
    "frame",
    [f for f in RECORDED if f["quality"] == "good" and f["fields"] > 2 and known(f)],
    ids=lambda f: str(f["id"]),
)
def test_the_shape_of_a_long_reply_tells_its_command(frame: dict[str, Any]) -> None:
    payload = ResponseFramer().feed(bytes.fromhex(frame["response_hex"]))[0].payload
    command = base_command(frame["command"])
    alike = {"QMUCHGCR": "QMCHGCR", "QMSCHGCR": "QMCHGCR"}
    assert guess_query(payload) == [alike.get(command, command)]


def test_a_checksum_of_two_blanks_is_no_end_of_the_text() -> None:
    assert one("(B" + checksum(b"(B").decode("latin-1"))["values"]["mode"] == "B"


# -- the command -------------------------------------------------------------------


def test_for_people_each_reply_is_a_block_with_units(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "replies.txt"
    file.write_text(f"# pasted\n\nQPIGS: ({QPIGS}\nQMOD (B\n")
    said = command(capsys, "decode", str(file))
    assert said.code == 0
    assert "line 3  QPIGS\n  grid_voltage               230.1 V\n" in said.out
    assert "  mode  B (battery)\n" in said.out


def test_warnings_are_said_in_words(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "replies.txt"
    file.write_text("QPIWS: (00000100000010000000000000000000\n")
    said = command(capsys, "decode", str(file))
    assert "line_fail          no mains" in said.out
    assert "battery_low_alarm  battery voltage low" in said.out


def test_exit_codes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "replies.txt"
    file.write_text("QMOD (B\n(0 1 2 3 4 5\n")
    said = command(capsys, "decode", "--json", str(file))
    assert said.code == 1
    assert [set(record) for record in said.records] == [
        {"id", "command", "layout", "values", "warnings"},
        {"id", "command", "error", "warnings"},
    ]
    file.write_text("QMOD (B\nhello\n")
    said = command(capsys, "decode", str(file))
    assert said.code == 2
    assert "line 2: no reply in it" in said.err
    assert "battery" in said.out  # the good one is decoded all the same
    said = command(capsys, "decode", str(tmp_path / "missing"))
    assert said.code == 2
    assert "cannot be read: No such file" in said.err
    assert command(capsys, "decode", str(tmp_path)).code == 2


def test_a_pipe_and_an_ascii_terminal() -> None:
    done = cli(
        "decode",
        "-",
        stdin='QPIGS: (000.0\n{"id": "\\ud800é", "response_hex": "ff"}'.encode(),
        env={"PYTHONIOENCODING": "ascii"},
    )
    assert done.returncode == 1
    assert done.stderr == ""
    assert "corrupt" in done.stdout


def test_the_reader_of_a_long_output_may_go(tmp_path: Path) -> None:
    file = tmp_path / "long.txt"
    file.write_text(f"({QPIGS}\n" * 3000)
    done = subprocess.run(
        f"{sys.executable} -m mppdbus decode --json {file} | head -1;"
        "echo ${PIPESTATUS[0]}",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines()[1] == "0"


LINES = st.one_of(
    st.binary(max_size=120),
    st.text(max_size=80).map(str.encode),
    st.binary(max_size=60).map(lambda data: b"(" + data),
    st.binary(max_size=40).map(lambda data: data.hex().encode()),
    st.binary(max_size=40).map(lambda data: encode_reply(data).hex().encode()),
    st.sampled_from(
        [b"QPIGS: (", b"QPIRI ", b"{", b'{"response_hex": "28"}', b"QMOD b'("]
    ),
    st.text(alphabet="0123456789 .-", max_size=140).map(lambda x: f"({x}".encode()),
)


@given(lines=st.lists(LINES, max_size=6), as_json=st.booleans())
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_whatever_the_file_holds_there_is_no_traceback(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    lines: list[bytes],
    *,
    as_json: bool,
) -> None:
    file = tmp_path / "rubbish"
    file.write_bytes(b"\n".join(lines))
    said = command(capsys, "decode", str(file), *(["--json"] if as_json else []))
    assert said.code in (0, 1, 2)
    if as_json:
        assert all({"id", "command"} <= set(record) for record in said.records)


def test_values_in_words() -> None:
    assert in_words(None) == "--"
    assert in_words([True, 3, "x"]) == "yes 3 x"
    assert in_words([]) == "none"
    assert in_words({"buzzer": True, "x": False}) == "buzzer on, x off"

"""Played back: what real inverters said, byte for byte, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from helpers.places import TESTS
from helpers.simulator import ask_once
from mppdbus.errors import ConfigError
from mppdbus.protocol.framing import encode_reply
from mppdbus.simulator.line.simulator import Simulator
from mppdbus.simulator.scene.control import Scene
from mppdbus.simulator.unit.recording import Recording, base_of, load, read

FRAMES = TESTS / "frames" / "frames.jsonl"
GOOD = [row for row in read(FRAMES) if row.quality == "good"]
NAK = encode_reply("NAK")


def write(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def row(command: str, payload: str, **more: object) -> dict[str, object]:
    return {"command": command, "response_hex": encode_reply(payload).hex()} | more


@pytest.mark.parametrize("model", sorted({row.model for row in GOOD}))
def test_every_good_reply_comes_back_verbatim_and_in_turn(model: str) -> None:
    recording = load(FRAMES, model)
    said: dict[str, list[bytes]] = {}
    for good in GOOD:
        if good.model == model:
            said.setdefault(good.command, []).append(good.response)
    assert said
    for command, responses in said.items():
        turns = [recording.reply(command) for _ in range(2 * len(responses))]
        assert turns == responses * 2


def test_over_a_line_the_padding_of_a_hid_capture_stays() -> None:
    recording = load(FRAMES, "MPP Solar 24V 3K LV (HID)")
    (recorded,) = recording.replies["QID"]
    assert recorded.endswith(b"\r" + bytes(6))
    assert ask_once(Simulator(recording, Scene(None)), "QID") == recorded


def test_faults_strike_a_recording_too() -> None:
    recording = load(FRAMES, "MPP Solar 24V 3K LV (HID)")
    scene = Scene(None)
    scene.apply("fault cut")
    (recorded,) = recording.replies["QMOD"]
    broken = ask_once(Simulator(recording, scene), "QMOD")
    assert broken == recorded[: len(recorded) // 2]


def test_what_was_not_recorded_is_not_invented() -> None:
    recording = load(FRAMES, "Axpert King + Pylontech")
    assert list(recording.replies) == ["QBMS"]
    assert {recording.reply(c) for c in ("QPI", "QID", "QMOD", "POP02")} == {NAK}
    recording.unrecorded = None
    assert recording.reply("QPI") is None


@pytest.mark.parametrize(
    ("recorded", "asked"),
    [
        ("QED20241022", "QED20241022"),
        ("QED20241022", "QED20260101"),
        ("QED", "QED20260101"),
        ("QEY2024", "QEY2025"),
        ("QPGSn", "QPGS0"),
        ("QPGS", "QPGS0"),
        ("QPGSn", "QPGSn"),
        ("QP2GS", "QP2GS0"),
    ],
)
def test_an_argument_may_differ_or_be_missing(
    tmp_path: Path, recorded: str, asked: str
) -> None:
    path = write(tmp_path / "r.jsonl", row(recorded, "00001234"))
    assert load(path).reply(asked) == encode_reply("00001234")


@pytest.mark.parametrize("recorded", ["QPGS0", "QPGS1", "QPGSn", "QPGS", "QP2GS2"])
def test_a_unit_does_not_answer_for_another(tmp_path: Path, recorded: str) -> None:
    recording = load(write(tmp_path / "r.jsonl", row(recorded, "1 2")))
    assert recording.reply("QPGS2") == NAK
    assert recording.reply("QP2GS1") == NAK
    recording.unrecorded = None
    assert recording.reply("QPGS2") is None


@pytest.mark.parametrize(
    ("others", "reply"), [([b""], None), ([b"", NAK], NAK), ([], NAK)]
)
def test_a_number_that_is_not_there_gets_what_the_unit_says_of_others(
    others: list[bytes], reply: bytes | None
) -> None:
    replies = {"QPGS0": [encode_reply("1 2")], "QET": [*others, encode_reply("1")]}
    recording = Recording("unit", replies)
    assert recording.reply("QPGS1") == reply
    assert recording.reply("QPGS0") == encode_reply("1 2")
    assert recording.reply("QXX") == NAK


def test_an_argument_that_was_recorded_comes_first(tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", row("QED20240101", "1"), row("QED20240102", "2"))
    assert load(path).reply("QED20240102") == encode_reply("2")


@pytest.mark.parametrize("asked", ["QEM202401", "QPIGS2", "QMOD", "QPG", "QED"])
def test_alike_is_not_the_same(tmp_path: Path, asked: str) -> None:
    path = write(tmp_path / "r.jsonl", row("QEY2024", "1"), row("QPIGS", "2"))
    assert load(path).reply(asked) == NAK


def test_bases() -> None:
    names = ("QED20240101", "QEY", "QPGS0", "QPGSn", "QP2GS1", "QPIGS2", "Q1")
    expected = ["QED", "QEY", "QPGS", "QPGS", "QP2GS", "QPIGS2", "Q1"]
    assert [base_of(name) for name in names] == expected


def test_damaged_replies_are_played_only_on_demand(tmp_path: Path) -> None:
    path = write(
        tmp_path / "r.jsonl", row("QMOD", "B"), row("QMOD", "X", quality="corrupt")
    )
    assert load(path).replies["QMOD"] == [encode_reply("B")]
    everything = load(path, quality="all")
    assert everything.replies["QMOD"] == [encode_reply("B"), encode_reply("X")]


def test_a_file_of_many_models_lists_them(tmp_path: Path) -> None:
    path = write(
        tmp_path / "r.jsonl",
        row("QMOD", "B", model="King 5"),
        row("QPI", "PI30", model="King 5"),
        row("QMOD", "L", model="MAX 8"),
        row("QMOD", "S"),
    )
    for model in (None, "nonsense"):
        with pytest.raises(ConfigError, match=r"King 5 \(2\); MAX 8 \(1\); unknown"):
            load(path, model)
    assert load(path, "max").model == "MAX 8"
    assert load(path, "King 5").model == "King 5"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no replies of quality 'good'"),
        ('{"command": "QMOD", "response_hex": "2842", "quality": "cut"}', "no replies"),
        ("nonsense", r"r\.jsonl:1: not a recorded reply"),
        ('{"command": "QMOD"}', "a line needs command and response_hex"),
        ('{"command": "QMOD", "response_hex": "zz"}', ":1: not a recorded reply"),
        ("[]", ":1: not a recorded reply"),
    ],
)
def test_a_file_that_is_none_is_told(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(text)
    with pytest.raises(ConfigError, match=problem):
        load(path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "none.jsonl")

"""The journal: what is written down of an exchange, and that no serial leaves."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.frames import FRAMES, Recorded, ids, known_counts
from helpers.places import TESTS
from mppdbus.errors import ConfigError
from mppdbus.protocol.dialects import DIALECTS
from mppdbus.protocol.framing import ResponseFramer, encode_reply, encode_request
from mppdbus.protocol.queries import QUERIES, Layout
from mppdbus.protocol.replies.settings import RatingsRevo
from mppdbus.protocol.serial_numbers import bogus_serial
from mppdbus.recording.journal import Entry, parse, read, write
from mppdbus.recording.journal_entries import RecordedUnit, entries_of
from mppdbus.recording.masking import Masker, made_up
from mppdbus.recording.reply_quality import Crc, Exchange, Quality, judge_reply

SERIAL = "92932105100123"
OTHER = "92932105100456"
UNIT = RecordedUnit("VMIII-5000", "pi30vm3", "a test")
CORPUS = TESTS / "frames" / "frames.jsonl"
QPGS = (
    "1 {} L 00 122.9 59.98 122.9 59.98 0331 0272 013 56.1 004 100 000.0 004 01577 "
    "01400 009 01000010 6 0 060 220 40 00 000"
)


def asked(command: str, response: bytes, **more: object) -> Exchange:
    request = encode_request(command)
    return Exchange(command, request, response, **more)  # type: ignore[arg-type]


def replied(command: str, payload: str, **more: object) -> Exchange:
    return asked(command, encode_reply(payload), **more)


def payload_of(entry: Entry) -> bytes:
    (frame,) = ResponseFramer().feed(entry.response)
    assert frame.intact
    return frame.payload


# -- judging -----------------------------------------------------------------------

# What the corpus calls by words of its own, or cannot know from the bytes alone.
NOT_FROM_THE_BYTES = {"synthetic", "paste-artefact", "genuine-odd", "reconstructed"}


@pytest.mark.parametrize(
    "frame",
    [f for f in FRAMES if f.quality not in NOT_FROM_THE_BYTES],
    ids=ids([f for f in FRAMES if f.quality not in NOT_FROM_THE_BYTES]),
)
def test_the_corpus_is_judged_as_people_judged_it(frame: Recorded) -> None:
    verdict = judge_reply(frame.command, frame.response)
    whole = frame.crc != "invalid-as-recorded"
    assert (verdict.crc is Crc.RECORDED) is whole
    if frame.quality == "echo":
        assert verdict.quality is Quality.ECHO
    else:
        assert (verdict.payload is not None) is whole
    if frame.quality == "good":
        wanted = Quality.NAK if frame.is_nak else Quality.GOOD
        assert (verdict.quality, verdict.note) == (wanted, None)


@pytest.mark.parametrize(
    ("response", "quality", "crc"),
    [
        (b"", Quality.SILENT, Crc.INVALID),
        (b"\0\0", Quality.SILENT, Crc.INVALID),
        (b"(NAKss\r", Quality.NAK, Crc.RECORDED),
        (b"(NAK\r", Quality.NAK, Crc.INVALID),
        (b"(ACK9 \r", Quality.ACK, Crc.RECORDED),
        (b"(B\xe7\xc9", Quality.TRUNCATED, Crc.INVALID),
        (b"(B\xe7\xc8\r", Quality.CORRUPT, Crc.INVALID),
        (b"\xff\xff\r", Quality.CORRUPT, Crc.INVALID),
        (encode_request("QMOD"), Quality.ECHO, Crc.RECORDED),
        (b"^0\x1b\xe3\r", Quality.OTHER_PROTOCOL, Crc.INVALID),
        (encode_request("QMOD") + b"(B\xe7\xc9\r", Quality.GOOD, Crc.RECORDED),
    ],
)
def test_what_can_come(response: bytes, quality: Quality, crc: Crc) -> None:
    verdict = judge_reply("QMOD", response)
    assert (verdict.quality, verdict.crc) == (quality, crc)


def test_a_strange_reply_is_kept_with_what_is_strange() -> None:
    verdict = judge_reply("QPIRI", encode_reply("230.0 21.7 230.0"))
    assert verdict.quality is Quality.GOOD
    assert verdict.note == f"unknown layout: 3 fields where {known_counts('QPIRI')}"
    verdict = judge_reply("QMOD", encode_reply("42"))
    assert (verdict.note or "").startswith("does not fit its layout: ")
    assert judge_reply("QPI", encode_reply("PI18")).quality is Quality.OTHER_PROTOCOL


def test_a_reply_is_judged_by_the_layouts_of_its_family(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = {"QPIRI": (Layout(RatingsRevo, frozenset((3,))),)}
    row = replace(DIALECTS["pi30"], name="pi30own", queries=QUERIES | own)
    monkeypatch.setitem(DIALECTS, "pi30own", row)
    reply = replied("QPIRI", "230.0 21.7 230.0")
    assert judge_reply("QPIRI", reply.response, "pi30own").note is None
    (entry,) = entries_of([reply], RecordedUnit("one", "pi30own", "a test"))
    assert entry.note is None
    (entry,) = entries_of([reply], UNIT)
    assert (entry.note or "").startswith("unknown layout: 3 fields")


# -- lines -------------------------------------------------------------------------


def test_a_line_has_the_keys_of_the_corpus() -> None:
    (entry,) = entries_of([replied("QMOD", "B", t_ms=1200, ms=110)], UNIT)
    assert json.loads(entry.as_line()) == {
        "id": "r0001-qmod-pi30vm3",
        "model": "VMIII-5000",
        "variant": "pi30vm3",
        "command": "QMOD",
        "response_hex": "2842e7c90d",
        "crc": "recorded",
        "source": "a test",
        "quality": "good",
        "fields": 1,
        "ascii": "(B\\xe7\\xc9\\r",
        "ms": 110,
        "t_ms": 1200,
    }


def test_noise_in_front_goes_and_the_padding_of_hid_stays() -> None:
    noisy = b"\xff(cut" + encode_reply("B") + bytes(3)
    (entry,) = entries_of([asked("QMOD", noisy)], UNIT)
    assert entry.response == encode_reply("B") + bytes(3)
    (entry,) = entries_of([asked("QMOD", noisy + b"x", final=False)], UNIT)
    assert entry.response == noisy + b"x"
    assert entry.quality == "superseded"


def test_a_damaged_copy_in_front_is_not_taken_for_the_reply() -> None:
    damaged = b"(B\xe7\xc8"
    (entry,) = entries_of([asked("QMOD", damaged + encode_reply("B"))], UNIT)
    assert entry.response == encode_reply("B")


def test_an_unusual_request_is_kept() -> None:
    odd = encode_request("QCHGS", zero_as_one=True)
    one = Exchange("QCHGS", odd, encode_reply("00.3 54.0 25.0 55.4"))
    (entry,) = entries_of([one], UNIT)
    assert entry.request_hex == odd.hex()


def test_silence_is_a_line_too() -> None:
    (entry,) = entries_of([asked("QBMS", b"")], UNIT)
    assert (entry.quality, entry.response_hex) == ("silent", "")


# -- masking -----------------------------------------------------------------------


def everything_of(serial: str, other: str = OTHER) -> list[Exchange]:
    return [
        replied("QPI", "PI30"),
        replied("QID", serial),
        replied("QSID", f"14{serial}{serial[:6]}"),
        replied("QPGS0", QPGS.format(serial)),
        replied("QPGS1", QPGS.format(other)),
        replied("QP2GS1", f"11 {other} L 00 124.2 59.98 124.2 59.98 0149 0130 005 "
                "56.1 000 100 000.0 00 01000010"),
        replied("QMOD", "B"),
        replied("QET", "00123456"),
    ]  # fmt: skip


def test_serials_are_replaced_and_nothing_else() -> None:
    exchanges = everything_of(SERIAL)
    plain, hidden = (
        entries_of(exchanges, UNIT, mask=False),
        entries_of(exchanges, UNIT),
    )
    text = "".join(entry.as_line() for entry in hidden)
    for telling in (SERIAL, OTHER, SERIAL[:8].encode().hex(), OTHER[:8].encode().hex()):
        assert telling not in text
    assert [e.command for e in hidden if e.masked] == [
        *("QID", "QSID", "QPGS0", "QPGS1", "QP2GS1")
    ]
    for before, after in zip(plain, hidden, strict=True):
        if not after.masked:
            assert after == before
            continue
        assert after.crc == "computed"
        assert len(after.response) == len(before.response)
        words = zip(payload_of(before).split(), payload_of(after).split(), strict=True)
        changed = [old for old, new in words if old != new]
        assert len(changed) == 1
        assert SERIAL.encode() in changed[0] or OTHER.encode() in changed[0]


def test_a_unit_keeps_its_number_and_two_stay_two() -> None:
    hidden = {e.command: payload_of(e) for e in entries_of(everything_of(SERIAL), UNIT)}
    own = hidden["QID"]
    assert re.fullmatch(rb"[0-9]{14}", own)
    assert not bogus_serial(own.decode())
    assert hidden["QSID"] == b"14" + own + b"000000"
    assert hidden["QPGS0"].split()[1] == own
    other = hidden["QPGS1"].split()[1]
    assert other not in (own, OTHER.encode())
    assert hidden["QP2GS1"].split()[1] == other


def test_masking_is_the_same_every_time_and_leaves_masked_files_decodable() -> None:
    first, again = (entries_of(everything_of(SERIAL), UNIT) for _ in range(2))
    assert first == again
    for entry in first:
        assert judge_reply(entry.command, entry.response).quality is Quality.GOOD
        assert judge_reply(entry.command, entry.response).note is None


def test_what_was_masked_before_is_masked() -> None:
    first = entries_of(everything_of(SERIAL), UNIT)
    again = entries_of([asked(entry.command, entry.response) for entry in first], UNIT)
    assert [entry.masked for entry in again] == [entry.masked for entry in first]
    assert [entry.response for entry in again] == [entry.response for entry in first]
    (real,) = entries_of([replied("QID", SERIAL)], UNIT, mask=False)
    assert real.masked is None
    assert made_up("QID", payload_of(first[1]))
    assert not made_up("QID", SERIAL.encode())
    assert not made_up("QID", b"9801")


def test_a_long_serial_and_its_beginning_are_one_unit() -> None:
    long = f"{SERIAL}7788"
    masker = Masker()
    masker.learn("QID", SERIAL.encode())
    masker.learn("QSID", f"18{long}00".encode())
    assert masker.number(long).startswith(masker.number(SERIAL))
    assert len(masker.number(long)) == 18


def test_numbers_that_tell_nothing_stay() -> None:
    exchanges = [
        replied("QID", "55355535553555"),
        replied("QSID", "1455355535553555355535"),
        replied("QPGS1", QPGS.format("0" * 14)),
        replied("QP2GS0", "1 01234 250.0 05.0 01250 250.0 05.0 01250 1111"),
    ]
    hidden = entries_of(exchanges, UNIT)
    assert hidden == entries_of(exchanges, UNIT, mask=False)


@pytest.mark.parametrize("final", [True, False])
def test_a_serial_that_came_late_is_found(final: bool) -> None:  # noqa: FBT001
    late = asked("QMOD", encode_reply(SERIAL) + encode_reply("B"), final=final)
    text = entries_of([replied("QID", SERIAL), late], UNIT)[1].as_line()
    assert SERIAL not in text
    assert SERIAL.encode().hex() not in text


@pytest.mark.parametrize(
    ("command", "response"),
    [
        ("QID", encode_reply(SERIAL)[:-4]),
        ("QID", encode_reply(SERIAL)[:5] + b"\xe0" + encode_reply(SERIAL)[6:]),
        ("QPGS0", encode_reply(QPGS.format(SERIAL))[:60]),
        ("QMOD", encode_reply(SERIAL)[:12] + b"\r"),
    ],
)
def test_damaged_replies_keep_no_piece_of_a_serial(
    command: str, response: bytes
) -> None:
    hidden = entries_of([asked(command, response), replied("QID", SERIAL)], UNIT)[0]
    assert hidden.masked
    assert re.findall(rb"[1-9]", hidden.response) == []


def test_damage_that_has_no_serial_stays_as_it_came() -> None:
    response = encode_reply("230.0 21.7 230.0")[:-5] + b"\r"
    hidden = entries_of([replied("QID", SERIAL), asked("QPIRI", response)], UNIT)[1]
    assert (hidden.response, hidden.masked) == (response, None)


def test_what_is_said_of_a_strange_reply_holds_no_serial() -> None:
    odd = f"{SERIAL}{'A' * 40}"
    (hidden,) = entries_of([replied("QID", odd)], UNIT)
    assert hidden.note is not None
    assert SERIAL not in hidden.as_line()


def test_masking_can_be_left_out() -> None:
    plain = entries_of([replied("QID", SERIAL)], UNIT, mask=False)[0]
    assert (payload_of(plain), plain.masked, plain.crc) == (
        SERIAL.encode(),
        None,
        "recorded",
    )


@given(st.text("0123456789AX<", min_size=10, max_size=20), st.binary(max_size=40))
def test_no_line_ever_shows_a_serial(serial: str, noise: bytes) -> None:
    exchanges = [
        replied("QID", serial),
        asked("QPGS0", noise + encode_reply(QPGS.format(serial))),
        asked("QMOD", noise + serial.encode(), final=False),
        asked("QID", noise),
    ]
    if not bogus_serial(serial):
        for entry in entries_of(exchanges, UNIT):
            assert serial.encode() not in entry.response


# -- the file ----------------------------------------------------------------------


def test_the_corpus_can_be_read_and_written_back(tmp_path: Path) -> None:
    entries = read(CORPUS)
    assert len(entries) == 339
    path = tmp_path / "again.jsonl"
    write(path, entries)
    again = [json.loads(line) for line in path.read_text().splitlines()]
    was = [json.loads(line) for line in CORPUS.read_text().splitlines()]
    for new, old in zip(again, was, strict=True):
        assert {k: v for k, v in new.items() if k in old} == old
    assert read(path) == entries


def test_writing_is_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    write(path, entries_of([replied("QMOD", "B")], UNIT))
    before = path.read_bytes()

    def failing() -> object:
        yield entries_of([replied("QMOD", "L")], UNIT)[0]
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write(path, failing())  # type: ignore[arg-type]
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["journal.jsonl"]


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none/j\.jsonl cannot be written: No such"):
        write(tmp_path / "none" / "j.jsonl", [])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no recorded replies in it"),
        ("\n\n", "no recorded replies in it"),
        ("{", r"j:1: no recorded reply; such a line is JSON"),
        ("[]", r"j:1: not a JSON object"),
        ('{"command": "QMOD"}', r'j:1: "response_hex" is missing'),
        ('\n{"response_hex": "28"}', r'j:2: "command" is missing'),
        ('{"command": "Q", "response_hex": "z"}', '"response_hex" is not hexadec'),
        ('{"command": "", "response_hex": ""}', '"command" string should have at'),
        ('{"command": 1, "response_hex": ""}', '"command" input should be a valid'),
        (
            '{"command": "Q", "response_hex": "", "fields": "x"}',
            r'"fields" input should be a valid integer',
        ),
    ],
)  # fmt: skip
def test_a_line_that_is_none_is_told(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        parse(text, "j")


def test_files_that_are_none_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read(tmp_path / "none.jsonl")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        read(tmp_path)
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="is no journal: not UTF-8"):
        read(binary)


def test_keys_of_others_survive() -> None:
    (entry,) = parse('{"command":"Q1","response_hex":"","expected":{"a":1}}', "j")
    assert json.loads(entry.as_line())["expected"] == {"a": 1}

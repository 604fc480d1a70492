"""Bytes to frames: every case whole, byte by byte, and after the tail of another."""

from __future__ import annotations

from binascii import crc_hqx  # an implementation that is not ours
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.frames import BY_ID, FEEDS, FRAMES, GOOD, Feed, Recorded, feed_whole, ids
from mppdbus.protocol.framing import (
    MAX_FRAME,
    Flaw,
    Frame,
    ResponseFramer,
    encode_reply,
    encode_request,
)

# The documents, and what units answered to.
REQUESTS = """
    QPI:BEAC QID:D6EA QSID:BB05 QVFW:6299 QVFW2:C3F5 QVFW3:D3D4 QMN:BB64 QGMN:4929
    QPIRI:F854 QFLAG:9874 QPIGS:B7A9 QPIGS2:682D QMOD:49C1 QPIWS:B4DA QDI:711B
    QMCHGCR:D855 QMUCHGCR:2634 QBOOT:0B88 QOPM:A5C5 QPGS0:3FDA QPGS1:2FFB QPGS2:1F98
    QBEQI:2EA9 QT:27FF QET:81B6 QLT:3B2E Q1:1BFC QBMS:6144 QCHGS:00E2 QDOP:85E5
    QBATCD:AA26 POP00:C248 POP01:D269 POP02:E20B POP03:F22B PCP00:8D7A PCP01:9D5B
    PCP02:AD38 PCP03:BD19
"""
REQUEST_CHECKSUMS = dict(pair.split(":") for pair in REQUESTS.split())


@pytest.mark.parametrize("command", REQUEST_CHECKSUMS)
def test_request_checksums(command: str) -> None:
    crc = bytes.fromhex(REQUEST_CHECKSUMS[command])
    assert encode_request(command) == command.encode() + crc + b"\r"


def test_the_request_with_a_colon() -> None:
    assert encode_request("VERFW:") == b"VERFW:\xf8\x25\r"


@pytest.mark.parametrize(
    ("command", "tail"),
    [("POP02", b"\xe2\x0b"), ("QGMN", b"\x49\x29"), ("QBOOT", b"\x0b\x88")],
)
def test_a_checksum_byte_that_would_delimit_is_sent_as_its_successor(
    command: str, tail: bytes
) -> None:
    assert encode_request(command)[-3:-1] == tail


@pytest.mark.parametrize("reserved", b"(\r\n")
@pytest.mark.parametrize("place", [0, 1])
def test_replies_with_escaped_checksums_are_whole(reserved: int, place: int) -> None:
    payload = _payload_with(reserved, place)
    reply = encode_reply(payload)
    assert reply[-3:-1][place] == reserved + 1
    for feed in FEEDS:
        assert feed(reply)[-1] == Frame(payload)


def _payload_with(raw: int, place: int) -> bytes:
    """Return a payload whose checksum has `raw` at `place` before it is escaped."""
    for number in range(1_000_000):
        payload = b"%06d" % number
        if crc_hqx(b"(" + payload, 0).to_bytes(2, "big")[place] == raw:
            return payload
    raise AssertionError("no such payload")


def test_a_zero_in_the_checksum_comes_raw_or_as_one() -> None:
    payload = _payload_with(0, 0)
    reply = encode_reply(payload)
    assert reply[-3] == 0
    as_one = reply[:-3] + b"\x01" + reply[-2:]
    for feed in FEEDS:
        assert feed(reply)[-1] == Frame(payload)
        assert feed(as_one)[-1] == Frame(payload)


def test_a_zero_can_be_sent_as_one() -> None:
    assert encode_request("QCHGS")[-3] == 0
    assert encode_request("QCHGS", zero_as_one=True)[-3] == 1
    assert encode_request("QPIGS", zero_as_one=True) == encode_request("QPIGS")


@pytest.mark.parametrize("command", ["QPIGS\r", "Qé", "\x00"])
def test_what_is_no_command_is_not_encoded(command: str) -> None:
    with pytest.raises(ValueError, match="not printable ASCII"):
        encode_request(command)


# -- what comes ------------------------------------------------------------------


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("recorded", GOOD, ids=ids(GOOD))
def test_every_good_reply_is_one_intact_frame(recorded: Recorded, feed: Feed) -> None:
    data = recorded.response
    payload = data[1 : data.index(b"\r") - 2] if b"\r" in data else data[1:-3]
    assert feed(data)[-1] == Frame(payload)


@pytest.mark.parametrize("feed", FEEDS)
def test_ack_and_nak_carry_checksums_that_look_like_text(feed: Feed) -> None:
    assert feed(b"(ACK9 \r")[-1] == Frame(b"ACK")
    assert feed(b"(NAKss\r")[-1] == Frame(b"NAK")


@pytest.mark.parametrize("feed", FEEDS)
def test_a_nak_may_lack_its_checksum(feed: Feed) -> None:
    assert Frame(b"NAK") in feed(BY_ID["f0156"].response)
    assert feed(b"(NAK\r")[-1] == Frame(b"NAK")
    assert feed(b"(NAK\x03\r")[-1] == Frame(b"NAK")  # REVO: one-byte sum


@pytest.mark.parametrize("feed", FEEDS)
def test_nothing_but_nak_may_lack_its_checksum(feed: Feed) -> None:
    assert not feed(b"(ACK\r")[-1].intact
    assert not feed(b"(20200422172244\r")[-1].intact


@pytest.mark.parametrize("feed", FEEDS)
def test_lf_ends_a_reply_if_the_checksum_before_it_fits(feed: Feed) -> None:
    data = BY_ID["f0051"].response
    assert data.endswith(b"\n")
    assert feed(data)[-1].intact


@pytest.mark.parametrize("feed", FEEDS)
def test_lf_after_cr_is_padding(feed: Feed) -> None:
    reply = encode_reply("B")
    assert [f for f in feed(reply + b"\n" + reply + b"\n") if f.intact] == [
        Frame(b"B"),
        Frame(b"B"),
    ]


def test_an_lf_inside_a_reply_is_not_its_end() -> None:
    reply = encode_reply("QPI\nGS")
    assert feed_whole(reply) == [Frame(b"QPI\nGS")]


@pytest.mark.parametrize("feed", FEEDS)
def test_hid_padding_behind_a_reply_is_nothing(feed: Feed) -> None:
    data = BY_ID["f0133"].response
    assert data.endswith(b"\r\x00\x00\x00")
    assert feed(data + data)[-1] == Frame(b"B")
    assert feed_whole(data) == [Frame(b"B")]


def test_an_echo_is_no_reply_although_its_checksum_fits() -> None:
    assert feed_whole(BY_ID["f0243"].response) == [Frame(b"QFLAG", Flaw.ECHO)]


def test_a_reply_behind_an_echo_is_found() -> None:
    frames = feed_whole(encode_request("QMOD") + encode_reply("B"))
    assert frames == [Frame(b"QMOD", Flaw.ECHO), Frame(b"B")]


def test_the_answer_of_another_family_is_told_apart() -> None:
    assert feed_whole(b"^0\x1b\xe3\r")[0].flaw is Flaw.FOREIGN
    assert feed_whole(b"^D0251496161801100008000000\x7f\x13\r")[0].flaw is Flaw.FOREIGN
    assert feed_whole(b"\x81\x5e\x13\x22\r")[0].flaw is Flaw.NOISE


def test_a_sum_instead_of_the_checksum_is_told_apart() -> None:
    body = b"(230 50.0 230 50.0 0069 001 27.0"
    reply = body + bytes([(sum(body) + 1) & 0xFF]) + b"\r"
    assert feed_whole(reply) == [Frame(body[1:], Flaw.SUM)]


@pytest.mark.parametrize("feed", FEEDS)
def test_noise_before_a_reply_does_not_hide_it(feed: Feed) -> None:
    reply = encode_reply("PI30")
    for noise in (b"\xff", b"\x00", b"(", b"010\x12", b"((((((("):
        assert feed(noise + reply)[-1] == Frame(b"PI30")


@pytest.mark.parametrize("feed", FEEDS)
def test_a_cut_reply_does_not_hide_the_next(feed: Feed) -> None:
    cut = BY_ID["f0324"].response
    assert not cut.endswith(b"\r")
    assert feed(cut + encode_reply("B"))[-1] == Frame(b"B")


DAMAGED = ("f0150", "f0158", "f0160", "f0162", "f0232", "f0444", "f0145")


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("name", DAMAGED)
def test_real_damage_is_seen(name: str, feed: Feed) -> None:
    (frame,) = feed(BY_ID[name].response)
    assert frame.flaw is Flaw.CHECKSUM


def test_the_verdict_on_every_recording_is_that_of_its_source() -> None:
    for recorded in FRAMES:
        if recorded.crc != "invalid-as-recorded" and recorded.quality != "echo":
            assert feed_whole(recorded.response)[0].intact, recorded.id


def test_reset_forgets_a_half_read_reply() -> None:
    framer = ResponseFramer()
    assert framer.feed(b"(230.0 49") == []
    framer.reset()
    assert len(framer) == 0
    assert framer.feed(encode_reply("B")) == [Frame(b"B")]


# -- whatever comes ---------------------------------------------------------------

pieces = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([frame.response for frame in FRAMES]),
    st.sampled_from([b"(", b"\r", b"\n", b"(NAK", b"^", b"\x00\x00"]),
)


@given(st.lists(pieces, max_size=12))
def test_whatever_comes_nothing_breaks_and_little_is_kept(data: list[bytes]) -> None:
    framer = ResponseFramer()
    for piece in data:
        for frame in framer.feed(piece):
            assert isinstance(frame, Frame)
        assert len(framer) <= MAX_FRAME


@given(st.binary(min_size=MAX_FRAME * 2, max_size=MAX_FRAME * 3))
def test_an_endless_stream_is_not_kept(data: bytes) -> None:
    framer = ResponseFramer()
    framer.feed(data.replace(b"\r", b"").replace(b"\n", b""))
    assert len(framer) <= MAX_FRAME
    framer.feed(b"\r")
    assert framer.feed(encode_reply("B")) == [Frame(b"B")]


@given(st.lists(pieces, max_size=4), st.data())
def test_how_the_bytes_are_cut_does_not_matter(
    data: list[bytes], draw: st.DataObject
) -> None:
    stream = b"".join(data)[:MAX_FRAME]
    cuts = draw.draw(st.lists(st.integers(0, len(stream)), max_size=6))
    ends = [0, *sorted(cuts), len(stream)]
    framer = ResponseFramer()
    found = []
    for start, end in pairwise(ends):
        found += framer.feed(stream[start:end])
    assert found == feed_whole(stream)


@given(st.binary(max_size=60).filter(lambda data: not set(data) & set(b"(\r\n")))
def test_what_is_encoded_comes_back(payload: bytes) -> None:
    assert feed_whole(encode_reply(payload)) == [Frame(payload)]

"""Every recorded reply decodes to what its source states, or is refused and why."""

from __future__ import annotations

import math
from contextlib import suppress
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.frames import BY_ID, FRAMES, GOOD, READABLE, Recorded, feed_whole, ids
from mppdbus.errors import (
    CorruptReply,
    MppdbusError,
    OtherProtocol,
    Refused,
    UnknownLayout,
)
from mppdbus.protocol.dialects import DIALECTS
from mppdbus.protocol.explain import explain
from mppdbus.protocol.framing import encode_reply
from mppdbus.protocol.queries import QUERIES, Layout, base_command, decode
from mppdbus.protocol.replies.fields import Percent, Reading
from mppdbus.protocol.replies.settings import Ratings, RatingsClone, RatingsRevo
from mppdbus.protocol.replies.status import GeneralStatus, GeneralStatusRevo

# What sources call the fields → what we do.
ALIASES = {
    "ac_input_voltage": "grid_voltage",
    "ac_input_frequency": "grid_frequency",
    "output_active_power": "ac_output_active_power",
    "output_rating_active_power": "ac_output_rating_active_power",
    "scc_voltage": "scc_battery_voltage",
    "switch_on": "switched_on",
    "fw": "firmware",
}
MODE_NAMES = {"battery": "B"}

# Not good, and yet nothing in the bytes says so.
UNKNOWABLE = {
    "f0022": "cut to four digits by the unit itself: 0200 VA",
    "f0042": "the cut falls between two words, and 26 words are a known length",
    "f0052": "the paste lost a checksum byte, which the collector computed again",
    "f0057": "the cut falls between two words, and 25 words are a known length",
    "f0070": "only the trailing blank is lost",
    "f0159": "the lost USB report was put back: the true reply",
    "f0258": "invented, but well formed",
    "f0270": "longer than it announces, as the layout allows",
    "f0349": "complete as a version, whatever came behind it",
    "f0352": "invented, but well formed",
    "f0418": "invented, but well formed",
    "n0010": "an intact reply of zeros, while the unit works",
    "n0011": "invented, but well formed",
    "n0025": "the shape is a unit's, the values are invented",
    "n0026": "true, but its battery is none",
}
# Not good, and refused by these errors after an intact frame.
REFUSED_BY_DECODING = {
    "f0029": OtherProtocol,
    "f0030": OtherProtocol,
    "f0031": Refused,
    "f0039": UnknownLayout,
    "f0093": UnknownLayout,
    "f0148": Refused,
    "f0156": Refused,
    "f0157": Refused,
    "f0360": UnknownLayout,
    "f0422": CorruptReply,
    "n0008": UnknownLayout,
    "n0052": UnknownLayout,
}
BAD = tuple(frame for frame in FRAMES if not frame.is_good)


@pytest.mark.parametrize("frame", READABLE, ids=ids(READABLE))
def test_every_good_reply_decodes(frame: Recorded) -> None:
    reading = frame.decode()
    assert reading.model_dump(exclude_none=True)


@pytest.mark.parametrize("frame", [f for f in GOOD if f.is_nak], ids=lambda f: f.id)
def test_nak_is_refused(frame: Recorded) -> None:
    with pytest.raises(Refused, match=frame.command):
        frame.decode()


STATED = tuple(frame for frame in READABLE if frame.expected)


@pytest.mark.parametrize("frame", STATED, ids=ids(STATED))
def test_what_the_source_states_is_what_we_read(frame: Recorded) -> None:
    reading = frame.decode()
    dialect = DIALECTS["pi30vmii" if "VMII new" in frame.variant else "pi30"]
    ours = reading.model_dump() | explain(reading, dialect)
    for name, value in frame.expected.items():
        got = ours[ALIASES.get(name, name)]
        assert _same(got, MODE_NAMES.get(value, value) if name == "mode" else value), (
            name
        )


def _same(got: object, stated: object) -> bool:
    if isinstance(got, (list, tuple)) and isinstance(stated, list):
        return set(got) == set(stated)
    if isinstance(got, datetime):
        got = got.isoformat(sep=" ")
    return got == stated


@pytest.mark.parametrize("frame", BAD, ids=ids(BAD))
def test_what_is_not_good_is_refused_where_its_bytes_tell(frame: Recorded) -> None:
    intact = [f for f in feed_whole(frame.response) if f.intact]
    if frame.id in UNKNOWABLE:
        assert decode(frame.command, intact[0].payload)
    elif frame.id in REFUSED_BY_DECODING:
        with pytest.raises(REFUSED_BY_DECODING[frame.id]):
            decode(frame.command, intact[0].payload)
    else:
        assert not intact


def partial_of(frame: str) -> Reading:
    (sent,) = feed_whole(BY_ID[frame].response)
    with pytest.raises(UnknownLayout) as caught:
        decode(BY_ID[frame].command, sent.payload)
    assert isinstance(caught.value.partial, Reading)
    return caught.value.partial


def test_a_letter_in_a_number_is_named_and_costs_its_field() -> None:
    with pytest.raises(UnknownLayout, match=r"field 15 .*'06P' is not a number"):
        decode("QPIRI", feed_whole(BY_ID["f0360"].response)[0].payload)
    ratings = partial_of("f0360").model_dump()
    assert (ratings["max_charging_current"], ratings["battery_type"]) == (None, 2)
    assert ratings["pv_power_balance"] == 1


def test_a_clock_without_its_last_digit_is_unknown() -> None:
    assert partial_of("n0008").model_dump() == {"time": None}


def test_a_qpiri_of_24_words_begins_as_one_of_25() -> None:
    ratings = partial_of("n0052")
    assert type(ratings) is Ratings
    assert (ratings.battery_type, ratings.output_source_priority) == (1, 2)
    assert (ratings.battery_redischarge_voltage, ratings.pv_ok_condition) == (54.0, 0)
    assert ratings.pv_power_balance is None


# -- layouts -----------------------------------------------------------------------


def status_of(frame: str) -> GeneralStatus:
    reading = BY_ID[frame].decode()
    assert isinstance(reading, GeneralStatus)
    return reading


def ratings_of(frame: str) -> Ratings:
    reading = BY_ID[frame].decode()
    assert isinstance(reading, Ratings)
    return reading


def test_fields_that_a_layout_lacks_are_unknown_not_zero() -> None:
    short = status_of("f0161")
    assert (short.pv_charging_power, short.switched_on) == (None, None)
    assert status_of("f0448").solar_feed_to_grid_power is None
    assert status_of("f0149").solar_feed_to_grid_power == 0


def test_five_digits_of_power_shift_nothing() -> None:
    status = status_of("f0153")
    assert status.ac_output_apparent_power == 3749
    assert status.battery_voltage == 55.6
    rated = ratings_of("f0152").ac_output_rating_active_power
    assert rated == 11000


def test_a_dash_is_unknown() -> None:
    ratings = ratings_of("f0014")
    assert ratings.max_parallel_units is None
    assert ratings.machine_type == 1


def test_the_tail_of_a_clone_is_not_a_time_and_a_limit() -> None:
    ratings = ratings_of("f0216")
    assert isinstance(ratings, RatingsClone)
    assert ratings.max_constant_voltage_time is None
    assert ratings.max_discharge_current is None
    assert (ratings.unknown_voltage_1, ratings.unknown_voltage_2) == (23.0, 22.0)


def test_the_same_length_of_the_max_is_a_time_and_a_limit() -> None:
    ratings = ratings_of("f0426")
    assert not isinstance(ratings, RatingsClone)
    assert ratings.max_constant_voltage_time == 480
    assert ratings.max_discharge_current == 140


def test_qpiri_of_21_words_is_a_revo() -> None:
    words = BY_ID["f0355"].payload.split()[:21]
    assert isinstance(decode("QPIRI", b" ".join(words)), RatingsRevo)


def test_qpigs_of_the_revo_has_other_contents_in_the_same_places() -> None:
    payload = BY_ID["f0448"].payload.replace(b"02.1", b"0473")
    reading = decode("QPIGS", payload, DIALECTS["revo"].queries)
    assert isinstance(reading, GeneralStatusRevo)
    assert (reading.pv_power_13, reading.pv_charging_power) == (473, 473)
    assert reading.pv_energy_today == 0
    assert reading.pv_input_current is None
    assert reading.ac_output_apparent_power is None
    assert reading.device_status == "00010110"


def test_a_2_in_a_parallel_status_is_taken() -> None:
    payload = BY_ID["f0413"].payload.replace(b"01000010", b"11102010")
    assert decode("QPGS1", payload).model_dump()["status"] == "11102010"


@pytest.mark.parametrize("length", range(31, 41))
def test_warnings_of_any_known_length(length: int) -> None:
    assert decode("QPIWS", b"1" + b"0" * (length - 1)).model_dump()


def test_digits_of_a_fault_code_stand_among_the_warnings() -> None:
    assert decode("QPIWS", b"0" * 31 + b"52" + b"000")
    with pytest.raises(CorruptReply):
        decode("QPIWS", b"0" * 20 + b"2" + b"0" * 15)


@pytest.mark.parametrize("word", [b"0001001000", b"10100", b"0" * 30, b"0" * 41])
def test_a_part_of_the_warnings_is_refused(word: bytes) -> None:
    with pytest.raises(CorruptReply):
        decode("QPIWS", word)


def test_a_trailing_blank_belongs_to_the_reply() -> None:
    payload = BY_ID["f0423"].payload
    assert payload.endswith(b" ")
    assert decode("QPIGS2", payload) == decode("QPIGS2", payload.rstrip())


def test_serials_with_odd_characters_are_taken() -> None:
    assert decode("QID", b"<208q008<20808").model_dump() == {"serial": "<208q008<20808"}


def test_unknown_mode_letters_are_kept() -> None:
    assert explain(decode("QMOD", b"X"), DIALECTS["pi30"]) == {"mode_name": "unknown"}
    for not_a_mode in (b"b", b"BB", b"\xe0", b""):
        with pytest.raises(CorruptReply):
            decode("QMOD", not_a_mode)


def test_flags_keep_their_case() -> None:
    flags = decode("QFLAG", b"EabuvxyzgldDjk").derived()["flags"]
    assert flags["solar_feed_to_grid"] is True
    assert flags["power_saving"] is False
    assert decode("QFLAG", b"Eab").derived() == {
        "flags": {"buzzer": True, "overload_bypass": True}
    }
    for damaged in (b"EAZDbjk", b"EazdbjkD;", b"azDbjk"):
        with pytest.raises(CorruptReply):
            decode("QFLAG", damaged)


@pytest.mark.parametrize(
    ("command", "base"),
    [
        ("QPGS0", "QPGS"),
        ("QPGSn", "QPGS"),
        ("QED20241022", "QED"),
        ("VERFW:", "VERFW"),
        ("QPIGS2", "QPIGS2"),
        ("QP2GS1", "QP2GS"),
        ("Q1", "Q1"),
    ],
)
def test_commands_with_a_number_are_one_query(command: str, base: str) -> None:
    assert base_command(command) == base
    assert base in QUERIES


def test_a_command_of_another_dialect_is_told_apart() -> None:
    with pytest.raises(OtherProtocol, match="H dialect"):
        decode("HGRID", b"239.0 50.0")
    with pytest.raises(UnknownLayout, match="no layout is known"):
        decode("QXYZ", b"1 2 3")


def test_ack_answers_setters_and_the_bms_query_of_the_max() -> None:
    for command in ("POP02", "(setter)", "QBMS"):
        assert decode(command, b"ACK").model_dump() == {"acknowledged": True}
    with pytest.raises(MppdbusError):
        decode("QPIGS", b"ACK")


def test_a_whole_qpigs_is_no_answer_to_qpigs2() -> None:
    with pytest.raises(UnknownLayout) as caught:
        decode("QPIGS2", BY_ID["f0448"].payload)
    assert caught.value.partial is None


# -- whatever comes ------------------------------------------------------------------

letters = st.sampled_from(list(b"0123456789. -+eE_:xPNABSD\xe0\x00"))

accidents = st.sampled_from(["drop", "insert", "flip", "cut", "merge"])


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, bytes]:
    """A good reply after one to three accidents; its checksum is made right again."""
    frame = draw(st.sampled_from(READABLE))
    data = bytearray(frame.payload)
    for accident in draw(
        st.lists(
            st.sampled_from(["drop", "insert", "flip", "cut", "merge"]), min_size=1
        )
    )[:3]:
        place = draw(st.integers(0, max(0, len(data) - 1)))
        if accident == "drop":
            del data[place : place + 1]
        elif accident == "insert":
            data.insert(place, draw(letters))
        elif accident == "flip" and data:
            data[place] ^= 1 << draw(st.integers(0, 7))
        elif accident == "cut":
            del data[place:]
        elif (blank := data.find(b" ", place)) >= 0:
            del data[blank]
    return frame.command, bytes(data)


@given(damaged())
def test_damage_with_a_good_checksum_gives_numbers_or_an_error(
    reply: tuple[str, bytes],
) -> None:
    command, payload = reply
    for frame in feed_whole(encode_reply(payload)):
        try:
            reading = decode(command, frame.payload)
        except UnknownLayout as error:
            if error.partial is None:
                continue
            reading = error.partial
        except MppdbusError:
            continue
        _check_numbers(reading)


@given(st.sampled_from(sorted(QUERIES)), st.text("0123456789. -eE+_", max_size=120))
def test_any_text_gives_numbers_or_an_error(command: str, text: str) -> None:
    with suppress(MppdbusError):
        _check_numbers(decode(command, text.encode()))


@given(st.sampled_from(sorted(QUERIES)), st.binary(max_size=150))
def test_any_bytes_give_a_reading_or_an_error(command: str, payload: bytes) -> None:
    with suppress(MppdbusError):
        _check_numbers(decode(command, payload))


def _check_numbers(reading: Reading) -> None:
    for name, value in reading.model_dump().items():
        if isinstance(value, (int, float)):
            assert math.isfinite(value), name
            assert value >= 0, name


# -- models that no reply could fill ---------------------------------------------


class FanAtTheEnd(GeneralStatus):
    fan_speed: Percent = None


class FanAsWord22(FanAtTheEnd):
    @classmethod
    def wire_names(cls) -> tuple[str, ...]:
        return (*GeneralStatus.wire_names()[:21], "fan_speed")


class FanThatIsNoField(GeneralStatus):
    @classmethod
    def wire_names(cls) -> tuple[str, ...]:
        return (*GeneralStatus.wire_names()[:21], "fan_sped")


def test_a_field_behind_the_last_word_is_told_at_once() -> None:
    told = r"^fan_speed of FanAtTheEnd is never filled by 22 words, .*wire_names\(\)"
    with pytest.raises(ValueError, match=told):
        Layout(FanAtTheEnd, frozenset((21, 22)))
    assert Layout(FanAtTheEnd, frozenset((21, 26))).fits(26 * ["1"])
    assert Layout(FanAsWord22, frozenset((22,))).fits(22 * ["1"])


def test_a_word_without_a_field_is_told_at_once() -> None:
    with pytest.raises(ValueError, match=r"names no field: \['fan_sped'\]"):
        Layout(FanThatIsNoField, frozenset((22,)))


@pytest.mark.parametrize("protocol", [b"PI30", b"PI41"])
def test_a_late_answer_to_qpi_is_no_model(protocol: bytes) -> None:
    with pytest.raises(CorruptReply):
        decode("QMN", protocol)


@pytest.mark.parametrize("query", ["QMCHGCR", "QMUCHGCR", "QOPPT"])
def test_a_list_of_which_nothing_can_be_read_is_corrupt(query: str) -> None:
    (layout,) = QUERIES[query]
    for count in sorted(layout.counts)[:2]:
        with pytest.raises(CorruptReply):
            decode(query, " ".join(["-"] * count).encode())

"""Replies of lengths that nobody has seen: what fits is read, the rest is named."""

from __future__ import annotations

import pytest

from mppdbus.errors import UnknownLayout
from mppdbus.protocol.commands import decode
from mppdbus.protocol.models import GeneralStatus
from mppdbus.protocol.models_parallel import ParallelStatus
from mppdbus.protocol.models_settings import Ratings, RatingsClone
from mppdbus.protocol.partial import FieldReport
from support_frames import BY_ID

LONGEST = BY_ID["f0149"].payload.split() + b"12.3 777 x9 1".split()  # 25 and 3 more


def fail(command: str, words: list[bytes]) -> UnknownLayout:
    with pytest.raises(UnknownLayout) as caught:
        decode(command, b" ".join(words))
    return caught.value


@pytest.mark.parametrize(
    ("count", "used"), [(18, 17), (20, 17), (22, 21), (23, 21), (26, 25), (28, 25)]
)
def test_the_longest_known_layout_that_fits_is_read(count: int, used: int) -> None:
    error = fail("QPIGS", LONGEST[:count])
    assert isinstance(error.partial, GeneralStatus)
    assert isinstance(error.report, FieldReport)
    assert error.partial.battery_voltage == 53.2
    assert len(error.report.seen) == used
    assert error.report.extra == tuple(w.decode() for w in LONGEST[used:count])
    assert error.report.unparsed == {}


def test_fields_without_a_word_are_absent_and_unknown() -> None:
    error = fail("QPIGS", LONGEST[:18])
    assert "pv_charging_power" in error.report.absent
    assert error.partial.pv_charging_power is None


def test_a_word_that_does_not_fit_is_reported_and_unknown() -> None:
    words = LONGEST[:22]
    words[9], words[11] = b"0x1", b"-"
    error = fail("QPIGS", words)
    assert error.report.unparsed == {"battery_charging_current": "0x1"}
    assert "heatsink_temperature" in error.report.absent
    assert error.partial.battery_charging_current is None
    assert error.partial.heatsink_temperature is None
    assert error.partial.ac_output_active_power == 147


def test_more_than_a_quarter_of_strangers_is_another_layout() -> None:
    words = LONGEST[:22]
    words[9:15] = [b"A", b"B", b"C", b"D", b"E", b"F"]
    assert fail("QPIGS", words).partial is None


@pytest.mark.parametrize(
    ("place", "word"), [(8, b"053.2"), (8, b"53"), (16, b"0001011"), (1, b"0276")]
)
def test_without_the_anchors_nothing_is_read(place: int, word: bytes) -> None:
    words = LONGEST[:22]
    words[place] = word
    assert fail("QPIGS", words).partial is None


def test_too_few_words_are_no_layout() -> None:
    assert fail("QPIGS", LONGEST[:16]).partial is None


def test_words_shifted_by_one_are_not_read() -> None:
    assert fail("QPIGS", [b"00", *LONGEST[:21]]).partial is None


def test_ratings_of_30_words() -> None:
    words = [*BY_ID["f0079"].payload.split(), b"7"]
    error = fail("QPIRI", words)
    assert isinstance(error.partial, Ratings)
    assert error.partial.max_discharge_current == 120
    assert error.report.extra == ("7",)


def test_ratings_of_30_words_with_the_tail_of_a_clone() -> None:
    words = [*BY_ID["f0216"].payload.split(), b"7", b"8"]
    error = fail("QPIRI", words)
    assert isinstance(error.partial, RatingsClone)
    assert error.partial.max_discharge_current is None
    assert error.partial.unknown_voltage_2 == 22.0


def test_a_parallel_status_of_28_words() -> None:
    words = [*BY_ID["f0413"].payload.split(), b"000.0"]
    error = fail("QPGS0", words)
    assert isinstance(error.partial, ParallelStatus)
    assert error.partial.serial == "92911906100045"


def test_the_message_asks_for_a_recording() -> None:
    error = fail("QPIGS", LONGEST[:22])
    assert "22 fields where 17, 21, 24, 25 are known" in str(error)

"""Replies of lengths that nobody has seen: what fits is read, the rest is named."""

from __future__ import annotations

import pytest

from helpers.frames import BY_ID, counts, known_counts
from mppdbus.errors import UnknownLayout
from mppdbus.protocol.queries import decode
from mppdbus.protocol.replies.fields import Celsius
from mppdbus.protocol.replies.parallel import ParallelStatus
from mppdbus.protocol.replies.settings import Ratings, RatingsClone
from mppdbus.protocol.replies.status import GeneralStatus
from mppdbus.protocol.salvage import FieldReport, salvage

COUNTS = counts("QPIGS")
STRANGERS = [b"12.3", *14 * [b"1"], b"x9"]
LONGEST = BY_ID["f0149"].payload.split() + STRANGERS  # 40: nobody has so many
SHORT = next(n for n in (18, 19, 20) if n not in COUNTS)
UNKNOWN = [n for n in (18, 20, 22, 23, 40) if n not in COUNTS]


def fail(command: str, words: list[bytes]) -> UnknownLayout:
    with pytest.raises(UnknownLayout) as caught:
        decode(command, b" ".join(words))
    return caught.value


@pytest.mark.parametrize("count", UNKNOWN)
def test_the_layout_that_begins_like_the_most_words_is_read(count: int) -> None:
    used = min(count, COUNTS[-1])
    error = fail("QPIGS", LONGEST[:count])
    assert isinstance(error.partial, GeneralStatus)
    assert isinstance(error.report, FieldReport)
    assert error.partial.battery_voltage == 53.2
    assert len(error.report.seen) == used
    assert error.report.extra == tuple(w.decode() for w in LONGEST[used:count])
    assert error.report.unparsed == {}


def test_fields_without_a_word_are_absent_and_unknown() -> None:
    error = fail("QPIGS", LONGEST[:SHORT])
    assert "device_status_2" in error.report.absent
    assert error.partial.device_status_2 is None


def test_a_word_that_does_not_fit_is_reported_and_unknown() -> None:
    words = [*LONGEST]
    words[9], words[11] = b"0x1", b"-"
    error = fail("QPIGS", words)
    assert error.report.unparsed == {"battery_charging_current": "0x1"}
    assert "heatsink_temperature" in error.report.absent
    assert error.partial.battery_charging_current is None
    assert error.partial.heatsink_temperature is None
    assert error.partial.ac_output_active_power == 147


def test_more_than_a_quarter_of_strangers_is_another_layout() -> None:
    words = [*LONGEST]
    words[9:16], words[17:22] = [b"A"] * 7, [b"A"] * 5
    assert fail("QPIGS", words).partial is None


@pytest.mark.parametrize(
    ("place", "word"), [(8, b"053.2"), (8, b"53"), (16, b"0001011"), (1, b"0276")]
)
def test_without_the_anchors_nothing_is_read(place: int, word: bytes) -> None:
    words = [*LONGEST]
    words[place] = word
    assert fail("QPIGS", words).partial is None


def test_too_few_words_are_no_layout() -> None:
    assert fail("QPIGS", LONGEST[:16]).partial is None


def test_words_shifted_by_one_are_not_read() -> None:
    assert fail("QPIGS", [b"00", *LONGEST]).partial is None


def test_ratings_of_40_words() -> None:
    words = [*BY_ID["f0079"].payload.split(), *11 * [b"7"]]
    error = fail("QPIRI", words)
    assert isinstance(error.partial, Ratings)
    assert error.partial.max_discharge_current == 120
    assert error.report.extra == ("7",) * (40 - counts("QPIRI")[-1])


def test_ratings_of_40_words_with_the_tail_of_a_clone() -> None:
    words = [*BY_ID["f0216"].payload.split(), *12 * [b"7"]]
    error = fail("QPIRI", words)
    assert isinstance(error.partial, RatingsClone)
    assert error.partial.max_discharge_current is None
    assert error.partial.unknown_voltage_2 == 22.0


def test_a_parallel_status_of_40_words() -> None:
    words = [*BY_ID["f0413"].payload.split(), *13 * [b"1"]]
    error = fail("QPGS0", words)
    assert isinstance(error.partial, ParallelStatus)
    assert error.partial.serial == "92911906100045"


def test_the_message_asks_for_a_recording() -> None:
    error = fail("QPIGS", LONGEST)
    assert f"40 fields where {known_counts('QPIGS')}; please send" in str(error)


class GeneralStatusSunx(GeneralStatus):
    """A model that somebody adds: it extends another, and has its anchors."""

    battery_temperature: Celsius = None


def test_a_model_has_the_anchors_of_the_one_that_it_extends() -> None:
    shapes = [(GeneralStatusSunx, frozenset((26,)))]
    words = [word.decode() for word in LONGEST]
    partial, report = salvage(shapes, words) or pytest.fail("nothing was read")
    assert isinstance(partial, GeneralStatusSunx)
    assert partial.battery_temperature == 1.0
    assert len(report.extra) == 14
    words[8] = "53"
    assert salvage(shapes, words) is None

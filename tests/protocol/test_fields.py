"""How words become fields: numbers as inverters write them, and "not available"."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mppdbus.errors import CorruptReply
from mppdbus.protocol.queries import decode
from mppdbus.protocol.replies.fields import UNKNOWN_WORDS
from mppdbus.protocol.replies.settings import Ratings
from mppdbus.protocol.replies.status import GeneralStatus, GeneralStatusRevo

# Beside digits, dots and blanks nothing of it is a number of an inverter.
STRANGE = ("inf", "nan", "1e5", "+5", "-5", "1_0", "True", "0x1", "--1", "x", "٣")
DOTTED = (".", "1.2.3", "..")


@pytest.mark.parametrize("word", [*STRANGE, *DOTTED, "5.", ".5"])
def test_beside_an_unknown_word_numbers_are_whole(word: str) -> None:
    for words in (f"- {word}", f"{word} NOA 1", f"1 {word} -- 1"):
        if word.isascii():
            with pytest.raises(ValueError, match=f"{re.escape(repr(word))} is not a n"):
                Ratings.from_payload(words.encode())


@given(st.integers(0, 24), st.sampled_from(STRANGE + DOTTED))
def test_a_word_that_is_no_number_fits_in_no_place(place: int, word: str) -> None:
    words = ["1"] * 25
    words[place] = word
    for command in ("QPIRI", "QPIGS"):
        with pytest.raises(CorruptReply):
            decode(command, " ".join(words).encode())


@given(st.sets(st.integers(0, 24)), st.sampled_from(sorted(UNKNOWN_WORDS)))
def test_words_that_are_not_available_are_none(places: set[int], word: str) -> None:
    words = [word if i in places else f"{i:02}" for i in range(25)]
    made = Ratings.from_payload(" ".join(words).encode())
    known = {
        name: said
        for name, said in zip(Ratings.wire_names(), words, strict=False)
        if said != word
    }
    assert made == Ratings.model_validate(known)
    assert made.model_fields_set == set(Ratings.wire_names()[:25])


def test_what_a_shorter_layout_lacks_is_not_set() -> None:
    words = b"230.0 50.0 230.0 50.0 0500 0450 010 400 52.00 010 080 0035 0005 120.0"
    made = GeneralStatusRevo.from_payload(words)
    assert made.model_fields_set == set(GeneralStatusRevo.wire_names()[:14])
    assert GeneralStatus.from_payload(words).heatsink_temperature == 35

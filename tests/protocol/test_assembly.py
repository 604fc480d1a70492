"""The quick way to a model and pydantic's own say the same, or both refuse."""

from __future__ import annotations

import copy
import pickle
import re
from dataclasses import replace
from itertools import chain, product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.corpus import units
from mppdbus.errors import MppdbusError
from mppdbus.protocol.dialects import DIALECTS
from mppdbus.protocol.queries import QUERIES, Layout, base_command, decode
from mppdbus.protocol.replies.fields import MAX_ASSEMBLERS, UNKNOWN_WORDS, Reading
from mppdbus.protocol.replies.settings import Ratings
from mppdbus.protocol.replies.status import GeneralStatus, GeneralStatusRevo

STRANGE = ("5.", ".5", ".", "1.2.3", "007", "230.00", "00.0", "9" * 400, "1" * 5000)
EDITS = st.sampled_from(
    (*STRANGE, "inf", "nan", "1e5", "+5", "-5", "1_0", "", "-", "٣", "True", "11102010")
)


def layouts(command: str) -> set[type[Reading]]:
    """Return the models that any dialect has for a command."""
    tables = (QUERIES, *(dialect.queries for dialect in DIALECTS.values()))
    name = base_command(command)
    return {layout.model for table in tables for layout in table.get(name, ())}


RECORDED = sorted(
    {
        (reply.command, reply.payload)
        for unit in units()
        for reply in unit.replies
        if layouts(reply.command) and reply.payload not in (b"NAK", b"ACK")
    }
)


def outcome(made: Reading) -> tuple[object, ...]:
    """Return all that can be told of a model."""
    values = [(name, type(v), v) for name, v in made.__dict__.items()]
    rest = (made.__pydantic_extra__, made.__pydantic_private__, made.model_fields_set)
    return (type(made), values, *rest, repr(made))


def both(model: type[Reading], words: list[str]) -> tuple[object, object]:
    """Return what the quick way says and what pydantic says."""
    said: list[object] = []
    named = dict(zip(model.wire, words, strict=False))
    for way in (
        lambda: Reading.from_words.__func__(model, words),  # type: ignore[attr-defined]
        lambda: model.validated(named),
    ):
        try:
            said.append(outcome(way()))
        except ValueError as error:
            said.append(str(error))
    return said[0], said[1]


def test_the_corpus_is_there() -> None:
    assert len(RECORDED) > 190
    assert {"QPIGS", "QPIRI", "QPGS0", "QPIWS"} <= {command for command, _ in RECORDED}


@pytest.mark.parametrize("command", sorted({command for command, _ in RECORDED}))
def test_every_recorded_reply(command: str) -> None:
    for name, payload in RECORDED:
        if name == command and payload.isascii():
            words = payload.decode().split()
            for model in layouts(command):
                quick, own = both(model, words)
                assert quick == own


@settings(suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no defect
@given(st.data())
def test_replies_with_changed_words(data: st.DataObject) -> None:
    command, payload = data.draw(st.sampled_from(RECORDED))
    words = payload.decode("latin-1").split()
    for place in data.draw(st.sets(st.integers(0, max(len(words) - 1, 0)), max_size=3)):
        words[place : place + 1] = [data.draw(EDITS | st.text(max_size=6))]
    words = words[: data.draw(st.integers(0, len(words)))]
    for model in layouts(command):
        quick, own = both(model, words)
        assert quick == own


def slow(queries: dict[str, tuple[Layout, ...]]) -> dict[str, tuple[Layout, ...]]:
    """Return the same table without shortcuts."""
    table = {name: tuple(map(replace, layouts)) for name, layouts in queries.items()}
    for layout in chain.from_iterable(table.values()):
        object.__setattr__(layout, "shortcuts", {})
    return table


SLOW = slow(QUERIES)


def decoded(
    command: str, payload: bytes, queries: dict[str, tuple[Layout, ...]]
) -> tuple[object, ...]:
    """Return what `decode` says, its complaint included."""
    try:
        return outcome(decode(command, payload, queries))
    except MppdbusError as error:
        return type(error), str(error), getattr(error, "partial", None)


@given(st.data())
def test_decode_says_the_same_without_shortcuts(data: st.DataObject) -> None:
    command, payload = data.draw(st.sampled_from(RECORDED))
    assert decoded(command, payload, QUERIES) == decoded(command, payload, SLOW)
    changed = bytearray(payload)
    for place in data.draw(st.sets(st.integers(0, len(payload) - 1), max_size=3)):
        changed[place] = data.draw(st.sampled_from(b"0123456789.. -+eENOA_\x00\xff"))
    damaged = bytes(changed)
    assert decoded(command, damaged, QUERIES) == decoded(command, damaged, SLOW)


def test_shortcuts_are_taken() -> None:
    payload = b"230.0 50.0 230.0 50.0 0500 0450 010 400 52.00 010 080 0035 0005 120.0"
    payload += b" 00.00 00000 00010110"
    decode("QPIGS", payload)
    assert 17 in QUERIES["QPIGS"][0].shortcuts
    assert not SLOW["QPIGS"][0].shortcuts
    # They would go round what these models look at first.
    assert all(not layout.shortcuts for layout in QUERIES["QPGS"] + QUERIES["QMCHGCR"])


@pytest.mark.parametrize("word", ["5.", ".5", ".", "1.2.3", "x", "--1", "1e5"])
def test_beside_an_unknown_word_numbers_are_whole(word: str) -> None:
    for words in (f"- {word}", f"{word} NOA 1", f"1 {word} -- 1"):
        with pytest.raises(ValueError, match=f"{re.escape(repr(word))} is not a num"):
            Ratings.from_payload(words.encode())


@given(st.integers(1, 23), st.integers(0, 24), st.text("0.12", min_size=1, max_size=5))
def test_decode_beside_an_unknown_word(gap: int, place: int, word: str) -> None:
    words = ["1"] * 25
    words[place] = word
    words[gap] = "-"
    payload = " ".join(words).encode()
    for _ in range(2):  # the first may be the one that makes the shortcut
        assert decoded("QPIRI", payload, QUERIES) == decoded("QPIRI", payload, SLOW)


@pytest.mark.parametrize("word", STRANGE)
def test_odd_numbers_in_every_place(word: str) -> None:
    models: tuple[type[Reading], ...] = (GeneralStatus, Ratings)
    for model, place in product(models, range(25)):
        words = ["1"] * 25
        words[place] = word
        quick, own = both(model, words)
        assert quick == own


@given(st.sets(st.integers(0, 24)), st.sampled_from(sorted(UNKNOWN_WORDS)))
def test_words_that_are_not_available(places: set[int], word: str) -> None:
    words = [word if i in places else f"{i:02}" for i in range(25)]
    named = dict(zip(Ratings.wire, words, strict=False))
    known = {name: said for name, said in named.items() if said != word}
    made = Ratings.from_payload(" ".join(words).encode())
    assert outcome(made) == outcome(Ratings.validated(known))
    assert len(Ratings.assemblers) <= MAX_ASSEMBLERS


def test_what_is_made_is_a_whole_model() -> None:
    words = b"230.0 50.0 230.0 50.0 0500 0450 010 400 52.00 010 080 0035 0005 120.0"
    made = GeneralStatusRevo.from_payload(words)
    assert made == copy.deepcopy(made) == pickle.loads(pickle.dumps(made))
    assert GeneralStatusRevo.model_validate_json(made.model_dump_json()) == made
    assert made.model_copy(update={"bus_voltage": 1.0}).bus_voltage == 1.0
    assert made.model_fields_set == set(GeneralStatusRevo.wire[:14])
    with pytest.raises(ValueError, match="frozen"):
        made.bus_voltage = 2.0  # type: ignore[misc]
    again = GeneralStatusRevo.from_payload(words)
    assert again.model_fields_set is not made.model_fields_set

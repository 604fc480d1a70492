"""Reads what can be read from a sound reply that fits no known layout as a whole.

Firmwares write odd words where others write numbers, add words at the end, or leave
out the last ones; the earlier places keep their meaning in all documents. Anchors are
words whose pattern proves that the places are the known ones.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, get_args

from pydantic import ValidationError

from mppdbus.protocol.replies import parallel as p
from mppdbus.protocol.replies import settings as s
from mppdbus.protocol.replies import status as m
from mppdbus.protocol.replies.fields import UNKNOWN_WORDS, Reading, is_number

MAX_UNPARSED = 0.25  # part of the words; with more the layout is another one
PROOF = 4  # anchors that must hold where the number of words is unknown


@dataclass(frozen=True, slots=True)
class FieldReport:
    """Which fields of a partial reading could be read; `extra` words are kept as sent.

    `absent` fields have no word, or a word for "not available". `exact`: the number of
    words is a known one; `odd_end`: the last of them could not be read.
    """

    seen: tuple[str, ...]
    absent: tuple[str, ...]
    unparsed: Mapping[str, str]
    extra: tuple[str, ...]
    exact: bool = True
    odd_end: bool = True

    @property
    def proven(self) -> bool:
        """True when the number of words shows the family."""
        return self.exact and not self.odd_end


class Attempt(NamedTuple):
    """Words read by one layout; those in `unfit` cost their field.

    `proof` counts the anchors that hold, or hold an odd word, but only one of these.
    `against` counts the anchors that hold another number, `shifted` all numbers of a
    kind that belongs elsewhere.
    """

    model: type[Reading]
    values: Mapping[str, str | None]
    unfit: Mapping[str, str]
    proof: int
    against: int
    shifted: int


Anchors = Mapping[int, re.Pattern[str]]  # place of a word, from 1 → what it looks like
Shapes = Sequence[tuple[type[Reading], frozenset[int]]]

_VOLTS = re.compile(r"\d{2,3}\.\d")
_HERTZ = re.compile(r"\d\d\.\d{1,2}")
_BATTERY_VOLTS = re.compile(r"\d\d\.\d")
_STATUS_DIGITS = re.compile(r"[0-2]{8}")
_STATUS = {
    1: _VOLTS,
    2: _HERTZ,
    9: re.compile(r"\d\d\.\d\d"),
    17: re.compile(r"[01]{8}"),
}
_RATINGS = {
    1: _VOLTS,
    4: _HERTZ,
    8: re.compile(r"(12|24|36|48)\.0"),
    12: _BATTERY_VOLTS,
}
ANCHORS: Mapping[type[Reading], Anchors] = {
    m.GeneralStatus: _STATUS,
    m.GeneralStatusRevo: _STATUS,
    m.GeneralStatusSplitPhase: _STATUS | {17: _STATUS_DIGITS},
    s.RatingsRevo: _RATINGS,
    s.Ratings: _RATINGS | {26: re.compile(r"\d+")},
    s.RatingsClone: _RATINGS | {26: _BATTERY_VOLTS},
    s.FactoryDefaults: {
        1: _VOLTS,
        2: re.compile(r"[56]0\.0"),
        6: _BATTERY_VOLTS,
        23: _BATTERY_VOLTS,
    },
    p.ParallelStatus: {
        2: re.compile(r"\w{10,20}", re.ASCII),
        3: re.compile(r"[A-Z]"),
        6: _HERTZ,
        20: _STATUS_DIGITS,
    },
}
# Their words are all numbers, which those of another query may be, too.
_NUMBERS_ONLY = (s.Ratings, s.RatingsRevo, s.FactoryDefaults)
# Fields that some units write with a decimal point, and others without.
_DOT_MAY_LACK = re.compile(r"bus_voltage|.*current|(in|out)put_rating_voltage")
_ONCE = 1  # an odd word may be a number, too; two of them are a shift


def salvage(shapes: Shapes, words: list[str]) -> tuple[Reading, FieldReport] | None:
    """Read the words that fit; None if too few do, or words stand at other places.

    `shapes` are the known models with their lengths. A reply of a known length is read
    by the layout of that length. One of another length is read by the layout that
    explains most of its words, if the anchors hold.
    """
    count = len(words)
    exact = [_attempt(model, words) for model, lengths in shapes if count in lengths]
    if exact:
        best = min(exact, key=lambda each: len(each.unfit) + each.shifted)
        return _partial(best, words, exact=True) if best.shifted <= _ONCE else None
    known = [(n, model) for model, lengths in shapes for n in lengths]
    for length, model in sorted(known, key=lambda shape: -min(shape[0], count)):
        attempt = _attempt(model, words[:length])
        if attempt.proof >= PROOF and not attempt.against:
            return _partial(attempt, words)
    return None


def of_another_query(model: type[Reading], words: list[str]) -> bool:
    """Tell whether a reply that fits a model has other numbers than its anchors."""
    if not issubclass(model, _NUMBERS_ONLY):
        return False
    anchors = next(ANCHORS[kind] for kind in model.__mro__ if kind in ANCHORS)
    there = [(n, anchor) for n, anchor in anchors.items() if n <= len(words)]
    return sum(anchor.fullmatch(words[n - 1]) is None for n, anchor in there) > _ONCE


def _attempt(model: type[Reading], words: list[str]) -> Attempt:
    """Read the words as a model says, as far as it has names for them."""
    anchors = next((ANCHORS[kind] for kind in model.__mro__ if kind in ANCHORS), {})
    values: dict[str, str | None] = {}
    unfit: dict[str, str] = {}
    proof = against = shifted = odd = 0
    for place, (name, word) in enumerate(zip(model.wire_names(), words, strict=False)):
        values[name] = None
        if word in UNKNOWN_WORDS:
            continue
        anchor = anchors.get(place + 1)
        holds = anchor is None or anchor.fullmatch(word) is not None
        if word and holds and _takes(model, name, word):
            values[name] = word
            proof += anchor is not None
        else:
            unfit[name] = word
            against += not holds and is_number(word)
            odd += anchor is not None
        shifted += is_number(word) and (
            name in unfit or not _of_kind(model, name, word)
        )
    return Attempt(model, values, unfit, proof + min(odd, 1), against, shifted)


def _of_kind(model: type[Reading], name: str, number: str) -> bool:
    """Tell whether a number has a decimal point, or none, as its field wants."""
    kinds = get_args(model.model_fields[name].annotation)
    if float in kinds:
        return "." in number or _DOT_MAY_LACK.fullmatch(name) is not None
    return "." not in number or not {int, bool}.intersection(kinds)


def _takes(model: type[Reading], name: str, word: str) -> bool:
    kinds = get_args(model.model_fields[name].annotation)
    if {int, float, bool}.intersection(kinds) and not is_number(word):
        return False
    try:
        model.model_validate({name: word})
    except ValidationError:
        return False
    return True


def _partial(
    attempt: Attempt, words: list[str], *, exact: bool = False
) -> tuple[Reading, FieldReport] | None:
    """Return the reading of an attempt; None if too many words are odd.

    None also if the model needs all its words, as a list does.
    """
    values, unfit = attempt.values, attempt.unfit
    if any(field.is_required() for field in attempt.model.model_fields.values()):
        return None
    if len(unfit) > max(1.0, MAX_UNPARSED * len(values)) or len(unfit) == len(values):
        return None
    good = {name: word for name, word in values.items() if word is not None}
    names = attempt.model.wire_names()
    report = FieldReport(
        seen=tuple(good),
        absent=tuple(n for n in names if n not in good and n not in unfit),
        unparsed=unfit,
        extra=tuple(words[len(values) :]),
        exact=exact,
        odd_end=[*values][-1] in unfit,
    )
    return attempt.model.model_validate(values), report

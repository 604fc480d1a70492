"""Reads the fields at known places from a reply of unknown length.

Firmwares add words at the end; the earlier places keep their meaning in all documents.
Anchors are words whose pattern proves that the places are the known ones.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from mppdbus.protocol.replies import parallel as p
from mppdbus.protocol.replies import settings as s
from mppdbus.protocol.replies import status as m
from mppdbus.protocol.replies.fields import UNKNOWN_WORDS, Reading, is_number

MAX_UNPARSED = 0.25  # part of the words; with more the layout is another one


@dataclass(frozen=True, slots=True)
class FieldReport:
    """Which fields of a partial reading could be read; `extra` words are kept as sent.

    `absent` fields have no word, or a word for "not available".
    """

    seen: tuple[str, ...]
    absent: tuple[str, ...]
    unparsed: Mapping[str, str]
    extra: tuple[str, ...]


Anchors = Mapping[int, re.Pattern[str]]  # place of a word, from 1 → what it looks like

TEXTS = frozenset(("serial", "mode"))  # all other fields of these models are numbers
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


def salvage(
    shapes: Iterable[tuple[type[Reading], frozenset[int]]], words: list[str]
) -> tuple[Reading, FieldReport] | None:
    """Read the words that fit; None if no model's anchors hold, or too few words fit.

    `shapes` are the known models with their lengths; the longest that the words can
    fill is tried first.
    """
    known = [(n, model) for model, lengths in shapes for n in lengths]
    known = [shape for shape in known if shape[0] <= len(words)]
    for length, model in sorted(known, key=lambda shape: -shape[0]):
        if _anchored(model, length, words):
            return _read(model, length, words)
    return None


def _anchored(model: type[Reading], length: int, words: list[str]) -> bool:
    """Check the words at the anchors of the model, or of its base model."""
    anchors = next((ANCHORS[kind] for kind in model.__mro__ if kind in ANCHORS), None)
    return anchors is not None and all(
        place > length or pattern.fullmatch(words[place - 1])
        for place, pattern in anchors.items()
    )


def _read(
    model: type[Reading], length: int, words: list[str]
) -> tuple[Reading, FieldReport] | None:
    names = model.wire_names()
    good: dict[str, str] = {}
    unparsed: dict[str, str] = {}
    for name, word in zip(names, words[:length], strict=False):
        if word not in UNKNOWN_WORDS:
            (good if _takes(model, name, word) else unparsed)[name] = word
    if len(unparsed) > MAX_UNPARSED * length:
        return None
    report = FieldReport(
        seen=tuple(good),
        absent=tuple(n for n in names if n not in good and n not in unparsed),
        unparsed=unparsed,
        extra=tuple(words[length:]),
    )
    return model.model_validate(good), report


def _takes(model: type[Reading], name: str, word: str) -> bool:
    if name not in TEXTS and not is_number(word):
        return False
    try:
        model.model_validate({name: word})
    except ValidationError:
        return False
    return True

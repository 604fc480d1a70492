"""Guesses the query of a reply by its shape alone. Pure.

A reply of one word is known by its pattern, a longer one by the layout that has
decimal points at the same places.
"""

import re
from typing import get_args

from mppdbus.protocol.queries import QUERIES, Layout
from mppdbus.protocol.replies.fields import Reading
from mppdbus.protocol.replies.other import Words
from mppdbus.protocol.replies.settings import CurrentChoices

# Groups of patterns, the surest first. All matches of the first matching group count.
ONE_WORD: tuple[tuple[tuple[str, str], ...], ...] = (
    (
        ("QPI", r"PI[0-9]{2}"),
        ("QMOD", r"[A-Z]"),
        ("QPIWS", r"[01]{31}[0-9]{0,3}[01]{0,6}"),
        ("QFLAG", r"E[a-z]*D[a-z]*"),
        ("QVFW", r"VERFW:.+"),
        ("QVFW2", r"VERFW2:.+"),
        ("QVFW3", r"VERFW3:.+"),
        ("QVFW4", r"VERFW4:.+"),
        ("QT", r"20[0-9]{2}[01][0-9][0-3][0-9][0-2][0-9][0-5][0-9][0-5][0-9]"),
    ),
    (
        ("QID", r"[0-9]{13,14}"),
        ("QSID", r"[0-9]{22}"),
        ("QMN", r"[A-Z][A-Z0-9+]*-[A-Z0-9]+"),
        ("QET", r"[0-9]{8}"),
    ),
    (
        ("QGMN", r"[0-9]{3}"),
        ("QBATCD", r"[01]{3}"),
        ("QOPM", r"[0-9]{1,2}"),
        ("QBOOT", r"[01]"),
    ),
)


def guess_query(payload: bytes) -> list[str]:
    """Return the commands that may have this reply; one if the shape is unique.

    If replies of several commands look alike (QMCHGCR, QMUCHGCR), only the first.
    """
    text = payload.decode("latin-1").strip(" ")
    words = text.split()
    if len(words) > 1:
        return _by_layout(payload, words)
    for group in ONE_WORD:
        fits = [command for command, shape in group if re.fullmatch(shape, text)]
        if fits:
            return fits
    return []


def _by_layout(payload: bytes, words: list[str]) -> list[str]:
    best: dict[type[Reading], str] = {}
    most = 0
    for command, layouts in QUERIES.items():
        for layout in layouts:
            score = _likeness(layout, payload, words)
            if score > most:
                best, most = {}, score
            if score and score == most:
                best.setdefault(layout.model, command)
    return list(dict.fromkeys(best.values()))


def _likeness(layout: Layout, payload: bytes, words: list[str]) -> int:
    """Return how many words have the form of the layout; 0 if it does not fit."""
    model = layout.model
    if model is Words or not layout.fits(words):
        return 0
    try:
        model.from_payload(payload)
    except ValueError:
        return 0
    if model is CurrentChoices:  # three digits each, rising
        alike = sorted(set(words)) == words and {len(word) for word in words} == {3}
        return len(words) + 1 if alike else 0
    names = model.wire_names()
    kinds = (model.model_fields[name].annotation for name in names)
    return 1 + sum(map(_looks_like, words, kinds))


def _looks_like(word: str, kind: object) -> bool:
    """Tell whether a word has the form of a type: with a decimal point or not."""
    kinds = {kind, *get_args(kind)}
    if float in kinds:
        return "." in word
    if str in kinds:
        return len(word) > 4  # bits, a serial number
    return "." not in word

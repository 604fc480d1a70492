"""Each word of each kind of recorded reply is replaced by an odd one.

At most its own field is unknown then: no other field has another value, and the family
is the same, or unknown.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from helpers.frames import READABLE, Recorded
from mppdbus.errors import UnknownLayout
from mppdbus.protocol.evidence import Evidence
from mppdbus.protocol.identification import FALLBACK, identify
from mppdbus.protocol.queries import QUERIES, base_command, decode
from mppdbus.protocol.replies.fields import Reading
from mppdbus.protocol.replies.other import HourlyPriorities, Words
from mppdbus.protocol.replies.settings import CurrentChoices

ODD = ("--", "---.-", "x", "1x3", "-5", "+00.0", "", "9" * 12, "NaN", "1e5")
LISTS = (CurrentChoices, HourlyPriorities, Words)


def samples() -> Iterator[Recorded]:
    """Yield a reply of each layout and length that has fields of its own."""
    seen = set()
    for frame in READABLE:
        if base_command(frame.command) not in QUERIES:
            continue
        reading, count = frame.decode(), len(frame.payload.split())
        key = frame.command[:5], type(reading), count
        if count > 1 and not isinstance(reading, LISTS) and key not in seen:
            seen.add(key)
            yield frame


SAMPLES = tuple(samples())


def read(command: str, words: list[str]) -> tuple[Reading | None, bool]:
    """Return what is read of a reply, and whether it shows the family."""
    try:
        return decode(command, " ".join(words).encode()), True
    except UnknownLayout as error:
        proven = error.report is not None and error.report.proven
        return error.partial, proven


def family_of(command: str, reading: Reading | None, *, proven: bool) -> str:
    name = base_command(command)
    known = {name: reading} if reading is not None and proven else {}
    evidence = Evidence.gather(known, strange=set() if known else {name})
    return identify(evidence).dialect.name


@pytest.mark.parametrize("frame", SAMPLES, ids=lambda frame: frame.id)
def test_an_odd_word_costs_its_field_alone(frame: Recorded) -> None:
    words = frame.payload.decode().split()
    whole, _ = read(frame.command, words)
    assert whole is not None
    family = family_of(frame.command, whole, proven=True)
    names = whole.wire_names()
    for place, name in enumerate(names[: len(words)]):
        for odd in ODD:
            changed = [*words[:place], odd, *words[place + 1 :]]
            found, proven = read(frame.command, changed)
            said = (frame.id, place + 1, odd)
            assert found is not None, said
            assert type(found) is type(whole), said
            for other in names:
                if other != name:
                    assert getattr(found, other) == getattr(whole, other), said
            value = getattr(found, name)
            assert value is None or str(value) == odd or odd.isdigit(), said
            told = family_of(frame.command, found, proven=proven)
            assert told in (family, FALLBACK), said


@pytest.mark.parametrize("frame", SAMPLES, ids=lambda frame: frame.id)
@pytest.mark.parametrize("more", [-2, -1, 1, 2])
def test_words_at_the_end_change_none_before(frame: Recorded, more: int) -> None:
    """Some lengths are those of another layout; what both have is the same."""
    words = frame.payload.decode().split()
    whole, _ = read(frame.command, words)
    changed = words[:more] if more < 0 else words + ["x"] * more
    try:
        found, _ = read(frame.command, changed)
    except ValueError:
        return  # refused: too short to prove that it is one
    if found is None or type(found) is not type(whole):
        return
    for name in found.wire_names()[: len(words) + min(more, 0)]:
        assert getattr(found, name) == getattr(whole, name), (frame.id, more, name)

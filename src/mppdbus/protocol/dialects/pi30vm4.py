"""Axpert VM IV: document G."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mppdbus.protocol.dialect import Family
from mppdbus.protocol.dialects.pi30max import MAX
from mppdbus.protocol.dialects.pi30vm3 import GK_SETTERS
from mppdbus.protocol.evidence import Clue, Evidence
from mppdbus.protocol.warning_bits import (
    CODE_DIGIT,
    COMMON,
    PV_LOSS,
    RESERVED,
    SHORT_FAULTS,
    TAIL,
    all_at,
    table,
)

WARNINGS = table(  # G: VM IV, and F at 24 V: 36
    {0: PV_LOSS},
    COMMON,
    SHORT_FAULTS,
    all_at(range(24, 31), RESERVED),
    all_at((31, 32), CODE_DIGIT),
    TAIL,
)


def clues(seen: Evidence) -> Iterator[Clue]:
    """Yield what speaks for this family."""
    if seen.status_count == 25:
        yield Clue(0.8, "QPIGS of 25 fields")


FAMILY = Family(
    replace(
        MAX,
        name="pi30vm4",
        title="Axpert VM IV",
        documents="G",
        warnings=WARNINGS,
    ),
    names={r"VMIV\b": 0.95},
    answers="QBEQI",
    clues=clues,
    setters=GK_SETTERS,
)

"""Axpert VM IV: document G."""

from dataclasses import replace

from mppdbus.protocol import warning_bits as w
from mppdbus.protocol.dialect import Family
from mppdbus.protocol.dialects.pi30max import MAX
from mppdbus.protocol.dialects.pi30vm3 import GK_SETTERS
from mppdbus.protocol.evidence import Clue, Clues, Evidence

WARNINGS = w.table(  # G: VM IV, and F at 24 V: 36
    {0: w.PV_LOSS},
    w.COMMON,
    w.SHORT_FAULTS,
    w.all_at(range(24, 31), w.RESERVED),
    w.all_at((31, 32), w.CODE_DIGIT),
    w.TAIL,
)


def _clues(seen: Evidence) -> Clues:
    if seen.status_count == 25:
        yield Clue(0.8, "QPIGS of 25 fields")


FAMILY = Family(
    replace(
        MAX, name="pi30vm4", title="Axpert VM IV", documents="G", warnings=WARNINGS
    ),
    names={r"VMIV\b": 0.95},
    answers="QBEQI",
    clues=_clues,
    setters=GK_SETTERS,
)

"""REVO (SOROTEC): document I. It writes with PSET, another protocol: no setters."""

from dataclasses import replace

from mppdbus.protocol.dialect import Family
from mppdbus.protocol.dialects.pi30 import PI30
from mppdbus.protocol.evidence import Clue, Clues, Evidence
from mppdbus.protocol.queries import layout, with_own
from mppdbus.protocol.replies import other, settings, status


def _clues(seen: Evidence) -> Clues:
    if isinstance(seen.ratings, settings.RatingsRevo):
        yield Clue(0.9, "QPIRI of 21 fields: REVO")
    if seen.other(other.LithiumBattery):
        yield Clue(0.7, "QLITH0 answered")


FAMILY = Family(
    replace(
        PI30,
        name="revo",
        title="REVO (SOROTEC)",
        documents="I",
        queries=with_own(QPIGS=(layout(status.GeneralStatusRevo, 17, 21, 24, 25),)),
    ),
    answers="QLITH0 QALL",
    clues=_clues,
)

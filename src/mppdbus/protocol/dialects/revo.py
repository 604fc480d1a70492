"""REVO (SOROTEC): document I. It writes with PSET, another protocol: no setters."""

from collections.abc import Iterator
from dataclasses import replace

from mppdbus.protocol.dialect import Family
from mppdbus.protocol.dialects.pi30 import PI30
from mppdbus.protocol.evidence import Clue, Evidence
from mppdbus.protocol.queries import layout, with_own
from mppdbus.protocol.replies.other import LithiumBattery
from mppdbus.protocol.replies.settings import RatingsRevo
from mppdbus.protocol.replies.status import GeneralStatusRevo


def _clues(seen: Evidence) -> Iterator[Clue]:
    if isinstance(seen.ratings, RatingsRevo):
        yield Clue(0.9, "QPIRI of 21 fields: REVO")
    if seen.other(LithiumBattery):
        yield Clue(0.7, "QLITH0 answered")


FAMILY = Family(
    replace(
        PI30,
        name="revo",
        title="REVO (SOROTEC)",
        documents="I",
        queries=with_own(QPIGS=(layout(GeneralStatusRevo, 17, 21, 24, 25),)),
    ),
    answers="QLITH0 QALL",
    clues=_clues,
)

"""Axpert MS, MSX and MKS for 24 V, built with a transformer: document A."""

from dataclasses import replace

from mppdbus.protocol.dialect import Family
from mppdbus.protocol.dialects.pi30 import FIRST_SETTERS, PI30, VOLTAGE_RANGES
from mppdbus.protocol.evidence import Clue, Clues, Evidence
from mppdbus.protocol.settings import setters

COUNTS = 1024  # of the A/D converter, which has ten bits


def _clues(seen: Evidence) -> Clues:
    if (ratings := seen.common_ratings) is not None:
        if ratings.topology == 1:
            yield Clue(0.3, "QPIRI: built with a transformer")
        lacks = ratings.max_parallel_units is None
        if lacks and ratings.topology == 1 and seen.ratings_words > 19:
            yield Clue(0.3, "QPIRI: no parallel operation")
    temperature = getattr(seen.status, "heatsink_temperature", None)
    if temperature is not None and 150 < temperature < COUNTS:
        yield Clue(0.9, f"QPIGS: heat sink {temperature}, a raw A/D count")


FAMILY = Family(
    replace(
        PI30,
        name="pi30ms",
        title="Axpert MS, MSX and MKS, 24 V",
        documents="A",
        raw_temperature=True,
    ),
    answers="QVFW2 QDI Q1 QPGS0",
    clues=_clues,
    setters=(
        *FIRST_SETTERS,
        setters.OUTPUT_MODE.spelled("POPM{unit}{value:01d}", 9),
        setters.MAX_CHARGING_CURRENT.spelled(
            "MNCHGC{unit}{value:03d}", 999, older="MCHGC{unit}{value:02d}"
        ),
        setters.MAX_AC_CHARGING_CURRENT,
    ),
    voltage_ranges=VOLTAGE_RANGES,
)

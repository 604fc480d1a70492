"""Axpert MAX for 24 V: document F. Its voltage tells it from the one for 48 V."""

from dataclasses import replace

from mppdbus.protocol.dialect import Family
from mppdbus.protocol.dialects.pi30max import MAX, MAX_SETTERS
from mppdbus.protocol.dialects.pi30vm4 import WARNINGS
from mppdbus.protocol.settings import setters

FAMILY = Family(
    replace(
        MAX,
        name="pi30max24",
        title="Axpert MAX, 24 V",
        documents="F",
        warnings=WARNINGS,
    ),
    setters=(*MAX_SETTERS, setters.OUTPUT_MODE, setters.OUTPUT_VOLTAGE),
)

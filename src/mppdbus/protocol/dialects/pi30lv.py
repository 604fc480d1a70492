"""Axpert MAX for 100 to 127 V (LV6548, EG4 6500EX): documents F and G."""

from dataclasses import replace

from mppdbus.protocol.codes import CHARGER_PRIORITIES_MENU
from mppdbus.protocol.dialect import Family, Model
from mppdbus.protocol.dialects.pi30max import MAX, MAX_SETTERS
from mppdbus.protocol.settings import setters

FAMILY = Family(
    replace(
        MAX,
        name="pi30lv",
        title="Axpert MAX LV, LV6548, EG4 6500EX",
        priorities_proven=False,
        charger_priorities=CHARGER_PRIORITIES_MENU,
    ),
    names={r"MKS2-(6500)": 0.85, r"MAX.*LV|LV\d{4}": 0.9},
    numbers={"045": Model("MAX 5K LV")},
    answers="QMN QGMN Q1 QPGS0 QPIGS2",
    setters=(
        *MAX_SETTERS,
        setters.OUTPUT_MODE.of(*range(8)),
        setters.OUTPUT_VOLTAGE.of(110, 120, 127),
    ),
)

"""Axpert MKS II and MKS III: documents D and E."""

from dataclasses import replace

from mppdbus.protocol import warning_bits as w
from mppdbus.protocol.dialect import Family, Model
from mppdbus.protocol.dialects.pi30king import KING_SETTERS, VOLTAGE_RANGES
from mppdbus.protocol.dialects.pi30vm3 import VM3
from mppdbus.protocol.evidence import Clue, Clues, Evidence
from mppdbus.protocol.replies import parallel
from mppdbus.protocol.settings import setters

WARNINGS = w.table(  # D (MKS III), E (MKS II)
    {0: w.RESERVED},
    w.COMMON,
    w.SHORT_FAULTS,
    w.BATTERY_OPEN,
    w.all_at(range(24, 31), w.RESERVED),
    w.all_at((32, 33), w.CODE_DIGIT),
)


def _clues(seen: Evidence) -> Clues:
    if seen.other(parallel.FeedInParallel):
        yield Clue(0.8, "Q2PGS shows feed-in")


FAMILY = Family(
    replace(
        VM3,
        name="pi30mks2",
        title="Axpert MKS II and MKS III",
        documents="D E",
        warnings=WARNINGS,
    ),
    names={r"MKS(3|III)-": 0.9, r"MKS2-": 0.5},  # the Phocos says MKS2, too
    numbers={
        "022": Model("MKS II 5K"),
        "025": Model("MKS II 5K with feed-in"),
        "042": Model("MKS III 5K"),
    },
    clues=_clues,
    setters=(
        *KING_SETTERS,
        setters.CHARGER_SOURCE_PRIORITY.of(1, 2, 3),
        setters.CHARGER_SOURCE_PRIORITY_OF_UNIT.of(1, 2, 3),
        setters.BATTERY_TYPE.of(*range(7)),
        setters.OUTPUT_VOLTAGE.spelled("POPV{value:03d}0", 240),
        setters.MAX_AC_CHARGING_CURRENT.spelled("MUCHGC{unit}{value:03d}", 999),
        setters.MAX_DISCHARGE_CURRENT.spelled("PBATMAXDISC{value:03d}", 120),
    ),
    voltage_ranges={name: {48: range_[48]} for name, range_ in VOLTAGE_RANGES.items()},
)

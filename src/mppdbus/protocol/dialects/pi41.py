"""LV5048, with two phases, which calls its protocol PI41: document H."""

from dataclasses import replace

from mppdbus.protocol import warning_bits as w
from mppdbus.protocol.codes import Names
from mppdbus.protocol.dialect import Family
from mppdbus.protocol.dialects.pi30 import FIRST_SETTERS, PI30
from mppdbus.protocol.dialects.pi30 import VOLTAGE_RANGES as FIRST_RANGES
from mppdbus.protocol.evidence import Clue, Clues, Evidence
from mppdbus.protocol.queries import layout, with_own
from mppdbus.protocol.replies import parallel
from mppdbus.protocol.replies.status import GeneralStatusSplitPhase, SecondPhase
from mppdbus.protocol.settings import setters
from mppdbus.protocol.settings.voltage_ranges import Range

OUTPUT_MODES: Names = {
    1: "parallel, 0°",
    2: "phase 1 of 3",
    3: "phase 2 of 3",
    4: "phase 3 of 3",
    5: "parallel, 120°",
    6: "parallel, 180°",
}
WARNINGS = w.table(  # 32 characters
    w.FIRST_GENERATION,
    {
        13: w.fault("overcharge", "battery overcharged"),
        30: w.WarningBit("slave_warning", "a slave unit warns"),
        31: w.RESERVED,
    },
)


def _clues(seen: Evidence) -> Clues:
    if seen.protocol == "PI41":
        yield Clue(0.99, "QPI PI41: split phase")
    if isinstance(seen.second_tracker, SecondPhase):
        yield Clue(0.9, "QPIGS2 of 11 fields: a second phase")
    if seen.other(parallel.SecondPhaseParallelStatus):
        yield Clue(0.8, "QP2GS shows a second phase")


FAMILY = Family(
    replace(
        PI30,
        name="pi41",
        title="LV5048, two phases",
        documents="H",
        queries=with_own(QPIGS=(layout(GeneralStatusSplitPhase, 17, 21, 24, 25),)),
        output_modes=OUTPUT_MODES,
        warnings=WARNINGS,
        phases=2,
    ),
    answers="QPIGS2 QPGS0 QP2GS0",
    refuses="QPGS0",
    clues=_clues,
    setters=(
        *FIRST_SETTERS,
        setters.OUTPUT_MODE,
        setters.MAX_CHARGING_CURRENT,
        setters.MAX_AC_CHARGING_CURRENT,
        setters.MAX_CONSTANT_VOLTAGE_TIME,
        *setters.EQUALIZATION,
    ),
    voltage_ranges=FIRST_RANGES | {"equalization_voltage": {48: Range(48, 61, 0.01)}},
)

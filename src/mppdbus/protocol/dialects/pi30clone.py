"""Clones that call themselves VMII-NXPW (PowMr and others); no document.

What their codes of priorities mean depends on the board: on some 0 is utility first,
on others solar first, and QPIRI does not tell which. So the codes are shown without
names, and cannot be set, unless QPRTL tells the board: see `boards`.
"""

from dataclasses import replace

from mppdbus.protocol.dialect import RESERVED_BIT, Family
from mppdbus.protocol.dialects.pi30 import PI30
from mppdbus.protocol.evidence import Clue, Clues, Evidence
from mppdbus.protocol.replies import charge, settings
from mppdbus.protocol.settings import setters


def _clues(seen: Evidence) -> Clues:
    if isinstance(seen.ratings, settings.RatingsClone):
        yield Clue(0.9, "QPIRI ends in two voltages of its own: a clone")
    if seen.other(settings.BoardVersion):
        yield Clue(0.9, "QPRTL: a board of clones")
    if seen.decimal_pv_current:
        yield Clue(0.3, "QPIGS: PV current with one decimal")
    if seen.warning_count == 31:
        yield Clue(0.6, "QPIWS of 31 characters")
    if seen.knows_flag("g"):
        yield Clue(0.7, "QFLAG knows g, as NXPW clones do")
    if seen.other(charge.ChargeStateClone):
        yield Clue(0.4, "Q1 of 13 fields")


CLONE_SETTERS = (
    *(row for row in setters.COMMON if row is not setters.OUTPUT_SOURCE_PRIORITY),
    setters.BATTERY_TYPE.of(0, 1, 2),
    setters.OUTPUT_MODE,
    setters.MAX_CHARGING_CURRENT.spelled("MNCHGC{value:03d}", 999),
    setters.MAX_AC_CHARGING_CURRENT.spelled("MUCHGC{value:03d}", 999),
)

FAMILY = Family(
    replace(
        PI30,
        name="pi30clone",
        title="clone, VMII-NXPW (PowMr and others)",
        documents="",
        priorities_proven=False,
        status_b7=RESERVED_BIT,
    ),
    names={r"VMII-NXPW": 0.97},  # the size in it is wrong: those of 10 kW say 5KW
    answers="QMN QMCHGCR QMUCHGCR QBEQI Q1",
    refuses="QVFW3 QPIGS2 QT QET QEY QEM QED QLT QLY QLM QLD QBATCD",
    clues=_clues,
    setters=(
        *CLONE_SETTERS,
        setters.OUTPUT_SOURCE_PRIORITY,
        setters.CHARGER_SOURCE_PRIORITY.of(0, 1, 2, 3),
    ),
)

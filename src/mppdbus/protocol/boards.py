"""The boards of clones by QPRTL, and what their codes of priorities mean; pure.

The source is the maker's own program for them. HPVINV06 to 10 and LPVINV02 exist, and
nobody knows their codes: those are shown, and not written.
"""

from dataclasses import replace
from functools import cache

from mppdbus.protocol.codes import CHARGER_PRIORITIES, OUTPUT_PRIORITIES, Names
from mppdbus.protocol.dialect import Dialect
from mppdbus.protocol.dialects import DIALECTS

# POP and PCP. SOR charges from the sun, and leaves the rest to the mains.
_FIRST = (OUTPUT_PRIORITIES, CHARGER_PRIORITIES)
_SECOND: tuple[Names, Names] = (
    {0: "Solar first", 1: "SBU"},
    {0: "Solar first", 1: "Solar and utility", 2: "Only solar", 3: "SOR"},
)
BOARDS = {
    "HPVINV01": _FIRST,
    "HPVINV03": _FIRST,
    "HPVINV02": _SECOND,
    "HPVINV04": _SECOND,
    "HPVINV05": _SECOND,
}
CLONES = ("pi30clone", "pi30vmii")


@cache
def dialect_of_board(dialect: str, board: str) -> Dialect | None:
    """Return the dialect of a clone whose board is known; None for any other unit."""
    if dialect not in CLONES or board not in BOARDS:
        return None
    outputs, chargers = BOARDS[board]
    return replace(
        DIALECTS[dialect],
        output_priorities=outputs,
        charger_priorities=chargers,
        priorities_proven=True,
    )

"""What the codes mean in several families; data only.

The letters are those of the official documents: A HS/MS/MSX 2014, B KS/MKS/Plus Duo
2015, C GK/MK, D VM III, King and MKS III, E MKS II to IV, F MAX, G MAX II and VM IV,
H LV5048 (PI41), I REVO. A code that a table does not hold has no proven meaning:
show the number. Never use one family's table for another: the same code is "SBU" here
and "utility first" there. Codes of a single family are in its file.
"""

from collections.abc import Mapping
from types import MappingProxyType

Names = Mapping[int, str]


def _names(*names: str) -> Names:
    return MappingProxyType(dict(enumerate(names)))


# QPIRI 13, set by PBT. Above User the inverter expects a BMS.
BATTERIES = _names("AGM", "Flooded", "User")  # A, B, C, H; clones prove no more
BATTERIES_BMS = _names(  # D, E, F, G
    "AGM", "Flooded", "User",
    "Pylontech", "Shinheung", "WECO", "Soltaro", "BAK", "Lib", "Lic",
)  # fmt: skip

# QPIRI 17, set by POP.
OUTPUT_PRIORITIES = _names("Utility first", "Solar first", "SBU")

# QPIRI 18 and QPGS 22, set by PCP.
CHARGER_PRIORITIES = _names(
    "Utility first", "Solar first", "Solar and utility", "Only solar"
)
CHARGER_PRIORITIES_MENU = _names(  # LV6548 when set, and VMII fw 40.0x
    "Solar first", "Solar and utility", "Only solar"
)

# QPIRI 20, not reliable: a 5.6 kW off-grid unit says grid tie.
MACHINE_TYPES: Names = MappingProxyType({0: "grid tie", 1: "off grid", 10: "hybrid"})

# QPIRI 21.
TOPOLOGIES = _names("transformerless", "transformer")

# QPIRI 16, set by PGR.
INPUT_RANGES = _names("appliance", "UPS")

# QPIRI 27, set by POPLG.
OPERATION_LOGICS = _names("automatic", "on-line", "ECO")

# QPIRI 22, QOPM, QPGS 21, set by POPM.
OUTPUT_MODES = _names(
    "single", "parallel", "phase 1 of 3", "phase 2 of 3", "phase 3 of 3"
)

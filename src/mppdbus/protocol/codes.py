"""What the codes mean in several families; data only.

The letters are those of the official documents: A HS/MS/MSX 2014, B KS/MKS/Plus Duo
2015, C GK/MK, D VM III, King and MKS III, E MKS II to IV, F MAX, G MAX II and VM IV,
H LV5048 (PI41), I REVO. A code that a table does not hold has no proven meaning:
show the number. Never use one family's table for another: the same code is "SBU" here
and "utility first" there. What one family alone means stands in its file.
"""

from collections.abc import Mapping
from types import MappingProxyType

Names = Mapping[int, str]


def _names(*names: str) -> Names:
    return MappingProxyType(dict(enumerate(names)))


# QPIRI 13, set by PBT. Above User the inverter expects a BMS.
BATTERIES = _names("AGM", "Flooded", "User")  # A, B, C, H; all that clones prove
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

# QPIRI 20, decoration: a 5.6 kW off-grid unit says grid tie.
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

# QPGS 4, and the two digits that some families hide in QPIWS.
FAULTS_COMMON: Names = {
    1: "fan locked",
    2: "over temperature",
    3: "battery voltage too high",
    4: "battery voltage too low",
    5: "output short-circuited or over temperature",
    6: "output voltage too high",
    7: "overload time-out",
    8: "bus voltage too high",
    9: "bus soft start failed",
    51: "inverter over-current",
    53: "inverter soft start failed",
    55: "DC voltage on the AC output",
    57: "current sensor failed",
    58: "output voltage too low",
    71: "firmware of parallel units differs",
    72: "output circuit of a parallel unit failed",
    80: "CAN communication failed",
    81: "host of the parallel set lost",
    82: "synchronisation of the parallel set lost",
    83: "battery voltage of parallel units differs",
    84: "line voltage or frequency of parallel units differs",
    85: "AC current of parallel units unbalanced",
    86: "output settings of parallel units differ",
}
FAULTS: Names = MappingProxyType(  # A, B, H
    {
        **FAULTS_COMMON,
        11: "main relay failed",
        52: "bus soft start failed",
        54: "self-test failed",
        56: "battery connection open",
        60: "negative power",
    }
)

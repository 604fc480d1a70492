"""What the fault codes mean in several families; documents as in `codes`; data only."""

from types import MappingProxyType

from mppdbus.protocol.codes import Names

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

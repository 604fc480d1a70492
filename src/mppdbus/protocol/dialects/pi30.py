"""Axpert KS, MKS and others of the first generation; the base of all other families.

Documents A and B. An inverter without clues to another family counts as this one.
"""

from mppdbus.protocol import codes as c
from mppdbus.protocol import warning_bits as w
from mppdbus.protocol.dialect import Dialect, Family, Model
from mppdbus.protocol.evidence import Clue, Clues, Evidence
from mppdbus.protocol.fault_codes import FAULTS
from mppdbus.protocol.queries import QUERIES
from mppdbus.protocol.settings import setters
from mppdbus.protocol.settings.voltage_ranges import Range

WARNINGS = w.table(
    w.FIRST_GENERATION, w.all_at((30, 31), w.RESERVED)
)  # A: 32 characters

PI30 = Dialect(
    name="pi30",
    title="Axpert, first generation",
    documents="A B",
    queries=QUERIES,
    battery_types=c.BATTERIES,
    output_priorities=c.OUTPUT_PRIORITIES,
    charger_priorities=c.CHARGER_PRIORITIES,
    output_modes=c.OUTPUT_MODES,
    machine_types=c.MACHINE_TYPES,
    warnings=WARNINGS,
    fault_codes=FAULTS,
    pv_current_is_battery_side=None,  # recordings show both
)


def _clues(_: Evidence) -> Clues:
    yield Clue(0.25, "nothing shows more than the first generation")


FIRST_SETTERS = (
    *setters.COMMON,
    setters.CHARGER_SOURCE_PRIORITY.of(0, 1, 2, 3),
    setters.CHARGER_SOURCE_PRIORITY_OF_UNIT.of(0, 1, 2, 3),
    setters.BATTERY_TYPE.of(0, 1),
    *setters.PV_CONDITIONS,
)
VOLTAGE_RANGES = {  # A, B
    "battery_recharge_voltage": {
        12: Range(11, 12.8, values=(11, 11.3, 11.5, 11.8, 12, 12.3, 12.5, 12.8)),
        24: Range(22, 25.5, 0.5),
        48: Range(44, 51, 1),
    },
    "battery_redischarge_voltage": {
        12: Range(
            12, 14.5, zero=True,
            values=(12, 12.3, 12.5, 12.8, 13, 13.3, 13.5, 13.8, 14, 14.3, 14.5),
        ),
        24: Range(24, 29, 0.5, zero=True),
        48: Range(48, 58, 1, zero=True),
    },
    "battery_under_voltage": {48: Range(40, 48)},
    "battery_bulk_voltage": {48: Range(48, 58.4)},
    "battery_float_voltage": {48: Range(48, 58.4)},
}  # fmt: skip

FAMILY = Family(
    PI30,
    numbers={
        "001": Model("VP-5000"),
        "002": Model("VM-5000"),
        "003": Model("VP-3000"),
        "004": Model("VM-3000"),
        "005": Model("MKS+ 2000-48 LV", 48),
        "006": Model("MLV 3K-24", 24),
        "007": Model("PLV 3K-24", 24),
        "008": Model("MKS 3KP"),
        "009": Model("KS 3KP"),
        "010": Model("MKS 5KP"),
        "011": Model("KS 5KP"),
        "012": Model("MKS 4K/5K 64 V"),
        "013": Model("KS 4K/5K 64 V"),
        "014": Model("MKS 4K/5K"),
        "015": Model("KS 4K/5K"),
        "016": Model("ALFA M-5000"),
        "017": Model("ALFA P-5000"),
        "019": Model("EPS 5KW"),
        "020": Model("EPS 5KW"),
        "021": Model("EPS 5KW"),
        "026": Model("MLV 5K-48", 48),
        "032": Model("MKS Zero LV 0.7K"),
        "033": Model("MKS Zero LV 1.4K"),
        "034": Model("MKS Zero LV 2.6K"),
        "040": Model("SE 3.5K"),
        "041": Model("SE 5.5K"),
    },
    answers="QDI QMCHGCR QMUCHGCR Q1 QOPM QBOOT QPGS0",
    refuses="QPIGS2",
    clues=_clues,
    setters=(
        *FIRST_SETTERS,
        setters.OUTPUT_MODE,
        setters.MAX_CHARGING_CURRENT.spelled(
            "MNCHGC{unit}{value:03d}", 999, older="MCHGC{unit}{value:02d}"
        ),
        setters.MAX_AC_CHARGING_CURRENT,
    ),
    voltage_ranges=VOLTAGE_RANGES,
)

"""Axpert VM II and VM III (GK): documents C, D, E. The base of King and MKS II."""

from dataclasses import replace

from mppdbus.protocol import warning_bits as w
from mppdbus.protocol.codes import BATTERIES_BMS, Names
from mppdbus.protocol.dialect import FEEDS_LOAD, RESERVED_BIT, Family, Model
from mppdbus.protocol.dialects.pi30 import PI30
from mppdbus.protocol.dialects.pi30 import VOLTAGE_RANGES as FIRST_RANGES
from mppdbus.protocol.evidence import Clue, Clues, Evidence
from mppdbus.protocol.fault_codes import FAULTS_COMMON
from mppdbus.protocol.replies import other
from mppdbus.protocol.settings import setters
from mppdbus.protocol.settings.voltage_ranges import Range

FAULTS: Names = {  # C, D, E
    **FAULTS_COMMON,
    10: "PV charger over-current",
    11: "PV over-voltage",
    12: "DC/DC over-current",
    59: "PV voltage too high",
    60: "negative power",
    73: "output voltage of parallel units differs",
}
WARNINGS = w.table(  # C (GK), D and E (VM III): 36
    {0: w.PV_LOSS},
    w.COMMON,
    w.SHORT_FAULTS,
    w.BATTERY_OPEN,
    w.all_at(range(24, 31), w.RESERVED),
    w.all_at((31, 32), w.CODE_DIGIT),
    w.TAIL,
)
VM3 = replace(
    PI30,
    name="pi30vm3",
    title="Axpert VM II and VM III (GK)",
    documents="C D E",
    battery_types=BATTERIES_BMS,
    warnings=WARNINGS,
    fault_codes=FAULTS,
    pv_current_is_battery_side=False,
    status_b7=FEEDS_LOAD,
    status_b3=RESERVED_BIT,
)


def _clues(seen: Evidence) -> Clues:
    firmware = seen.firmware or ""
    if firmware.startswith("00041."):
        yield Clue(0.6, f"firmware {firmware}, as the VM III has")
    if seen.decimal_pv_current:
        yield Clue(0.45, "QPIGS: PV current with one decimal")
    if seen.status_count == 24:
        yield Clue(0.2, "QPIGS of 24 fields")
    if seen.warning_count == 36:
        yield Clue(0.3, "QPIWS of 36 characters")
    if seen.other(other.SecondOutput):
        yield Clue(0.4, "QDOP: a second output")


GK_SETTERS = (  # C, D and G without parallel operation
    *setters.COMMON,
    setters.CHARGER_SOURCE_PRIORITY.of(1, 2, 3),
    setters.BATTERY_TYPE.of(*range(10)),
    setters.OUTPUT_MODE,
    setters.OUTPUT_VOLTAGE,
    setters.MAX_CHARGING_CURRENT.spelled("MNCHGC{value:03d}", 999),
    setters.MAX_AC_CHARGING_CURRENT.spelled("MUCHGC{value:03d}", 999),
    setters.MAX_CONSTANT_VOLTAGE_TIME,
    *setters.EQUALIZATION,
    setters.CLOCK,
)

FAMILY = Family(
    VM3,
    names={r"VM(III|II)\b": 0.95},
    numbers={
        "027": Model("VM III"),
        "028": Model("VM III 3.2K with feed-in"),
        "029": Model("VM II"),
        "030": Model("Fusion VM II"),
        "037": Model("VM III with energy counters"),
        "055": Model("VM III-4000 Twin"),
    },
    answers="QMN QGMN QSID QVFW3 QDI QMCHGCR QMUCHGCR QBEQI Q1 QT QET QEY QEM QED QDOP",
    refuses="QVFW2 QVFW4 QPIGS2 QLT",
    clues=_clues,
    setters=(
        *GK_SETTERS,
        *setters.PV_CONDITIONS,
        *setters.CAPACITIES,
        *setters.LOG_AND_COUNTRY,
    ),
    voltage_ranges=FIRST_RANGES
    | {  # C, and E for the VM III
        "battery_under_voltage": {24: Range(21, 24), 48: Range(42, 48)},
        "battery_bulk_voltage": {24: Range(25, 31.5), 48: Range(48, 61)},
        "battery_float_voltage": {24: Range(25, 31.5), 48: Range(48, 61)},
        "equalization_voltage": {24: Range(25, 31.5, 0.01), 48: Range(48, 61, 0.01)},
    },
)

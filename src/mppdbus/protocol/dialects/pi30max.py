"""Axpert MAX and MAX II for 48 V: documents F and G. The base of all MAX and the VM IV.

Units for 24 V and for 120 V have the same layouts: they differ by their voltages.
"""

from dataclasses import replace

from mppdbus.protocol import warning_bits as w
from mppdbus.protocol.codes import BATTERIES_BMS, OUTPUT_MODES, Names
from mppdbus.protocol.dialect import Family, Model
from mppdbus.protocol.dialects.pi30 import PI30
from mppdbus.protocol.evidence import Clue, Clues, Evidence, words_of
from mppdbus.protocol.fault_codes import FAULTS_COMMON
from mppdbus.protocol.replies import charge, parallel, settings, status
from mppdbus.protocol.settings import setters

MOST_VA = 40_000  # of any PI30 inverter; a larger number is an odd word
LOW_VOLTAGE = 140.0  # V of AC; below it is a 100 to 127 V unit

FAULTS: Names = {
    **FAULTS_COMMON,
    1: "fan locked while the inverter was off",
    5: "output short-circuited",
    10: "PV over-current",
    11: "PV over-voltage",
    12: "DC/DC over-current",
    13: "battery discharge over-current",
    51: "over-current",
    52: "bus voltage too low",
    60: "power feedback protection",
    72: "current sharing fault",
}
WARNINGS = w.table(  # 36 characters; other programs read 26 to 33 as two trackers
    {0: w.PV_LOSS},
    w.COMMON,
    w.SHORT_FAULTS,
    w.all_at(range(24, 31), w.RESERVED),
    {31: w.WarningBit("battery_weak", "battery weak")},
    w.all_at((32, 33), w.CODE_DIGIT),
    {35: w.TAIL[35]},
)
MAX = replace(
    PI30,
    name="pi30max",
    title="Axpert MAX and MAX II, 48 V",
    documents="F G",
    battery_types=BATTERIES_BMS,
    output_modes={
        **OUTPUT_MODES,
        5: "phase 1 of 2",
        6: "phase 2 of 2, 120°",
        7: "phase 2 of 2, 180°",
    },
    warnings=WARNINGS,
    fault_codes=FAULTS,
    pv_current_is_battery_side=False,
)


def _clues(seen: Evidence) -> Clues:
    if seen.ratings_words >= 28:
        words = seen.ratings_words
        yield Clue(0.85, f"QPIRI of {words} fields, with discharge limit")
    yield from _of_status(seen)
    if seen.warning_count == 36:
        yield Clue(0.3, "QPIWS of 36 characters")
        bits = seen.warnings
        if bits and bits.is_set(31) and not bits.is_set(1):
            yield Clue(0.5, "QPIWS a31 set without a fault: battery weak")
    if isinstance(seen.second_tracker, status.SecondTracker):
        yield Clue(0.6, "QPIGS2 of 3 fields")
    if seen.other(charge.ChargeStateEqualization):
        yield Clue(0.35, "Q1 of 27 fields")
    defaults = seen.other(settings.FactoryDefaults)
    if defaults and defaults.battery_under_voltage == 44.0:
        yield Clue(0.5, "QDI: cut-off at 44 V")
    member = seen.other(parallel.ParallelStatus)
    if member and words_of(member) == 29:
        yield Clue(0.6, "QPGS of 29 fields")


def _of_status(seen: Evidence) -> Clues:
    if 9999 < (getattr(seen.status, "ac_output_apparent_power", None) or 0) < MOST_VA:
        yield Clue(0.6, "QPIGS: power above 9999 VA")
    if seen.status_count == 24:
        yield Clue(0.3, "QPIGS of 24 fields")
    if seen.decimal_pv_current:
        yield Clue(0.35, "QPIGS: PV current with one decimal")
    if seen.five_digit_power:
        yield Clue(0.6, "QPIGS: power with five digits")


def _variant(seen: Evidence) -> tuple[str, str] | None:
    rated = getattr(seen.ratings, "ac_output_rating_voltage", None)
    volts = rated or getattr(seen.status, "ac_output_voltage", None)
    if volts and volts < LOW_VOLTAGE:
        return "pi30lv", f"{volts:.0f} V output: a low-voltage MAX"
    if getattr(seen.ratings, "battery_rating_voltage", None) == 24:
        return "pi30max24", "24 V battery: its warnings stand at other places"
    return None


MAX_SETTERS = (  # F, G
    *setters.COMMON,
    setters.CHARGER_SOURCE_PRIORITY.of(1, 2, 3),
    setters.CHARGER_SOURCE_PRIORITY_OF_UNIT.of(1, 2, 3),
    setters.BATTERY_TYPE.of(*range(10)),
    setters.MAX_CHARGING_CURRENT,
    setters.MAX_AC_CHARGING_CURRENT,
    setters.MAX_CONSTANT_VOLTAGE_TIME,
    *setters.EQUALIZATION,
    setters.CLOCK,
    setters.MAX_DISCHARGE_CURRENT,
)

FAMILY = Family(
    MAX,
    names={r"MKS2-(?!6500)([6-9]\d{3}|\d{5})": 0.95, r"MAX": 0.9},
    numbers={
        "031": Model("Phocos MKS II 5K"),
        "038": Model("Phocos MKS II with energy counters"),
        "039": Model("Phocos MKS II LV"),
        "043": Model("MAX 3.6K"),
        "044": Model("MAX 7.2K", 48),
    },
    answers=(
        "QMN QGMN QSID QVFW3 VERFW: QDI QMCHGCR QMUCHGCR QPIGS2 QBEQI Q1 QT QET QEY "
        "QEM QED QLT QLY QLM QLD QPGS0 QDOP QOPPT QCHPT QLED QWFS"
    ),
    refuses="QPIGS2 QBATCD",
    clues=_clues,
    variant=_variant,
    setters=(*MAX_SETTERS, setters.OUTPUT_MODE, setters.OUTPUT_VOLTAGE),
)

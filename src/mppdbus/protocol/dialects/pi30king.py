"""Axpert King: documents C (MK), D and E."""

from dataclasses import replace

from mppdbus.protocol import warning_bits as w
from mppdbus.protocol.codes import Names
from mppdbus.protocol.dialect import Family, Model
from mppdbus.protocol.dialects.pi30vm3 import VM3
from mppdbus.protocol.evidence import Clue, Clues, Evidence, words_of
from mppdbus.protocol.replies import other, settings
from mppdbus.protocol.settings import setters
from mppdbus.protocol.settings.voltage_ranges import Range

CHARGER_PRIORITIES: Names = {  # order of the sources / may mains charge
    0: "SBL, utility charges battery",
    1: "SBL, utility does not charge",
    2: "SLB, utility charges battery",
    3: "SLB, utility does not charge",
}
WARNINGS = w.table(  # 36 characters
    {0: w.PV_LOSS},
    w.COMMON,
    w.SHORT_FAULTS,
    w.BATTERY_OPEN,
    {24: w.BATTERY_SHORT, 25: w.POWER_LIMIT},
    w.tracker(26, 1, ""),
    {
        26: w.either("pv_voltage_high", "PV voltage too high"),
        27: w.fault("mppt_overload_fault", "PV charger stopped by overload"),
        30: w.fault("dcdc_over_current", "DC/DC over-current"),
    },
    w.all_at((32, 33), w.CODE_DIGIT),
)


def _clues(seen: Evidence) -> Clues:
    if seen.ratings_words == 27:
        yield Clue(0.8, "QPIRI of 27 fields: King")
    if seen.warning_count == 36:
        yield Clue(0.3, "QPIWS of 36 characters")
    if seen.knows_flag("c", "m"):
        yield Clue(0.5, "QFLAG knows c or m")
    if seen.other(other.BatteryManagement):
        yield Clue(0.3, "QBMS of 10 fields")
    defaults = seen.other(settings.FactoryDefaults)
    if defaults and words_of(defaults) == 27:
        yield Clue(0.4, "QDI of 27 fields")


KING_SETTERS = (
    *setters.COMMON,
    setters.OUTPUT_MODE,
    setters.OPERATION_LOGIC,
    setters.MAX_CHARGING_CURRENT,
    *setters.PV_CONDITIONS,
    setters.MAX_CONSTANT_VOLTAGE_TIME,
    *setters.EQUALIZATION,
    setters.CLOCK,
    *setters.CAPACITIES,
    *setters.LOG_AND_COUNTRY,
)
VOLTAGE_RANGES = {  # E; 48 V also for the MKS II
    "battery_recharge_voltage": {24: Range(22, 28.5, 0.5), 48: Range(44, 57, 1)},
    "battery_redischarge_voltage": {
        24: Range(24, 33, 0.5, zero=True),
        48: Range(48, 64, 1, zero=True),
    },
    "battery_under_voltage": {24: Range(20, 27), 48: Range(40, 54)},
    "battery_bulk_voltage": {24: Range(24, 32), 48: Range(48, 64)},
    "battery_float_voltage": {24: Range(24, 32), 48: Range(48, 64)},
    "equalization_voltage": {24: Range(24, 32, 0.01), 48: Range(48, 64, 0.01)},
}

FAMILY = Family(
    replace(
        VM3,
        name="pi30king",
        title="Axpert King",
        charger_priorities=CHARGER_PRIORITIES,
        warnings=WARNINGS,
        pv_current_is_battery_side=None,
    ),
    names={r"KING": 0.95},
    numbers={
        "023": Model("KING-5000", 48),
        "024": Model("KING-3000", 24),
        "035": Model("KING-5000 with energy counters", 48),
        "036": Model("KING-3000 with energy counters", 24),
    },
    answers="QMN QGMN QVFW2 QDI QBEQI Q1 QOPM QT QET QEY QEM QED QBMS",
    clues=_clues,
    setters=(
        *KING_SETTERS,
        setters.CHARGER_SOURCE_PRIORITY.of(0, 1, 2, 3),
        setters.CHARGER_SOURCE_PRIORITY_OF_UNIT.of(0, 1, 2, 3),
        setters.BATTERY_TYPE.of(*range(10)),
        setters.MAX_AC_CHARGING_CURRENT,
    ),
    voltage_ranges=VOLTAGE_RANGES,
)

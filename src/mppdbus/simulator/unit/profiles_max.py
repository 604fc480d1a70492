"""Tables: the MAX families, 230 V and 120 V, and the Phocos Any-Grid."""

from dataclasses import replace

from mppdbus.simulator.unit.profile import (
    BASIC_QUERIES,
    CHARGER_CODES_MENU,
    LOAD_ENERGY,
    MODES_MAX,
    OneOf,
    Steps,
    UnitProfile,
    identity,
)
from mppdbus.simulator.unit.profiles_axpert import POPM, SETTABLE_1_3
from mppdbus.simulator.unit.setter_rules import (
    AC_AMPS_60,
    AC_AMPS_120,
    AMPS_10_80,
    AMPS_10_120,
    AMPS_10_150,
    BATTERY_CONTROL,
    CV_MINUTES,
    LOGIC,
    MAINS_120,
    MAINS_230,
    MAINS_TENTHS,
    RULES,
    RULES_MAX,
    SETTINGS_24,
    TYPES_BMS,
    VOLTS_24_WIDE,
    VOLTS_48_WIDE,
)
from mppdbus.simulator.unit.settings import Settings

_DISCHARGE = {"PBATMAXDISC": Steps(30, 150, 10, also=(0,))}
_LED = "1 1 2 5 3 148000211255255255000255255"

MAX_8000 = UnitProfile(
    name="max-8000",
    about="Axpert MAX II 8 kW, 48 V, two trackers with QPIGS2; 28/21/36 fields",
    basis="F G; f0016-f0020 f0035-f0039 f0420 f0423-f0432",
    serial="96342107100456",
    rated_w=8000,
    fixed=identity(
        "96342107100456",
        **{"VERFW:": "VERFW:00072.70"},
        QVFW="VERFW:00072.70",
        QVFW2="VERFW2:00000.00",
        QVFW3="VERFW:00001.24",
        QMN="MKS2-8000",
        QGMN="044",
        QBMS="ACK",
        QLED=_LED,
        QWFS="1",
    ),
    rules=RULES_MAX
    | VOLTS_48_WIDE
    | MAINS_230
    | TYPES_BMS
    | POPM
    | LOGIC
    | CV_MINUTES
    | _DISCHARGE
    | {"PBMS": OneOf(())},
    charge_amps=AMPS_10_120,
    ac_charge_amps=AC_AMPS_120,
    current_forms={"MNCHGC": ("mnnn",), "MUCHGC": ("mnn", "mnnn")},
    settings=Settings(cutoff_v=44.0),
    trackers=2,
    queries=BASIC_QUERIES | LOAD_ENERGY | {"QPIGS2", "QPGS", "QOPPT", "QCHPT"},
    qpiri_fields=28,
    qpgs_fields=29,
    q1_fields=27,
    qdi_fields=26,
    qdi_cv="224",
    hourly_fields=28,
    fault_digits_at=32,
    weak_bit=31,
    ac_amps_width=3,
    flags="abjkuvxyz",
    output_modes=MODES_MAX,
    charger_set_codes=SETTABLE_1_3,
)

MAX_7200 = replace(
    MAX_8000,
    name="max-7200",
    about="Axpert MAX 7.2 kW, 48 V, one tracker: NAK to QPIGS2",
    basis="F; f0041-f0043 f0064 f0065",
    serial="96342005100888",
    rated_w=7200,
    fixed=dict(MAX_8000.fixed)
    | identity("96342005100888", QMN="MKS2-7200", QVFW="VERFW:00072.20"),
    charge_amps=AMPS_10_80,
    ac_charge_amps=AC_AMPS_60,
    trackers=1,
    queries=MAX_8000.queries - {"QPIGS2"},
    qpgs_fields=27,
    ac_amps_width=2,
)

MAX_11000 = replace(
    MAX_8000,
    name="max-11000",
    about="Axpert MAX Twin 11 kW, 48 V: powers of five digits, QPIGS of 24 fields",
    basis="F G; f0149-f0154",
    serial="96342209100999",
    rated_w=11000,
    fixed={
        query: reply
        for query, reply in MAX_8000.fixed.items()
        if query != "QGMN"  # its number was never recorded
    }
    | identity("96342209100999", QMN="MKS2-11000", QVFW="VERFW:00079.12"),
    charge_amps=AMPS_10_150,
    ac_charge_amps=(2, *AMPS_10_150),
    qpigs_fields=24,
    power_width=5,
)

MAX_3600 = replace(
    MAX_7200,
    name="max-3600",
    about="Axpert MAX 3.6 kW, 24 V: its warnings stand as on the VM IV",
    basis="F",
    serial="96342103101010",
    rated_w=3600,
    fixed=dict(MAX_7200.fixed)
    | identity("96342103101010", QMN="MKS2-3600", QGMN="043", QVFW="VERFW:00072.50"),
    rules=RULES_MAX | VOLTS_24_WIDE | MAINS_230 | TYPES_BMS | POPM | LOGIC | CV_MINUTES,
    settings=replace(SETTINGS_24, cutoff_v=22.0),
    battery_v=24.0,
    fault_digits_at=31,
    weak_bit=None,
)

PHOCOS_5000 = replace(
    MAX_7200,
    name="phocos-5000",
    about="Phocos Any-Grid 5 kW, 48 V: QPIRI of 29 fields, counters, QBATCD",
    basis="E F; f0078-f0092",
    serial="92932106101111",
    rated_w=5000,
    fixed=identity(
        "92932106101111",
        QVFW="VERFW:00074.50",
        QVFW3="VERFW:00002.70",
        QMN="MKS2-5000",
        QGMN="038",
    ),
    rules=RULES
    | VOLTS_48_WIDE
    | MAINS_TENTHS
    | POPM
    | LOGIC
    | CV_MINUTES
    | BATTERY_CONTROL
    | {"PBT": Steps(0, 6), "PBATMAXDISC": Steps(30, 120, 10, also=(0,))},
    current_forms={"MNCHGC": ("mnnn",), "MUCHGC": ("mnnn",)},
    settings=Settings(bulk_v=53.2, float_v=53.2, redischarge_v=0.0, country=1),
    queries=MAX_7200.queries | {"QBATCD"},
    qpigs_fields=24,
    qpiri_fields=29,
    qdi_cv=None,
    qpgs_pv_amps_format="04.1f",
    hourly_fields=24,
    machine_type="00",
    flags="abdjkuvxyz",
    charger_set_codes=None,
)

EG4_6500 = replace(
    MAX_8000,
    name="eg4-6500",
    about="EG4 6500EX, MAX 5K LV: 120 V 60 Hz, 48 V, two trackers, split-phase sets",
    basis="F; f0345-f0353",
    serial="96342304101212",
    rated_w=6500,
    fixed=dict(MAX_8000.fixed)
    | identity(
        "96342304101212",
        QMN="MKS2-6500",
        QGMN="045",
        QVFW="VERFW:00079.72",
        QVFW2="VERFW:00061.13",
    ),
    rules=RULES_MAX
    | VOLTS_48_WIDE
    | MAINS_120
    | TYPES_BMS
    | LOGIC
    | CV_MINUTES
    | _DISCHARGE
    | {"POPM": Steps(0, 7), "PBMS": OneOf(())},
    settings=Settings(cutoff_v=44.0, output_v=120.0, output_hz=60.0),
    q1_fields=17,
)

LV6548 = replace(
    EG4_6500,
    name="lv6548",
    about="MPP Solar LV6548: as the EG4, but PCP counts as the menu does (0 solar)",
    basis="F; mpp-solar PR 387, PR 566",
    serial="96342206101313",
    fixed=dict(EG4_6500.fixed) | identity("96342206101313", QVFW="VERFW:00079.60"),
    charger_set_codes=CHARGER_CODES_MENU,
)

MAXES = (MAX_7200, MAX_8000, MAX_11000, MAX_3600, PHOCOS_5000, EG4_6500, LV6548)

"""Tables: Voltronic's inverters from 2014 to VM IV and King, single tracker or more."""

from dataclasses import replace

from mppdbus.simulator.unit.profile import (
    BASIC_QUERIES,
    CHARGER_CODES,
    CHARGER_CODES_KING,
    FIRST_QUERIES,
    LOAD_ENERGY,
    NO_ENERGY,
    OneOf,
    Steps,
    UnitProfile,
    first_identity,
    identity,
)
from mppdbus.simulator.unit.setter_rules import (
    AC_AMPS_60,
    AMPS_10_80,
    AMPS_10_150,
    CV_MINUTES,
    CV_MINUTES_B,
    FIRST,
    LOGIC,
    MAINS_230,
    MAINS_TENTHS,
    RULES,
    SETTINGS_24,
    TYPES,
    TYPES_BMS,
    VOLTS_24_FIRST,
    VOLTS_24_VM3,
    VOLTS_48_FIRST,
    VOLTS_48_VM3,
    VOLTS_48_WIDE,
)
from mppdbus.simulator.unit.settings import ChargerPriority, Settings

SETTABLE_1_3 = {code: CHARGER_CODES[code] for code in (1, 2, 3)}
POPM = {"POPM": OneOf((0, 1, 2, 3, 4))}

MS_3000 = UnitProfile(
    name="ms-3000",
    about="Axpert MS/MSX 3 kVA of 2014, 24 V, transformer; A/D counts for °C",
    basis="A; f0014 f0015 f0134 f0135 f0137 f0160 f0237 f0244",
    serial="92631407100111",
    rated_w=2400,
    rated_va=3000,
    fixed=first_identity(
        "92631407100111", QVFW="VERFW:00052.30", QVFW2="VERFW2:00000.00"
    ),
    rules=FIRST | VOLTS_24_FIRST | TYPES,
    charge_amps=(10, 20, 30, 40, 50, 60),
    ac_charge_amps=(10, 20, 30),
    current_forms={"MCHGC": ("mnn",), "MUCHGC": ("mnn",)},
    settings=replace(SETTINGS_24, max_ac_charge_a=20, max_charge_a=30, pv_balance=0),
    battery_v=24.0,
    pv_v=60.0,
    queries=FIRST_QUERIES,
    qpiws_length=32,
    pv_loss_bit=False,
    raw_temperature=True,
    pv_amps_format="04.0f",
    pv_amps_at_battery=True,
    scc_volts=True,
    no_grid_v="001.0",
    eeprom="04",
    status_b7="1",
    shows_output_on=False,
    charge_amps_width=2,
    max_parallel="-",
    topology="1",
    has_mode_c=False,
    flags="abjkuvxyz",
)
MS_3000_17 = replace(
    MS_3000,
    name="ms-3000-17",
    about="Axpert MS/MSX 3 kVA with older firmware: 17 fields, without PV power",
    basis="A; f0161",
    qpigs_fields=17,
)

MKS_5000 = UnitProfile(
    name="mks-5000",
    about="Axpert MKS 5 kVA, 48 V: QPIRI of 26 fields, 32 warning bits",
    basis="B; f0013 f0044-f0048 f0257 f0462-f0499",
    serial="92631607100222",
    rated_w=5000,
    fixed=first_identity(
        "92631607100222", QVFW="VERFW:00072.70", QVFW2="VERFW2:00072.70"
    ),
    rules=FIRST | VOLTS_48_FIRST | TYPES | CV_MINUTES_B | POPM,
    charge_amps=tuple(range(10, 141, 10)),
    ac_charge_amps=AC_AMPS_60,
    current_forms={"MCHGC": ("nnn",), "MNCHGC": ("mnnn",), "MUCHGC": ("nnn",)},
    pv_v=120.0,
    queries=FIRST_QUERIES | {"QPGS"},
    qpiri_fields=26,
    qpiws_length=32,
    pv_loss_bit=False,
    qdi_fields=26,
    pv_amps_format="04.0f",
    pv_amps_at_battery=True,
    soc_from_volts=True,
    has_mode_c=False,
    flags="abjkuvxyz",
    charger_set_codes={code: CHARGER_CODES[code] for code in (0, 1, 3)},
)

PLUS_DUO_5000 = replace(
    MKS_5000,
    name="plus-duo-5000",
    about="Axpert Plus Duo, 48 V, two trackers: QPIGS2 of 12 fields, 38 warning bits",
    basis="B; f0136 f0138 f0139",
    serial="92631807100333",
    fixed=first_identity(
        "92631807100333",
        QVFW="VERFW:00072.40",
        QVFW2="VERFW2:00021.10",
        QVFW3="VERFW3:00021.10",
    ),
    rules=FIRST
    | VOLTS_48_FIRST
    | TYPES
    | CV_MINUTES_B
    | POPM
    | {"MSCHGC": OneOf(AMPS_10_150[:12]), "PCST": OneOf((0, 1, 2))},
    trackers=2,
    queries=FIRST_QUERIES | {"QPGS", "QP2GS", "QPIGS2", "QMSCHGCR", "QCST", "QCVT"},
    qpigs2_fields=12,
    qpiri_fields=25,
    qpiws_length=38,
    qdi_fields=29,
    cv_auto=255,
    scc_volts=True,
    machine_type="11",
    alone="1",
    flags="abjkluvxyz",
    charger_set_codes=None,
)
PLUS_TRI_5000 = replace(
    PLUS_DUO_5000,
    name="plus-tri-5000",
    about="Axpert Plus Tri, 48 V, three trackers: as the Duo, and a third",
    fixed=dict(PLUS_DUO_5000.fixed) | {"QVFW4": "VERFW4:00021.10"},
    trackers=3,
    machine_type="20",
)

AXPERT_5000 = UnitProfile(
    name="axpert-5000",
    about="Axpert VM III 5 kVA, 48 V, one tracker; 25/21/36 fields",
    basis="C D E; f0053 f0054 f0166-f0176 f0245-f0249 f0355-f0357",
    serial="92932105100123",
    rated_w=5000,
    fixed=identity(
        "92932105100123",
        QVFW="VERFW:00041.15",
        QVFW3="VERFW:00002.40",
        QMN="VMIII-5000",
        QGMN="037",
    ),
    rules=RULES | VOLTS_48_VM3 | MAINS_230 | {"PBT": OneOf((0, 1, 2, 3))},
    charge_amps=AMPS_10_80,
    ac_charge_amps=AC_AMPS_60,
    current_forms={"MNCHGC": ("nnn",), "MUCHGC": ("nnn",)},
    max_parallel="1",
    fault_digits_at=31,
    status_b7="feeds",
    charger_set_codes=SETTABLE_1_3,
)

VM3_TWIN_4000 = replace(
    AXPERT_5000,
    name="vm3-twin-4000",
    about="Axpert VM III Twin 4 kVA, 24 V, second output (QDOP); QPIGS of 24 fields",
    basis="D; f0001 f0329",
    serial="96132206100444",
    rated_w=4000,
    fixed=identity(
        "96132206100444",
        QVFW="VERFW:00055.10",
        QVFW3="VERFW:00002.40",
        QMN="VMIII-4000",
        QGMN="055",
    ),
    rules=RULES
    | VOLTS_24_VM3
    | MAINS_230
    | {"PBT": Steps(0, 9), "SRS": OneOf((0, 1, 2))}
    | {"PBCC": Steps(5, 95, 5), "PBDC": Steps(10, 100, 5), "PSDC": Steps(0, 90, 5)}
    | {"PTOPV": Steps(20, 30, 0.1), "PTOPVC": Steps(0, 95), "PTOPE": Steps(0, 3)}
    | {"PTOPC": Steps(0, 99), "PTOPD": Steps(0, 990, 5, also=(999,))},
    settings=SETTINGS_24,
    battery_v=24.0,
    queries=BASIC_QUERIES | LOAD_ENERGY | {"QDOP", "QOPPT", "QCHPT"},
    qpigs_fields=24,
)

VM4_3200 = replace(
    AXPERT_5000,
    name="vm4-3200",
    about="Axpert VM IV (Inverex Veyron IV) 3.2 kW, 24 V; QPIGS of 25: mains current",
    basis="G; f0341 f0342 f0344",
    serial="96142308100555",
    rated_w=3200,
    fixed=identity(
        "96142308100555", QVFW="VERFW:00074.50", QVFW3="VERFW:00003.10", QMN="VMIV-3200"
    ),
    rules=RULES | VOLTS_24_VM3 | MAINS_230 | TYPES_BMS | CV_MINUTES,
    settings=SETTINGS_24,
    battery_v=24.0,
    queries=BASIC_QUERIES | LOAD_ENERGY | {"QOPPT", "QCHPT"},
    hourly_fields=28,
    qpigs_fields=25,
    q1_fields=27,
    type_width=2,
    ac_amps_width=3,
    status_b7="0",
)

MKS2_5000 = replace(
    AXPERT_5000,
    name="mks2-5000",
    about="Axpert MKS II 5 kW, 48 V: E's setters, fault digits at a32",
    basis="E",
    serial="92632009100666",
    fixed=identity(
        "92632009100666",
        QVFW="VERFW:00074.20",
        QVFW3="VERFW:00002.20",
        QMN="MKS2-5000",
        QGMN="022",
    ),
    rules=RULES
    | VOLTS_48_WIDE
    | MAINS_TENTHS
    | CV_MINUTES
    | LOGIC
    | POPM
    | {"PBT": Steps(0, 6)},
    current_forms={"MNCHGC": ("mnnn",), "MUCHGC": ("mnnn",)},
    queries=NO_ENERGY | {"QPGS"},
    qpiri_fields=26,
    qdi_fields=26,
    pv_loss_bit=False,
    fault_digits_at=32,
    max_parallel="9",
    status_b7="0",
)

KING_5000 = UnitProfile(
    name="king-5000",
    about="Axpert King 5 kW, 48 V, on-line type; its own PCP codes, QBMS, 27 fields",
    basis="C D E; f0177-f0180 f0250 f0251 f0256",
    serial="92631910100777",
    rated_w=5000,
    fixed=identity(
        "92631910100777",
        QVFW="VERFW:00071.60",
        QVFW2="VERFW2:00011.15",
        QVFW3="VERFW3:00002.30",
        QMN="KING-5000",
        QGMN="035",
    ),
    rules=RULES
    | VOLTS_48_WIDE
    | TYPES_BMS
    | CV_MINUTES
    | LOGIC
    | POPM
    | {"PBATMAXDISC": Steps(30, 150, 10, also=(0,))},
    charge_amps=tuple(range(10, 141, 10)),
    ac_charge_amps=AC_AMPS_60,
    current_forms={"MNCHGC": ("mnnn",), "MUCHGC": ("mnn",)},
    settings=Settings(battery_type=3, charger_priority=ChargerPriority.SLB_UCB),
    pv_v=90.0,
    queries=BASIC_QUERIES | {"QPGS", "QBMS", "QOPPT", "QCHPT"},
    qpiri_fields=27,
    qdi_fields=27,
    fault_digits_at=32,
    pv_amps_format="04.0f",
    scc_volts=True,
    flags="abcjkuvxyz",
    charger_codes=CHARGER_CODES_KING,
)

AXPERTS = (
    MS_3000,
    MS_3000_17,
    MKS_5000,
    PLUS_DUO_5000,
    PLUS_TRI_5000,
    AXPERT_5000,
    VM3_TWIN_4000,
    VM4_3200,
    MKS2_5000,
    KING_5000,
)

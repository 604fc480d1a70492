"""Tables: clones, the split-phase LV5048, and the REVO, which only looks like PI30."""

from dataclasses import replace

from mppdbus.simulator.unit.profile import (
    CHARGER_CODES_MENU,
    MODES_PI41,
    NO_ENERGY,
    OUTPUT_CODES_VMII,
    OneOf,
    Steps,
    UnitProfile,
    first_identity,
    identity,
)
from mppdbus.simulator.unit.setter_rules import (
    AC_AMPS_60,
    AMPS_10_80,
    AMPS_10_120,
    CV_MINUTES,
    MAINS_230,
    RULES,
    SETTINGS_24,
    SETTINGS_120V,
    VOLTS_24_VM3,
    VOLTS_48_FIRST,
    VOLTS_48_VM3,
)
from mppdbus.simulator.unit.settings import Settings

BOGUS = "55355535553555"

NXPW_4200 = UnitProfile(
    name="nxpw-4200",
    about="clone (PowMr) 4.2 kW, 24 V, VMII-NXPW5KW: QPIRI with a tail of its own",
    basis="f0024-f0026 f0058-f0063 f0098 f0107 f0216-f0219",
    serial=BOGUS,
    rated_w=4200,
    fixed=identity(BOGUS, QVFW="VERFW:00062.11", QMN="VMII-NXPW5KW"),
    rules=RULES | VOLTS_24_VM3 | MAINS_230 | {"PBT": Steps(0, 6)},
    charge_amps=AMPS_10_80,
    ac_charge_amps=AC_AMPS_60,
    current_forms={"MNCHGC": ("nnn",), "MUCHGC": ("nnn",)},
    settings=SETTINGS_24,
    battery_v=24.0,
    queries=NO_ENERGY,
    qpiri_fields=28,
    qpiri_tail=("23.5", "12", "22.0"),
    qpiws_length=31,
    q1_fields=13,
    pv_amps_format="05.1f",
    ac_amps_width=3,
    max_parallel="1",
    has_mode_c=False,
    flags="abdgjkluvxyz",
    soc_from_volts=True,
    reset_serial=BOGUS,
)
NXPW_10200 = replace(
    NXPW_4200,
    name="nxpw-10200",
    about="clone (PowMr) 10.2 kW, 48 V, two trackers behind one; says 0200 VA",
    basis="f0021-f0023 f0027 f0068 f0069",
    rated_w=10200,
    rules=RULES | VOLTS_48_VM3 | MAINS_230 | {"PBT": Steps(0, 6)},
    charge_amps=tuple(range(10, 141, 10)),
    ac_charge_amps=(2, *AMPS_10_120),
    settings=Settings(),
    battery_v=48.0,
    trackers=2,
    qpiri_tail=("51.0", "10", "44.0"),
    rating_digits=4,
    pv_total=True,
    pv_amps_format="04.1f",
)

VEVOR_4000 = UnitProfile(
    name="vevor-4000",
    about="Vevor VMII 4 kW, 24 V, fw 40.09: silence for NAK, shifted codes, H dialect",
    basis="f0268-f0307",
    serial=BOGUS,
    rated_w=4000,
    fixed={
        "QPI": "PI30",
        "QID": BOGUS,
        "QSID": "1455355535553555355535",
        "QBOOT": "0",
        "QVFW": "VERFW:00040.09",
        "QVFW2": "VERFW2:00000.00",
        "QMN": "VMII-4000",
        "QFS": "00 00 00 0000 0000 0000 000.0 00.00 000.0 00.00 000.0 000.0 00.0 "
        "000 000",
        "QMD": "#####INVERTEX3K ###3000 99 1/1 230 230 02 12.0",
        "QWS": "0" * 64,
        "QBT": "02",
        "QGR": "00",
        "QPICF": "NAK",
        "QPIHF": "NAK",
    },
    rules=RULES
    | VOLTS_24_VM3
    | MAINS_230
    | {"PBT": Steps(0, 4), "PVENGUSE": OneOf((0, 1))},
    charge_amps=AMPS_10_80,
    ac_charge_amps=AC_AMPS_60,
    current_forms={"MNCHGC": ("nnn",), "MUCHGC": ("nnn",)},
    settings=SETTINGS_24,
    battery_v=24.0,
    queries=NO_ENERGY | {"QBV"},
    bare={
        "QPRTL": "HPVINV02",
        "HGRID": "{grid_v:05.1f} {grid_hz:04.1f} 280 090 70 40 +00000 0 04500 11+00000",
        "HTEMP": "028 039 032 032 039 030 030 00000000000000000000",
        "HGEN": "261002 21:01 01.765 0003.1 0008.5 000000008.5 000000000000",
        "HIMSG1": "0040.09 20260119 11",
        "HBAT": "02 023.8 050 000 00000 146 000000010000 00000000",
        "HOP": "000.0 00.0 00000 00000 000 149 04000 000.0 00002",
        "HEEP1": "1 050 002 01200110230 002 1 1 1 0 0 010 020 095 050 029.2 029.1 "
        "021.6 012 0 1 ",
        "HEEP2": "1 022.0 020 022.0 022.0 025.0 0 029.2 060 120 030 0000 1921 05 "
        "0000 26.0 50000",
    },
    refusal=None,
    to_garbage=None,
    qpiws_length=32,
    q1_fields=18,
    max_parallel="1",
    blind_discharge_w=120.0,
    soc_from_volts=True,
    output_codes=OUTPUT_CODES_VMII,
    charger_codes=CHARGER_CODES_MENU,
)

LV5048 = UnitProfile(
    name="lv5048",
    about="MPP Solar LV5048, PI41: split phase 120/240 V, 48 V; QPIGS2 is L2",
    basis="H; f0034 f0252-f0254 f0412 f0413",
    serial="92911906100045",
    rated_w=5000,
    fixed=identity(
        "92911906100045", QPI="PI41", QVFW="VERFW:00041.03", QVFW2="VERFW2:00001.05"
    ),
    rules=RULES
    | VOLTS_48_FIRST
    | CV_MINUTES
    | {"PBT": OneOf((0, 1, 2)), "POPM": Steps(1, 6), "PBEQV": Steps(48, 61, 0.01)},
    charge_amps=tuple(range(10, 81, 10)),
    ac_charge_amps=(2, 10, 20, 30, 40),
    current_forms={"MNCHGC": ("mnnn",), "MUCHGC": ("mnn",)},
    settings=replace(SETTINGS_120V, output_mode=6),
    trackers=2,
    pv_v=110.0,
    legs=2,
    queries=NO_ENERGY | {"QPIGS2", "QPGS", "QP2GS"},
    qpigs2_fields=11,
    qp2gs_fields=17,
    qpiri_fields=26,
    qpiws_length=32,
    qdi_fields=26,
    pv_loss_bit=False,
    pv_amps_format="04.0f",
    parallel_status=True,
    battery_digit=True,
    has_mode_c=False,
    flags="abjkuvxyz",
    alone="1",
    output_modes=MODES_PI41,
)

REVO_5500 = UnitProfile(
    name="revo-5500",
    about="SOROTEC REVO 5.5 kW, 48 V: QPIRI of 21 fields, QALL with a one-byte check",
    basis="I; f0406 f0407 f0410",
    serial="96122011101414",
    rated_w=5500,
    fixed=first_identity(
        "96122011101414",
        QVFW="VERFW:00010.03",
        QLITH0="052.5 000.0 000.0 032 036 000 070.0 007.0 057.0 004.6 0 5",
        PQSE="000100 56.0 54.0 44.0 42.0 030 010 2018 06 01 20 00 00 00",
    ),
    rules={},
    charge_amps=AMPS_10_80,
    ac_charge_amps=AC_AMPS_60,
    current_forms={},
    queries=frozenset({"QPIRI", "QPIGS", "QMOD", "QALL"}),
    summed=frozenset({"QALL", "PQSE"}),
    qpiri_fields=21,
    scc_volts=True,
    revo_status=True,
    max_parallel="6",
    has_mode_c=False,
)

OTHERS = (NXPW_4200, NXPW_10200, VEVOR_4000, LV5048, REVO_5500)

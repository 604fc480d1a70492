"""Tables: the inverters that can be simulated. A new personality is a new row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mppdbus.simulator.settings import ChargerPriority, OutputPriority, Settings


@dataclass(frozen=True, slots=True)
class Steps:
    """Legal values from `low` to `high` by `step`, and those of `also`."""

    low: float
    high: float
    step: float = 1.0
    also: tuple[float, ...] = ()

    def allows(self, value: float) -> bool:
        """Tell whether a real unit would accept `value`."""
        if any(abs(value - other) < 1e-6 for other in self.also):
            return True
        steps = (value - self.low) / self.step
        within = self.low - 1e-6 <= value <= self.high + 1e-6
        return within and abs(steps - round(steps)) < 1e-6


@dataclass(frozen=True, slots=True)
class OneOf:
    """Legal values, one by one."""

    values: tuple[float, ...]

    def allows(self, value: float) -> bool:
        """Tell whether a real unit would accept `value`."""
        return value in self.values


Rule = Steps | OneOf

OUTPUT_CODES = {
    0: OutputPriority.UTILITY,
    1: OutputPriority.SOLAR,
    2: OutputPriority.BATTERY,
}
CHARGER_CODES = {
    0: ChargerPriority.UTILITY_FIRST,
    1: ChargerPriority.SOLAR_FIRST,
    2: ChargerPriority.SOLAR_AND_UTILITY,
    3: ChargerPriority.ONLY_SOLAR,
}
CHARGER_CODES_SETTABLE = {code: CHARGER_CODES[code] for code in (1, 2, 3)}

# Setters of §6 that every modern unit has, with what it accepts.
RULES: dict[str, Rule] = {
    "PGR": OneOf((0, 1)),
    "PPVOKC": OneOf((0, 1)),
    "PSPB": OneOf((0, 1)),
    "F": OneOf((50, 60)),
    "PBEQE": OneOf((0, 1)),
    "PBEQA": OneOf((0, 1)),
    "PBEQT": Steps(5, 900, 5),
    "PBEQOT": Steps(5, 900, 5),
    "PBEQP": Steps(0, 90),
}
# Documents D and E, VM III at 48 V.
VOLTS_48_VM3: dict[str, Rule] = {
    "PBCV": Steps(44, 51),
    "PBDV": Steps(48, 58, also=(0,)),
    "PSDV": Steps(42, 48, 0.1),
    "PCVV": Steps(48, 61, 0.1),
    "PBFT": Steps(48, 61, 0.1),
    "PBEQV": Steps(48, 61, 0.01),
}
# Document E, King and MKS II at 48 V; the MAX documents print none.
VOLTS_48_WIDE: dict[str, Rule] = {
    "PBCV": Steps(44, 57),
    "PBDV": Steps(48, 64, also=(0,)),
    "PSDV": Steps(40, 54, 0.1),
    "PCVV": Steps(48, 64, 0.1),
    "PBFT": Steps(48, 64, 0.1),
    "PBEQV": Steps(48, 64, 0.01),
}

BASIC_QUERIES = frozenset(
    {
        *("QPIRI", "QPIGS", "QMOD", "QPIWS", "QFLAG", "QDI", "QMCHGCR", "QMUCHGCR"),
        *("QBEQI", "QOPM", "Q1", "QT", "QET", "QEY", "QEM", "QED"),
    }
)


@dataclass(frozen=True, slots=True)
class Profile:
    """One personality: what it says of itself, its layouts, what it lets be set.

    `fixed` are replies that never change; a query that is neither there nor in
    `queries` gets `refusal`: NAK, or silence when that is None. A setter that has no
    rule is refused alike. `current_forms` says how a charge-current setter is spelled:
    `m` is the parallel number, `n` a digit of the amps.
    """

    name: str
    about: str
    serial: str
    rated_w: int
    fixed: Mapping[str, str]
    rules: Mapping[str, Rule]
    charge_amps: tuple[int, ...]
    ac_charge_amps: tuple[int, ...]
    current_forms: Mapping[str, tuple[str, ...]]
    settings: Settings = field(default_factory=Settings)
    battery_v: float = 48.0
    battery_types: tuple[int, ...] = (0, 1, 2)
    trackers: int = 1
    queries: frozenset[str] = BASIC_QUERIES
    refusal: str | None = "NAK"
    qpigs_fields: int = 21  # 17, 21, 24, 25
    qpiri_fields: int = 25  # 25 to 29
    qpgs_fields: int = 27  # 27, 29
    qpiws_length: int = 36
    q1_fields: int = 17  # 17, 27
    qdi_fields: int = 25  # 25, 26, 27
    fault_digits_at: int | None = None  # of QPIWS
    power_width: int = 4
    pv_amps_format: str = "04.1f"
    ac_amps_width: int = 2
    max_parallel: str = "9"
    has_mode_c: bool = True  # else "charging, output off" reports S
    flags: str = "abkuvxyz"
    output_codes: Mapping[int, OutputPriority] = field(
        default_factory=lambda: OUTPUT_CODES
    )
    charger_codes: Mapping[int, ChargerPriority] = field(
        default_factory=lambda: CHARGER_CODES
    )
    output_set_codes: Mapping[int, OutputPriority] | None = None
    charger_set_codes: Mapping[int, ChargerPriority] | None = None
    volts_need_user_type: bool = False
    blind_discharge_w: float = 0.0  # below this the discharge current reads 0
    soc_from_volts: bool = False  # field 11 is a guess by the voltage
    reset_serial: str | None = None  # what QID becomes after PF on some clones
    ends_with: bytes = b"\r"
    zero_crc: str = "both"  # accepted in requests: "raw" 00, "one" 01, "both"
    idle_deaf_s: float | None = None  # loses the first request after that much quiet


def identity(serial: str, **replies: str) -> dict[str, str]:
    """Return the fixed replies of a unit with `serial`."""
    return {
        "QPI": "PI30",
        "QID": serial,
        "QSID": f"{len(serial):02d}{serial:0<20}",
        "QBOOT": "0",
    } | replies


AXPERT_5000 = Profile(
    name="axpert-5000",
    about="Axpert VM III 5000: 48 V, 5 kVA, one tracker; 25/21/36 fields",
    serial="92932105100123",
    rated_w=5000,
    fixed=identity(
        "92932105100123",
        QVFW="VERFW:00041.15",
        QVFW3="VERFW:00002.40",
        QMN="VMIII-5000",
        QGMN="037",
    ),
    rules=RULES
    | VOLTS_48_VM3
    | {"PBT": OneOf((0, 1, 2, 3)), "V": OneOf((220, 230, 240))},
    charge_amps=(10, 20, 30, 40, 50, 60, 70, 80),
    ac_charge_amps=(2, 10, 20, 30, 40, 50, 60),
    current_forms={"MNCHGC": ("nnn",), "MUCHGC": ("nnn",)},
    max_parallel="1",
    fault_digits_at=31,
    charger_set_codes=CHARGER_CODES_SETTABLE,
)

MAX_8000 = Profile(
    name="max-8000",
    about="Axpert MAX 8 kW: 48 V, two trackers with QPIGS2; 28/21/36 fields",
    serial="96342107100456",
    rated_w=8000,
    fixed=identity(
        "96342107100456",
        QVFW="VERFW:00072.70",
        QVFW2="VERFW2:00000.00",
        QVFW3="VERFW3:00001.24",
        QMN="MKS2-8000",
        QGMN="044",
    ),
    rules=RULES
    | VOLTS_48_WIDE
    | {
        "PBT": OneOf((0, 1, 2, 3, 4, 5, 6, 7, 8, 9)),
        "V": OneOf((220, 230, 240)),
        "POPM": OneOf((0, 1, 2, 3, 4)),
        "POPLG": OneOf((0, 1, 2)),
        "PCVT": Steps(0, 900, 5),
        "PBATMAXDISC": Steps(30, 150, 10, also=(0,)),
    },
    charge_amps=(10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120),
    ac_charge_amps=(2, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120),
    current_forms={"MNCHGC": ("mnnn",), "MUCHGC": ("mnn", "mnnn")},
    settings=Settings(cutoff_v=44.0),
    trackers=2,
    queries=BASIC_QUERIES | {"QPIGS2", "QPGS", "QLT", "QLY", "QLM", "QLD"},
    qpiri_fields=28,
    qpgs_fields=29,
    q1_fields=27,
    qdi_fields=26,
    fault_digits_at=32,
    ac_amps_width=3,
    flags="abdkuvxyz",
    charger_set_codes=CHARGER_CODES_SETTABLE,
)

PROFILES = {profile.name: profile for profile in (AXPERT_5000, MAX_8000)}
DEFAULT_PROFILE = AXPERT_5000.name

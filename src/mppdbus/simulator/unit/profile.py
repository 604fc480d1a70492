"""The row type of a simulated inverter, and the rules and codes that rows share."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mppdbus.simulator.unit.settings import ChargerPriority, OutputPriority, Settings


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

# What the codes of POP and PCP mean.
OUTPUT_CODES = {
    0: OutputPriority.UTILITY,
    1: OutputPriority.SOLAR,
    2: OutputPriority.BATTERY,
}
OUTPUT_CODES_VMII = {
    0: OutputPriority.SOLAR,
    1: OutputPriority.BATTERY,
    2: OutputPriority.UTILITY,
}
CHARGER_CODES = {
    0: ChargerPriority.UTILITY_FIRST,
    1: ChargerPriority.SOLAR_FIRST,
    2: ChargerPriority.SOLAR_AND_UTILITY,
    3: ChargerPriority.ONLY_SOLAR,
}
CHARGER_CODES_KING = {
    0: ChargerPriority.SBL_UCB,
    1: ChargerPriority.SBL_UDC,
    2: ChargerPriority.SLB_UCB,
    3: ChargerPriority.SLB_UDC,
}
CHARGER_CODES_MENU = {
    0: ChargerPriority.SOLAR_FIRST,
    1: ChargerPriority.SOLAR_AND_UTILITY,
    2: ChargerPriority.ONLY_SOLAR,
}

# What goes into QPIRI 22, QOPM and QPGS 21; S1 and S2 are legs of 120/240 V.
MODES_3PHASE = {"single": 0, "parallel": 1, "L1": 2, "L2": 3, "L3": 4}
MODES_MAX = MODES_3PHASE | {"S1": 5, "S2": 7}
MODES_PI41 = MODES_3PHASE | {"single": 6, "parallel": 6}

NAK = b"(NAKss\r"

BASIC_QUERIES = frozenset(
    {
        *("QPIRI", "QPIGS", "QMOD", "QPIWS", "QFLAG", "QDI", "QMCHGCR", "QMUCHGCR"),
        *("QBEQI", "QOPM", "Q1", "QT", "QET", "QEY", "QEM", "QED"),
    }
)
LOAD_ENERGY = frozenset({"QLT", "QLY", "QLM", "QLD"})
NO_ENERGY = BASIC_QUERIES - {"QT", "QET", "QEY", "QEM", "QED"}
FIRST_QUERIES = NO_ENERGY - {"QBEQI"}  # documents A and B


@dataclass(frozen=True, slots=True)
class Habits:
    """How a unit behaves on the line."""

    ends_with: bytes = b"\r"
    zero_crc: str = "both"  # accepted in requests: "raw" 00, "one" 01, "both"
    idle_deaf_s: float | None = None  # s of silence; then it loses one request


@dataclass(frozen=True, slots=True)
class UnitProfile:
    """One simulated inverter: its identity, its layouts, what can be set.

    `basis` names the documents (letters A to I) and the recorded frames that the row
    rests on. `fixed` are replies that never change; a query that is neither there nor
    in `queries` gets `refusal`: NAK, or silence when that is None. A setter that has
    no rule is refused too. `current_forms` says how a charge-current setter is
    spelled: `m` is the parallel number, `n` a digit of the amps. `bare` are requests
    without a checksum and their replies, also without one.
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
    basis: str = ""
    settings: Settings = field(default_factory=Settings)
    rated_va: int | None = None  # else as the watts
    battery_v: float = 48.0
    trackers: int = 1
    pv_v: float = 320.0
    legs: int = 1  # of the output: 2 is 120/240 V in one unit
    queries: frozenset[str] = BASIC_QUERIES
    bare: Mapping[str, str] = field(default_factory=dict)
    summed: frozenset[str] = frozenset()  # asked and answered with a one-byte sum
    refusal: str | None = "NAK"
    to_garbage: bytes | None = NAK  # reply to a request with a bad checksum

    # Layouts: number and width of words.
    qpigs_fields: int = 21  # 17, 21, 24, 25
    qpigs2_fields: int = 3  # 3 second tracker, 11 second leg, 12 trackers 2 and 3
    qpiri_fields: int = 25  # 21, 25 to 29
    qpiri_tail: tuple[str, ...] = ()  # words of a clone in place of 26 to 28
    qpgs_fields: int = 27  # 27, 29
    qp2gs_fields: int = 9  # 9 trackers 2 and 3, 17 second leg
    qpiws_length: int = 36
    q1_fields: int = 17  # 13, 17, 18, 27
    qdi_fields: int = 25  # 25, 26, 27, 29
    cv_auto: int = 0  # the minutes that mean "automatic"
    rating_digits: int = 9  # of the rated powers: a clone prints the last 4
    qdi_cv: str | None = None  # QDI 26 if it differs from the settings
    hourly_fields: int = 24  # of QOPPT and QCHPT: 24, 28
    fault_digits_at: int | None = None  # of QPIWS
    pv_loss_bit: bool = True  # QPIWS a0 at night
    weak_bit: int | None = None  # of QPIWS, beside the alarm a12
    power_width: int = 4
    temperature_format: str = "04.0f"
    raw_temperature: bool = False  # counts of the A/D converter for degrees
    pv_amps_format: str = "04.1f"
    pv_amps_at_battery: bool = False
    pv_total: bool = False  # QPIGS 20 is all trackers, not the first
    scc_volts: bool = False  # QPIGS 15 shows the battery
    no_grid_v: str = "000.0"
    eeprom: str = "00"  # QPIGS 19
    status_b7: str = "0"  # 0, 1, or "feeds": sun or mains feed the load
    shows_output_on: bool = True  # QPIGS b9
    parallel_status: bool = False  # QPIGS 17 as QPGS 20 (PI41)
    revo_status: bool = False  # QPIGS 13 and 16 as the REVO uses them
    type_width: int = 1
    ac_amps_width: int = 2
    charge_amps_width: int = 3
    qpgs_pv_amps_format: str = "02.0f"
    battery_digit: bool = False  # QPGS b4b3 as a decimal digit, so 02 can stand there
    max_parallel: str = "9"
    machine_type: str = "01"
    topology: str = "0"
    mode_width: int = 1  # of QPIRI 22
    qopm_width: int = 2
    alone: str = "0"  # word 1 of QPGS, of a unit that is not part of a set
    has_mode_c: bool = True  # else "charging, output off" reports S

    # Meanings of words and bits.
    flags: str = "abkuvxyz"
    output_modes: Mapping[str, int] = field(default_factory=lambda: MODES_3PHASE)
    output_codes: Mapping[int, OutputPriority] = field(
        default_factory=lambda: OUTPUT_CODES
    )
    charger_codes: Mapping[int, ChargerPriority] = field(
        default_factory=lambda: CHARGER_CODES
    )
    output_set_codes: Mapping[int, OutputPriority] | None = None
    charger_set_codes: Mapping[int, ChargerPriority] | None = None
    volts_need_user_type: bool = False

    # Behaviour, good and bad.
    blind_discharge_w: float = 0.0  # below this the discharge current reads 0
    blind_load_w: float = 0.0  # below this the load reads 0
    soc_from_volts: bool = False  # field 11 is a guess by the voltage
    premature_float: bool = False
    acts_after_s: float = 0.0  # a new priority reads back at once and acts later
    forgets_writes: bool = False  # ACK, and nothing is written
    reset_serial: str | None = None  # QID after PF on some clones
    ends_with: bytes = b"\r"
    zero_crc: str = "both"
    idle_deaf_s: float | None = None

    @property
    def habits(self) -> Habits:
        """The behaviour of the unit on the line."""
        return Habits(self.ends_with, self.zero_crc, self.idle_deaf_s)


def identity(serial: str, **replies: str) -> dict[str, str]:
    """Return the fixed replies of a unit with `serial`, from document C on."""
    return {
        "QPI": "PI30",
        "QID": serial,
        "QSID": f"{len(serial):02d}{serial:0<20}",
        "QBOOT": "0",
    } | replies


def first_identity(serial: str, **replies: str) -> dict[str, str]:
    """Return what documents A and B have: no long serial number."""
    return {"QPI": "PI30", "QID": serial, "QBOOT": "0"} | replies

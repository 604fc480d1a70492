"""The setters of PI30 as data: command, argument, legal values, read-back, danger.

Nothing here writes. The file of a family lists the setters that its document has, in
its own spelling: none is offered without. Every setter is answered ACK or NAK, and ACK
is no proof: the field named by `reads_back` decides.

Never to be sent, although they exist: PBMS (the remote BMS), BTA (calibration of the
battery voltage), ATE (factory test), and PBCCHGC, PBDCHGC, QKPWR, PSAVE, which no
document has.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from typing import Self


class ArgumentKind(StrEnum):
    """What a setter takes."""

    NONE = "none"
    CODE = "code"  # a number with a meaning, see `values`
    VOLTAGE = "voltage"
    CURRENT = "current"  # from the inverter's own list, see `choices`
    NUMBER = "number"
    FLAG = "flag"  # one letter of QFLAG
    TEXT = "text"  # digits with an inner structure


class Danger(IntEnum):
    """What a setter can do."""

    COSMETIC = 1
    BEHAVIOUR = 2
    DAMAGE = 3  # to the battery, or cuts the supply
    DESTRUCTIVE = 4  # or for installers only


@dataclass(frozen=True, slots=True)
class ReadBack:
    """Where the effect of a setter shows: a query, and a field of its model."""

    query: str
    field: str


@dataclass(frozen=True, slots=True)
class Setter:
    """One setter as one family has it.

    In `template`, `{unit}` is the parallel number, 0 for a single inverter; `most_told`
    is the largest number that it can spell. Never try a spelling on another family: the
    first digit of MUCHGC130 is a unit here and a hundred there. `older` is what the
    first firmwares have in its place. `values` are the legal codes, `choices` is the
    query of them; `least`, `most` and `step` bound a number. `rereads` are queries
    whose other fields change, too.
    """

    name: str
    kind: ArgumentKind
    template: str
    danger: Danger
    reads_back: ReadBack | None = None
    most_told: float | None = None
    older: str = ""
    values: tuple[int, ...] = ()
    choices: str | None = None
    least: float | None = None
    most: float | None = None
    step: float | None = None
    rereads: tuple[str, ...] = ()

    def of(self, *values: int) -> Self:
        """Return the setter with the codes that are legal in one family."""
        return replace(self, values=values)

    def spelled(
        self, template: str, most_told: float | None = None, older: str = ""
    ) -> Self:
        """Return the setter as one family spells it."""
        return replace(self, template=template, most_told=most_told, older=older)

    def command(self, value: float | str = "", unit: int = 0) -> str:
        """Return the command as it is sent; raises `ValueError` for what it cannot."""
        most = float("inf") if self.most_told is None else self.most_told
        if isinstance(value, (int, float)) and not 0 <= value <= most:
            raise ValueError(f"{self.template}: {value:g} cannot be written so")
        return self.template.format(value=value, unit=unit)


def _code(
    name: str,
    template: str,
    danger: Danger,
    reads_back: ReadBack | None,
    *values: int,
) -> Setter:
    return Setter(name, ArgumentKind.CODE, template, danger, reads_back, values=values)


def _ratings(name: str) -> ReadBack:
    return ReadBack("QPIRI", name)


def _voltage(name: str, command: str, danger: Danger) -> Setter:
    return Setter(
        name, ArgumentKind.VOLTAGE, command + "{value:04.1f}", danger, _ratings(name),
        most_told=99.9, step=0.1,
    )  # fmt: skip


def _equalization(what: str, command: str, least: int, most: int, step: int) -> Setter:
    return Setter(
        f"equalization_{what}", ArgumentKind.NUMBER, command + "{value:03d}",
        Danger.DAMAGE, ReadBack("QBEQI", what), least=least, most=most, step=step,
    )  # fmt: skip


def _capacity(name: str, command: str, least: int, most: int) -> Setter:
    return Setter(
        name, ArgumentKind.NUMBER, command + "{value:03d}", Danger.DAMAGE,
        ReadBack("QDOP", name), least=least, most=most,
    )  # fmt: skip


# -- what all documents of PI30 have ---------------------------------------------------

COMMON: tuple[Setter, ...] = (
    Setter(
        "flag_on", ArgumentKind.FLAG, "PE{value}", Danger.BEHAVIOUR,
        ReadBack("QFLAG", "enabled"),
    ),
    Setter(
        "flag_off", ArgumentKind.FLAG, "PD{value}", Danger.BEHAVIOUR,
        ReadBack("QFLAG", "disabled"),
    ),
    Setter(
        "factory_reset", ArgumentKind.NONE, "PF", Danger.DESTRUCTIVE,
        rereads=("QPIRI", "QFLAG"),
    ),
    _code(
        "output_source_priority", "POP{value:02d}", Danger.BEHAVIOUR,
        _ratings("output_source_priority"), 0, 1, 2,
    ),
    _code(
        "input_voltage_range", "PGR{value:02d}", Danger.BEHAVIOUR,
        _ratings("input_voltage_range"), 0, 1,
    ),
    _voltage("battery_recharge_voltage", "PBCV", Danger.BEHAVIOUR),
    _voltage("battery_redischarge_voltage", "PBDV", Danger.BEHAVIOUR),
    _voltage("battery_under_voltage", "PSDV", Danger.DAMAGE),
    _voltage("battery_bulk_voltage", "PCVV", Danger.DAMAGE),
    _voltage("battery_float_voltage", "PBFT", Danger.DAMAGE),
    _code(
        "output_frequency", "F{value:02d}", Danger.DAMAGE,
        _ratings("ac_output_rating_frequency"), 50, 60,
    ),
)  # fmt: skip

# -- what differs, or what some have ---------------------------------------------------

CHARGER_SOURCE_PRIORITY = _code(  # the codes differ
    "charger_source_priority", "PCP{value:02d}", Danger.BEHAVIOUR,
    _ratings("charger_source_priority"),
)  # fmt: skip
CHARGER_SOURCE_PRIORITY_OF_UNIT = _code(  # the codes differ
    "charger_source_priority_of_unit", "PPCP{unit}{value:02d}", Danger.BEHAVIOUR,
    ReadBack("QPGS", "charger_source_priority"),
)  # fmt: skip
BATTERY_TYPE = replace(  # the codes differ
    _code("battery_type", "PBT{value:02d}", Danger.DAMAGE, _ratings("battery_type")),
    rereads=("QPIRI",),
)
OUTPUT_MODE = replace(
    _code(
        "output_mode", "POPM{value:02d}", Danger.DESTRUCTIVE, _ratings("output_mode"),
        0, 1, 2, 3, 4,
    ),
    most_told=99,
)  # fmt: skip
OUTPUT_VOLTAGE = replace(  # codes and spelling differ
    _code(
        "output_voltage", "V{value:03d}", Danger.DAMAGE,
        _ratings("ac_output_rating_voltage"), 220, 230, 240,
    ),
    most_told=240,
)  # fmt: skip
MAX_CHARGING_CURRENT = Setter(  # the spelling differs
    "max_charging_current", ArgumentKind.CURRENT, "MNCHGC{unit}{value:03d}",
    Danger.BEHAVIOUR, _ratings("max_charging_current"), 999, choices="QMCHGCR",
)  # fmt: skip
MAX_AC_CHARGING_CURRENT = Setter(  # the spelling differs
    "max_ac_charging_current", ArgumentKind.CURRENT, "MUCHGC{unit}{value:02d}",
    Danger.BEHAVIOUR, _ratings("max_ac_charging_current"), 99, choices="QMUCHGCR",
)  # fmt: skip
PV_CONDITIONS = (  # A to E and H
    _code(
        "pv_ok_condition", "PPVOKC{value:01d}", Danger.BEHAVIOUR,
        _ratings("pv_ok_condition"), 0, 1,
    ),
    _code(
        "pv_power_balance", "PSPB{value:01d}", Danger.BEHAVIOUR,
        _ratings("pv_power_balance"), 0, 1,
    ),
)  # fmt: skip
MAX_CONSTANT_VOLTAGE_TIME = Setter(  # B to H
    "max_constant_voltage_time", ArgumentKind.NUMBER, "PCVT{value:03d}",
    Danger.BEHAVIOUR, _ratings("max_constant_voltage_time"), 900,
    least=0, most=900, step=5,
)  # fmt: skip
EQUALIZATION: tuple[Setter, ...] = (  # C to H
    _code(
        "equalization", "PBEQE{value:01d}", Danger.DAMAGE,
        ReadBack("QBEQI", "enabled"), 0, 1,
    ),
    _code(
        "equalization_now", "PBEQA{value:01d}", Danger.DAMAGE,
        ReadBack("QBEQI", "active"), 0, 1,
    ),
    _equalization("time", "PBEQT", 5, 900, 5),
    _equalization("over_time", "PBEQOT", 5, 900, 5),
    _equalization("period", "PBEQP", 0, 90, 1),
    Setter(
        "equalization_voltage", ArgumentKind.VOLTAGE, "PBEQV{value:05.2f}",
        Danger.DAMAGE, ReadBack("QBEQI", "voltage"), 99.99, step=0.01,
    ),
)  # fmt: skip
CLOCK_AND_COUNTERS: tuple[Setter, ...] = (  # C to G
    Setter(
        "clock", ArgumentKind.TEXT, "DAT{value}", Danger.COSMETIC,
        ReadBack("QT", "time"),
    ),
    Setter(
        "erase_energy", ArgumentKind.NONE, "RTEY", Danger.DESTRUCTIVE,
        ReadBack("QET", "energy"),
    ),
    Setter("erase_log", ArgumentKind.NONE, "RTDL", Danger.DESTRUCTIVE),
)  # fmt: skip
SECOND_OUTPUT: tuple[Setter, ...] = (  # D, E
    _capacity("recharge_capacity", "PBCC", 5, 95),
    _capacity("redischarge_capacity", "PBDC", 10, 100),
    _capacity("cut_off_capacity", "PSDC", 0, 90),
)
LOG_AND_COUNTRY: tuple[Setter, ...] = (  # D, E
    Setter(
        "log_interval", ArgumentKind.NUMBER, "PDL{value:02d}", Danger.COSMETIC,
        most_told=60, values=(3, 5, 10, 20, 30, 60),
    ),
    _code(
        "country", "SRS{value:02d}", Danger.DESTRUCTIVE, ReadBack("QPIGS", "country"),
        0, 1, 2,
    ),
)  # fmt: skip
OPERATION_LOGIC = _code(  # D, E
    "operation_logic", "POPLG{value:02d}", Danger.DAMAGE, _ratings("operation_logic"),
    0, 1, 2,
)  # fmt: skip
MAX_DISCHARGE_CURRENT = Setter(  # E, F, G; 0 is no limit
    "max_discharge_current", ArgumentKind.NUMBER, "PBATMAXDISC{value:03d}",
    Danger.DAMAGE, _ratings("max_discharge_current"), 150,
    values=(0,), least=30, most=150, step=10,
)  # fmt: skip

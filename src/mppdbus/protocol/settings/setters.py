"""The setters of PI30 as data: command, argument, legal values, read-back, danger.

This module sends nothing. The file of a family lists the setters of its document, in
its spelling; others are not offered. The reply is ACK or NAK. ACK is no proof: read the
field named by `reads_back`.

What must never be sent is not here, and cannot be built: see `never_sent`.
"""

from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from typing import Self

from mppdbus.protocol.settings.never_sent import never_sent


class ArgumentKind(StrEnum):
    """The kind of argument that a setter takes."""

    NONE = "none"
    CODE = "code"  # a number with a meaning, see `values`
    VOLTAGE = "voltage"
    CURRENT = "current"  # from the inverter's own list, see `choices`
    NUMBER = "number"
    FLAG = "flag"  # one letter of QFLAG
    TEXT = "text"  # digits with an inner structure


class Danger(IntEnum):
    """The worst that a setter can do."""

    COSMETIC = 1
    BEHAVIOUR = 2
    DAMAGE = 3  # to the battery, or cuts the supply
    DESTRUCTIVE = 4  # or for installers only


@dataclass(frozen=True, slots=True)
class ReadBack:
    """Where the effect of a setter can be read: a query, and a field of its model."""

    query: str
    field: str


@dataclass(frozen=True, slots=True)
class CommandForm:
    """One way to spell a setter; `largest` is the largest number that it can hold."""

    template: str
    largest: float | None = None

    def command(self, value: float | str = "", unit: int = 0) -> str:
        """Return the command to send; raises `ValueError` for what it cannot spell."""
        most = float("inf") if self.largest is None else self.largest
        if isinstance(value, (int, float)) and not 0 <= value <= most:
            raise ValueError(f"{self.template}: {value:g} cannot be written so")
        command = self.template.format(value=value, unit=unit)
        if never_sent(command):
            raise ValueError(f"{command} is never sent: it may do harm")
        return command


@dataclass(frozen=True, slots=True)
class Setter:
    """One setter as one family has it.

    In `template`, `{unit}` is the parallel number, 0 for a single inverter; `largest`
    is the largest number that it can hold. Never send the template of one family to
    another: the first digit of MUCHGC130 is a unit here and a hundred there.
    `other_forms` are tried in their order where the inverter refuses the template and
    has changed nothing; none of them means another legal value in any family. `values`
    are the legal codes; the query `choices` lists legal currents; `least`, `most` and
    `step` bound a number. `rereads` are queries whose other fields change too, to be
    read again.
    """

    name: str
    kind: ArgumentKind
    template: str
    danger: Danger
    reads_back: ReadBack | None = None
    largest: float | None = None
    other_forms: tuple[CommandForm, ...] = ()
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
        self, template: str, largest: float | None = None, older: str = ""
    ) -> Self:
        """Return the setter as one family spells it; first firmwares have `older`."""
        first = (CommandForm(older, _holds(older)),) if older else ()
        return replace(
            self,
            template=template,
            largest=largest,
            other_forms=(*first, *self.other_forms),
        )

    @property
    def forms(self) -> tuple[CommandForm, ...]:
        """All spellings, that of the family's document first."""
        return CommandForm(self.template, self.largest), *self.other_forms

    def command(self, value: float | str = "", unit: int = 0) -> str:
        """Return the command as documented; raises `ValueError` for an illegal value.

        Some values only fit another form: see `commands`.
        """
        return self.forms[0].command(value, unit)

    def commands(self, value: float | str = "") -> tuple[str, ...]:
        """Return the commands of all forms that can spell a value, without doubles.

        Raises `ValueError` if none can.
        """
        found, wrong = dict[str, None](), ""
        for form in self.forms:
            try:
                found[form.command(value)] = None
            except ValueError as error:
                wrong = wrong or str(error)
        if not found:
            raise ValueError(wrong)
        return tuple(found)


def _holds(template: str) -> int:
    """Return the largest number that the digits of a template hold."""
    return 99 if "{value:02d}" in template else 999


COSMETIC, BEHAVIOUR, DAMAGE, DESTRUCTIVE = Danger
NONE, CODE, VOLTAGE, CURRENT, NUMBER, FLAG, TEXT = ArgumentKind


def _code(name: str, template: str, danger: Danger, *values: int) -> Setter:
    """Return a setter of a code that QPIRI shows under the same name."""
    return Setter(name, CODE, template, danger, ReadBack("QPIRI", name), values=values)


def _voltage(name: str, command: str, danger: Danger) -> Setter:
    template, shows = command + "{value:04.1f}", ReadBack("QPIRI", name)
    return Setter(name, VOLTAGE, template, danger, shows, largest=99.9, step=0.1)


def _equalization(what: str, command: str, least: int, most: int, step: int) -> Setter:
    return Setter(
        f"equalization_{what}", NUMBER, command + "{value:03d}", DAMAGE,
        ReadBack("QBEQI", what), least=least, most=most, step=step,
    )  # fmt: skip


def _capacity(name: str, command: str, least: int, most: int) -> Setter:
    template, shows = command + "{value:03d}", ReadBack("QDOP", name)
    return Setter(name, NUMBER, template, DAMAGE, shows, least=least, most=most)


# -- what all documents of PI30 have ---------------------------------------------------

OUTPUT_SOURCE_PRIORITY = _code(
    "output_source_priority", "POP{value:02d}", BEHAVIOUR, 0, 1, 2
)
COMMON: tuple[Setter, ...] = (
    Setter("flag_on", FLAG, "PE{value}", BEHAVIOUR, ReadBack("QFLAG", "enabled")),
    Setter("flag_off", FLAG, "PD{value}", BEHAVIOUR, ReadBack("QFLAG", "disabled")),
    OUTPUT_SOURCE_PRIORITY,
    _code("input_voltage_range", "PGR{value:02d}", BEHAVIOUR, 0, 1),
    _voltage("battery_recharge_voltage", "PBCV", BEHAVIOUR),
    _voltage("battery_redischarge_voltage", "PBDV", BEHAVIOUR),
    _voltage("battery_under_voltage", "PSDV", DAMAGE),
    _voltage("battery_bulk_voltage", "PCVV", DAMAGE),
    _voltage("battery_float_voltage", "PBFT", DAMAGE),
    Setter(
        "output_frequency", CODE, "F{value:02d}", DAMAGE,
        ReadBack("QPIRI", "ac_output_rating_frequency"), values=(50, 60),
    ),
)  # fmt: skip

# -- what differs, or what some have ---------------------------------------------------

# The codes differ.
CHARGER_SOURCE_PRIORITY = _code("charger_source_priority", "PCP{value:02d}", BEHAVIOUR)
CHARGER_SOURCE_PRIORITY_OF_UNIT = Setter(
    "charger_source_priority_of_unit", CODE, "PPCP{unit}{value:02d}", BEHAVIOUR,
    ReadBack("QPGS", "charger_source_priority"),
)  # fmt: skip
BATTERY_TYPE = Setter(
    "battery_type", CODE, "PBT{value:02d}", DAMAGE, ReadBack("QPIRI", "battery_type"),
    rereads=("QPIRI",),
)  # fmt: skip
# Codes or spelling differ.
OUTPUT_MODE = Setter(
    "output_mode", CODE, "POPM{value:02d}", DESTRUCTIVE,
    ReadBack("QPIRI", "output_mode"), 99, values=(0, 1, 2, 3, 4),
)  # fmt: skip
OUTPUT_VOLTAGE = Setter(
    "output_voltage", CODE, "V{value:03d}", DAMAGE,
    ReadBack("QPIRI", "ac_output_rating_voltage"), 240, values=(220, 230, 240),
)  # fmt: skip
MAX_CHARGING_CURRENT = Setter(
    "max_charging_current", CURRENT, "MNCHGC{unit}{value:03d}", BEHAVIOUR,
    ReadBack("QPIRI", "max_charging_current"), 999, choices="QMCHGCR",
    other_forms=(
        CommandForm("MNCHGC0{value:03d}", 999), CommandForm("MNCHGC{value:03d}", 999)
    ),
)  # fmt: skip
MAX_AC_CHARGING_CURRENT = Setter(
    "max_ac_charging_current", CURRENT, "MUCHGC{unit}{value:02d}", BEHAVIOUR,
    ReadBack("QPIRI", "max_ac_charging_current"), 99, choices="QMUCHGCR",
    other_forms=(
        CommandForm("MUCHGC0{value:03d}", 999),
        CommandForm("MUCHGC{value:03d}", 99),  # above, the first digit may be a unit
    ),
)  # fmt: skip
PV_CONDITIONS = (  # A to E and H
    _code("pv_ok_condition", "PPVOKC{value:01d}", BEHAVIOUR, 0, 1),
    _code("pv_power_balance", "PSPB{value:01d}", BEHAVIOUR, 0, 1),
)
MAX_CONSTANT_VOLTAGE_TIME = Setter(  # B to H
    "max_constant_voltage_time", NUMBER, "PCVT{value:03d}", BEHAVIOUR,
    ReadBack("QPIRI", "max_constant_voltage_time"), 900, least=0, most=900, step=5,
)  # fmt: skip
EQUALIZATION: tuple[Setter, ...] = (  # C to H
    Setter(
        "equalization", CODE, "PBEQE{value:01d}", DAMAGE, ReadBack("QBEQI", "enabled"),
        values=(0, 1),
    ),
    Setter(
        "equalization_now", CODE, "PBEQA{value:01d}", DAMAGE,
        ReadBack("QBEQI", "active"), values=(0, 1),
    ),
    _equalization("time", "PBEQT", 5, 900, 5),
    _equalization("over_time", "PBEQOT", 5, 900, 5),
    _equalization("period", "PBEQP", 0, 90, 1),
    Setter(
        "equalization_voltage", VOLTAGE, "PBEQV{value:05.2f}", DAMAGE,
        ReadBack("QBEQI", "voltage"), 99.99, step=0.01,
    ),
)  # fmt: skip
CLOCK = Setter("clock", TEXT, "DAT{value}", COSMETIC, ReadBack("QT", "time"))  # C to G
# D and E.
CAPACITIES = (
    _capacity("recharge_capacity", "PBCC", 5, 95),
    _capacity("redischarge_capacity", "PBDC", 10, 100),
    _capacity("cut_off_capacity", "PSDC", 0, 90),
)
LOG_AND_COUNTRY: tuple[Setter, ...] = (
    Setter(
        "log_interval", NUMBER, "PDL{value:02d}", COSMETIC, largest=60,
        values=(3, 5, 10, 20, 30, 60),
    ),
    Setter(
        "country", CODE, "SRS{value:02d}", DESTRUCTIVE, ReadBack("QPIGS", "country"),
        values=(0, 1, 2),
    ),
)  # fmt: skip
OPERATION_LOGIC = _code("operation_logic", "POPLG{value:02d}", DAMAGE, 0, 1, 2)
MAX_DISCHARGE_CURRENT = Setter(  # E, F, G; 0 is no limit
    "max_discharge_current", NUMBER, "PBATMAXDISC{value:03d}", DAMAGE,
    ReadBack("QPIRI", "max_discharge_current"), 150,
    values=(0,), least=30, most=150, step=10,
)  # fmt: skip

"""The setters of PI30 as data: command, argument, legal values, read-back, danger.

Nothing here writes. Every setter is answered ACK or NAK, and ACK is no proof: the
field named by `reads_back` decides. `{unit}` is the parallel number, 0 for a single
inverter; `{value}` is formatted by the form itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from mppdbus.protocol.dialects.table import DIALECTS


class Kind(StrEnum):
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
class Form:
    """One spelling of a setter, and the dialects whose documents have it.

    `most` is the largest value it can spell. Never try a form on another family: the
    first digit of MUCHGC130 is a unit here and a hundred there.
    """

    template: str
    dialects: frozenset[str]
    most: float | None = None

    def command(self, value: float | str = "", unit: int = 0) -> str:
        """Return the command as it is sent; raises `ValueError` for what it cannot."""
        most = float("inf") if self.most is None else self.most
        if isinstance(value, (int, float)) and not 0 <= value <= most:
            raise ValueError(f"{self.template}: {value:g} cannot be written so")
        return self.template.format(value=value, unit=unit)


@dataclass(frozen=True, slots=True)
class ReadBack:
    """Where the effect of a setter shows: a query, and a field of its model."""

    query: str
    field: str


@dataclass(frozen=True, slots=True)
class Setter:
    """One setter; `values` are legal codes per dialect, `choices` the query of them."""

    name: str
    kind: Kind
    forms: tuple[Form, ...]
    danger: Danger
    reads_back: ReadBack | None = None
    values: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    choices: str | None = None
    least: float | None = None
    most: float | None = None
    step: float | None = None
    rereads: tuple[str, ...] = ()  # queries whose other fields change too

    def form(self, dialect: str) -> Form | None:
        """Return how this dialect spells it; None if it has no such setter."""
        return next((f for f in self.forms if dialect in f.dialects), None)

    def legal(self, dialect: str) -> tuple[int, ...]:
        """Return the codes that this dialect's document allows; empty if none."""
        return self.values.get(dialect, ())


ALL = frozenset(DIALECTS) - {  # proven on none of these
    "revo",  # writes with PSET, another protocol
}
FIRST = frozenset(("pi30", "pi30ms", "pi30duo"))  # A, B
GK = frozenset(("pi30vm3", "pi30vm4"))  # C, D and G without parallel operation
KING = frozenset(("pi30king", "pi30mks2"))
D_AND_E = KING | {"pi30vm3"}
MAX = frozenset(("pi30max", "pi30max24", "pi30lv"))  # F, G
CLONES = frozenset(("pi30clone", "pi30vmii"))
NEWER = GK | KING | MAX | {"pi41"}  # C to H


def _form(template: str, dialects: frozenset[str], most: float | None = None) -> Form:
    return Form(template, dialects, most)


def _same(dialects: frozenset[str], *values: int) -> dict[str, tuple[int, ...]]:
    return dict.fromkeys(sorted(dialects), values)


def _ratings(name: str) -> ReadBack:
    return ReadBack("QPIRI", name)


def _voltage(name: str, command: str, danger: Danger) -> Setter:
    return Setter(
        name,
        Kind.VOLTAGE,
        (_form(command + "{value:04.1f}", ALL, 99.9),),
        danger,
        _ratings(name),
        step=0.1,
    )


_CHARGERS = {
    **_same(FIRST | {"pi41"} | {"pi30king"} | {"pi30clone"}, 0, 1, 2, 3),
    **_same(GK | MAX | {"pi30mks2"}, 1, 2, 3),
    **_same(frozenset(("pi30vmii",)), 0, 1, 2),
}
_BATTERIES = {
    **_same(FIRST | {"pi41"}, 0, 1),
    **_same(CLONES, 0, 1, 2),
    **_same(frozenset(("pi30mks2",)), *range(7)),
    **_same(MAX | GK | {"pi30king"}, *range(10)),
}

SETTERS: tuple[Setter, ...] = (
    Setter(
        "flag_on", Kind.FLAG, (_form("PE{value}", ALL),), Danger.BEHAVIOUR,
        ReadBack("QFLAG", "enabled"),
    ),
    Setter(
        "flag_off", Kind.FLAG, (_form("PD{value}", ALL),), Danger.BEHAVIOUR,
        ReadBack("QFLAG", "disabled"),
    ),
    Setter(
        "factory_reset", Kind.NONE, (_form("PF", ALL),), Danger.DESTRUCTIVE,
        rereads=("QPIRI", "QFLAG"),
    ),
    Setter(
        "output_source_priority", Kind.CODE, (_form("POP{value:02d}", ALL),),
        Danger.BEHAVIOUR, _ratings("output_source_priority"),
        values=_same(ALL, 0, 1, 2),
    ),
    Setter(
        "charger_source_priority", Kind.CODE, (_form("PCP{value:02d}", ALL),),
        Danger.BEHAVIOUR, _ratings("charger_source_priority"), values=_CHARGERS,
    ),
    Setter(
        "charger_source_priority_of_unit", Kind.CODE,
        (_form("PPCP{unit}{value:02d}", FIRST | KING | MAX | {"pi41"}),),
        Danger.BEHAVIOUR, ReadBack("QPGS", "charger_source_priority"),
        values={k: v for k, v in _CHARGERS.items() if k not in GK | CLONES},
    ),
    Setter(
        "input_voltage_range", Kind.CODE, (_form("PGR{value:02d}", ALL),),
        Danger.BEHAVIOUR, _ratings("input_voltage_range"), values=_same(ALL, 0, 1),
    ),
    Setter(
        "battery_type", Kind.CODE, (_form("PBT{value:02d}", ALL),), Danger.DAMAGE,
        _ratings("battery_type"), values=_BATTERIES, rereads=("QPIRI",),
    ),
    _voltage("battery_recharge_voltage", "PBCV", Danger.BEHAVIOUR),
    _voltage("battery_redischarge_voltage", "PBDV", Danger.BEHAVIOUR),
    _voltage("battery_under_voltage", "PSDV", Danger.DAMAGE),
    _voltage("battery_bulk_voltage", "PCVV", Danger.DAMAGE),
    _voltage("battery_float_voltage", "PBFT", Danger.DAMAGE),
    Setter(
        "max_charging_current", Kind.CURRENT,
        (
            _form("MNCHGC{value:03d}", GK | CLONES, 999),
            _form("MNCHGC{unit}{value:03d}", FIRST | KING | MAX | {"pi41"}, 999),
            _form("MCHGC{unit}{value:02d}", frozenset(("pi30", "pi30ms")), 99),
            _form("MCHGC{value:03d}", frozenset(("pi30duo",)), 999),
        ),
        Danger.BEHAVIOUR, _ratings("max_charging_current"), choices="QMCHGCR",
    ),
    Setter(
        "max_ac_charging_current", Kind.CURRENT,
        (
            _form("MUCHGC{value:03d}", GK | CLONES | {"pi30duo"}, 999),
            _form("MUCHGC{unit}{value:03d}", frozenset(("pi30mks2",)), 999),
            _form(
                "MUCHGC{unit}{value:02d}",
                MAX | {"pi30", "pi30ms", "pi30king", "pi41"}, 99,
            ),
        ),
        Danger.BEHAVIOUR, _ratings("max_ac_charging_current"), choices="QMUCHGCR",
    ),
    Setter(
        "max_solar_charging_current", Kind.CURRENT,
        (_form("MSCHGC{value:03d}", frozenset(("pi30duo",)), 999),),
        Danger.BEHAVIOUR, choices="QMSCHGCR",
    ),
    Setter(
        "output_frequency", Kind.CODE, (_form("F{value:02d}", ALL),), Danger.DAMAGE,
        _ratings("ac_output_rating_frequency"), values=_same(ALL, 50, 60),
    ),
    Setter(
        "output_voltage", Kind.CODE,
        (
            _form("POPV{value:03d}0", frozenset(("pi30mks2",)), 240),
            _form("V{value:03d}", GK | MAX, 240),
        ),
        Danger.DAMAGE, _ratings("ac_output_rating_voltage"),
        values={
            **_same(GK | {"pi30max", "pi30max24", "pi30mks2"}, 220, 230, 240),
            **_same(frozenset(("pi30lv",)), 110, 120, 127),
        },
    ),
    Setter(
        "output_mode", Kind.CODE,
        (
            _form("POPM{unit}{value:01d}", frozenset(("pi30ms",)), 9),
            _form("POPM{value:02d}", ALL - {"pi30ms"}, 99),
        ),
        Danger.DESTRUCTIVE, _ratings("output_mode"),
        values={**_same(ALL, 0, 1, 2, 3, 4), "pi30lv": tuple(range(8))},
    ),
    Setter(
        "operation_logic", Kind.CODE, (_form("POPLG{value:02d}", KING),),
        Danger.DAMAGE, _ratings("operation_logic"), values=_same(KING, 0, 1, 2),
    ),
    Setter(
        "pv_ok_condition", Kind.CODE,
        (_form("PPVOKC{value:01d}", ALL - MAX - CLONES - {"pi30vm4"}),),
        Danger.BEHAVIOUR, _ratings("pv_ok_condition"), values=_same(ALL, 0, 1),
    ),
    Setter(
        "pv_power_balance", Kind.CODE,
        (_form("PSPB{value:01d}", ALL - MAX - CLONES - {"pi30vm4"}),),
        Danger.BEHAVIOUR, _ratings("pv_power_balance"), values=_same(ALL, 0, 1),
    ),
    Setter(
        "charging_stage", Kind.CODE,
        (_form("PCST{value:02d}", frozenset(("pi30duo",))),), Danger.BEHAVIOUR,
        ReadBack("QCST", "words"), values=_same(frozenset(("pi30duo",)), 0, 1, 2),
    ),
    Setter(
        "max_constant_voltage_time", Kind.NUMBER,
        (_form("PCVT{value:03d}", NEWER | {"pi30duo"}, 900),), Danger.BEHAVIOUR,
        _ratings("max_constant_voltage_time"), least=0, most=900, step=5,
        values={
            "pi30duo": (0, 10, 20, 40, 60, 90, 120, 150, 180, 210, 240, 255)
        },
    ),
    Setter(
        "equalization", Kind.CODE, (_form("PBEQE{value:01d}", NEWER),),
        Danger.DAMAGE, ReadBack("QBEQI", "enabled"), values=_same(NEWER, 0, 1),
    ),
    Setter(
        "equalization_now", Kind.CODE, (_form("PBEQA{value:01d}", NEWER),),
        Danger.DAMAGE, ReadBack("QBEQI", "active"), values=_same(NEWER, 0, 1),
    ),
    Setter(
        "equalization_time", Kind.NUMBER, (_form("PBEQT{value:03d}", NEWER),),
        Danger.DAMAGE, ReadBack("QBEQI", "time"), least=5, most=900, step=5,
    ),
    Setter(
        "equalization_over_time", Kind.NUMBER, (_form("PBEQOT{value:03d}", NEWER),),
        Danger.DAMAGE, ReadBack("QBEQI", "over_time"), least=5, most=900, step=5,
    ),
    Setter(
        "equalization_period", Kind.NUMBER, (_form("PBEQP{value:03d}", NEWER),),
        Danger.DAMAGE, ReadBack("QBEQI", "period"), least=0, most=90, step=1,
    ),
    Setter(
        "equalization_voltage", Kind.VOLTAGE,
        (_form("PBEQV{value:05.2f}", NEWER, 99.99),), Danger.DAMAGE,
        ReadBack("QBEQI", "voltage"), step=0.01,
    ),
    Setter(
        "clock", Kind.TEXT, (_form("DAT{value}", NEWER - {"pi41"}),),
        Danger.COSMETIC, ReadBack("QT", "time"),
    ),
    Setter(
        "max_discharge_current", Kind.NUMBER,
        (
            _form("PBATMAXDISC{value:03d}", MAX, 150),
            _form("PBATMAXDISC{value:03d}", frozenset(("pi30mks2",)), 120),
        ),
        Danger.DAMAGE,
        _ratings("max_discharge_current"), least=30, most=150, step=10,
        values=_same(MAX | {"pi30mks2"}, 0),
    ),
    Setter(
        "battery_control", Kind.TEXT,
        (_form("PBATCD{value}", MAX),), Danger.DAMAGE,
        ReadBack("QBATCD", "code"),
    ),
    Setter(
        "recharge_capacity", Kind.NUMBER,
        (_form("PBCC{value:03d}", D_AND_E),),
        Danger.DAMAGE, ReadBack("QDOP", "recharge_capacity"), least=5, most=95,
    ),
    Setter(
        "redischarge_capacity", Kind.NUMBER,
        (_form("PBDC{value:03d}", D_AND_E),),
        Danger.DAMAGE, ReadBack("QDOP", "redischarge_capacity"), least=10, most=100,
    ),
    Setter(
        "cut_off_capacity", Kind.NUMBER,
        (_form("PSDC{value:03d}", D_AND_E),),
        Danger.DAMAGE, ReadBack("QDOP", "cut_off_capacity"), least=0, most=90,
    ),
    Setter(
        "pv_use", Kind.CODE, (_form("PVENGUSE{value:02d}", frozenset(("pi30vmii",))),),
        Danger.BEHAVIOUR, values=_same(frozenset(("pi30vmii",)), 0, 1),
    ),
    Setter(
        "erase_energy", Kind.NONE, (_form("RTEY", NEWER - {"pi41"}),),
        Danger.DESTRUCTIVE, ReadBack("QET", "energy"),
    ),
    Setter(
        "erase_log", Kind.NONE, (_form("RTDL", NEWER - {"pi41"}),),
        Danger.DESTRUCTIVE,
    ),
    Setter(
        "log_interval", Kind.NUMBER, (_form("PDL{value:02d}", D_AND_E, 60),),
        Danger.COSMETIC, values=_same(D_AND_E, 3, 5, 10, 20, 30, 60),
    ),
    Setter(
        "country", Kind.CODE, (_form("SRS{value:02d}", D_AND_E),), Danger.DESTRUCTIVE,
        ReadBack("QPIGS", "country"), values=_same(D_AND_E, 0, 1, 2),
    ),
)  # fmt: skip

BY_NAME: Mapping[str, Setter] = {setter.name: setter for setter in SETTERS}

# Setters that exist and that nothing here will ever send: the remote BMS, calibration
# of the battery voltage, factory test, and commands without a document.
NEVER = ("PBMS", "BTA", "ATE", "PBCCHGC", "PBDCHGC", "QKPWR", "PSAVE")

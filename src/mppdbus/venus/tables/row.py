"""The row of a service, and the texts of its values. Pure.

A row is one path: its type, the field of the view that it shows, its text, and a remark
for docs/dbus.md.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import compress
from operator import attrgetter, ne
from types import FunctionType
from typing import Any, Generic, TypeVar

from mppdbus.model.victron_codes import State
from mppdbus.protocol.replies.fields import Reading
from mppdbus.venus.dbus.items import Item, ItemType, Text, Value

V = TypeVar("V", contravariant=True)  # noqa: PLC0105 - a row of all fits any view
SELF_EVIDENT = "a constant"  # needs no explanation
_UNSEEN = object()
INT, NUM, TEXT = ItemType.INT, ItemType.DOUBLE, ItemType.TEXT


@dataclass(frozen=True, slots=True)
class ToSetting:
    """Writes go to /Settings/Devices/<uid>/<name>, of this device or of every unit."""

    name: str
    of_units: bool = False


@dataclass(frozen=True, slots=True)
class ToControl:
    """Writes go to this setting of the inverter, checked and read back."""

    setting: str


class ToRequest:
    """Writes are requests of the command line, see `daemon.control_requests`."""


class ToCharge:
    """Writes correct the estimate of the state of charge."""


@dataclass(frozen=True, slots=True)
class Row(Generic[V]):
    """One path of a service; `{phase}` in it is L1, L2 or L3.

    `of` returns the part of a view that the row reads; without it, the whole view.
    `source` is the name of a field of that part, or a cheap, pure function of it.
    Numbers are rounded to `digits`. If the part or its field is None, the row shows
    `unknown`; None is invalid on the bus. A row with `known` shows this value whenever
    the field is known.

    `about` tells where the value comes from. A `fixed` value never changes while its
    service is on the bus, so it is not read again. `write` tells where a client's write
    within the bounds goes; without it the path is read-only.
    """

    path: str
    kind: ItemType
    source: Callable[[Any], Any] | str
    text: Text = ""
    about: str = ""
    of: Callable[[V], Any] | None = None
    digits: int = 3
    known: Value = None
    unknown: Value = None
    fixed: bool = False
    write: ToSetting | ToCharge | ToControl | ToRequest | None = None
    minimum: float | None = None
    maximum: float | None = None
    default: float | str | None = None
    confirmable: bool = False  # see `Item`
    paths: tuple[str, ...] = field(init=False, repr=False)  # on L1, L2 and L3
    get: Callable[[Any], Any] = field(init=False, repr=False)  # `source` as a function

    def __post_init__(self) -> None:
        on_each = (self.path.replace("{phase}", f"L{number}") for number in (1, 2, 3))
        object.__setattr__(self, "paths", tuple(on_each))
        source = self.source
        get = attrgetter(source) if isinstance(source, str) else source
        if (known := self.known) is not None:
            field_of = get  # whatever its value is, the row shows the same
            get = lambda part: None if field_of(part) is None else known  # noqa: E731
        object.__setattr__(self, "get", get)

    def raw(self, view: V) -> Any:  # noqa: ANN401 - a field of any type
        """Return the field that the row reads, unchanged."""
        part = view if self.of is None else self.of(view)
        return None if part is None else self.get(part)

    def value(self, view: V) -> Value:
        """Return the value that the row shows of a view."""
        return self.shown(self.raw(view))

    def shown(self, raw: Any) -> Value:  # noqa: ANN401 - a field of any type
        """Return the value that the row shows of its field, which may be None."""
        if raw is None:
            return self.unknown
        if self.kind is NUM:
            return round(float(raw), self.digits)
        return int(raw) if self.kind is INT else str(raw)

    def item(self, phase: int) -> Item:
        """Return the item of this row for a unit on `phase`."""
        return self.item_at(self.path_on(phase))

    def item_at(self, path: str) -> Item:
        """Return the item of this row at `path`, which was made from its pattern."""
        return Item(
            path,
            self.kind,
            self.text,
            self.write is not None,
            self.minimum,
            self.maximum,
            self.default,
            self.confirmable,
        )

    def path_on(self, phase: int) -> str:
        """Return the path with the phase filled in."""
        return self.paths[phase - 1]


def fixed(
    path: str, kind: ItemType, value: Value, text: Text = "", about: str = SELF_EVIDENT
) -> Row[object]:
    """Return the row of a value that never changes."""
    return Row(path, kind, lambda _: value, text, about, fixed=True)


def live(rows: tuple[Row[V], ...]) -> tuple[Row[V], ...]:
    """Return the rows to read after every poll: all except the fixed ones."""
    return tuple(row for row in rows if not row.fixed)


def phased(rows: tuple[Row[V], ...]) -> tuple[Row[V], ...]:
    """Return the rows that belong to a phase; the others belong to the unit."""
    return tuple(row for row in rows if "{phase}" in row.path)


def values_of(rows: Iterable[Row[V]], view: V, phase: int = 1) -> dict[str, Value]:
    """Return the value of every row, by its path."""
    return {row.paths[phase - 1]: row.value(view) for row in rows}


class ChangedRows(Generic[V]):
    """Evaluates only rows whose part of the view changed since the last call.

    Rows that read the view itself are looked at every time. A row whose field is the
    same as at the last look is left out.
    """

    def __init__(self, rows: Iterable[Row[V]]) -> None:
        groups: dict[Callable[[V], Any] | None, list[Row[V]]] = {}
        for row in rows:
            groups.setdefault(row.of, []).append(row)
        self._groups = [(of, g, [row.get for row in g]) for of, g in groups.items()]
        self._seen: dict[Callable[[V], Any] | None, tuple[object, list[Any]]] = {}

    def forget(self) -> None:
        """Evaluate all rows next time."""
        self._seen.clear()

    def values(self, view: V, phase: int = 1) -> dict[str, Value]:
        """Return the values by their paths."""
        place, values = phase - 1, {}
        for of, rows, gets in self._groups:
            part = view if of is None else of(view)
            seen, before = self._seen.get(of, (_UNSEEN, [_UNSEEN] * len(rows)))
            # A field of the view stays the same object; what a function makes is equal.
            made = isinstance(of, FunctionType) and not isinstance(part, Reading)
            if part is seen or (made and part == seen):
                continue
            raws = (
                [get(part) for get in gets] if part is not None else [None] * len(gets)
            )
            self._seen[of] = part, raws
            changed = map(ne, raws, before)
            for row, raw in compress(zip(rows, raws, strict=True), changed):
                values[row.paths[place]] = row.shown(raw)
        return values


# -- text ----------------------------------------------------------------------------

VOLT = "{:.1f} V"
DC_VOLT = "{:.2f} V"
AMP = "{:.1f} A"
WATT = "{:.0f} W"
VA = "{:.0f} VA"
HERTZ = "{:.1f} Hz"
PERCENT = "{:.0f} %"
FINE_PERCENT = "{:.1f} %"
KWH = "{:.2f} kWh"
MINUTES = "{:.0f} min"
SECONDS = "{:.0f} s"
CELSIUS = "{:.0f} °C"
LEVELS = {0: "OK", 1: "Warning", 2: "Alarm"}
SHOWN_LEVELS = {0: "Disabled", 1: "Alarms only", 2: "Alarms and warnings"}
ON_OFF = {0: "Off", 1: "On"}
STATE_NAMES: dict[object, str] = {
    State.OFF: "Off",
    State.LOW_POWER: "Low power",
    State.FAULT: "Fault",
    State.BULK: "Bulk",
    State.ABSORPTION: "Absorption",
    State.FLOAT: "Float",
    State.PASSTHRU: "Passthru",
    State.INVERTING: "Inverting",
    State.UNAVAILABLE: "Unknown",
}


def hexadecimal(value: object) -> str:
    """Return 0xBA44."""
    return f"0x{value:X}" if isinstance(value, int) else "---"


def firmware_text(value: object) -> str:
    """Return 0x7270 as v72.70."""
    digits = f"{value:04X}" if isinstance(value, int) else ""
    return f"v{digits[:-2]}.{digits[-2:]}" if digits else "---"

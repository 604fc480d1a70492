"""Items of a Victron service: path, fixed type, text and bounds. Pure."""

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Value = int | float | str | list[str] | list[int] | None
"""A value on the bus; None is unknown, which the bus shows as invalid."""

Text = str | Mapping[Any, str] | Callable[[Any], str]
UNKNOWN_TEXT = "---"

_PATH = re.compile(r"(/[A-Za-z0-9_]+)+")
_LARGEST = sys.float_info.max
_NUMBERS = (float, int)  # made once, as it is looked at for every value


class ItemType(StrEnum):
    """The type of an item, as its D-Bus signature."""

    INT = "i"
    LONG = "x"
    DOUBLE = "d"
    TEXT = "s"
    TEXTS = "as"
    INTS = "ai"


def _integer(bits: int) -> Callable[[object], int]:
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1

    def check(value: object) -> int:
        if isinstance(value, int) and type(value) is not bool and low <= value <= high:
            return int(value)
        raise TypeError(f"{value!r} is no int{bits}")

    return check


def _double(value: object) -> float:
    if (
        isinstance(value, _NUMBERS)
        and type(value) is not bool
        and -_LARGEST <= value <= _LARGEST  # neither NaN nor infinite
    ):
        return float(value)
    raise TypeError(f"{value!r} is no finite number")


def _text(value: object) -> str:
    if isinstance(value, str) and "\0" not in value:
        try:
            value.encode()
        except UnicodeEncodeError:
            pass
        else:
            return str.__str__(value)
    raise TypeError(f"{value!r} is no text that D-Bus can carry")


def _texts(value: object) -> list[str] | None:
    if isinstance(value, list | tuple):
        return [_text(each) for each in value] or None
    raise TypeError(f"{value!r} is no list of texts")


def _integers(value: object) -> list[int] | None:
    if isinstance(value, list | tuple):
        return [_int32(each) for each in value] or None
    raise TypeError(f"{value!r} is no list of integers")


_int32 = _integer(32)

CHECKS: dict[ItemType, Callable[[object], Value]] = {
    ItemType.INT: _int32,
    ItemType.LONG: _integer(64),
    ItemType.DOUBLE: _double,
    ItemType.TEXT: _text,
    ItemType.TEXTS: _texts,
    ItemType.INTS: _integers,
}
"""For each type: a function that returns the plain value or raises TypeError.

None must not be passed. An empty list is returned as None: D-Bus has one form for both.
"""


def _whole(value: object) -> object:
    """Return a bool or an integral float as an int, anything else as it is."""
    if isinstance(value, bool) or (isinstance(value, float) and value.is_integer()):
        return int(value)
    return value


def _plain(value: Any) -> str:  # noqa: ANN401 - any kind of value
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


@dataclass(frozen=True, slots=True)
class Item:
    """One leaf of a service.

    `text` is a format string ("{:.0f} W"), the names of values, or a function of the
    value; the text of unknown is "---".
    Clients can read `minimum`, `maximum` and `default` where they are not None, and
    cannot write a value out of bounds. The writer of a `confirmable` item also gets
    writes that repeat the shown value, such as a state of charge that is confirmed.
    It gets a write `quiet` s after the last one that replaced it: a control that is
    held in the GUI writes eight times a second, and only the last value is meant.
    Raises ValueError for a malformed path, TypeError for bounds of another type.
    """

    path: str
    kind: ItemType
    text: Text = ""
    writable: bool = False
    minimum: Value = None
    maximum: Value = None
    default: Value = None
    confirmable: bool = False
    quiet: float = 0.0

    def __post_init__(self) -> None:
        if not _PATH.fullmatch(self.path):
            raise ValueError(f"{self.path!r} is no path of an item")
        for name in ("minimum", "maximum", "default"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, self.checked(value))

    def checked(self, value: object) -> Value:
        """Return a known `value` in the type of this item; raises TypeError."""
        try:
            return CHECKS[self.kind](value)
        except TypeError as error:
            raise TypeError(f"{self.path}: {error}") from None

    def coerced(self, value: object) -> Value:
        """Return what a client wrote in the type of this item.

        Clients write an int to a float path and the reverse, and a bool for an int, but
        not for a float; text is never taken for a number. Raises TypeError for what
        does not fit, ValueError for what is out of bounds.
        """
        if self.kind is ItemType.DOUBLE and isinstance(value, bool):
            raise TypeError(f"{self.path}: {value} is no number")
        if self.kind in (ItemType.INT, ItemType.LONG, ItemType.DOUBLE):
            value = _whole(value)
        elif self.kind is ItemType.INTS and isinstance(value, list):
            value = [_whole(each) for each in value]
        result = self.checked(value)
        if result is None:
            raise TypeError(f"{self.path}: an empty list means unknown")
        self._hold_between_bounds(result)
        return result

    def _hold_between_bounds(self, value: Value) -> None:
        if not isinstance(value, int | float):
            return
        for bound, outside in ((self.minimum, -1), (self.maximum, 1)):
            if isinstance(bound, int | float) and (value - bound) * outside > 0:
                limit = "below the minimum" if outside < 0 else "above the maximum"
                raise ValueError(f"{self.path}: {value} is {limit}, {bound}")

    def formatter(self) -> Callable[[Any], str]:
        """Return what turns a known value of this item into its text."""
        text = self.text
        if isinstance(text, str):
            return text.format if text else _plain
        if isinstance(text, Mapping):
            return lambda value: text.get(value, str(value))
        return text

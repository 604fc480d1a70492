"""The types of the fields of a reply, with their units, and the base of all models."""

import re
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

NUMERIC = b"0123456789. "
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)
CODE = r"[0-9-][0-9A-Za-z-]{0,3}"  # a small number with an odd character
UNKNOWN_WORDS = frozenset(("-", "--", "---", "NOA"))  # "not available", seen in QPIRI


@dataclass(frozen=True, slots=True)
class UnitSymbol:
    """The unit of a field, as it is shown behind the number."""

    symbol: str


# A field is None where the inverter does not say: a shorter layout, or a "-".
Volts = Annotated[float | None, UnitSymbol("V")]
Amps = Annotated[float | None, UnitSymbol("A")]
WholeAmps = Annotated[int | None, UnitSymbol("A")]
Watts = Annotated[int | None, UnitSymbol("W")]
VoltAmps = Annotated[int | None, UnitSymbol("VA")]
WattHours = Annotated[int | None, UnitSymbol("Wh")]
Hertz = Annotated[float | None, UnitSymbol("Hz")]
Percent = Annotated[int | None, UnitSymbol("%")]
Celsius = Annotated[int | None, UnitSymbol("°C")]
Minutes = Annotated[int | None, UnitSymbol("min")]
Seconds = Annotated[int | None, UnitSymbol("s")]
Days = Annotated[int | None, UnitSymbol("d")]
Hours = Annotated[int | None, UnitSymbol("h")]
TenMillivolts = Annotated[int | None, UnitSymbol("×10 mV")]
TenthVolts = Annotated[int | None, UnitSymbol("×0.1 V")]
Code = int | None  # a number whose meaning depends on the family
Bool = bool | None
Text = str | None


@cache
def _fields_of(model: type[BaseModel]) -> tuple[str, ...]:
    return tuple(model.model_fields)


class Reading(BaseModel):
    """A decoded reply; its fields stand in wire order.

    Its words are `numbers`, or say "not available": pydantic alone would take "1e5",
    "+5" or "1_0" for numbers, none of which an inverter ever sends.
    """

    # Built when first used: most queries are never asked, and the start is faster.
    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True
    )
    numbers: ClassVar[bool] = True
    # A pattern: such a single word answers this query, even if its value is unreadable.
    loose: ClassVar[str | None] = None

    @classmethod
    def from_payload(cls, payload: bytes) -> Self:
        """Return the model of a payload; raises `ValueError` if it does not fit."""
        words, names = payload.decode("ascii").split(), cls.wire_names()
        fields = dict(zip(names, words, strict=False))
        odd = cls.numbers and payload.translate(None, NUMERIC)
        try:
            return cls.model_validate(_available(fields) if odd else fields)
        except ValidationError as error:
            raise ValueError(describe(error, names)) from None

    @classmethod
    def wire_names(cls) -> tuple[str, ...]:
        """Return the field names in wire order."""
        return _fields_of(cls)

    @classmethod
    def units(cls) -> dict[str, str]:
        """Return the unit of each field that has one."""
        return {
            name: unit.symbol
            for name, info in cls.model_fields.items()
            for unit in info.metadata
            if isinstance(unit, UnitSymbol)
        }

    def derived(self) -> dict[str, Any]:
        """Return the meaning of codes and bits by name, for people and scripts."""
        return {}


class TextReading(Reading):
    """A reply whose words are not all numbers; its fields say what each may be."""

    numbers: ClassVar[bool] = False
    texts: ClassVar[frozenset[str]] = frozenset()  # if any: the others are numbers

    @classmethod
    def from_payload(cls, payload: bytes) -> Self:
        """Refuse other words than numbers where pydantic would read "+5" or "1e5"."""
        words = payload.decode("ascii").split() if cls.texts else []
        for place, (name, word) in enumerate(
            zip(cls.wire_names(), words, strict=False)
        ):
            if name not in cls.texts and not is_number(word):
                text = f"field {place + 1} ({name}): {word!r} is not a number"
                raise ValueError(text)
        return super().from_payload(payload)


def _available(fields: dict[str, str]) -> dict[str, str | None]:
    """Return None for a word that says "not available"; others must be numbers."""
    for place, (name, word) in enumerate(fields.items(), start=1):
        if word not in UNKNOWN_WORDS and not is_number(word):
            raise ValueError(f"field {place} ({name}): {word!r} is not a number")
    return {n: None if word in UNKNOWN_WORDS else word for n, word in fields.items()}


def is_number(word: str) -> bool:
    """Tell whether a word is a number as inverters write them: no sign, no exponent."""
    return _NUMBER.fullmatch(word) is not None


def one_word(pattern: str, payload: bytes, meaning: str) -> str:
    """Return group 1 of a reply that is one word; raises `ValueError` otherwise."""
    match = re.fullmatch(pattern, payload.decode("ascii").rstrip(" "))
    if match is None:
        raise ValueError(f"{payload!r} is not {meaning}")
    return match[1]


def describe(error: ValidationError, names: tuple[str, ...]) -> str:
    """Say in one line which fields do not fit."""
    parts = []
    for item in error.errors(include_url=False, include_context=False):
        name = str(item["loc"][0]) if item["loc"] else "reply"
        place = f"field {names.index(name) + 1} " if name in names else ""
        reason = f"does not fit: {item['msg'].lower()}"
        if "pattern" in item["type"]:
            reason = "cannot stand there; is it the reply to another query?"
        parts.append(f"{place}({name}): {item['input']!r} {reason}")
    return "; ".join(parts)

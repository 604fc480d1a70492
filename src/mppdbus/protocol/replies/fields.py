"""What the words of a reply mean: units in the type, and the base of all models."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import compress
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from mppdbus.protocol.assembly import assembler

NUMERIC = b"0123456789. "
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)
# No backtracking: any two numbers have a blank between them.
_NUMBERS = re.compile(r"[0-9]++(?:\.[0-9]++)?(?: [0-9]++(?:\.[0-9]++)?)*+", re.ASCII)
# A dot without a digit on each side, or the first of two in a word.
_BAD_DOT = re.compile(rb"\.(?:(?<![0-9]\.)|(?![0-9])|[0-9]++\.)")
MAX_ASSEMBLERS = 64  # of one model: damage must not fill the memory
UNKNOWN_WORDS = frozenset(("-", "--", "---", "NOA"))  # "not available", seen in QPIRI


@dataclass(frozen=True, slots=True)
class Unit:
    """The unit of a field, as it is shown behind the number."""

    symbol: str


# A field is None where the inverter does not say: a shorter layout, or a "-".
Volts = Annotated[float | None, Unit("V")]
Amps = Annotated[float | None, Unit("A")]
WholeAmps = Annotated[int | None, Unit("A")]
Watts = Annotated[int | None, Unit("W")]
VoltAmps = Annotated[int | None, Unit("VA")]
WattHours = Annotated[int | None, Unit("Wh")]
Hertz = Annotated[float | None, Unit("Hz")]
Percent = Annotated[int | None, Unit("%")]
Celsius = Annotated[int | None, Unit("°C")]
Minutes = Annotated[int | None, Unit("min")]
Seconds = Annotated[int | None, Unit("s")]
Days = Annotated[int | None, Unit("d")]
Hours = Annotated[int | None, Unit("h")]
TenMillivolts = Annotated[int | None, Unit("×10 mV")]
TenthVolts = Annotated[int | None, Unit("×0.1 V")]
Code = int | None  # a number whose meaning depends on the family
Bool = bool | None
Text = str | None


class Reading(BaseModel):
    """A decoded reply; its fields stand in wire order.

    `alphabet` lists the bytes that the payload may hold: pydantic alone would take
    "1e5", "+5" or "1_0" for numbers, none of which an inverter ever sends.
    """

    # Built when first used: most queries are never asked, and the start is faster.
    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True
    )
    alphabet: ClassVar[bytes | None] = NUMERIC
    wire: ClassVar[tuple[str, ...]] = ()  # what `wire_names` says, asked once
    # By the number of the words; by number and place where one is not available; by
    # their names where several are not.
    assemblers: ClassVar[dict[Any, Callable[[list[str]], Any]]]

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:  # noqa: ANN401
        super().__pydantic_init_subclass__(**kwargs)
        cls.wire = cls.wire_names()
        cls.assemblers = {}

    @classmethod
    def from_payload(cls, payload: bytes) -> Self:
        """Return the model of a payload; raises `ValueError` if it does not fit."""
        return cls.from_split(payload, payload.decode("ascii").split())

    @classmethod
    def shortcuts(cls) -> Mapping[int, Callable[[list[str]], Any]]:
        """Return what makes models of so many words, as `from_words` finds it out.

        It serves for payloads of `NUMERIC` bytes only, and raises `ValueError` where
        `from_split` knows better what to do or to say.
        """
        own = cls.from_words.__func__ is Reading.from_words.__func__  # type: ignore[attr-defined]
        return cls.assemblers if own and cls.alphabet == NUMERIC else {}

    @classmethod
    def from_split(cls, payload: bytes, words: list[str]) -> Self:
        """Return the model of a payload that has been cut into its words."""
        if cls.alphabet is not None and payload.translate(None, cls.alphabet):
            return cls._from_known(words)
        return cls.from_words(words)

    @classmethod
    def from_words(cls, words: list[str]) -> Self:
        """Return the model of `words`; raises `ValueError` naming the wrong field."""
        count = len(words)
        if count > len(cls.wire):
            return cls.validated(dict(zip(cls.wire, words, strict=False)))
        return cls._assembled(count, cls.wire[:count], words)

    @classmethod
    def validated(cls, words: dict[str, str]) -> Self:
        """Return the model of words by name, in pydantic's own way."""
        try:
            return cls.model_validate(words)
        except ValidationError as error:
            raise ValueError(describe(error, cls.wire)) from None

    @classmethod
    def _assembled(
        cls,
        key: int | tuple[int, int] | tuple[str, ...],
        names: tuple[str, ...],
        words: list[str],
    ) -> Self:
        assemble = cls.assemblers.get(key)
        if assemble is None and len(cls.assemblers) < MAX_ASSEMBLERS:
            assemble = assembler(cls, names)
            if assemble is not None:
                cls.assemblers[key] = assemble
        if assemble is not None:
            try:
                return assemble(words)  # type: ignore[no-any-return]
            except ValidationError:
                pass  # said again with the field's name
        return cls.validated(dict(zip(names, words, strict=True)))

    @classmethod
    def _from_known(cls, words: list[str]) -> Self:
        """Leave out the words that say "not available"; refuse other strangers."""
        there = [word not in UNKNOWN_WORDS for word in words[: len(cls.wire)]]
        known = list(compress(words, there))
        if known and not _NUMBERS.fullmatch(" ".join(known)):
            raise cls._stranger(words)
        names = tuple(compress(cls.wire, there))
        if len(known) == len(words) - 1 == len(there) - 1:
            return cls._assembled((len(words), there.index(False)), names, known)
        return cls._assembled(names, names, known)

    @classmethod
    def _stranger(cls, words: list[str]) -> ValueError:
        """Return what is wrong with the first word that is no number."""
        return next(
            ValueError(f"field {place} ({name}): {word!r} is not a number")
            for place, (name, word) in enumerate(
                zip(cls.wire, words, strict=False), start=1
            )
            if word not in UNKNOWN_WORDS and not is_number(word)
        )

    @classmethod
    def wire_names(cls) -> tuple[str, ...]:
        """Return the field names in wire order."""
        return tuple(cls.model_fields)

    @classmethod
    def units(cls) -> dict[str, str]:
        """Return the unit of each field that has one."""
        return {
            name: unit.symbol
            for name, info in cls.model_fields.items()
            for unit in info.metadata
            if isinstance(unit, Unit)
        }

    def derived(self) -> dict[str, Any]:
        """Return what follows from the fields alone, for people and scripts."""
        return {}


def without_one(
    shortcuts: Mapping[Any, Callable[[list[str]], Reading]],
    payload: bytes,
    words: list[str],
) -> Reading | None:
    """Return the model of numbers and one "-", in one step.

    None where `from_split` must find out what to do or to say.
    """
    if b" - " not in payload or payload.translate(None, NUMERIC) != b"-":
        return None
    if _BAD_DOT.search(payload):
        return None
    place = words.index("-")
    make = shortcuts.get((len(words), place))
    if make is None:
        return None
    try:
        return make(words[:place] + words[place + 1 :])
    except ValueError:
        return None


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
        parts.append(f"{place}({name}): {item['input']!r} does not fit: {item['msg']}")
    return "; ".join(parts)

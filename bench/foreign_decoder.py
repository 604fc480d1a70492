"""mpp-solar's decoder, asked for what it says of each word of a reply."""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

VERSION = version("mppsolar")
BITS = ("flags", "stat_flags", "enflags")
NUMBERS = ("int", "float")


@dataclass(frozen=True, slots=True)
class Word:
    """What it makes of one word: its place (from 1), its name, and the value shown."""

    place: int
    name: str
    kind: str
    value: object


@dataclass(frozen=True, slots=True)
class Said:
    """All that it says of a reply. `trouble` is why there is nothing.

    `shown` is what a user sees, by name; `definition` what the library has for the
    command.
    """

    words: tuple[Word, ...] = ()
    trouble: str | None = None
    shown: Mapping[str, Any] = field(default_factory=dict)
    definition: tuple[Any, ...] = ()


class Foreign:
    """One protocol of mpp-solar, loaded afresh.

    Its protocols change each other's tables when they are loaded together, so each
    gets modules of its own.
    """

    def __init__(self, protocol: str) -> None:
        self.name = protocol
        for name in [m for m in sys.modules if m.split(".")[0] == "mppsolar"]:
            del sys.modules[name]
        module = importlib.import_module(f"mppsolar.protocols.{protocol.lower()}")
        self._protocol = getattr(module, protocol.lower())()
        logging.getLogger().setLevel(logging.CRITICAL)

    def decode(self, command: str, response: bytes) -> dict[str, Any]:
        """Decode as its users do; raises whatever it raises."""
        return self._protocol.decode(response, command)  # type: ignore[no-any-return]

    def say(self, command: str, response: bytes, words: int) -> Said:
        """Return what it says of a reply of so many words; never raises."""
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                said = self.decode(command, response)
        except Exception as error:  # noqa: BLE001 - that it raises is a result
            return Said(trouble=f"raises {type(error).__name__}")
        if (check := said.get("validity check")) is not None:
            return Said(trouble=f"refuses: {str(check[0]).removeprefix('Error: ')}")
        definition = self._protocol.get_command_defn(command)
        if definition is None:
            return Said(trouble="does not know the command")
        rows = tuple(_rows(definition))
        shown = {key: value[0] for key, value in said.items() if key[:1] != "_"}
        return Said(
            tuple(
                Word(place, name, kind, shown.get(name))
                for place, (kind, name, _) in enumerate(rows[:words], 1)
            ),
            shown={k: v for k, v in shown.items() if k != "raw_response"},
            definition=rows,
        )


def _rows(definition: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Yield kind, name and table of each word, whatever way they are written."""
    indexed = definition.get("response_type") == "INDEXED"
    for row in definition["response"]:
        place = 1 if indexed else 0
        if indexed:
            kind, name = row[2], row[1]
        else:
            kind, name = row[0], row[1]
        table = row[place + 2] if len(row) > place + 2 else None
        yield str(kind), str(name), table

"""Books as text and back: one JSON object, with its version and migrations. Pure.

A field that is new since an older file takes its default, and one that is gone is
passed over. VERSION grows only where the meaning of a field changes; the step from the
version before is then a row in MIGRATIONS.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from mppdbus.errors import StateError
from mppdbus.model.energy.ledger import Books

FORMAT = "mppdbus energy"
VERSION = 1
Migration = Callable[[dict[str, Any]], dict[str, Any]]
MIGRATIONS: Mapping[int, Migration] = {}  # from that version to the next


def encode(books: Books) -> str:
    """Return the books as JSON; the same books give the same text."""
    state = _adapter().dump_python(books, mode="json", exclude_defaults=True)
    return json.dumps(state, separators=(",", ":"))


def document(state: str, key: str, saved: datetime) -> bytes:
    """Return the file around encoded books: whose they are, and when they were kept."""
    head = {"format": FORMAT, "version": VERSION, "inverter": key}
    head["saved"] = saved.isoformat(timespec="seconds")
    return f'{json.dumps(head)[:-1]}, "state": {state}}}\n'.encode()


def decode(data: bytes) -> Books:
    """Return the books of a file; raises `StateError` with what is wrong with it."""
    try:
        head = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise StateError(f"damaged: {error}") from error
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise StateError("not a state of mppdbus")
    version, state = head.get("version"), head.get("state")
    if not isinstance(version, int) or version < 1 or not isinstance(state, dict):
        raise StateError("damaged: no version or no state in it")
    if version > VERSION:
        raise StateError(
            f"written by a newer mppdbus (version {version}, this one reads {VERSION})"
        )
    try:
        return _adapter().validate_python(migrate(state, version, VERSION, MIGRATIONS))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise StateError(f"damaged: {_short(error)}") from error


def migrate(
    state: dict[str, Any], version: int, goal: int, steps: Mapping[int, Migration]
) -> dict[str, Any]:
    """Bring a state from `version` to `goal`, one step at a time."""
    for each in range(version, goal):
        state = steps[each](state)
    return state


@cache
def _adapter() -> TypeAdapter[Books]:
    return TypeAdapter(Books)


def _short(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return repr(error)

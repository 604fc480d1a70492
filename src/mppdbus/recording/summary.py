"""What replies tell of an inverter: the same to `record` and to the tests. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import cast

from mppdbus.errors import MppdbusError, UnknownLayout
from mppdbus.protocol.dialects import Evidence
from mppdbus.protocol.queries import base_command, decode
from mppdbus.protocol.replies.fields import Reading
from mppdbus.recording.verdict import Exchange, Quality, judge


def evidence_of(replies: Iterable[tuple[str, bytes]]) -> Evidence:
    """Return what intact replies tell: command and payload, in the order they came.

    The last reply to a query counts; of an unknown layout what can be read of it.
    """
    readings: dict[str, Reading] = {}
    status = None
    for command, payload in replies:
        if (reading := reading_of(command, payload)) is None:
            continue
        readings[base_command(command)] = reading
        if command == "QPIGS":
            status = payload
    return Evidence.gather(readings, status)


def replies_of(exchanges: Iterable[Exchange]) -> Iterator[tuple[str, bytes]]:
    """Return what came intact, without attempts that were repeated."""
    for one in exchanges:
        verdict = judge(one.command, one.response)
        if one.final and verdict.quality is Quality.GOOD and verdict.payload:
            yield one.command, verdict.payload


def reading_of(command: str, payload: bytes) -> Reading | None:
    """Return what a reply says to one who does not know the family yet."""
    try:
        return decode(command, payload)
    except UnknownLayout as error:
        return cast("Reading | None", error.partial)
    except MppdbusError:
        return None

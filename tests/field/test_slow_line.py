"""Replies with long pauses in their middle: virtual machines, USB hubs, gateways."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.field import on_the_bus
from helpers.run import MULTI
from helpers.scripted import Item, ScriptedInverter
from mppdbus.protocol.framing import encode_reply

UNIT = MULTI + "96322310100001"
CASE = "pause-in-reply"
LINES = "poll = 1.0\n"  # the speed and the patience are the usual ones
RIGHT: dict[str, object] = {
    "/Ac/Out/L1/P": 1773.0,
    "/Dc/0/Voltage": 52.2,
    "/Ac/Out/L1/NominalInverterPower": 5000.0,
}
STATUS = (
    "230.9 50.0 230.9 50.0 1824 1773 036 383 52.20 000 100 0049 00.0 324.7 00.00 00000 "
    "00010110 00 00 01791 010"
)
RATINGS = (
    "220.0 22.7 220.0 50.0 22.7 5000 5000 48.0 46.0 42.0 56.4 54.0 0 30 060 0 2 2 9 01 "
    "0 0 54.0 0 1"
)


def broken(payload: str, *pieces: tuple[float, int]) -> Item:
    """Return a reply that stops for so many s after so many bytes."""
    data, at = encode_reply(payload), 0
    parts: list[list[object]] = []
    pause = 0.0
    for after, length in pieces:
        parts.append([pause, {"raw": data[at:length].hex()}])
        pause, at = after, length
    return {"pieces": [*parts, [pause, {"raw": data[at:].hex()}]]}


async def test_a_pause_of_two_seconds(tmp_path: Path) -> None:
    inverter = ScriptedInverter.of(CASE)
    async with on_the_bus(tmp_path, inverter, lines=LINES) as field:
        await field.shows(UNIT, RIGHT)
        await field.daemon.says("slow")


@pytest.mark.parametrize(
    "pieces",
    [((1.9, 1),), ((1.2, 30), (1.2, 70)), ((1.9, 106),)],
    ids=["at-the-start", "twice", "at-the-end"],
)
async def test_other_pauses(tmp_path: Path, pieces: tuple[tuple[float, int]]) -> None:
    inverter = ScriptedInverter.of(CASE)
    inverter.replies["QPIGS"] = [broken(STATUS, *pieces)]
    inverter.replies["QPIRI"] = [RATINGS]
    async with on_the_bus(tmp_path, inverter, lines=LINES) as field:
        await field.shows(UNIT, RIGHT)


async def test_a_pause_where_the_user_has_set_a_short_patience(tmp_path: Path) -> None:
    inverter = ScriptedInverter.of(CASE)
    inverter.replies["QPIGS"] = [broken(STATUS, (0.9, 40))]
    inverter.replies["QPIRI"] = [broken(RATINGS, (0.9, 40))]
    lines = LINES + "timeout = 0.3\n"
    async with on_the_bus(tmp_path, inverter, lines=lines) as field:
        await field.shows(UNIT, RIGHT)


async def test_a_reply_that_is_never_finished_is_given_up(tmp_path: Path) -> None:
    """Waiting is bounded: the next poll comes, and its values are shown."""
    inverter = ScriptedInverter.of(CASE)
    half = encode_reply(STATUS)[:40].hex()
    inverter.replies["QPIGS"] = [STATUS, STATUS, {"raw": half}, STATUS]
    inverter.replies["QPIRI"] = [RATINGS]
    async with on_the_bus(tmp_path, inverter, lines=LINES) as field:
        await inverter.is_asked("QPIGS", 5, 60)
        await field.shows(UNIT, RIGHT)


async def test_a_line_too_slow_for_the_poll_shows_the_mode_all_the_time(
    tmp_path: Path,
) -> None:
    """Every reply pauses: the mode comes once in three rounds of 4.5 s."""
    inverter = ScriptedInverter.of(CASE)
    inverter.replies |= {"QPIGS": [STATUS], "QPIRI": [RATINGS]}
    for command, replies in inverter.replies.items():
        inverter.replies[command] = [
            broken(reply, (1.5, 3)) if isinstance(reply, str) else reply
            for reply in replies
        ]
    async with on_the_bus(tmp_path, inverter, lines=LINES) as field:
        await field.shows(UNIT, RIGHT | {"/State": 3}, 60)
        field.watcher.signals.clear()
        await inverter.is_asked("QPIGS", 9, 120)
        assert await field.changes(UNIT, "/State") == {"/State": []}

"""A reply belongs to its question: frames that nobody asked for change nothing.

Gateways send a frame again, or late; some units say NAK once more, unasked.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.field import detected, on_the_bus
from helpers.run import MULTI
from helpers.scripted import Item, ScriptedInverter

UNIT = MULTI + "96322310100001"
CASE = "nak-after-each-reply"
RIGHT: dict[str, object] = {
    "/Serial": "96322310100001",
    "/ProductName": "VMIII-5000",
    "/Mppdbus/Mode": "L",
    "/State": 3,
    "/NrOfTrackers": 2,
    "/Ac/Out/L1/P": 1773.0,
    "/Dc/0/Voltage": 52.2,
    "/Pv/1/V": 327.3,
    "/Ac/Out/L1/NominalInverterPower": 4000.0,
    "/Mppdbus/Warnings": "",
    "/SwitchableOutput/Buzzer/State": 1,
}
LATE = 1.25  # s; an inverter may think for 1 s


def said(inverter: ScriptedInverter, command: str) -> str:
    """Return the payload of the first reply to a command."""
    item = inverter.replies[command][0]
    while isinstance(item, dict):
        item = item["pieces"][0][1]
    assert isinstance(item, str)
    return item


def plain() -> ScriptedInverter:
    """Return the unit of the case without its strays."""
    inverter = ScriptedInverter.of(CASE)
    for command in inverter.replies:
        inverter.replies[command] = [said(inverter, command)]
    return inverter


def with_strays(*strays: tuple[float, Item]) -> ScriptedInverter:
    """Return the unit with the same strays behind each of its replies."""
    inverter = plain()
    for command, (reply,) in inverter.replies.items():
        inverter.replies[command] = [{"pieces": [[0, reply], *map(list, strays)]}]
    return inverter


async def test_the_unit_without_strays(tmp_path: Path) -> None:
    async with on_the_bus(tmp_path, plain()) as field:
        await field.shows(UNIT, RIGHT)


async def test_a_nak_behind_each_reply(tmp_path: Path) -> None:
    async with on_the_bus(tmp_path, ScriptedInverter.of(CASE)) as field:
        await field.shows(UNIT, RIGHT)


async def test_detect_where_a_nak_is_behind_each_reply(tmp_path: Path) -> None:
    (record,) = (await detected(ScriptedInverter.of(CASE), tmp_path)).records
    assert record["serial"] == "96322310100001"
    assert record["model"] == "VMIII-5000"


@pytest.mark.parametrize(
    "stray",
    ["PI30", "VMIII-5000", "00000000000000000000000000000000", {"raw": "284e414b0d"}],
    ids=["PI30", "name", "warnings", "bare-NAK"],
)
async def test_the_same_frame_behind_each_reply(tmp_path: Path, stray: Item) -> None:
    async with on_the_bus(tmp_path, with_strays((0.06, stray))) as field:
        await field.shows(UNIT, RIGHT)


async def test_every_reply_comes_twice(tmp_path: Path) -> None:
    inverter = plain()
    for command, (reply,) in inverter.replies.items():
        inverter.replies[command] = [{"pieces": [[0, reply], [0.06, reply]]}]
    async with on_the_bus(tmp_path, inverter) as field:
        await field.shows(UNIT, RIGHT)


@pytest.mark.parametrize("command", ["QPI", "QID", "QMOD", "QPIGS", "QPIRI", "QMN"])
async def test_the_first_reply_comes_late(tmp_path: Path, command: str) -> None:
    """It comes when the question was asked anew, and so one reply too many comes."""
    inverter = plain()
    (reply,) = inverter.replies[command]
    inverter.first(command, {"pieces": [[LATE, reply]]})
    async with on_the_bus(tmp_path, inverter) as field:
        await field.shows(UNIT, RIGHT)

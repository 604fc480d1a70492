"""A reply belongs to its question: frames that nobody asked for change nothing.

Gateways send a frame again, or late; some units say NAK once more, unasked.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.field import detected, on_the_bus
from helpers.processes import until
from helpers.run import MULTI
from helpers.scripted import Item, ScriptedInverter
from mppdbus.protocol.framing import encode_reply

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
METERLIKE = "7777777 0000 0"  # several words
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


async def test_live_values_in_front_of_the_ratings(tmp_path: Path) -> None:
    """A gateway repeats a QPIGS of 21 words, as many as the QPIRI of a REVO has."""
    inverter = ScriptedInverter.of("eg4-pair")
    stray = {"raw": encode_reply(said(inverter, "QPIGS")).hex()}
    reply = said(inverter, "QPIRI")
    inverter.replies["QPIRI"] = [{"pieces": [[0, stray], [0.05, reply]]}]
    async with on_the_bus(tmp_path, inverter) as field:
        right = {"/Ac/Out/L2/NominalInverterPower": 6500.0, "/Dc/0/Voltage": 52.5}
        await field.shows(MULTI + "96342210100001", right)


async def test_other_replies_in_front_of_the_meter(tmp_path: Path) -> None:
    """Its reply is one number, and not the first word of another one."""
    inverter = plain()
    stray = {"raw": encode_reply(METERLIKE).hex()}
    inverter.replies["QET"] = [{"pieces": [[0, stray], [0.05, "00012345"]]}]
    async with on_the_bus(tmp_path, inverter) as field:

        async def metered() -> bool:
            values = await field.watcher.values(UNIT)
            return (values.get("/Yield/System") or 0) > 12.3

        await until(metered, lambda: field.daemon.said)
        (told,) = (await field.changes(UNIT, "/Yield/System")).values()
        assert all(kwh is None or kwh < 12.6 for kwh in told), told


@pytest.mark.parametrize("command", ["QMN", "QVFW", "QFLAG"])
async def test_two_replies_without_the_cr_between_them(
    tmp_path: Path, command: str
) -> None:
    """The first one is lost; the other one answers another question."""
    inverter = plain()
    before = encode_reply(said(inverter, "QID")).hex()
    glued = encode_reply(said(inverter, command))[:-1].hex() + before
    inverter.first(command, {"raw": glued})
    async with on_the_bus(tmp_path, inverter) as field:
        await field.shows(UNIT, RIGHT)
        names = (await field.changes(UNIT, "/ProductName"))["/ProductName"]
        assert "96322310100001" not in names

"""One NAK decides nothing: some units refuse now and then what they know.

Two units that synchronise refuse for a moment; a cheap clone refuses two in five.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from helpers.field import LINES, Field, detected, on_the_bus, run_command
from helpers.run import MULTI, SYSTEM
from helpers.scripted import NAK, ScriptedInverter

LEAD = MULTI + "96342210100001"
MEMBER = MULTI + "96342210100002"
# What the pair shows when nothing is refused.
PAIR: dict[str, dict[str, object]] = {
    LEAD: {
        "/Serial": "96342210100001",
        "/ProductName": "MKS2-6500",
        "/Mppdbus/Dialect": "pi30lv",
        "/Mppdbus/Mode": "B",
        "/Mppdbus/Warnings": "",
        "/NrOfTrackers": 2,
        "/Pv/1/V": 0.0,
        "/Ac/Out/L2/P": 2442.0,
        "/Ac/Out/L2/NominalInverterPower": 6500.0,
        "/SwitchableOutput/Buzzer/State": 1,
    },
    MEMBER: {"/Serial": "96342210100002", "/Ac/Out/L1/P": 2079.0, "/NrOfTrackers": 2},
    SYSTEM: {"/Ac/Out/P": 4521.0, "/Dc/0/Current": -98.0},
}
KNOWN = (
    "QPI", "QID", "QMOD", "QPIGS", "QPIRI", "QPIGS2", "QPIWS",
    "QMN", "QGMN", "QVFW", "QFLAG", "QPGS0", "QPGS1",
)  # fmt: skip
NAMING = ("QPI", "QID", "QMN", "QGMN", "QVFW", "QPIRI", "QPIGS", "QPIWS")

RECORDED = ("QPIRI", "QPGS0")  # the others: tests/recording/test_recorder.py


async def shows_the_pair(field: Field) -> None:
    for service, wanted in PAIR.items():
        await field.shows(service, wanted)


def refusing(pattern: tuple[bool, ...], commands: Iterable[str]) -> ScriptedInverter:
    """Return the pair's lead, which refuses where the pattern says so, for ever."""
    inverter = ScriptedInverter.of("eg4-pair", cycle=True)
    for command in commands:
        (said,) = inverter.replies[command]
        inverter.replies[command] = [NAK if no else said for no in pattern]
    return inverter


async def test_the_pair_as_it_is(tmp_path: Path) -> None:
    """The end of the daemon is not told as a silence of the member."""
    async with on_the_bus(tmp_path, ScriptedInverter.of("eg4-pair")) as field:
        await shows_the_pair(field)
        assert await field.daemon.terminate() == 0
        assert "any more" not in field.daemon.said


@pytest.mark.parametrize("command", KNOWN)
async def test_a_nak_before_the_first_reply(tmp_path: Path, command: str) -> None:
    inverter = ScriptedInverter.of("eg4-pair").first(command, NAK)
    async with on_the_bus(tmp_path, inverter) as field:
        await shows_the_pair(field)


@pytest.mark.parametrize("command", [each for each in KNOWN if each != "QPGS1"])
async def test_naks_to_what_was_answered_before(tmp_path: Path, command: str) -> None:
    """What was shown is shown all the time, through two refusals."""
    inverter = ScriptedInverter.of("eg4-pair")
    async with on_the_bus(tmp_path, inverter) as field:
        await shows_the_pair(field)
        field.watcher.signals.clear()
        (said,) = inverter.replies[command]
        inverter.then(command, NAK, NAK, said)
        await inverter.is_asked("QPIGS", 8)
        await shows_the_pair(field)
        for service, wanted in PAIR.items():
            changes = await field.changes(service, *wanted)
            assert changes == {path: [] for path in wanted}


@pytest.mark.parametrize(("command", "most"), [("QPIGS", 4), ("QMOD", 3), ("QMOD", 9)])
async def test_refusals_in_a_row(tmp_path: Path, command: str, most: int) -> None:
    """A unit that refuses two in five does so now and then."""
    inverter = ScriptedInverter.of("eg4-pair")
    async with on_the_bus(tmp_path, inverter) as field:
        await field.shows(LEAD, PAIR[LEAD] | {"/State": 9})
        field.watcher.signals.clear()
        (said,) = inverter.replies[command]
        inverter.then(command, *[NAK] * most, said)
        await inverter.is_asked(command, most + 2)
        changes = await field.changes(LEAD, "/State", "/Ac/Out/L2/P", "/Mppdbus/Mode")
        assert not any(changes.values()), changes
        assert "answers again" not in field.daemon.said


async def test_a_second_tracker_that_is_refused_is_soon_settled(tmp_path: Path) -> None:
    """Without it PV and mains are unknown; a NAK decides in a second round."""
    inverter = ScriptedInverter.of("ratings-24-words")
    lines = LINES.replace("poll = 0.5", "poll = 2.0")
    known = {"/NrOfTrackers": 1, "/Pv/V": 305.6, "/Yield/Power": 0.0}
    async with on_the_bus(tmp_path, inverter, lines=lines) as field:
        await field.shows(MULTI + "92332101100001", known)
        # A live poll every 2 s, and one before the name is there.
        assert inverter.asked["QPIGS"] <= 4
        assert inverter.asked["QPIGS2"] == 2


async def test_two_refusals_in_five(tmp_path: Path) -> None:
    commands = [command for command in KNOWN if command != "QPIGS"]
    inverter = refusing((True, False, True, False, False), commands)
    async with on_the_bus(tmp_path, inverter) as field:
        await shows_the_pair(field)


async def test_a_number_that_is_not_said_at_first(tmp_path: Path) -> None:
    """Five questions are silent: the name on the bus has it all the same."""
    inverter = ScriptedInverter.of("eg4-pair").first("QID", *[None] * 5)
    async with on_the_bus(tmp_path, inverter) as field:
        await field.shows(LEAD, PAIR[LEAD], 40)
        owners = [n for n in await field.watcher.names() if n.endswith("tty0")]
        assert owners == []
        assert "has no number" not in field.daemon.said


@pytest.mark.lengthy
async def test_a_number_that_comes_late(tmp_path: Path) -> None:
    """The unit is known by its place until then, and by its number from then on."""
    inverter = ScriptedInverter.of("eg4-pair").first("QID", *[NAK] * 3)
    async with on_the_bus(tmp_path, inverter) as field:
        await field.shows(MULTI + "tty0", {"/Serial": None, "/Ac/Out/L2/P": 2442.0})
        await field.shows(LEAD, PAIR[LEAD], 90)
        assert MULTI + "tty0" not in await field.watcher.names()


# -- the commands ------------------------------------------------------------------


async def found(inverter: ScriptedInverter, folder: Path) -> dict[str, Any]:
    (record,) = (await detected(inverter, folder)).records
    return {key: record.get(key) for key in ("serial", "model", "dialect", "family")}


@pytest.mark.parametrize("command", NAMING)
async def test_detect_after_a_nak(tmp_path: Path, command: str) -> None:
    plain = await found(ScriptedInverter.of("eg4-pair"), tmp_path)
    inverter = ScriptedInverter.of("eg4-pair").first(command, NAK)
    assert await found(inverter, tmp_path) == plain


async def test_detect_finds_the_same_each_time(tmp_path: Path) -> None:
    """The unit goes on where it was, as a real one does."""
    inverter = refusing((False, True, False, True, False), NAMING)
    runs = [await found(inverter, tmp_path) for _ in range(3)]
    assert runs[0]["serial"] == "96342210100001"
    assert runs[0]["model"] == "MKS2-6500"
    assert runs[1:] == runs[:1] * 2


@pytest.mark.parametrize("command", RECORDED)
async def test_record_after_a_nak(tmp_path: Path, command: str) -> None:
    inverter = ScriptedInverter.of("eg4-pair").first(command, NAK)
    file, port = tmp_path / "unit.jsonl", tmp_path / "inverter"
    words = ("--timeout", "0.5", "--baud", "115200", "--cycles", "0")
    async with inverter.at(port):
        done = await run_command(
            "record", "--port", str(port), *words, "--output", str(file)
        )
    assert done.code == 0, done.err
    rows = map(json.loads, file.read_text().splitlines())
    qualities = [row["quality"] for row in rows if row["command"] == command]
    assert "good" in qualities

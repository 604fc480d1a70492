"""An intact QPIGS of zeros, which units of a set send now and then."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.field import Field, on_the_bus
from helpers.run import MULTI, SYSTEM
from helpers.scripted import NAK, ScriptedInverter

UNIT = MULTI + "96342210100001"
CASE = "status-of-zeros"
RIGHT = {
    "/Ac/Out/L1/V": 120.1,
    "/Ac/Out/L1/P": 2442.0,
    "/Ac/In/1/L1/V": 123.5,
    "/Ac/ActiveIn/ActiveInput": 0,
}


def unit(*, mode: str = "L") -> ScriptedInverter:
    """Return a unit of its own, which says nothing of a set."""
    inverter = ScriptedInverter.of(CASE)
    for query in ("QPGS0", "QPGS1"):
        inverter.replies[query] = [NAK]
    inverter.replies["QMOD"] = [mode]
    return inverter


async def right_or_unknown(field: Field) -> None:
    """Check that nothing else was shown than what is right, or nothing."""
    for service in (UNIT, SYSTEM):
        for path, told in (await field.changes(service, *RIGHT)).items():
            assert set(told) <= {None, RIGHT[path]}, (service, path)


async def test_zeros_in_one_poll_of_six(tmp_path: Path) -> None:
    inverter = unit()
    async with on_the_bus(tmp_path, inverter) as field:
        await field.shows(UNIT, RIGHT)
        field.watcher.signals.clear()
        await inverter.is_asked("QPIGS", 9)
        await right_or_unknown(field)


BATTERY_TOO = (
    "000.0 00.0 120.1 60.0 0000 0000 000 000 00.00 000 000 0000 00.0 000.0 00.00 00000 "
    "00000000 00 00 00000 010"
)
ALL_OF_IT = (
    "000.0 00.0 000.0 00.0 0000 0000 000 000 00.00 000 000 0000 00.0 000.0 00.00 00000 "
    "00000000 00 00 00000 000"
)
MAINS_THERE = (
    "123.5 60.0 000.0 00.0 0000 0000 000 369 52.60 000 068 0033 00.0 000.0 00.00 00000 "
    "00000000 00 00 00000 010"
)


@pytest.mark.parametrize(
    "zeros",
    [
        pytest.param(BATTERY_TOO, id="battery-too"),
        pytest.param(ALL_OF_IT, id="all-of-it"),
        pytest.param(MAINS_THERE, id="mains-there"),
    ],
)
async def test_other_zeros_once(tmp_path: Path, zeros: str) -> None:
    inverter = unit()
    good = inverter.replies["QPIGS"][0]
    inverter.then("QPIGS", good)
    async with on_the_bus(tmp_path, inverter) as field:
        await field.shows(UNIT, RIGHT)
        field.watcher.signals.clear()
        inverter.replies["QPIGS"] = [good] * 5 + [zeros]
        inverter.asked["QPIGS"] = 4
        await inverter.is_asked("QPIGS", 5)
        await right_or_unknown(field)


async def test_the_very_first_reply_is_zeros(tmp_path: Path) -> None:
    inverter = unit()
    good, zeros = inverter.replies["QPIGS"][0], inverter.replies["QPIGS"][-1]
    inverter.replies["QPIGS"] = [zeros, *[good] * 60]
    async with on_the_bus(tmp_path, inverter) as field:
        await field.shows(UNIT, RIGHT)
        await field.shows(SYSTEM, {"/Ac/Out/L1/P": RIGHT["/Ac/Out/L1/P"]})
        await right_or_unknown(field)
        await field.shows(UNIT, {"/History/Daily/0/MinBatteryVoltage": 52.5})


async def test_mains_that_is_lost_is_shown(tmp_path: Path) -> None:
    """The mode says so, too."""
    inverter = unit()
    good = inverter.replies["QPIGS"][0]
    inverter.then("QPIGS", good)
    async with on_the_bus(tmp_path, inverter) as field:
        await field.shows(UNIT, RIGHT)
        assert isinstance(good, str)
        inverter.then("QMOD", "B")
        inverter.then("QPIGS", good.replace("123.5 60.0", "000.0 00.0", 1))
        lost = {"/Ac/In/1/L1/V": 0.0, "/Ac/In/1/L1/F": 0.0}
        await field.shows(
            UNIT, {**lost, "/Ac/ActiveIn/ActiveInput": 240, "/Ac/Out/L1/P": 2442.0}
        )


async def test_a_unit_that_is_off_shows_zeros(tmp_path: Path) -> None:
    """Its mode says so, and the zeros stay."""
    inverter = unit()
    good, zeros = inverter.replies["QPIGS"][0], inverter.replies["QPIGS"][-1]
    inverter.then("QPIGS", good)
    async with on_the_bus(tmp_path, inverter) as field:
        await field.shows(UNIT, RIGHT)
        inverter.then("QMOD", "S")
        inverter.then("QPIGS", zeros)
        await field.shows(UNIT, {"/Mode": 4, "/Ac/Out/L1/P": 0.0})


async def test_the_first_ratings_are_zeros(tmp_path: Path) -> None:
    """They are asked again soon, and not with the next round in a minute."""
    inverter = unit()
    (good,) = inverter.replies["QPIRI"]
    zeros = "000.0 00.0 000.0 00.0 00.0 0000 0000 00.0 00.0 00.0 00.0 00.0 0 00 000 0 0"
    inverter.replies["QPIRI"] = [f"{zeros} 0 0 00 0 0 00.0 0 0 000 0 000", good]
    async with on_the_bus(tmp_path, inverter) as field:
        known = {"/Dc/0/Voltage": 52.5, "/Ac/Out/L1/NominalInverterPower": 6500.0}
        await field.shows(UNIT, known, seconds=45)

"""A unit without a battery, and what is shown before its ratings are known."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.field import on_the_bus
from helpers.run import MULTI, SYSTEM
from helpers.scripted import NAK, ScriptedInverter

UNIT = MULTI + "96322310100001"
CASE = "no-battery"
WITH_SUN = (
    "221.0 50.0 221.0 50.0 0950 0939 015 308 12.80 000 000 0031 02.0 150.0 00.00 00000 "
    "00010000 00 00 00300 010"
)
FOR_12_V = (
    "230.0 04.3 230.0 50.0 04.3 1000 1000 12.0 11.5 10.5 14.1 13.5 2 010 010 1 1 2 1 "
    "01 0 0 13.5 0 1"
)
VOLTS = (
    "/History/Daily/0/MinBatteryVoltage",
    "/History/Daily/0/MaxBatteryVoltage",
    "/History/Overall/MinBatteryVoltage",
    "/History/Overall/MaxBatteryVoltage",
)
NONE: dict[str, object] = dict.fromkeys(
    ("/Dc/0/Voltage", "/Dc/0/Current", "/Dc/0/Power", "/Soc", *VOLTS)
)


@pytest.mark.parametrize("naks", [0, 3])
async def test_the_terminal_voltage_of_no_battery(tmp_path: Path, naks: int) -> None:
    """12.8 V where 48 V go are no battery; QPIRI may come late."""
    inverter = ScriptedInverter.of(CASE).first("QPIRI", *[NAK] * naks)
    async with on_the_bus(tmp_path, inverter) as field:
        known = {"/Ac/Out/L1/NominalInverterPower": 6200.0, "/Ac/In/1/L1/P": 939.0}
        values = await field.shows(UNIT, known)
        assert {path: values.get(path) for path in NONE} == NONE
        assert values["/Ac/Out/L1/P"] == 939.0
        system = await field.shows(SYSTEM, {"/Ac/Out/P": 939.0})
        assert system["/Soc"] is None
        told = await field.changes(UNIT, *NONE)
        assert [path for path, all_of in told.items() if any(all_of)] == []


async def test_grid_power_is_load_less_pv_without_a_battery(tmp_path: Path) -> None:
    inverter = ScriptedInverter.of(CASE)
    inverter.replies["QPIGS"] = [WITH_SUN]
    async with on_the_bus(tmp_path, inverter) as field:
        await field.shows(UNIT, {"/Dc/0/Voltage": None, "/Ac/In/1/L1/P": 639.0})


async def test_twelve_volts_of_a_unit_for_twelve_volts(tmp_path: Path) -> None:
    inverter = ScriptedInverter.of(CASE)
    inverter.replies["QPIRI"] = [FOR_12_V]
    async with on_the_bus(tmp_path, inverter) as field:
        wanted = {"/Dc/0/Voltage": 12.8, VOLTS[0]: 12.8, VOLTS[1]: 12.8}
        await field.shows(UNIT, wanted)

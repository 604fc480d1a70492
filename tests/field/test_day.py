"""The day is that of the GX: its zone is a setting, while its processes run in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from helpers.field import on_the_bus
from helpers.run import MULTI, eventually
from helpers.scripted import ScriptedInverter
from helpers.settings import Kept, OwnService

UNIT = MULTI + "92332101100001"
ZONE = "/Settings/System/TimeZone"
EAST, WEST = "Pacific/Kiritimati", "Pacific/Pago_Pago"  # 14 h before, 11 h behind UTC
STATUS = (
    "230.1 49.9 230.0 50.0 0712 0635 014 369 26.90 003 097 0037 06.2 145.1 00.00 00000 "
    "10010110 00 00 00907 110"
)


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")


def another_day() -> str:
    """Return a zone in which it is another day than in UTC."""
    return EAST if datetime.now(UTC).hour >= 10 else WEST


def day_in(zone: str) -> str:
    return f"{datetime.now(ZoneInfo(zone)):%Y%m%d}"


def unit(zone: str) -> ScriptedInverter:
    """Return an inverter with meters of energy, whose clock is right in a zone."""
    inverter = ScriptedInverter.of("status-mute")
    now = datetime.now(ZoneInfo(zone))
    said = {"QPIGS": STATUS, "QT": f"{now:%Y%m%d%H%M%S}", "QET": "00012345"}
    said[f"QED{now:%Y%m%d}"] = "00001230"
    for query, reply in said.items():
        inverter.replies[query] = [reply]
    return inverter


def settings(zone: str) -> OwnService:
    service = OwnService("")
    service.settings[ZONE] = Kept(zone, "/UTC", "", "")
    return service


async def test_the_meter_of_the_day_is_read(tmp_path: Path) -> None:
    zone = another_day()
    inverter = unit(zone)
    async with on_the_bus(tmp_path, inverter, settings=settings(zone)) as field:
        await eventually(lambda: inverter.asked["QT"] >= 2)
        await eventually(lambda: inverter.asked[f"QED{day_in(zone)}"])
        assert field.daemon.running


async def test_the_zone_changes(tmp_path: Path) -> None:
    """Where it is tomorrow already, a new day begins."""
    late = datetime.now(UTC).hour >= 10
    before, after = ("UTC", EAST) if late else (WEST, "UTC")
    service, inverter = settings(before), unit(before)
    async with on_the_bus(tmp_path, inverter, settings=service) as field:
        await field.shows(UNIT, {"/History/Overall/DaysAvailable": 1})
        service._set(ZONE, after)
        await field.shows(UNIT, {"/History/Overall/DaysAvailable": 2})


async def test_a_zone_that_is_unknown_is_said(tmp_path: Path) -> None:
    service = settings("Nowhere/Land")
    async with on_the_bus(tmp_path, unit("UTC"), settings=service) as field:
        await field.daemon.says("UTC")


async def test_without_a_setting_it_is_the_day_of_the_process(tmp_path: Path) -> None:
    inverter = unit("UTC")
    async with on_the_bus(tmp_path, inverter) as field:
        await eventually(lambda: inverter.asked[f"QED{day_in('UTC')}"])
        assert field.daemon.running

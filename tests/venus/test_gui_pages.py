"""What the pages of gui-v2 read, as they read it: on a real bus, row by row."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from helpers.bus import serving
from helpers.installation import FIRST, SERIALS, Home, at_home, said, unit
from helpers.run import SYSTEM, Watcher, eventually
from helpers.snapshots import warnings
from mppdbus.model.snapshot import Snapshot
from mppdbus.model.views import Unit
from mppdbus.protocol.replies.status import SecondPhase
from mppdbus.venus.dbus.items import Item, ItemType
from mppdbus.venus.notifications import INJECT, PLATFORM


@dataclass
class Gui:
    """Reads the services of a home as the GUI does."""

    address: str
    state: Path
    watcher: Watcher

    def home(self, *units: Unit) -> AbstractAsyncContextManager[Home]:
        return at_home(self.address, self.state, *units)

    async def shows(self, service: str, values: dict[str, Any]) -> dict[str, Any]:
        return await self.watcher.wait(service, values)


@pytest.fixture
async def gui(bus_address: str, state: Path) -> AsyncIterator[Gui]:
    async with Watcher.on(bus_address) as watcher:
        yield Gui(bus_address, state, watcher)


# -- two legs in one unit --------------------------------------------------------------


def two_legs(grid: float | None, mode: str = "L", *, here: float = 121.0) -> Snapshot:
    """A PI41 whose second leg says `grid` V at its input."""
    second = SecondPhase(
        grid_voltage=grid,
        grid_frequency=None if grid is None else 60.0,
        ac_output_voltage=120.0,
        ac_output_frequency=60.0,
        ac_output_apparent_power=400,
        ac_output_active_power=360,
    )
    snapshot = said(SERIALS[0], mode, grid=here, load=840)
    return replace(snapshot, second=second)


async def test_the_page_of_a_pi41_shows_both_legs(gui: Gui) -> None:
    """PageMultiRs shows the table of phases only where AcPhase is invalid."""
    async with gui.home(unit(0)) as home:
        await home.meet(0, said(SERIALS[0]))
        values = await gui.watcher.values(FIRST)
        assert values["/Ac/NumberOfPhases"] == 1
        assert values["/Settings/System/AcPhase"] == 0
        home.hear(0, two_legs(119.0))
        legs: dict[str, Any] = {
            "/Ac/NumberOfPhases": 2,
            "/Settings/System/AcPhase": None,
        }
        legs |= {"/Ac/Out/L1/P": 840.0, "/Ac/Out/L2/P": 360.0}
        await gui.shows(FIRST, legs)


async def test_a_system_of_two_phases_has_the_table_of_three(gui: Gui) -> None:
    """RsSystemAcIODisplay knows 1 and 3 phases, and shows nothing for 2."""
    async with gui.home(unit(0)) as home:
        await home.meet(0, two_legs(119.0))
        shown = {"/Ac/NumberOfPhases": 3, "/Ac/Out/L1/P": 840.0, "/Ac/Out/L2/P": 360.0}
        values = await gui.shows(SYSTEM, shown)
        third = [path for path, value in values.items() if "/L3/" in path and value]
        assert third == []


@pytest.mark.parametrize(
    ("grid", "here", "shown"),
    [
        (119.0, 121.0, 119.0),
        (None, 121.0, 121.0),
        (0.0, 121.0, None),
        (None, 0.0, None),
    ],
    ids=["its own", "that of L1", "none on L2", "no mains"],
)
async def test_both_legs_have_mains(
    gui: Gui, grid: float | None, here: float, shown: float | None
) -> None:
    """gui-v2 takes V and Hz of the loads on L2 from the input of L2."""
    async with gui.home(unit(0)) as home:
        await home.meet(0, two_legs(grid, here=here))
        for service in (FIRST, SYSTEM):
            values = await gui.shows(service, {"/Ac/In/1/L2/V": shown})
            assert (values["/Ac/In/1/L2/F"] is None) == (shown is None)


# -- alarms ----------------------------------------------------------------------------

STRANGE, FAN, OVERLOADED, OVER_CURRENT = "56", "01", "07", "51"


def stopped(code: str, *bits: int) -> Snapshot:
    """A MAX that has stopped with this fault code."""
    snapshot = said(SERIALS[0], "F")
    shown = warnings(1, *bits).bits
    coded = shown[:32] + code + shown[34:]
    return replace(
        snapshot,
        identity=replace(snapshot.identity, dialect="pi30max"),
        warnings=type(warnings()).from_payload(coded.encode()),
    )


@pytest.mark.parametrize(
    ("code", "leaf", "number", "text"),
    [
        (OVERLOADED, "Overload", None, None),
        (OVER_CURRENT, None, 18, None),
        (FAN, None, None, "Fan locked while the inverter was off (fault 01)"),
        (STRANGE, None, None, "Inverter fault 56"),
    ],
)
async def test_one_fault_is_one_alarm(
    gui: Gui, code: str, leaf: str | None, number: int | None, text: str | None
) -> None:
    """An injected text is inactive at once, so it never stands beside an alarm."""
    inject = Item(INJECT, ItemType.TEXT, writable=True)
    async with (
        serving(gui.address, [inject], name=PLATFORM) as (platform, _),
        gui.home(unit(0)) as home,
    ):
        await home.meet(0, said(SERIALS[0]))
        await gui.shows(FIRST, {"/ErrorCode": 0})
        home.hear(0, stopped(code))
        values = await gui.shows(FIRST, {"/State": 2, "/ErrorCode": number})
        active = [
            path.removeprefix("/Alarms/")
            for path, value in values.items()
            if path.startswith("/Alarms/") and value
        ]
        assert active == ([leaf] if leaf else [])
        # What is injected later comes after what was injected now.
        home.hear(0, said(SERIALS[0], load=700))
        await gui.shows(FIRST, {"/Ac/Out/L1/P": 700.0})
        if text:
            await eventually(lambda: platform.value(INJECT))
        assert platform.value(INJECT) == (text and f"1\tunit 0\t{text}")

"""What the pages of gui-v2 read, as they read it: on a real bus, row by row."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from helpers.bus import serving
from helpers.installation import (
    BATTERY,
    FIRST,
    SECOND,
    SERIALS,
    THIRD,
    Home,
    at_home,
    names_become,
    owners_of,
    said,
    unit,
    write,
)
from helpers.run import INVERTER, SYSTEM, Watcher, eventually
from helpers.snapshots import warnings
from helpers.state import LoopTime
from mppdbus.model.battery.bank import Source
from mppdbus.model.snapshot import Snapshot
from mppdbus.model.views import Unit
from mppdbus.protocol.queries import decode
from mppdbus.protocol.replies.settings import Flags
from mppdbus.protocol.replies.status import SecondPhase
from mppdbus.venus import unit_service
from mppdbus.venus.dbus.items import Item, ItemType, Value
from mppdbus.venus.dbus.service import Service
from mppdbus.venus.dbus.writes import ACCEPTED
from mppdbus.venus.notifications import INJECT, PLATFORM
from mppdbus.venus.tables.cards import CORRECTION


@dataclass
class Gui:
    """Reads the services of a home as the GUI does."""

    address: str
    state: Path
    watcher: Watcher

    def home(
        self, *units: Unit, together: float = 0.0
    ) -> AbstractAsyncContextManager[Home]:
        return at_home(self.address, self.state, *units, together=together)

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
    [(119.0, 121.0, 119.0), (None, 121.0, 121.0), (0.0, 121.0, 0.0), (None, 0.0, 0.0)],
    ids=["its own", "that of L1", "none on L2", "no mains"],
)
async def test_both_legs_have_mains(
    gui: Gui, grid: float | None, here: float, shown: float
) -> None:
    """gui-v2 takes V and Hz of the loads on L2 from the input of L2."""
    async with gui.home(unit(0)) as home:
        await home.meet(0, two_legs(grid, here=here))
        for service in (FIRST, SYSTEM):
            values = await gui.shows(service, {"/Ac/In/1/L2/V": shown})
            assert values["/Ac/In/1/L2/F"] is not None


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


# -- no reply --------------------------------------------------------------------------


@dataclass
class Platform:
    """Plays venus-platform: remembers all that is injected."""

    address: str
    said: list[Value] = field(default_factory=list)

    @asynccontextmanager
    async def on_the_bus(self) -> AsyncIterator[None]:
        items = [Item(INJECT, ItemType.TEXT, writable=True)]
        service = Service(PLATFORM, items, address=self.address, writer=self._take)
        await service.start()
        try:
            yield
        finally:
            await service.close()

    def _take(self, _path: str, value: Value) -> int:
        self.said.append(value)
        return ACCEPTED


async def test_a_lost_link_is_told_once_and_does_not_read_off(
    gui: Gui, monkeypatch: pytest.MonkeyPatch
) -> None:
    """gui-v2 and systemcalc take an invalid /State for 0, which is "Off"."""
    monkeypatch.setattr(unit_service, "SILENT", 0.1)
    monkeypatch.setattr(unit_service, "AWAY", 0.4)
    platform = Platform(gui.address)
    member = unit(1, reported=True, connection="/dev/ttyUSB0 (2222222)")
    async with platform.on_the_bus(), gui.home(unit(0), member) as home:
        await home.meet(0, said(SERIALS[0]))
        await home.meet(1, said(SERIALS[1]))
        for index in (0, 1):
            home.unplug(index, SERIALS[index])
        for service in (FIRST, SECOND, SYSTEM):
            await gui.shows(service, {"/State": 255, "/Connected": 0})
        await names_become(gui.watcher, PLATFORM)  # the GUI shows "Not connected"
        assert platform.said == ["0\tunit 0\tNo reply from unit 0"]
        home.hear(0, said(SERIALS[0]))
        await gui.shows(FIRST, {"/State": 8, "/Connected": 1})
        home.hear(1, said(SERIALS[1]))
        home.unplug(1, SERIALS[1])  # it alone, the one with the cable answers
        await eventually(lambda: len(platform.said) == 2)
        assert platform.said[1:] == ["0\tunit 1\tNo reply from unit 1"]


async def test_a_short_silence_is_not_told_and_costs_no_name(
    gui: Gui, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = Platform(gui.address)
    async with (
        platform.on_the_bus(),
        gui.home(unit(0)) as home,
        owners_of(gui.watcher) as seen,
    ):
        await home.meet(0, said(SERIALS[0]))
        await names_become(gui.watcher, FIRST, SYSTEM, PLATFORM)
        seen.clear()
        with monkeypatch.context() as patch:
            time = LoopTime(patch)
            for _ in range(20):  # together for longer than one silence may last
                home.unplug(0, SERIALS[0])
                await time.advance(20.0)  # three polls, and a port opened again
                home.hear(0, said(SERIALS[0]))
                await time.advance(1.0)
        await gui.shows(FIRST, {"/Connected": 1})
        assert (seen, platform.said) == ([], [])


# -- a set comes at once ---------------------------------------------------------------


async def test_the_names_of_a_set_come_together(gui: Gui) -> None:
    """gui-v2 may keep the number of phases that it has seen first."""
    units = [unit(number, phase=number + 1) for number in range(3)]
    async with owners_of(gui.watcher) as seen, gui.home(*units, together=60.0) as home:
        first = [
            asyncio.create_task(home.meet(number, said(SERIALS[number])))
            for number in (2, 0)
        ]
        await asyncio.sleep(0)
        await gui.watcher.values(FIRST)  # a round on the bus, in which nobody comes
        assert seen == []
        await home.meet(1, said(SERIALS[1]))
        await asyncio.gather(*first)
        assert {name for name, there in seen if there} >= {FIRST, SECOND, THIRD}


async def test_a_set_does_not_wait_long_for_a_unit_that_is_off(gui: Gui) -> None:
    async with gui.home(unit(0), unit(1), together=0.1) as home:
        await home.meet(0, said(SERIALS[0]))
        await gui.shows(FIRST, {"/Connected": 1})


# -- switches and blank rows -----------------------------------------------------------


async def test_no_switch_that_does_nothing_and_no_output_without_a_value(
    gui: Gui,
) -> None:
    """The switch pane and the page of outputs show what has a name."""
    flags = cast("Flags", decode("QFLAG", b"EaxyDbuv"))
    async with gui.home(unit(0), unit(1)) as home:
        await home.meet(0, replace(said(SERIALS[0]), flags=flags))
        await home.meet(1, said(SERIALS[1]))
        words = (
            "on: Buzzer, Display backlight, Alarm when the source is lost; "
            "off: Overload bypass, Restart after overload, "
            "Restart after over-temperature"
        )
        first = await gui.shows(FIRST, {"/Mppdbus/Switches": words})
        second = await gui.shows(SECOND, {"/Mppdbus/Switches": None})
        for values in (first, second):  # of a set: the battery has the charge
            assert named(values) == []
        battery = await gui.shows(BATTERY, {CORRECTION: ...})
        assert named(battery) == ["StateOfCharge"]
        assert first["/SwitchableOutput/Buzzer/State"] == 1
        assert "/SwitchableOutput/Buzzer/Settings/Type" not in first


def named(values: dict[str, Any]) -> list[str]:
    """Return the outputs that the GUI shows."""
    return [
        path.split("/")[2]
        for path, value in values.items()
        if path.startswith("/SwitchableOutput/") and path.endswith("/Name") and value
    ]


@pytest.mark.parametrize(
    ("phases", "rotation"), [((1, 1), 0), ((1, 2), 0), ((1, 2, 3), None)]
)
async def test_fewer_than_three_phases_cannot_turn_the_wrong_way(
    gui: Gui, phases: tuple[int, ...], rotation: int | None
) -> None:
    units = [unit(number, phase=phase) for number, phase in enumerate(phases)]
    async with gui.home(*units) as home:
        for index in range(len(units)):
            await home.meet(index, said(SERIALS[index]))
        await gui.shows(SYSTEM, {"/Alarms/PhaseRotation": rotation})
        for index in range(len(units)):
            home.unplug(index, SERIALS[index])
        await gui.shows(SYSTEM, {"/Alarms/PhaseRotation": None})


async def test_an_inverter_has_a_short_circuit_on_its_page(gui: Gui) -> None:
    """It alarms as overload there: venus-platform reads no other leaf for it."""
    async with gui.home(unit(0, profile="inverter")) as home:
        await home.meet(0, said(SERIALS[0]))
        name = INVERTER + SERIALS[0]
        await gui.shows(name, {"/Alarms/ShortCircuit": 0, "/Alarms/Overload": 0})
        home.hear(0, said(SERIALS[0], "F", warned=(1, 6)))
        await gui.shows(name, {"/Alarms/ShortCircuit": 2, "/Alarms/Overload": 2})


async def test_a_rating_is_no_limit(gui: Gui) -> None:
    async with gui.home(unit(0)) as home:
        await home.meet(0, said(SERIALS[0]))
        for service in (FIRST, SYSTEM):
            values = await gui.shows(service, {"/Ac/In/1/CurrentLimit": None})
            assert values["/Ac/In/1/CurrentLimitIsAdjustable"] == 0
        await gui.shows(FIRST, {"/Mppdbus/InputRating": 21.7})


# -- names -----------------------------------------------------------------------------

NAME = "/CustomName"


async def test_a_single_unit_and_its_system_have_one_name(gui: Gui) -> None:
    async with gui.home(unit(0)) as home:
        await home.meet(0, said(SERIALS[0]))
        for page, name in ((SYSTEM, "Shed 5kW"), (FIRST, "Barn"), (SYSTEM, "")):
            assert await write(gui.watcher, page, NAME, "s", name) == 0
            for service in (FIRST, SYSTEM):
                await gui.shows(service, {NAME: name or "unit 0"})
    async with gui.home(unit(0)) as home:  # the name is kept with the unit
        await home.meet(0, said(SERIALS[0]))
        assert await write(gui.watcher, SYSTEM, NAME, "s", "Shed") == 0
    async with gui.home(unit(0)) as home:
        await home.meet(0, said(SERIALS[0]))
        for service in (FIRST, SYSTEM):
            await gui.shows(service, {NAME: "Shed"})


async def test_a_name_that_the_system_had_alone_goes_with_the_next_one(
    gui: Gui,
) -> None:
    """Earlier versions gave it to the system only; a set still does."""
    async with gui.home(unit(0), unit(1)) as home:
        for index in (0, 1):
            await home.meet(index, said(SERIALS[index]))
        assert await write(gui.watcher, SYSTEM, NAME, "s", "House") == 0
        await gui.shows(SYSTEM, {NAME: "House"})
        await gui.shows(FIRST, {NAME: "unit 0"})
    async with gui.home(unit(0)) as home:
        await home.meet(0, said(SERIALS[0]))
        await gui.shows(SYSTEM, {NAME: "House"})
        assert await write(gui.watcher, SYSTEM, NAME, "s", "Shed") == 0
        for service in (FIRST, SYSTEM):
            await gui.shows(service, {NAME: "Shed"})


# -- a low battery ---------------------------------------------------------------------

LOW, LEVEL = "/Alarms/LowSoc", "/Settings/AlarmLevel/LowSoc"


async def test_a_low_battery_is_an_alarm_of_its_unit(gui: Gui) -> None:
    async with gui.home(unit(0)) as home:
        await home.meet(0, said(SERIALS[0]))
        for percent, level in ((60, 0), (19, 1), (22, 1), (9, 2), (12, 2), (14, 1)):
            assert await write(gui.watcher, FIRST, "/Soc", "d", float(percent)) == 0
            await gui.shows(FIRST, {LOW: level, LEVEL: 1})
        home.unplug(0, SERIALS[0])
        await gui.shows(FIRST, {LOW: None})


async def test_a_mere_guess_is_no_alarm(gui: Gui) -> None:
    """Nor is the inverter's own percent, which sinks with every load."""
    sources: tuple[Source, ...] = ("inverter", "estimate")
    for source in sources:
        async with at_home(gui.address, gui.state, unit(0), source=source) as home:
            await home.meet(0, said(SERIALS[0], volts=44.0, percent=5, discharge=80))
            await gui.shows(FIRST, {"/Soc": ..., LOW: None})


async def test_the_battery_of_a_set_has_its_alarm_once(gui: Gui) -> None:
    """venus-platform silences no alarm of a battery, so the setting is ours to obey."""
    async with gui.home(unit(0), unit(1)) as home:
        for index in (0, 1):
            await home.meet(index, said(SERIALS[index]))
        await gui.shows(BATTERY, {"/Connected": 1})
        assert await write(gui.watcher, BATTERY, "/Soc", "d", 9.0) == 0
        for setting, level in ((1, 2), (0, 0), (2, 2)):
            assert await write(gui.watcher, SYSTEM, LEVEL, "i", setting) == 0
            await gui.shows(BATTERY, {LOW: level})
        assert await write(gui.watcher, BATTERY, "/Soc", "d", 15.0) == 0
        await gui.shows(BATTERY, {LOW: 1})
        assert await write(gui.watcher, SYSTEM, LEVEL, "i", 1) == 0
        await gui.shows(BATTERY, {LOW: 0})
        for service in (FIRST, SECOND):
            await gui.shows(service, {LOW: None, "/Soc": 15.0})


async def test_no_mode_of_ess_promises_what_is_not_done(gui: Gui) -> None:
    """With 0 or 1 systemcalc says that it charges by schedule; nothing would."""
    async with gui.home(unit(0)) as home:
        await home.meet(0, said(SERIALS[0]))
        for service in (FIRST, SYSTEM):
            values = await gui.watcher.values(service)
            found = {path: value for path, value in values.items() if "/Ess/" in path}
            assert found == ({"/Settings/Ess/Mode": None} if service == SYSTEM else {})

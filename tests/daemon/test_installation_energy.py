"""kWh over restarts, power cuts and midnight: nothing is lost, nothing comes twice."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from helpers.installation import (
    FIRST,
    SECOND,
    SERIALS,
    Clock,
    Home,
    at_home,
    away,
    names_become,
    said,
    unit,
)
from helpers.run import MULTI, Daemon, Ports, Watcher
from mppdbus.daemon import installation as module
from mppdbus.daemon.state import INTERVAL
from mppdbus.simulator.line.simulator import simulate
from mppdbus.simulator.line.speed import Pace
from mppdbus.simulator.unit.inverter import SimulatedInverter
from mppdbus.venus import unit_service

UNFINISHED = shutil.ignore_patterns("*.new")  # may go while we look
POLL = 10.0  # s
TODAY = date(2026, 6, 1)
PV = 1600  # W, of which the load takes 500
SUN: dict[str, Any] = {"grid": 0, "pv": PV, "load": 500, "charge": 20}
NIGHT: dict[str, Any] = {"grid": 0, "load": 520, "discharge": 10}
MAINS: dict[str, Any] = {"load": 900}
USER, SYSTEM_YIELD = "/Yield/User", "/Yield/System"
DAY = "/History/Daily/{}/Yield"
AVAILABLE = "/History/Overall/DaysAvailable"


class Calendar:
    """Says which day it is at the site."""

    def __init__(self) -> None:
        self.day = TODAY

    def __call__(self) -> date:
        return self.day


@pytest.fixture
async def watcher(bus_address: str) -> AsyncIterator[Watcher]:
    async with Watcher.on(bus_address) as watcher:
        yield watcher


@pytest.fixture
def calendar(monkeypatch: pytest.MonkeyPatch) -> Calendar:
    """Set the calendar, and have the history shown with every poll."""
    calendar = Calendar()
    monkeypatch.setattr(module, "local_today", calendar)
    monkeypatch.setattr(unit_service, "HISTORY_EVERY", 0.0)
    return calendar


async def meet(home: Home, number: int = 1) -> Clock:
    clock = Clock()
    home.set_clock(clock)
    for index in range(number):
        await home.meet(index, said(SERIALS[index], "B", **SUN))
    return clock


def live(
    home: Home, clock: Clock, minutes: float, reply: dict[str, Any], mode: str = "B"
) -> None:
    """Let the first unit say the same for so long."""
    serial = home.serial(0)
    end = clock.now + 60.0 * minutes
    while clock.now < end:
        clock.now += POLL
        home.hear(0, said(serial, mode, **reply))


async def kwh(watcher: Watcher, path: str, service: str = FIRST) -> float:
    value = (await watcher.values(service))[path]
    assert isinstance(value, float)
    return value


# -- counting ------------------------------------------------------------------------


@pytest.mark.usefixtures("calendar")
async def test_what_grows_by_day_and_by_night(
    bus_address: str, state: Path, watcher: Watcher
) -> None:
    async with at_home(bus_address, state, unit(0)) as home:
        clock = await meet(home)
        live(home, clock, 60, SUN)
        noon = await watcher.values(FIRST)
        assert noon[USER] == pytest.approx(1.6, abs=0.02)
        assert noon[SYSTEM_YIELD] == noon[USER] == noon[DAY.format(0)]
        shares = noon["/Energy/SolarToAcOut"], noon["/Energy/SolarToBattery"]
        assert sum(shares) == pytest.approx(1.6, abs=0.02)
        assert shares[0] == pytest.approx(0.5, abs=0.1)
        live(home, clock, 60, NIGHT)
        night = await watcher.values(FIRST)
        assert night[USER] == pytest.approx(noon[USER], abs=0.01)
        assert night["/Energy/InverterToAcOut"] == pytest.approx(0.52, abs=0.05)
        live(home, clock, 60, MAINS, "L")
        late = await watcher.values(FIRST)
        assert late["/Energy/AcIn1ToAcOut"] == pytest.approx(0.9, abs=0.1)
        for path in night:
            if path.startswith(("/Energy/", "/Yield/U", "/Yield/S")):
                assert noon[path] <= night[path] <= late[path], path


@pytest.mark.usefixtures("calendar")
async def test_nothing_is_made_up_while_nobody_answers(
    bus_address: str, state: Path, watcher: Watcher
) -> None:
    async with at_home(bus_address, state, unit(0)) as home:
        clock = await meet(home)
        live(home, clock, 30, SUN)
        before = await kwh(watcher, USER)
        home.unplug(0, SERIALS[0])
        for _ in range(60):
            clock.now += 60.0
            home.hear(0, away(SERIALS[0]))
        assert await kwh(watcher, USER) == before  # stays, unlike what is live
        await home.meet(0, said(SERIALS[0], "B", **SUN))
        assert await kwh(watcher, USER) == pytest.approx(before, abs=0.02)
        live(home, clock, 30, SUN)
        assert await kwh(watcher, USER) == pytest.approx(2 * before, abs=0.02)


# -- restarts ------------------------------------------------------------------------


@pytest.mark.usefixtures("calendar")
async def test_counters_go_on_after_a_restart(
    bus_address: str, state: Path, watcher: Watcher
) -> None:
    paths = (USER, SYSTEM_YIELD, DAY.format(0), "/Energy/SolarToBattery")
    kept: dict[str, Any] = {}
    for _ in range(3):
        async with at_home(bus_address, state, unit(0)) as home:
            clock = await meet(home)
            values = await watcher.values(FIRST)
            assert {path: values[path] for path in kept} == kept
            live(home, clock, 3, SUN)
            values = await watcher.values(FIRST)
            assert values[USER] > kept.get(USER, 0.0)
            kept = {path: values[path] for path in paths}


@pytest.mark.usefixtures("calendar")
@pytest.mark.parametrize("minutes", [25, 29])
async def test_a_power_cut_costs_ten_minutes_at_most(
    bus_address: str, state: Path, watcher: Watcher, minutes: int
) -> None:
    """What is on disk at that moment is all that there is."""
    cut = state.with_name("cut")
    async with at_home(bus_address, state, unit(0)) as home:
        clock = await meet(home)
        for minute in range(1, minutes + 1):
            live(home, clock, 1, SUN)
            if minute % (INTERVAL / 60) == 0:  # by our clock, which runs faster
                for save in home.installation._state._saves:
                    await save.save()
        shown = await kwh(watcher, USER)
        shutil.copytree(state, cut, ignore=UNFINISHED)
    async with at_home(bus_address, cut, unit(0)) as home:
        clock = await meet(home)
        left = await kwh(watcher, USER)
        lost = PV / 1000 * (INTERVAL + POLL) / 3600
        assert shown - lost <= left < shown
        assert await kwh(watcher, DAY.format(0)) == pytest.approx(left, abs=0.01)
        live(home, clock, 60, SUN)
        assert await kwh(watcher, USER) == pytest.approx(left + 1.6, abs=0.02)


@pytest.mark.usefixtures("calendar")
async def test_killed_and_started_again(
    tmp_path: Path, bus_address: str, state: Path, watcher: Watcher
) -> None:
    number, clock = "96342107100001", Clock()
    name = MULTI + number
    async with at_home(bus_address, state, unit(0)) as home:
        home.set_clock(clock)
        await home.meet(0, said(number, "B", **SUN))
        live(home, clock, 60, SUN)
    dark = simulate("axpert-5000", pace=Pace.instant(), scene="pv 0; load 500")
    assert isinstance(dark.source, SimulatedInverter)
    dark.source.serial = number
    async with Ports.below(tmp_path) as ports:
        await ports.add("port", dark)
        for _ in range(3):
            daemon = Daemon(tmp_path, bus_address, [ports.unit("port")])
            try:
                await watcher.wait(name, {"/Connected": 1, USER: ...})
                assert await kwh(watcher, USER, name) == pytest.approx(1.6, abs=0.02)
                shares = await kwh(watcher, "/Energy/SolarToBattery", name)
                assert shares == pytest.approx(1.1, abs=0.1)
            finally:
                daemon.kill()  # its name goes with it
            await names_become(watcher)


@pytest.mark.usefixtures("calendar")
async def test_each_unit_has_books_of_its_own(
    bus_address: str, state: Path, watcher: Watcher
) -> None:
    async with at_home(bus_address, state, unit(0), unit(1)) as home:
        clock = await meet(home, 2)
        live(home, clock, 60, SUN)
        assert await kwh(watcher, USER) == pytest.approx(1.6, abs=0.02)
        assert await kwh(watcher, USER, SECOND) == 0.0


# -- days ----------------------------------------------------------------------------


async def test_midnight(
    bus_address: str, state: Path, watcher: Watcher, calendar: Calendar
) -> None:
    async with at_home(bus_address, state, unit(0)) as home:
        clock = await meet(home)
        live(home, clock, 60, SUN)
        calendar.day += timedelta(days=1)
        live(home, clock, 1, NIGHT)
        values = await watcher.values(FIRST)
        assert values[DAY.format(0)] == pytest.approx(0.0, abs=0.01)
        assert values[DAY.format(1)] == pytest.approx(1.6, abs=0.02)
        assert values[AVAILABLE] == 2
        assert values[USER] == pytest.approx(1.6, abs=0.02)  # goes on
        live(home, clock, 30, SUN)
    async with at_home(bus_address, state, unit(0)) as home:
        clock = await meet(home)
        values = await watcher.values(FIRST)
        assert values[DAY.format(0)] == pytest.approx(0.8, abs=0.02)
        assert values[DAY.format(1)] == pytest.approx(1.6, abs=0.02)
        assert values[USER] == pytest.approx(2.4, abs=0.03)
    calendar.day += timedelta(days=2)  # was off for a day
    async with at_home(bus_address, state, unit(0)) as home:
        await meet(home)
        values = await watcher.values(FIRST)
        days = [values[DAY.format(age)] for age in range(5)]
        about = [x if x is None else round(x, 1) for x in days]
        assert about == [0.0, None, 0.8, 1.6, None]
        assert values[AVAILABLE] == 4


async def test_a_new_day_shows_at_once(
    bus_address: str,
    state: Path,
    watcher: Watcher,
    calendar: Calendar,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else the history is not shown with every poll."""
    monkeypatch.setattr(unit_service, "HISTORY_EVERY", 60.0)
    async with at_home(bus_address, state, unit(0)) as home:
        clock = await meet(home)
        live(home, clock, 60, SUN)
        assert await kwh(watcher, DAY.format(0)) == 0.0
        records = (await watcher.values(FIRST))["/History/Daily/0/MaxPower"]
        assert records is not None  # the first ones are not waited for so long
        calendar.day += timedelta(days=1)
        live(home, clock, POLL / 60, SUN)
        assert await kwh(watcher, DAY.format(1)) == pytest.approx(1.6, abs=0.02)
        assert await kwh(watcher, DAY.format(0)) < 0.02


async def test_the_days_of_a_second_tracker_are_there_as_soon_as_it_is(
    bus_address: str, state: Path, watcher: Watcher
) -> None:
    async with at_home(bus_address, state, unit(0)) as home:
        clock = await meet(home)
        one = replace(said(home.serial(0), "B", **SUN), trackers=1)
        home.hear(0, one)
        clock.now += 1.0
        home.hear(0, replace(one, trackers=2))
        assert "/History/Daily/0/Pv/1/Yield" in await watcher.values(FIRST)

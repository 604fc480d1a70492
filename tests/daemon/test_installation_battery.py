"""The state of charge: ours, somebody else's, nobody's; what the user says of it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.bms import NAME as BMS
from helpers.bms import Bms
from helpers.installation import (
    BATTERY,
    FIRST,
    SECOND,
    SERIALS,
    Clock,
    Home,
    at_home,
    names_become,
    owners_of,
    said,
    unit,
    write,
)
from helpers.run import SYSTEM, Watcher
from helpers.state import writes_done
from mppdbus.daemon.state import BATTERY_FILE
from mppdbus.model.battery.bank import BankSettings
from mppdbus.venus.tables.cards import CORRECTION

ORIGIN, PORT = "/Mppdbus/Origin/Soc", "/Mgmt/Connection"
SHARED = {FIRST, SECOND, SYSTEM, BATTERY}


@pytest.fixture
async def watcher(bus_address: str) -> AsyncIterator[Watcher]:
    async with Watcher.on(bus_address) as watcher:
        yield watcher


def discharge(home: Home, clock: Clock, seconds: float) -> None:
    """Let all units take 25 A out of the battery."""
    end = clock.now + seconds
    while clock.now < end:
        clock.now += 10.0
        for index in range(len(home.units)):
            reply = said(SERIALS[index], "B", grid=0.0, load=1200, discharge=25)
            home.hear(index, reply)


async def soc(watcher: Watcher, service: str) -> float:
    value = (await watcher.values(service))["/Soc"]
    assert isinstance(value, float)
    return value


async def margin(watcher: Watcher) -> float:
    value = (await watcher.values(FIRST))["/Mppdbus/Soc/Margin"]
    assert isinstance(value, float)
    return value


async def meet_all(home: Home) -> Clock:
    clock = Clock()
    home.set_clock(clock)
    for index in range(len(home.units)):
        await home.meet(index, said(SERIALS[index], "B", grid=0.0, volts=52.8))
    discharge(home, clock, 10.0)
    return clock


# -- somebody else's -----------------------------------------------------------------


async def test_a_bms_comes_and_goes(
    bus_address: str, state: Path, watcher: Watcher
) -> None:
    async with at_home(bus_address, state, unit(0)) as home:
        clock = await meet_all(home)
        assert await write(watcher, FIRST, "/Soc", "d", 80.0) == 0
        bms = await Bms.start(bus_address)
        try:
            await watcher.wait(SYSTEM, {"/Soc": None})
            discharge(home, clock, 10.0)
            for service in (FIRST, SYSTEM):
                values = await watcher.values(service)
                assert values["/Soc"] is None
                assert values[ORIGIN] == f"{BMS} watches the battery"
            for path in ("/Soc", CORRECTION):
                assert await write(watcher, FIRST, path, "d", 20.0) != 0
                assert (await watcher.values(FIRST))[path] is None
            discharge(home, clock, 3600.0)
            await bms.leave()
            await watcher.wait(SYSTEM, {"/Soc": ...})
            await watcher.wait(FIRST, {"/Soc": ...})
            discharge(home, clock, 10.0)
            for service in (FIRST, SYSTEM):
                assert 40 < await soc(watcher, service) < 78  # was counted meanwhile
                origin = (await watcher.values(service))[ORIGIN]
                assert origin.startswith("estimated")
        finally:
            await bms.crash()


async def test_a_bms_takes_the_place_of_the_battery_of_all_units(
    bus_address: str, state: Path, watcher: Watcher
) -> None:
    async with at_home(bus_address, state, unit(0), unit(1)) as home:
        clock = await meet_all(home)
        assert await write(watcher, BATTERY, "/Soc", "d", 80.0) == 0
        bms = await Bms.start(bus_address)
        try:
            await names_become(watcher, *SHARED - {BATTERY}, BMS)
            discharge(home, clock, 3600.0)
            assert (await watcher.values(SYSTEM))["/Soc"] is None
            assert BATTERY not in await watcher.names()
            await bms.leave()
            await names_become(watcher, *SHARED)
            assert 40 < await soc(watcher, BATTERY) < 78
            assert await soc(watcher, BATTERY) == await soc(watcher, SYSTEM)
        finally:
            await bms.crash()


async def test_a_bms_that_was_there_first(
    bus_address: str, state: Path, watcher: Watcher
) -> None:
    """Ours is not on the bus for a moment: systemcalc would take it."""
    bms = await Bms.start(bus_address)
    try:
        async with owners_of(watcher) as seen:
            for units in ((unit(0), unit(1)), (unit(0),)):
                bms.hang()  # and takes its time to answer
                asyncio.get_running_loop().call_later(0.1, bms.go_on)
                async with at_home(bus_address, state, *units) as home:
                    watcher.signals.clear()
                    await meet_all(home)
                    await watcher.wait(SYSTEM, {"/Soc": None, "/Connected": 1})
                    rows = [rows.get("/Soc") for _, rows in watcher.signals]
                    assert [row for row in rows if row and row.value] == []
            assert BATTERY not in {name for name, _ in seen}
    finally:
        await bms.crash()


async def test_a_charge_that_is_unknown_for_a_while_costs_no_name(
    bus_address: str, state: Path, watcher: Watcher
) -> None:
    """Clients are told to look again, though: the port changes and changes back."""
    async with at_home(bus_address, state, unit(0)) as home:
        clock = await meet_all(home)
        port = home.units[0].connection
        async with owners_of(watcher) as seen:
            for _ in range(5):
                await watcher.wait(FIRST, {PORT: port})
                clock.now += 6.3
                home.hear(0, replace(said(SERIALS[0], "B"), status=None))  # too old
                await watcher.wait(FIRST, {"/Soc": None})
                clock.now += 6.3
                home.unplug(0, SERIALS[0])
                discharge(home, clock, 10.0)
                await watcher.wait(FIRST, {"/Soc": ..., PORT: f"{port} "})
                await watcher.wait(FIRST, {PORT: port})
            assert seen == []


# -- what the user says --------------------------------------------------------------


@pytest.mark.parametrize("path", ["/Soc", CORRECTION])
async def test_a_written_state_of_charge_is_where_the_count_goes_on(
    bus_address: str, state: Path, watcher: Watcher, path: str
) -> None:
    async with at_home(bus_address, state, unit(0)) as home:
        clock = await meet_all(home)
        assert await write(watcher, FIRST, path, "i", 64) == 0
        discharge(home, clock, 10.0)
        for service in (FIRST, SYSTEM):
            assert await soc(watcher, service) == pytest.approx(64, abs=0.1)
        for bad in (100.5, 200.0, -1.0):
            assert await write(watcher, FIRST, path, "d", bad) != 0
        discharge(home, clock, 1800.0)
        assert await margin(watcher) > 4.2
        shown = (await watcher.values(FIRST))[path]
        assert await write(watcher, FIRST, path, "d", shown) == 0  # "that is so"
        discharge(home, clock, 10.0)
        assert await margin(watcher) == pytest.approx(4.0, abs=0.1)
        kept = await soc(watcher, FIRST)
        assert 50 < kept < 63
    async with at_home(bus_address, state, unit(0)) as home:
        await meet_all(home)
        assert await soc(watcher, FIRST) == pytest.approx(kept, abs=0.5)


async def test_a_correction_is_shown_everywhere_before_the_next_poll(
    bus_address: str, state: Path, watcher: Watcher
) -> None:
    """Another setting that is written then does not bring the old value back."""
    async with at_home(bus_address, state, unit(0)) as home:
        await meet_all(home)
        watcher.signals.clear()
        assert await write(watcher, FIRST, "/Soc", "d", 3.0) == 0
        await watcher.wait(SYSTEM, {"/Soc": 3.0})
        assert (await watcher.values(FIRST))[CORRECTION] == 3
        alarm = "/Settings/AlarmLevel/LowVoltage"
        assert await write(watcher, FIRST, alarm, "i", 1) == 0
        home.installation.renumber(home.uids[0], 290)
        await watcher.wait(FIRST, {"/Soc": 3.0, "/DeviceInstance": 290})
        told = [rows["/Soc"].value for _, rows in watcher.signals if "/Soc" in rows]
        assert set(told) == {3.0}


async def test_a_correction_outlives_a_power_cut(
    bus_address: str, state: Path, watcher: Watcher
) -> None:
    at_the_cut = state.with_name("cut")
    async with at_home(bus_address, state, unit(0)) as home:
        clock = await meet_all(home)
        assert await write(watcher, FIRST, "/Soc", "d", 31.0) == 0
        discharge(home, clock, 20.0)
        await writes_done(home.installation._state)
        assert (state / BATTERY_FILE).exists()
        shutil.copytree(state, at_the_cut, ignore=shutil.ignore_patterns("*.new"))
        assert await write(watcher, FIRST, "/Soc", "d", 95.0) == 0
    async with at_home(bus_address, at_the_cut, unit(0)) as home:
        await meet_all(home)
        assert await soc(watcher, FIRST) == pytest.approx(31.0, abs=0.5)


async def test_the_battery_of_all_units_is_corrected_at_its_own_page(
    bus_address: str, state: Path, watcher: Watcher
) -> None:
    async with at_home(bus_address, state, unit(0), unit(1)) as home:
        clock = await meet_all(home)
        assert await write(watcher, BATTERY, "/Soc", "d", 55.0) == 0
        discharge(home, clock, 10.0)
        for service in (FIRST, SECOND):  # each page has it, and none corrects it
            values = await watcher.values(service)
            assert await write(watcher, service, "/Soc", "d", 20.0) != 0
            for path in (CORRECTION, "/SwitchableOutput/StateOfCharge/Name"):
                assert values[path] is None
        for service in (BATTERY, SYSTEM, FIRST, SECOND):
            assert await soc(watcher, service) == pytest.approx(55.0, abs=0.1)
        home.unplug(1, SERIALS[1])
        assert (await watcher.values(SECOND))["/Soc"] is None
        assert await soc(watcher, FIRST) == pytest.approx(55.0, abs=0.1)


# -- what the config says ------------------------------------------------------------


async def test_the_inverters_own_percent(
    bus_address: str, state: Path, watcher: Watcher
) -> None:
    async with at_home(bus_address, state, unit(0), source="inverter") as home:
        await home.meet(0, said(SERIALS[0], percent=73))
        for service in (FIRST, SYSTEM):
            assert await soc(watcher, service) == 73.0
        assert await write(watcher, FIRST, "/Soc", "d", 20.0) != 0
        assert await soc(watcher, FIRST) == 73.0


async def test_the_percent_of_all_inverters(
    bus_address: str, state: Path, watcher: Watcher
) -> None:
    both = unit(0), unit(1)
    async with at_home(bus_address, state, *both, source="inverter") as home:
        await home.meet(0, said(SERIALS[0], percent=70))
        await home.meet(1, said(SERIALS[1], percent=80))
        for _ in range(2):  # what is new is shown with the next reply
            home.hear(0, said(SERIALS[0], percent=70))
        for service in (BATTERY, SYSTEM):
            assert await soc(watcher, service) == 75.0


async def test_no_state_of_charge_is_wanted(
    bus_address: str, state: Path, watcher: Watcher
) -> None:
    both = unit(0), unit(1)
    async with at_home(bus_address, state, *both, source="none") as home:
        await meet_all(home)
        assert await watcher.names() == SHARED - {BATTERY}
        for service in (FIRST, SYSTEM):
            assert (await watcher.values(service))["/Soc"] is None
        assert (await watcher.values(SYSTEM))[ORIGIN].startswith("none: ")
        assert await write(watcher, FIRST, "/Soc", "d", 20.0) != 0


# -- what a user is told -----------------------------------------------------------


async def test_a_charge_that_is_but_a_guess_says_so_where_it_is_shown(
    bus_address: str, state: Path, watcher: Watcher, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "mppdbus.battery")
    name = CORRECTION.replace("Dimming", "Name")
    async with at_home(bus_address, state, unit(0)) as home:
        await meet_all(home)
        called = (await watcher.values(FIRST))[name]
        assert called.startswith("State of charge (a guess, ±")
        assert await write(watcher, FIRST, "/Soc", "d", 80.0) == 0
        await watcher.wait(FIRST, {name: "State of charge"})
    (told,) = [record.message for record in caplog.records]
    assert told.startswith("state of charge: capacity not configured, taken as 240 Ah")
    assert told.endswith("write both in [battery] of config.toml")


async def test_two_units_that_see_different_voltages_have_two_batteries(
    bus_address: str, state: Path, watcher: Watcher, caplog: pytest.LogCaptureFixture
) -> None:
    async with at_home(bus_address, state, unit(0), unit(1)) as home:
        clock = await meet_all(home)

        def differ(seconds: float, low: float) -> None:
            for _ in range(int(seconds / 10)):
                clock.now += 10.0
                home.hear(0, said(SERIALS[0], volts=53.4))
                home.hear(1, said(SERIALS[1], volts=low))

        differ(120, 49.2)
        differ(120, 52.9)
        await watcher.wait(BATTERY, {"/Mppdbus/Trouble": ""})
        assert not [r for r in caplog.records if r.levelname == "WARNING"]
        differ(600, 49.2)
        trouble = (await watcher.values(BATTERY))["/Mppdbus/Trouble"]
        assert trouble.startswith("the inverters see 49.2 V and 53.4 V at one battery")
        assert 'battery = "…" in each [[inverter]]' in trouble
        warned = [r.message for r in caplog.records if r.levelname == "WARNING"]
        assert warned == [trouble]
        differ(60, 52.9)
        await watcher.wait(BATTERY, {"/Mppdbus/Trouble": ""})


async def test_the_users_word_against_the_voltage_has_a_wide_margin(
    bus_address: str, state: Path, watcher: Watcher
) -> None:
    """It is shown, as a BMV does; the margin says how far it may be off."""
    async with at_home(bus_address, state, unit(0)) as home:
        clock = await meet_all(home)
        assert await write(watcher, FIRST, "/Soc", "d", 60.0) == 0
        assert await margin(watcher) <= 5
        clock.now += 10
        home.hear(0, said(SERIALS[0], charge=2, volts=54.4))
        assert await write(watcher, FIRST, "/Soc", "d", 3.0) == 0
        assert await soc(watcher, FIRST) == pytest.approx(3.0, abs=0.5)
        assert await margin(watcher) > 80


HOUSE, BARN = f"{BATTERY}_house", f"{BATTERY}_barn"


@pytest.mark.parametrize("named", [BMS, None], ids=["told", "not told"])
async def test_a_bms_steps_in_for_its_own_battery_alone(
    bus_address: str,
    state: Path,
    watcher: Watcher,
    caplog: pytest.LogCaptureFixture,
    named: str | None,
) -> None:
    """Which one that is only the user can know: two of 48 V look the same."""
    told = named is not None
    banks = {"house": BankSettings(monitor=named), "barn": BankSettings()}
    units = (unit(0, bank="house"), unit(1, bank="barn"))
    bms = await Bms.start(bus_address)
    try:
        async with at_home(bus_address, state, *units, banks=banks) as home:
            await meet_all(home)
            both = {FIRST, SECOND, SYSTEM, BARN, HOUSE, BMS}
            await names_become(watcher, *(both - {HOUSE} if told else both))
            values = await watcher.values(FIRST)
            assert (values["/Soc"] is None) == told
            assert (await watcher.values(SECOND))["/Soc"] is not None
            assert await write(watcher, BARN, "/Soc", "d", 70.0) == 0
            await watcher.wait(SECOND, {"/Soc": 70.0})
            asked = [text for text in caplog.messages if "monitor = " in text]
            assert len(asked) == (0 if told else 1)
            await bms.leave()
            await names_become(watcher, *(both - {BMS}))
            await watcher.wait(FIRST, {"/Soc": ...})
    finally:
        await bms.crash()

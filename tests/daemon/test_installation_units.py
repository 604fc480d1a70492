"""Three units as one system: sums, phases, one input; who drops out, and comes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from helpers.installation import (
    BATTERY,
    FIRST,
    SECOND,
    SERIALS,
    THIRD,
    Home,
    at_home,
    away,
    names_become,
    owners_of,
    said,
    unit,
)
from helpers.run import MULTI, SYSTEM, Daemon, Ports, Watcher
from mppdbus.inverter.schedule import SHORTEST_KEEP
from mppdbus.model.snapshot import Identity, Snapshot
from mppdbus.model.views import Unit
from mppdbus.simulator.line.simulator import Simulator, simulate
from mppdbus.simulator.line.speed import Pace
from mppdbus.simulator.unit.inverter import SimulatedInverter

UNITS = (FIRST, SECOND, THIRD)
INPUT = "/Ac/ActiveIn/ActiveInput"
LOADS = (500, 700, 900)
AMPS = (10, 20, 30)  # into the battery, of 52 V
SUM = {"/Ac/Out/P": 2100.0, "/Dc/0/Current": 60.0, "/Connected": 1}
HELD = SHORTEST_KEEP + 3.0  # s that a reading counts, and some
ALL = {"/Dc/0/Current": 60.0, "/Dc/0/Power": 3120.0, "/Dc/0/Voltage": 52.0}


@pytest.fixture
async def watcher(bus_address: str) -> AsyncIterator[Watcher]:
    async with Watcher.on(bus_address) as watcher:
        yield watcher


def on_phases(*phases: int, follows: bool = False) -> list[Unit]:
    units = [unit(number, phase=phase) for number, phase in enumerate(phases)]
    return [replace(each, phase_follows=follows) for each in units]


def reply(index: int, mode: str = "L", phase: int | None = None) -> Snapshot:
    """Return what the unit at a port says; those on battery have no mains."""
    grid = 230.0 if mode == "L" else 0.0
    load, charge = LOADS[index], AMPS[index]
    seen = said(SERIALS[index], mode, grid=grid, load=load, charge=charge)
    return replace(seen, phase=phase)


async def all_meet(home: Home, phase: int | None = None) -> None:
    for index in range(len(home.units)):
        await home.meet(index, reply(index, phase=phase))


def within(values: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    return {path: values[path] for path in wanted}


# -- sums ----------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["stale", "away"])
async def test_while_one_is_silent_that_may_well_run_the_sums_are_unknown(
    bus_address: str, state: Path, watcher: Watcher, how: str
) -> None:
    """Before it counts as away its values have become too old to show."""
    async with at_home(bus_address, state, *on_phases(1, 2, 3)) as home:
        await all_meet(home)
        assert within(await watcher.values(SYSTEM), SUM) == SUM
        assert within(await watcher.values(BATTERY), ALL) == ALL
        stale = replace(reply(1), status=None, mode=None, warnings=None)
        home.hear(1, away(SERIALS[1]) if how == "away" else stale)
        system = await watcher.values(SYSTEM)
        assert (system["/Ac/Out/P"], system["/Connected"]) == (None, 1)
        assert system["/Ac/Out/L1/P"] == 500.0
        assert system["/Ac/Out/L2/P"] is None
        assert system["/Dc/0/Current"] is system["/Ac/In/1/P"] is None
        assert (
            system["/CustomName"] == ("2 of 3" if how == "away" else "3") + " inverters"
        )
        assert (await watcher.values(BATTERY))["/Dc/0/Current"] is None
        assert (await watcher.values(SECOND))["/Ac/Out/L2/P"] is None
        home.hear(1, reply(1))
        assert within(await watcher.values(SYSTEM), SUM) == SUM
        assert within(await watcher.values(BATTERY), ALL) == ALL
        assert (await watcher.values(SYSTEM))["/Ac/Out/L2/P"] == 700.0


async def test_without_anybody_nothing_is_known(
    bus_address: str, state: Path, watcher: Watcher
) -> None:
    async with at_home(bus_address, state, *on_phases(1, 1, 1)) as home:
        await all_meet(home)
        known = {
            path
            for path, value in (await watcher.values(SYSTEM)).items()
            if path.startswith(("/Ac/Out/", "/Ac/In/1/L", "/Dc/")) and value is not None
        }
        assert len(known) == 12
        for index in range(3):
            home.hear(index, away(SERIALS[index]))
        system, battery = await watcher.values(SYSTEM), await watcher.values(BATTERY)
        lost = {*known, "/Ac/In/1/P", INPUT, "/Mode", "/Soc"}
        assert within(system, dict.fromkeys(lost)) == dict.fromkeys(lost)
        gone = dict.fromkeys({*ALL, "/Soc", "/Capacity"})
        assert within(battery, gone) == gone
        assert system["/Connected"] == battery["/Connected"] == 0
        assert system["/State"] == 255
        await all_meet(home)
        assert within(await watcher.values(SYSTEM), SUM) == SUM


async def test_a_unit_is_taken_off_the_list_when_it_stays_away_and_comes_back(
    bus_address: str, state: Path, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mppdbus.venus.unit_service.AWAY", 0.05)
    monkeypatch.setattr("mppdbus.model.site.SILENT_S", 0.05)
    async with at_home(bus_address, state, *on_phases(1, 2, 3)) as home:
        await all_meet(home)
        home.hear(1, away(SERIALS[1]))
        await names_become(watcher, FIRST, THIRD, SYSTEM, BATTERY)
        home.hear(0, reply(0))
        await watcher.wait(SYSTEM, {"/Devices/1/Service": None, "/Ac/Out/P": 1400.0})
        await home.meet(1, reply(1))
        await names_become(watcher, *UNITS, SYSTEM, BATTERY)
        await watcher.wait(SYSTEM, {"/Devices/1/Service": SECOND, **SUM})


async def test_one_input_for_all(
    bus_address: str, state: Path, watcher: Watcher
) -> None:
    async with at_home(bus_address, state, *on_phases(1, 1, 1)) as home:
        await all_meet(home)
        for modes in ("BBL", "BBB", "LBB", "LLL", "BLB"):
            for index, mode in enumerate(modes):
                home.hear(index, reply(index, mode))
            wanted = 0 if "L" in modes else 240
            for service in (*UNITS, SYSTEM):
                await watcher.wait(service, {INPUT: wanted})


# -- phases --------------------------------------------------------------------------


async def test_phases_of_the_config(
    bus_address: str, state: Path, watcher: Watcher
) -> None:
    async with at_home(bus_address, state, *on_phases(1, 2, 3)) as home:
        await all_meet(home)
        system = await watcher.values(SYSTEM)
        assert system["/Ac/NumberOfPhases"] == 3
        for number, service in enumerate(UNITS):
            values = await watcher.values(service)
            phase = f"/Ac/Out/L{number + 1}/P"
            assert values["/Settings/System/AcPhase"] == number
            assert values[phase] == system[phase] == LOADS[number]
            others = {p for p in values if p.startswith(("/Ac/Out/L", "/Ac/In/1/L"))}
            assert {p.split("L")[1][0] for p in others} == {f"{number + 1}"}


async def test_a_phase_that_the_units_tell(
    bus_address: str, state: Path, watcher: Watcher
) -> None:
    """All is in its place when the name comes; one name, one time."""
    units = on_phases(1, 1, follows=True)
    async with owners_of(watcher) as seen, at_home(bus_address, state, *units) as home:
        await all_meet(home, phase=2)
        for index, service in enumerate((FIRST, SECOND)):
            values = await watcher.values(service)
            assert values["/Ac/Out/L2/P"] == LOADS[index]
            assert values.get("/Ac/Out/L1/P") is None
        system = await watcher.values(SYSTEM)
        assert system["/Ac/Out/L2/P"] == 1200.0
        assert system["/Ac/NumberOfPhases"] == 1
        assert sorted(seen) == sorted((n, True) for n in {*UNITS[:2], SYSTEM, BATTERY})


async def test_a_unit_of_two_legs_on_the_last_phase(
    bus_address: str, state: Path, watcher: Watcher
) -> None:
    """L1 follows L3."""
    async with at_home(bus_address, state, *on_phases(3)) as home:
        seen = replace(reply(0), identity=Identity(serial=SERIALS[0], dialect="pi41"))
        await home.meet(0, seen)
        values, system = await watcher.values(FIRST), await watcher.values(SYSTEM)
        assert values["/Ac/Out/L3/P"] == system["/Ac/Out/L3/P"] == 500.0
        assert {"/Ac/Out/L1/P", "/Ac/Out/L3/P"} <= values.keys() & system.keys()
        assert "/Ac/Out/L2/P" not in values.keys() | system.keys()


async def test_a_phase_that_changes(
    bus_address: str, state: Path, watcher: Watcher
) -> None:
    units = on_phases(1, 1, follows=True)
    async with at_home(bus_address, state, *units) as home:
        await all_meet(home, phase=1)
        async with owners_of(watcher) as seen:
            home.hear(1, reply(1, phase=3))
            await watcher.wait(SECOND, {"/Ac/Out/L3/P": 700.0, "/Ac/Out/L1/P": None})
            await watcher.wait(
                SYSTEM,
                {"/Ac/Out/L1/P": 500.0, "/Ac/Out/L3/P": 700.0, "/Ac/NumberOfPhases": 3},
            )
            for _ in range(3):
                home.hear(1, reply(1, phase=3))
                await asyncio.sleep(0.02)
            again = [(name, there) for name in (SECOND, SYSTEM) for there in (0, 1)]
            assert sorted(seen) == sorted(again)
        values = await watcher.values(SECOND)
        assert values["/Settings/System/AcPhase"] == 2
        home.hear(1, replace(reply(1), ratings=None))  # not known is no news
        assert (await watcher.values(SECOND))["/Settings/System/AcPhase"] == 2
        home.hear(1, reply(1))  # set up to be alone
        await watcher.wait(SECOND, {"/Ac/Out/L3/P": None, "/Ac/Out/L1/P": 700.0})
        assert (await watcher.values(SECOND))["/Settings/System/AcPhase"] == 0


# -- with lines as they are ----------------------------------------------------------


def simulated(number: int) -> Simulator:
    scene = f"grid on; load {LOADS[number]}; pause"
    simulator = simulate("axpert-5000", pace=Pace.instant(), scene=scene)
    assert isinstance(simulator.source, SimulatedInverter)
    simulator.source.serial = f"9634210710000{number}"
    return simulator


def powers(watcher: Watcher, owner: str) -> Iterator[float | None]:
    """Return all that was shown as the load of the system."""
    for sender, rows in watcher.signals:
        if sender == owner and "/Ac/Out/P" in rows:
            value = rows["/Ac/Out/P"].value
            yield None if value == [] else value


async def test_a_unit_that_turns_mute(
    bus_address: str, tmp_path: Path, watcher: Watcher
) -> None:
    async with Ports.below(tmp_path) as ports:
        simulators = [await ports.add(f"p{n}", simulated(n)) for n in range(3)]
        units = [ports.unit(f"p{n}", f"phase = {n + 1}") for n in range(3)]
        daemon = Daemon(tmp_path, bus_address, units)
        try:
            await watcher.wait(SYSTEM, {"/Ac/Out/P": 2100.0, "/Ac/NumberOfPhases": 3})
            owner = await watcher.owner(SYSTEM)
            watcher.signals.clear()
            simulators[1].scene.apply("fault silence forever")
            began = time.monotonic()
            await watcher.wait(SYSTEM, {"/Ac/Out/P": None})
            assert time.monotonic() - began < HELD
            await watcher.wait(MULTI + "96342107100001", {"/Connected": 0})
            await watcher.wait(SYSTEM, {"/Ac/Out/P": None})
            simulators[1].scene.apply("fault off")
            await watcher.wait(SYSTEM, {"/Ac/Out/P": 2100.0})
            assert set(powers(watcher, owner)) == {None, 2100.0}
        finally:
            daemon.stop()

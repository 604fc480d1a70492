"""Units that change places: what is known of a unit goes with its serial number."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from helpers.installation import (
    BATTERY,
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
    write,
)
from helpers.run import MULTI, SYSTEM, Daemon, Ports, Watcher
from mppdbus.simulator.line.simulator import Simulator, simulate
from mppdbus.simulator.line.speed import Pace
from mppdbus.simulator.unit.inverter import SimulatedInverter

STEP = 10.0  # s from poll to poll
NAME = "/CustomName"
A, B = SERIALS[:2]


@pytest.fixture
async def watcher(bus_address: str) -> AsyncIterator[Watcher]:
    async with Watcher.on(bus_address) as watcher:
        yield watcher


def count(home: Home, clock: Clock, polls: int, **pv: int) -> None:
    """Let units with PV poll; `pv` are W by the last digit of the port: p0=900."""
    for _ in range(polls):
        clock.now += STEP
        for port, watts in pv.items():
            index = int(port[1:])
            home.hear(index, said(home.serial(index), pv=watts))


async def yields(watcher: Watcher) -> tuple[float, float]:
    """Return the kWh of the first and the second unit."""
    both = [(await watcher.values(name))["/Yield/User"] for name in (FIRST, SECOND)]
    return both[0], both[1]


async def test_cables_that_are_swapped(
    bus_address: str, state: Path, watcher: Watcher
) -> None:
    clock = Clock()
    async with at_home(bus_address, state, unit(0), unit(1)) as home:
        home.set_clock(clock)
        for index, serial in enumerate((A, B)):
            await home.meet(index, said(serial, pv=0))
        assert await write(watcher, FIRST, NAME, "s", "East") == 0
        count(home, clock, 181, p0=2000, p1=1000)
        assert await yields(watcher) == pytest.approx((1.0, 0.5), abs=0.01)
        for index, serial in enumerate((A, B)):
            home.unplug(index, serial)
        # Both at once, as when a hub comes back.
        await asyncio.gather(home.meet(0, said(B)), home.meet(1, said(A)))
        await names_become(watcher, FIRST, SECOND, SYSTEM, BATTERY)
        count(home, clock, 1, p0=1000, p1=2000)
        count(home, clock, 180, p0=1000, p1=2000)
        assert await yields(watcher) == pytest.approx((2.0, 1.0), abs=0.02)
        first, second = await watcher.values(FIRST), await watcher.values(SECOND)
        assert (first[NAME], first["/DeviceInstance"]) == ("East", 288)
        assert second["/DeviceInstance"] == 289
        assert first["/Mgmt/Connection"] == "/dev/ttyUSB1"
        day = [each["/History/Daily/0/Yield"] for each in (first, second)]
        assert day[0] >= 1.0
        assert day[1] >= 0.5
        system = await watcher.values(SYSTEM)
        assert system["/Devices/0/Service"] == SECOND
        assert system["/Devices/0/Instance"] == 289
        assert system["/Devices/1/Service"] == FIRST
        assert system["/Devices/1/Instance"] == 288


async def test_cables_that_are_swapped_while_nobody_looks(
    bus_address: str, state: Path, watcher: Watcher
) -> None:
    shown: list[tuple[object, ...]] = []
    for order in ((A, B), (B, A)):
        clock = Clock()
        async with at_home(bus_address, state, unit(0), unit(1)) as home:
            home.set_clock(clock)
            for index, serial in enumerate(order):
                await home.meet(index, said(serial, pv=0))
            if not shown:
                assert await write(watcher, FIRST, NAME, "s", "East") == 0
                count(home, clock, 181, p0=2000, p1=1000)
            first, second = await watcher.values(FIRST), await watcher.values(SECOND)
            kept = ("/Yield/User", "/DeviceInstance", NAME)
            shown.append(tuple(each[path] for each in (first, second) for path in kept))
    assert shown[0][:3] == (pytest.approx(1.0, abs=0.01), 288, "East")
    assert shown[0][3:5] == (pytest.approx(0.5, abs=0.01), 289)
    assert shown[1][:5] == shown[0][:5]
    assert shown[1][5] == "unit 0"  # nobody named it, so its port does


async def test_a_unit_that_was_moved_counts_on(
    bus_address: str, state: Path, watcher: Watcher
) -> None:
    """Its old port is empty, and asked again and again."""
    clock = Clock()
    async with at_home(bus_address, state, unit(0), unit(1)) as home:
        home.set_clock(clock)
        await home.meet(0, said(A))
        await home.meet(1, said(B))
        for index, serial in enumerate((A, B)):
            home.unplug(index, serial)
        await home.meet(0, said(B, pv=1000))
        await names_become(watcher, SECOND, SYSTEM, BATTERY)
        for _ in range(180 + 1):  # the last one is counted, and not yet shown
            count(home, clock, 1, p0=2000)
            home.hear(1, away(B))
        second = await watcher.values(SECOND)
        assert second["/Yield/User"] == pytest.approx(1.0, abs=0.01)
        assert second["/Connected"] == 1
        await home.meet(1, said(A))
        await watcher.wait(SYSTEM, {"/Devices/1/Service": FIRST})
        assert (await watcher.values(FIRST))["/Yield/User"] == 0.0


async def test_another_unit_has_no_alarms_of_the_one_before(
    bus_address: str, state: Path, watcher: Watcher
) -> None:
    async with at_home(bus_address, state, unit(0)) as home:
        for _ in range(2):
            await home.meet(0, said(A, "F", warned=(1, 9)))
        await watcher.wait(FIRST, {"/Alarms/HighTemperature": 2})
        await home.meet(0, said(B))
        assert (await watcher.values(SECOND))["/Alarms/HighTemperature"] == 0


async def test_equal_numbers(
    bus_address: str,
    state: Path,
    watcher: Watcher,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first one to come has the plain name, and keeps it whoever comes first."""
    monkeypatch.setattr("mppdbus.daemon.twins.WAIT", 0.1)
    monkeypatch.setattr("mppdbus.daemon.twins.POLLS_WAITED", 0.1)
    second = FIRST + "_at_ttyUSB1"
    for order in ((0, 1), (1, 0), (1, 0)):
        caplog.clear()
        async with at_home(bus_address, state, unit(0), unit(1)) as home:
            for index in order:
                await home.meet(index, said(A, load=500 + index))
            for index, name in enumerate((FIRST, second)):
                values = await watcher.values(name)
                assert values["/Ac/Out/L1/P"] == 500 + index
                assert values["/DeviceInstance"] == 288 + index
                assert values["/Mgmt/Connection"] == f"/dev/ttyUSB{index}"
            home.unplug(1, A)
            await home.meet(1, said(A, load=501))
            assert (await watcher.values(second))["/Connected"] == 1
            told = [r for r in caplog.records if "like another" in r.getMessage()]
            assert len(told) == 1


# -- with ports, lines and the daemon as they are -----------------------------------


EAST, WEST = "96342107100001", "96342107100002"


def simulated(profile: str, serial: str, scene: str) -> Simulator:
    simulator = simulate(profile, pace=Pace.instant(), scene=scene)
    assert isinstance(simulator.source, SimulatedInverter)
    simulator.source.serial = serial
    return simulator


async def test_ports_that_come_back_exchanged(tmp_path: Path, bus_address: str) -> None:
    east = simulated("axpert-5000", EAST, "grid on; load 700")
    west = simulated("axpert-5000", WEST, "grid on; load 900")
    one, two = MULTI + EAST, MULTI + WEST
    loads = {one: 700.0, two: 900.0}
    async with Ports.below(tmp_path) as ports, Watcher.on(bus_address) as watcher:
        await ports.add("a", east)
        await ports.add("b", west)
        units = [ports.unit("a"), ports.unit("b")]
        with Daemon(tmp_path, bus_address, units) as daemon:
            for name, load in loads.items():
                await watcher.wait(name, {"/Ac/Out/L1/P": load})
            assert await write(watcher, one, NAME, "s", "East") == 0
            for port in ports.ptys.values():
                port.close()
            for name in loads:
                await watcher.wait(name, {"/Connected": 0})
            await ports.add("a", west)
            await ports.add("b", east)
            for name, load in loads.items():
                await watcher.wait(name, {"/Ac/Out/L1/P": load, "/Connected": 1})
            first, second = await watcher.values(one), await watcher.values(two)
            assert (first[NAME], first["/DeviceInstance"]) == ("East", 288)
            assert second["/DeviceInstance"] == 289
            await names_become(watcher, one, two, SYSTEM, BATTERY)
            assert not re.search("Traceback|unexpected", daemon.said), daemon.said
            assert daemon.running, daemon.said


async def test_plugs_that_are_swapped_behind_their_adapters(
    tmp_path: Path, bus_address: str
) -> None:
    """The ports stay, a few polls are lost, and then the other inverter answers."""
    east = simulated("axpert-5000", EAST, "grid on; load 700")
    west = simulated("axpert-5000", WEST, "grid on; load 900")
    one, two = MULTI + EAST, MULTI + WEST
    async with Ports.below(tmp_path) as ports, Watcher.on(bus_address) as watcher:
        await ports.add("a", east)
        await ports.add("b", west)
        with Daemon(
            tmp_path, bus_address, [ports.unit("a"), ports.unit("b")]
        ) as daemon:
            await watcher.wait(one, {"/Ac/Out/L1/P": 700.0})
            await watcher.wait(two, {"/Ac/Out/L1/P": 900.0})
            for plug in (east, west):
                plug.scene.apply("fault silence 4 QPIGS")
            east.source, west.source = west.source, east.source
            await daemon.says(f"another inverter is here now: {EAST}")
            await daemon.says(f"another inverter is here now: {WEST}")
            await watcher.wait(one, {"/Ac/Out/L1/P": 700.0, "/Connected": 1})
            await watcher.wait(two, {"/Ac/Out/L1/P": 900.0, "/Connected": 1})
            loads = [
                (sender, rows["/Ac/Out/L1/P"].value)
                for sender, rows in watcher.signals
                if "/Ac/Out/L1/P" in rows and "/DeviceInstance" not in rows
            ]
            by_sender = {
                sender: {w for s, w in loads if s == sender and w != []}
                for sender, _ in loads
            }
            # The acsystem adds up; no service of a unit has ever shown both loads.
            assert {700.0, 900.0} not in by_sender.values()


async def test_numbers_that_tell_nothing(tmp_path: Path, bus_address: str) -> None:
    bogus = "55355535553555"
    one, two = MULTI + "a", MULTI + "b"
    async with Ports.below(tmp_path) as ports, Watcher.on(bus_address) as watcher:
        await ports.add("a", simulated("axpert-5000", bogus, "grid on; load 700"))
        await ports.add("b", simulated("axpert-5000", bogus, "grid on; load 900"))
        units = [ports.unit("a"), ports.unit("b")]
        for _ in range(2):
            with Daemon(tmp_path, bus_address, units) as daemon:
                await watcher.wait(one, {"/Ac/Out/L1/P": 700.0, "/DeviceInstance": 288})
                await watcher.wait(two, {"/Ac/Out/L1/P": 900.0, "/DeviceInstance": 289})
                await names_become(watcher, one, two, SYSTEM, BATTERY)
                assert daemon.said.count("has no number") == 2  # one each
            daemon.log.unlink()


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("bound", [(), ("garage",), ("garage", "barn")])
async def test_swapped_plugs_swap_no_names(
    tmp_path: Path,
    bus_address: str,
    bound: tuple[str, ...],
    restarted: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Name and AC input are of the inverter; bound by `serial` or not, it is served."""
    serials = {"garage": EAST, "barn": WEST}
    inverters = {
        "garage": simulated("axpert-5000", EAST, "grid on; load 700"),
        "barn": simulated("axpert-5000", WEST, "grid on; load 900"),
    }
    lines = {"garage": 'ac_input = "generator"', "barn": 'ac_input = "shore"'}
    async with Ports.below(tmp_path) as ports, Watcher.on(bus_address) as watcher:
        units = []
        for name, inverter in inverters.items():
            await ports.add(name, inverter)
            serial = f'serial = "{serials[name]}"' if name in bound else ""
            units.append(ports.unit(name, lines[name], serial))

        async def shown() -> None:
            for serial, name, kind, load in (
                (EAST, "garage", 2, 700.0),
                (WEST, "barn", 3, 900.0),
            ):
                wanted = {NAME: name, "/Ac/In/1/Type": kind, "/Ac/Out/L1/P": load}
                await watcher.wait(MULTI + serial, wanted)

        with Daemon(tmp_path, bus_address, units) as daemon:
            await shown()
            if restarted:
                assert await daemon.terminate() == 0
            for port in ports.ptys.values():
                port.close()
            if not restarted:
                for serial in (EAST, WEST):
                    await watcher.wait(MULTI + serial, {"/Connected": 0})
            await ports.add("garage", inverters["barn"])
            await ports.add("barn", inverters["garage"])
            if not restarted:
                await shown()
        if restarted:
            with Daemon(tmp_path, bus_address, units) as daemon:
                await shown()
        assert "garage is plugged in at " in daemon.said
        assert "bound to" not in daemon.said
        assert "Traceback" not in daemon.said


async def test_a_port_that_is_bound_to_an_inverter_that_is_nowhere(
    tmp_path: Path, bus_address: str
) -> None:
    """One that nothing binds there is not served, and a later correction is taken."""
    async with Ports.below(tmp_path) as ports, Watcher.on(bus_address) as watcher:
        await ports.add("garage", simulated("axpert-5000", EAST, "grid on"))
        lines = ports.unit("garage", f'serial = "{WEST}"')
        with Daemon(tmp_path, bus_address, [lines]) as daemon:
            line = await daemon.says(f"garage is bound to {WEST}")
            assert f"inverter {EAST} is here" in line
            assert "plug that one in here" in line
        for name in ("garage", "shed"):  # by its own serial number, by another name
            lines = ports.unit("garage").replace('name = "garage"', f'name = "{name}"')
            with Daemon(tmp_path, bus_address, [lines]):
                await watcher.wait(MULTI + EAST, {NAME: name})

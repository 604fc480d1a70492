"""What the log says of mains, faults and alarms: in words, at their begin and end."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from helpers.installation import SERIALS, Clock, Home, at_home, away, said, unit
from helpers.run import MULTI, Daemon, Ports, Watcher
from mppdbus.model.snapshot import Snapshot

Reply = tuple[str, dict[str, Any]]  # mode, and what else differs
OVERLOAD, FAULT, BATTERY_LOW = 16, 1, 12  # positions in QPIWS


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Return level and text of what the log has said of the unit."""
    named = (r for r in caplog.records if r.name == "mppdbus.unit 0")
    return [(record.levelname, record.message) for record in named]


async def say(home: Home, clock: Clock, *replies: Reply) -> None:
    for mode, values in replies:
        for _ in range(4):  # alarms are believed when they last
            clock.now += 10.0
            home.hear(0, said(SERIALS[0], mode, **values))


@pytest.fixture
def clock(caplog: pytest.LogCaptureFixture) -> Clock:
    caplog.set_level("INFO")
    return Clock()


async def test_mains_that_are_lost(
    bus_address: str, state: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    async with at_home(bus_address, state, unit(0)) as home:
        home.set_clock(clock)
        await home.meet(0, said(SERIALS[0]))
        lost = ("B", {"grid": 0.0})
        await say(home, clock, ("L", {}), lost)
        home.hear(0, away(SERIALS[0]))  # which does not end it
        await say(home, clock, lost, ("L", {}))
        assert lines(caplog) == [
            ("WARNING", "mains lost"),
            ("INFO", "mains are back, after 80 s"),
        ]


async def test_alarms_and_warnings(
    bus_address: str, state: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    async with at_home(bus_address, state, unit(0)) as home:
        home.set_clock(clock)
        await home.meet(0, said(SERIALS[0]))
        low = ("L", {"warned": (BATTERY_LOW,)})
        await say(home, clock, ("L", {}), low, low, ("L", {}), ("L", {}))
        begin, end = lines(caplog)
        assert begin == ("WARNING", "warning: battery voltage low")
        assert end[1].startswith("warning over: battery voltage low, after ")


async def test_a_fault_is_one_line_and_so_is_its_end(
    bus_address: str, state: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """It brings an alarm, which is not told beside it."""
    async with at_home(bus_address, state, unit(0)) as home:
        home.set_clock(clock)
        await home.meet(0, said(SERIALS[0]))
        overloaded = ("F", {"warned": (FAULT, OVERLOAD)})
        await say(home, clock, ("L", {}), overloaded, ("L", {}), ("L", {}))
        begin, end = lines(caplog)
        assert begin == ("WARNING", "fault: overload")
        assert end[1].startswith("fault over: overload, after ")


async def test_a_unit_without_which_the_sums_are_unknown(
    bus_address: str, state: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    async with at_home(bus_address, state, unit(0), unit(1)) as home:
        home.set_clock(clock)
        for index in (0, 1):
            await home.meet(index, said(SERIALS[index]))

        async def later(seconds: float, reply: Snapshot) -> None:
            clock.now += seconds
            home.hear(0, said(SERIALS[0]))
            home.hear(1, reply)
            await asyncio.sleep(0)

        gone = away(SERIALS[1])
        for reply in (gone, said(SERIALS[1]), gone, gone, said(SERIALS[1]), gone):
            await later(10, reply)
        for seconds in (100, 300):
            await later(seconds, gone)
        await later(10, said(SERIALS[1]))
        told = [r.message for r in caplog.records if r.name == "mppdbus.site"]
        assert [line for line in told if line.startswith("unit 1 ")] == [
            "unit 1 is silent: the sums of all units are unknown",
            "unit 1 answers again, and is part of the sums",
            "unit 1 is silent: the sums of all units are unknown",
            "unit 1 stays silent: the sums are of the others",
        ]


async def test_the_daemon_says_it(tmp_path: Path, bus_address: str) -> None:
    async with Ports.below(tmp_path) as ports, Watcher.on(bus_address) as watcher:
        simulator = await ports.add("tty", scene="grid on; load 500; soc 90")
        with Daemon(tmp_path, bus_address, [ports.unit("tty")]) as daemon:
            await watcher.wait(MULTI + "92932105100123", {"/Ac/Out/L1/P": ...})
            simulator.scene.apply("grid off")
            assert "WARNING mppdbus.tty: mains lost" in await daemon.says("mains")
            simulator.scene.apply("grid on")
            assert "INFO    mppdbus.tty" in await daemon.says("mains are back, after")
            simulator.scene.apply("fault 07")
            line = await daemon.says(".tty: fault: ")
            assert "WARNING" in line
            assert "overload" in line
            simulator.scene.apply("fault 0")
            assert line.split("fault: ")[1] in await daemon.says("fault over: ")
            assert len(daemon.warnings()) == 2

"""The daemon follows a BMS on a real bus, and what is left when it is lost."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from helpers.bms import COMMANDING, NAME, Bms
from helpers.processes import LAUNCHER, until
from helpers.run import Daemon, Ports
from helpers.simulator import inverter_of
from mppdbus.control.journal import Journal
from mppdbus.protocol.queries import decode
from mppdbus.protocol.replies.settings import Ratings
from mppdbus.simulator.line.simulator import Simulator

SYSTEM = "com.victronenergy.system"
TOLD: dict[str, float | int | str | None] = {
    "/Control/Dvcc": 1.0,
    "/ActiveBmsService": NAME,
    "/Control/EffectiveChargeVoltage": 56.0,
}
CONTROL = """
level = "safe"
follow = "dvcc"
most_charging_current = 70
safe = { max_charging_current = 20, charger_source_priority = "Solar first" }
"""
TIMES = {
    "venus.dvcc_monitor.ANSWER": 1.0,
    "daemon.bms_follower.EVERY": 0.5,
    "daemon.bms_follower.LOST": 3.0,
    "daemon.bms_follower.SILENCE": 15.0,
    "daemon.bms_follower.GRACE": 1.0,
}
HURRIED = (
    *LAUNCHER,
    *(w for name, s in TIMES.items() for w in ("--set", f"mppdbus.{name}={s}")),
    "--",
)
SLOWEST = 20.0  # s of a look and a write, on a busy machine


class House:
    """Units that follow a BMS, and the processes that say what is allowed."""

    def __init__(self, folder: Path, address: str, units: dict[str, Simulator]) -> None:
        self.folder, self.address, self.units = folder, address, units
        self.lines: list[str] = []

    def start(self) -> Daemon:
        units, program = self.lines, HURRIED
        return Daemon(
            self.folder, self.address, units, control=CONTROL, program=program
        )

    def ratings(self, name: str) -> Ratings:
        """What the unit itself has set."""
        answer = inverter_of(self.units[name]).answer("QPIRI")
        assert answer is not None
        reading = decode("QPIRI", answer.encode())
        assert isinstance(reading, Ratings)
        return reading

    @property
    def amps(self) -> float:
        """What all units may charge with now."""
        return sum(self.ratings(n).max_charging_current or 0.0 for n in self.units)

    async def shows(self, what: Callable[[], object]) -> None:
        async def so() -> bool:
            return bool(what())

        await until(so, lambda: f"{self.amps} A\n{self.said}\n{self.journal}")

    @property
    def said(self) -> str:
        return (self.folder / "daemon.log").read_text()

    @property
    def journal(self) -> list[str]:
        writes = Journal(self.folder / "state").writes()
        return [f"{w.setting} {w.old} {w.value} {w.observed} {w.by}" for w in writes]


@asynccontextmanager
async def house(
    folder: Path, address: str, *names: str
) -> AsyncIterator[tuple[House, Bms]]:
    async with AsyncExitStack() as stack:
        ports = await stack.enter_async_context(Ports.below(folder))
        here = House(folder, address, {n: await ports.add(n) for n in names})
        here.lines = [ports.unit(n) for n in names]
        if len(names) > 1:
            here.lines = [
                f"{line}\ninstance = {288 + i}" for i, line in enumerate(here.lines)
            ]
        system = await Bms.start(address, SYSTEM, TOLD)
        stack.push_async_callback(system.crash)
        bms = await Bms.start(address, values=COMMANDING)
        stack.push_async_callback(bms.crash)
        yield here, bms


async def test_the_limits_of_a_bms_become_settings_until_it_is_lost(
    tmp_path: Path, bus_address: str
) -> None:
    async with house(tmp_path, bus_address, "garage") as (here, bms):
        with here.start() as daemon:
            assert here.amps == 60
            await here.shows(lambda: here.amps == 40)  # 45 A are allowed
            await bms.show(**{"Info/MaxChargeCurrent": 0.0})
            await here.shows(lambda: here.amps == 10)
            await here.shows(
                lambda: here.ratings("garage").charger_source_priority == 3
            )
            bms.hang()
            await daemon.says("the limits are lost, so the safe settings count")
            await here.shows(lambda: here.amps == 20)
            await here.shows(
                lambda: here.ratings("garage").charger_source_priority == 1
            )
            bms.go_on()
            await here.shows(lambda: here.amps == 10)
            assert await daemon.terminate() == 0
        written = here.journal
        assert "DVCC: 45 A are allowed" in written[0]
        await asyncio.sleep(3)  # longer than a dead-man waits
        assert here.journal == written
        assert here.amps == 10


async def test_a_daemon_that_hangs_is_killed_and_the_unit_made_safe(
    tmp_path: Path, bus_address: str
) -> None:
    async with house(tmp_path, bus_address, "garage") as (here, _):
        with here.start() as daemon:
            await here.shows(lambda: here.amps == 40)
            await here.shows(lambda: "0 A are allowed" not in "".join(here.journal))
            os.kill(daemon.pid, signal.SIGSTOP)
            await here.shows(lambda: here.amps == 20)
            assert await daemon.ended() == -signal.SIGKILL
            await here.shows(
                lambda: here.ratings("garage").charger_source_priority == 1
            )
        assert "mppdbus hangs" in here.said


async def test_two_units_never_take_more_than_allowed_whatever_is_killed(
    tmp_path: Path, bus_address: str
) -> None:
    chance = random.Random(12)
    async with house(tmp_path, bus_address, "garage", "shed") as (here, bms):
        daemon = here.start()
        try:
            await here.shows(lambda: here.amps <= 45)
            for turn in range(6):
                limit = chance.uniform(22.0, 70.0)
                await bms.show(**{"Info/MaxChargeCurrent": limit})
                if turn == 3:
                    daemon.kill()
                    await here.shows(lambda: here.amps == 40)  # each its safe 20 A
                    daemon = here.start()
                    await here.shows(lambda: here.said.count("following") == 2)
                begin = asyncio.get_running_loop().time()
                await here.shows(lambda most=limit: here.amps <= most)  # type: ignore[misc]
                took = asyncio.get_running_loop().time() - begin
                assert turn == 3 or took < SLOWEST
        finally:
            daemon.stop()
        assert len(here.journal) <= 16, json.dumps(here.journal, indent=1)

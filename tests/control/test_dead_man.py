"""The dead-man: real processes that are killed, stopped and ended as they should."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from helpers.processes import FAST, Program, Simulated, until
from mppdbus.control.dead_man import FollowLock
from mppdbus.control.dead_man_orders import Orders, UnitOrder
from mppdbus.control.journal import Journal, WrittenSetting
from mppdbus.control.write_history import SAFE

CURRENT = "max_charging_current"
# A daemon that only follows: it says so by the lock, and feeds its dead-man.
DAEMON = """
import asyncio, sys
from pathlib import Path
from mppdbus.control.dead_man import FollowLock
from mppdbus.control.dead_man_orders import Orders
from mppdbus.daemon.dead_man import DeadMan

async def main(folder, line):
    lock = FollowLock(folder)
    assert lock.take()
    orders, dead_man = Orders.read(line.encode()), DeadMan(folder)
    await dead_man.feed(orders)
    print("fed", dead_man._process.pid, flush=True)
    loop = asyncio.get_running_loop()
    asking = loop.run_in_executor(None, sys.stdin.readline)
    while not asking.done():
        await dead_man.feed(orders)
        await asyncio.sleep(orders.silence / 40)
    await dead_man.close()

asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
"""


class Fed:
    """The daemon of the script, and the number of its dead-man."""

    def __init__(self, process: asyncio.subprocess.Process, watcher: int) -> None:
        self.process, self.watcher = process, watcher

    @property
    def watched(self) -> bool:
        try:
            os.kill(self.watcher, 0)
        except ProcessLookupError:
            return False
        return True

    async def left(self) -> None:
        """Wait until the dead-man has ended, too."""

        async def gone() -> bool:
            return not self.watched

        await until(gone, lambda: "the dead-man is still there")


@asynccontextmanager
async def simulated(folder: Path) -> AsyncIterator[Simulated]:
    unit = Simulated(folder, "tty", *FAST)
    try:
        await unit.ready()
        yield unit
    finally:
        unit.stop()


def orders(
    unit: Simulated,
    safe: dict[str, float | str] | None = None,
    *,
    port: str = "",
    grace: float = 0.2,
) -> Orders:
    where = port or f"serial:{unit.port}"
    one = UnitOrder("u", "unit", where, 2400, 2.0, "pi30vm3", "safe", safe=safe or {})
    return Orders((one,), silence=4.0, grace=grace)


@asynccontextmanager
async def fed(folder: Path, what: Orders) -> AsyncIterator[Fed]:
    with (folder / "daemon.log").open("ab") as said:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", DAEMON, str(folder), what.line().decode()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=said,
        )
    assert process.stdout is not None
    word, _, watcher = (await process.stdout.readline()).decode().partition(" ")
    assert word == "fed", (folder / "daemon.log").read_text()
    one = Fed(process, int(watcher))
    try:
        yield one
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        if one.watched:
            os.kill(one.watcher, signal.SIGKILL)
        # Nobody is left who could write to the pipe: it ends, and is closed.
        await asyncio.wait_for(process.stdout.read(), 60)


def writes(folder: Path) -> list[WrittenSetting]:
    return Journal(folder).writes()


async def made_safe(folder: Path, count: int = 1) -> list[WrittenSetting]:
    async def ended() -> bool:
        found = writes(folder)
        return len(found) == count and all(w.observed is not None for w in found)

    await until(ended, lambda: f"{writes(folder)}\n{said(folder)}")
    return writes(folder)


def said(folder: Path) -> str:
    return (folder / "daemon.log").read_text()


async def sent(unit: Simulated) -> int:
    """How many setters the simulator has got."""
    requests = json.loads(await unit.tell("requests"))
    return sum(n for command, n in requests.items() if not command.startswith("Q"))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_daemon_that_is_killed_or_hangs_leaves_the_safe_settings(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with (
        simulated(tmp_path) as unit,
        fed(tmp_path, orders(unit, {CURRENT: 25})) as daemon,
    ):
        begin = asyncio.get_running_loop().time()
        daemon.process.send_signal(number)
        (write,) = await made_safe(tmp_path)
        assert asyncio.get_running_loop().time() - begin < 60
        assert write.setting == CURRENT
        assert write.done
        assert write.value == 20  # the next lower one of its list
        assert write.by.startswith(SAFE)
        assert await daemon.process.wait() == -signal.SIGKILL
        await daemon.left()
        assert await sent(unit) == 1
    assert "mppdbus" in said(tmp_path)
    assert "the inverter shows it" in said(tmp_path)


async def test_without_a_profile_it_is_the_least_current_and_the_rest_is_tried(
    tmp_path: Path,
) -> None:
    more: dict[str, float | str] = {
        "charger_source_priority": "Only solar",
        "battery_bulk_voltage": 54.0,
    }
    async with simulated(tmp_path) as unit, fed(tmp_path, orders(unit, more)) as daemon:
        daemon.process.kill()
        current, charger = await made_safe(tmp_path, 2)
        assert current.setting == CURRENT
        assert current.value == 10
        assert charger.setting == "charger_source_priority"
        assert charger.done
        await daemon.left()
        assert 'battery_bulk_voltage: needs level = "full"' in said(tmp_path)


async def test_a_daemon_that_ends_on_purpose_leaves_all_as_it_is(
    tmp_path: Path,
) -> None:
    async with simulated(tmp_path) as unit, fed(tmp_path, orders(unit)) as daemon:
        os.kill(daemon.watcher, signal.SIGTERM)  # as systemd ends all of a service
        os.kill(daemon.watcher, signal.SIGINT)
        daemon.process.stdin.write(b"end\n")  # type: ignore[union-attr]
        assert await daemon.process.wait() == 0
        await daemon.left()
        assert await sent(unit) == 0
    assert not writes(tmp_path)


async def test_it_does_nothing_when_another_daemon_follows_already(
    tmp_path: Path,
) -> None:
    async with (
        simulated(tmp_path) as unit,
        fed(tmp_path, orders(unit, grace=3.0)) as daemon,
    ):
        daemon.process.kill()
        lock = FollowLock(tmp_path)

        async def started_again() -> bool:
            return lock.take()

        await until(started_again, lambda: "the lock is held by the dead")
        await daemon.left()
        lock.release()
        assert await sent(unit) == 0


async def test_a_port_that_nobody_answers_at_is_tried_again_and_told(
    tmp_path: Path,
) -> None:
    async with simulated(tmp_path) as unit:
        nowhere = orders(unit, port=f"serial:{tmp_path}/gone")
        async with fed(tmp_path, nowhere) as daemon:
            daemon.process.kill()
            await daemon.left()
    assert said(tmp_path).count("gone") == 1
    assert not writes(tmp_path)


async def test_a_dead_man_that_dies_is_started_again(tmp_path: Path) -> None:
    async with simulated(tmp_path) as unit, fed(tmp_path, orders(unit)) as daemon:
        os.kill(daemon.watcher, signal.SIGKILL)

        async def noticed() -> bool:
            return "it was started again" in said(tmp_path)

        await until(noticed, lambda: said(tmp_path))
        daemon.process.kill()
        await made_safe(tmp_path)


def test_waiting_takes_hardly_anything(tmp_path: Path) -> None:
    """It stays for months: only the standard library is loaded until it acts."""
    code = (
        "import sys, mppdbus.control.dead_man; print(len([m for m in sys.modules "
        "if m.startswith(('mppdbus', 'pydantic', 'serial', 'dbus_fast'))]))"
    )
    program = Program((sys.executable, "-c", code), tmp_path / "log")
    assert program._process.wait(60) == 0
    assert int(program.said) <= 4

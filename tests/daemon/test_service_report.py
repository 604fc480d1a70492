"""What systemd hears of a real daemon: started, alive, not alive, ended."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from helpers.bus import PrivateBus
from helpers.notify import NotifySocket
from helpers.run import MULTI, Daemon, Ports, Watcher
from mppdbus.config.models import parse
from mppdbus.daemon import service_report
from mppdbus.daemon.installation import Installation
from mppdbus.daemon.service_report import ServiceReport
from mppdbus.daemon.session import Session
from mppdbus.host.service_manager import ServiceManager

NAME = MULTI + "92932105100123"
QUIET = 1.5  # s, six of the daemon's reports


@pytest.fixture
def watched(
    notify_socket: NotifySocket, monkeypatch: pytest.MonkeyPatch
) -> NotifySocket:
    """Have a watchdog that wants to hear every second."""
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    return notify_socket


async def test_the_life_of_a_daemon(
    tmp_path: Path, bus_address: str, watched: NotifySocket
) -> None:
    """It is fed while the inverter is silent, and not while the process hangs."""
    async with Ports.below(tmp_path) as ports, Watcher.on(bus_address) as watcher:
        simulator = await ports.add("tty", scene="grid on; load 500")
        with Daemon(tmp_path, bus_address, [ports.unit("tty")]) as daemon:
            await watched.hear("READY=1")
            assert NAME in await watcher.names()  # and not before
            if "STATUS=tty: line mode" not in watched.messages:
                await watched.hear("STATUS=tty: line mode")

            simulator.scene.apply("fault silence forever")
            await watched.hear("STATUS=tty: does not answer")
            await watcher.wait(NAME, {"/Connected": 0})
            for _ in range(8):  # two of its limits
                await watched.hear("WATCHDOG=1")

            os.kill(daemon.pid, signal.SIGSTOP)
            await watched.silence("WATCHDOG=1", QUIET)
            os.kill(daemon.pid, signal.SIGCONT)
            await watched.hear("WATCHDOG=1")

            assert await daemon.terminate() == 0
            assert "STOPPING=1" in watched.drain()


async def test_a_start_without_anything_is_a_start(
    tmp_path: Path, watched: NotifySocket, private_bus: PrivateBus
) -> None:
    """No bus yet, and no inverter: systemd must not take that for a failure."""
    private_bus.stop()
    unit = f'name = "shed"\nport = "serial:{tmp_path}/nowhere"'
    with Daemon(tmp_path, private_bus.address, [unit]):
        await watched.hear("STATUS=waits for the D-Bus")
        await watched.hear("WATCHDOG=1")
        await watched.hear("READY=1")
        private_bus.start()
        await watched.hear("STATUS=shed: not seen yet")
        await watched.hear("WATCHDOG=1")


async def test_a_session_that_hangs_is_left_to_the_watchdog(
    tmp_path: Path,
    bus_address: str,
    watched: NotifySocket,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(service_report, "STALLED", 0.3)
    config = parse('[[inverter]]\nname = "shed"\nport = "/dev/null"', "")
    installation = Installation(bus_address, tmp_path, {}, expected=1, patience=0.0)
    stuck = Session(config.inverter[0], installation)  # its task does nothing
    sessions = {"shed": stuck}
    report = ServiceReport(ServiceManager(os.environ), installation, sessions)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(report.run())
        await watched.hear("WATCHDOG=1")
        await watched.silence("WATCHDOG=1", QUIET)
        del sessions["shed"]
        await watched.hear("WATCHDOG=1")
        running.cancel()
    assert [r.message for r in caplog.records if "stalled" in r.message] == [
        "shed: stalled for 0 s: the watchdog may act"
    ]

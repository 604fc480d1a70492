"""The session of one inverter, on a real port and bus, with its pauses cut short."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from helpers.run import MULTI, Ports, Watcher, eventually
from mppdbus.config.models import parse
from mppdbus.daemon.installation import Installation
from mppdbus.daemon.session import Session
from mppdbus.host.ports import Candidate, candidates
from mppdbus.inverter import timing
from mppdbus.model.battery.bank import BankSettings
from mppdbus.model.snapshot import Snapshot
from mppdbus.simulator.line.simulator import Simulator
from mppdbus.transport import open_errors

NAME = MULTI + "92932105100123"
PATH = "/Connected"


class Clumsy(Installation):
    """Has a defect that shows when the load is 666 W."""

    def show(self, uid: str, connection: str, snapshot: Snapshot) -> bool:
        if snapshot.status and snapshot.status.ac_output_active_power == 666:
            raise ZeroDivisionError
        return super().show(uid, connection, snapshot)


@asynccontextmanager
async def kept(
    folder: Path, address: str, kind: type[Installation] = Installation
) -> AsyncIterator[tuple[Simulator, Watcher]]:
    async with Ports.below(folder) as ports, Watcher.on(address) as watcher:
        simulator = await ports.add("tty", scene="grid off; pv 0; load 500; soc 90")
        config = parse(f"[[inverter]]\n{ports.unit('tty')}", "test").inverter[0]
        installation = kind(
            address, folder / "state", {"": BankSettings()}, expected=1, patience=0.0
        )
        await installation.open()
        task = asyncio.create_task(Session(config, installation).run())
        try:
            await watcher.wait(NAME, {"/Ac/Out/L1/P": 500.0})
            yield simulator, watcher
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await installation.close()


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "SETTLE", 0.01)
    monkeypatch.setattr(timing, "FAILED_EVERY", 0.05)
    monkeypatch.setattr(timing, "BACK_OFF", (0.01, 0.02, 0.03))


def logged(caplog: pytest.LogCaptureFixture, text: str) -> int:
    return sum(text in r.message for r in caplog.records if r.levelno >= logging.INFO)


def asked(simulator: Simulator, count: int) -> bool:
    return simulator.scene.requests["QPIGS"] >= count


def told(caplog: pytest.LogCaptureFixture, text: str, count: int) -> bool:
    return logged(caplog, text) >= count


async def test_each_outage_is_told_once_and_so_is_its_end(
    tmp_path: Path, bus_address: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with kept(tmp_path, bus_address) as (simulator, watcher):
        for outage in (1, 2):
            # What has been answered before is asked twice in a poll.
            simulator.scene.apply("fault nak 12 QPIGS")
            again = "answers again after 6 failed polls"
            await eventually(partial(told, caplog, again, outage))
            await watcher.wait(NAME, {"/Connected": 1})
            assert logged(caplog, "QPIGS: the inverter answered NAK") == outage
            # Two more failed polls are no outage, and not told.
            end = simulator.scene.requests["QPIGS"] + 6
            simulator.scene.apply("fault nak 4 QPIGS")
            await eventually(partial(asked, simulator, end))
    assert logged(caplog, "connected on") == 1
    shown = [rows[PATH].value for _, rows in watcher.signals if PATH in rows]
    assert shown.count(0) >= 2


async def test_a_long_outage_opens_the_port_anew_and_is_told_once(
    tmp_path: Path,
    bus_address: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(timing, "FAILURES_REOPEN", 4)
    async with kept(tmp_path, bus_address) as (simulator, watcher):
        simulator.scene.apply("fault silence forever")
        asked = simulator.scene.requests["QPI"]
        await eventually(lambda: simulator.scene.requests["QPI"] >= asked + 2)
        simulator.scene.apply("fault off")
        await watcher.wait(NAME, {"/Connected": 1, "/Ac/Out/L1/P": 500.0})
    warnings = [r.message for r in caplog.records if r.levelno >= logging.WARNING]
    assert warnings == ["QPIGS: no reply within 0.2 s"]
    assert logged(caplog, "connected on") == 2


async def test_a_defect_of_ours_starts_the_inverter_over(
    tmp_path: Path, bus_address: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with kept(tmp_path, bus_address, Clumsy) as (simulator, watcher):
        simulator.scene.apply("load 666")
        await watcher.wait(NAME, {"/Connected": 0, "/Ac/Out/L1/P": None})
        simulator.scene.apply("load 700")
        await watcher.wait(NAME, {"/Connected": 1, "/Ac/Out/L1/P": 700.0})
    assert "unexpected; starting this inverter over" in caplog.text
    assert "ZeroDivisionError" in caplog.text


async def test_a_missing_port_costs_one_look_at_the_machine(
    tmp_path: Path, bus_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What else is plugged in is looked up for the message, which is said once."""
    looked, tried = [], []
    exists = Path.exists

    def look() -> list[Candidate]:
        looked.append(1)
        return candidates()

    def there(path: Path) -> bool:
        tried.append(path)
        return exists(path)

    monkeypatch.setattr(open_errors, "candidates", look)
    monkeypatch.setattr(Path, "exists", there)
    async with Ports.below(tmp_path) as ports, Watcher.on(bus_address) as watcher:
        config = parse(f"[[inverter]]\n{ports.unit('tty')}", "test").inverter[0]
        installation = Installation(
            bus_address, tmp_path / "state", {"": BankSettings()}, expected=1,
            patience=0.0,
        )  # fmt: skip
        await installation.open()
        task = asyncio.create_task(Session(config, installation).run())
        try:
            await eventually(lambda: tried.count(tmp_path / "tty") >= 20)
            assert len(looked) == 1
            await ports.add("tty")
            await watcher.wait(NAME, {"/Ac/Out/L1/P": ...})
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await installation.close()


async def test_failures_are_counted_over_connections(
    tmp_path: Path, bus_address: str
) -> None:
    async with kept(tmp_path, bus_address) as (simulator, watcher):
        failures = "/Mppdbus/Link/Failures"
        simulator.scene.apply("fault silence 3 QPIGS")
        await watcher.wait(NAME, {failures: 3})
        simulator.scene.apply("fault disconnect 1 QPIGS 0.5s")
        await watcher.wait(NAME, {PATH: 0})
        await watcher.wait(NAME, {PATH: 1, failures: 3})

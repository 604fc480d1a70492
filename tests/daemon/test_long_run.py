"""Hours of running with a fault on the line every minute: nothing wrong, nothing lost.

MPPDBUS_RUNS is how often (1), MPPDBUS_HOURS how long each time (1), in hours of the
simulated inverters.
"""

# ruff: noqa: ANN401 - values on a bus, and calls that are only passed on

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections import Counter, deque
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from helpers.bus import PrivateBus
from helpers.fast_time import run_with_bus
from helpers.installation import owners_of
from helpers.run import BATTERY, MULTI, SYSTEM, Watcher
from mppdbus.config.models import parse
from mppdbus.daemon.installation import Installation
from mppdbus.daemon.sections import banks_of
from mppdbus.daemon.session import Session
from mppdbus.model.snapshot import Snapshot
from mppdbus.protocol.framing import encode_reply
from mppdbus.simulator.line.simulator import Response, Simulator, simulate
from mppdbus.simulator.line.speed import Pace
from mppdbus.simulator.ports.server import serve_tcp

HOURS = float(os.environ.get("MPPDBUS_HOURS", "1"))
RUNS = int(os.environ.get("MPPDBUS_RUNS", "1"))
POLL = 5.0  # s
EVERY = 60.0  # s from fault to fault
WINDOW = 60.0  # s for which a value that was true may be shown
BEGIN = datetime(2026, 6, 1, 6, tzinfo=UTC)
UNITS = {"one": "axpert-5000", "two": "max-8000"}
SERIALS = {"one": "92932105100123", "two": "96342107100456"}
NAK = encode_reply("NAK")

# Path → the word of QPIGS that it shows.
TRUE = {
    "/Ac/Out/L1/P": 5,
    "/Ac/Out/L1/V": 2,
    "/Dc/0/Voltage": 8,
    "/Ac/Out/L1/F": 3,
    "/Ac/In/1/L1/V": 0,
}
COUNTED = ("/Yield/User", "/Yield/System", "/Energy/InverterToAcOut")
SAME = ("/Serial", "/DeviceInstance", "/NrOfTrackers")


class Troubled:
    """A simulator whose line has a random fault once a minute."""

    def __init__(self, simulator: Simulator, rng: random.Random) -> None:
        self.simulator, self._rng = simulator, rng
        self.struck: Counter[str] = Counter()
        self.true: deque[tuple[float, list[str]]] = deque()  # time, words of QPIGS
        self._last = NAK
        self._next = EVERY
        self._respond = simulator.respond
        simulator.respond = self.respond  # type: ignore[method-assign]

    def respond(self, request: bytes, now: float) -> Response | None:
        response = self._respond(request, now)
        if response is None or not response.data:
            return response
        data = response.data
        if request.startswith(b"QPIGS\xb7"):
            self.true.append((now, data[1:-3].decode("latin-1").split()))
            while self.true[0][0] < now - WINDOW:
                self.true.popleft()
        if now >= self._next:
            self._next = now + EVERY * self._rng.uniform(0.5, 1.5)
            response = self._spoiled(response)
        self._last = data
        return response

    def _spoiled(self, response: Response) -> Response | None:
        rng, data = self._rng, response.data
        kind = rng.choice(("nak", "stray", "late", "doubled", "cut", "silence"))
        self.struck[kind] += 1
        match kind:
            case "nak":
                return replace(response, data=NAK)
            case "stray":
                return replace(response, data=rng.choice((NAK, self._last)) + data)
            case "late":
                return replace(response, delay=rng.uniform(0.5, 8.0))
            case "doubled":
                return replace(response, data=data + data)
            case "cut":
                return replace(response, data=data[: rng.randrange(len(data))])
        return None


class Checked(Installation):
    """An installation that compares all it shows with what was true."""

    inverters: dict[str, Troubled]

    def begin(self, inverters: dict[str, Troubled]) -> None:
        self.inverters = inverters
        self.wrong: list[str] = []
        self.seen: Counter[str] = Counter()
        self._before: dict[tuple[str, str], Any] = {}

    def show(self, uid: str, connection: str, snapshot: Snapshot) -> bool:
        shown = super().show(uid, connection, snapshot)
        unit = self._publisher._units[uid]
        if shown and unit.service.claimed:
            self._check(unit.view.unit.name, unit.service.value)  # type: ignore[union-attr]
            self.seen["views"] += 1
            self.seen["unknown"] += unit.service.value("/Ac/Out/L1/P") is None
            self.seen["away"] += not snapshot.online
        return shown

    def _check(self, name: str, value: Any) -> None:
        now, words = self._clock(), [w for _, w in self.inverters[name].true]
        for path, place in TRUE.items():
            said = value(path)
            if said is not None and said not in {float(each[place]) for each in words}:
                self.wrong.append(f"{now:.0f} s: {name}{path} {said}")
        for path in COUNTED:
            before = self._before.get((name, path))
            if before is not None and (value(path) is None or value(path) < before):
                self.wrong.append(f"{now:.0f} s: {name}{path} {before} {value(path)}")
            self._before[name, path] = value(path)
        for path in SAME:
            first = self._before.setdefault((name, path), value(path))
            if first is None:
                del self._before[name, path]
            elif value(path) != first:
                self.wrong.append(f"{now:.0f} s: {name}{path} {first} {value(path)}")


async def walk(
    folder: Path, address: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """Run for HOURS; return what was wrong, and what went on."""
    loop, rng = asyncio.get_running_loop(), random.Random(seed)
    start = loop.time()

    def today() -> date:
        return (BEGIN + timedelta(seconds=loop.time() - start)).date()

    monkeypatch.setattr("mppdbus.daemon.installation.local_today", today)
    async with AsyncExitStack() as stack:
        inverters, text = {}, ""
        for name, profile in UNITS.items():
            simulator = simulate(profile, pace=Pace(think=0.05, paced=False))
            simulator.scene.apply_script("time 06:00; grid on; pv curve 3000; soc 60")
            inverters[name] = Troubled(simulator, rng)
            port = await stack.enter_async_context(serve_tcp(simulator, "127.0.0.1", 0))
            text += (
                f'[[inverter]]\nname = "{name}"\nport = "tcp://127.0.0.1:{port.port}"\n'
                f"poll = {POLL}\n"
            )
        config = parse(text, "test")
        house = Checked(
            address, folder, banks_of(config), expected=2, patience=0.0,
            configs=config.inverter,
        )  # fmt: skip
        house.begin(inverters)
        watcher = await stack.enter_async_context(Watcher.on(address))
        await house.open()
        sessions = [
            asyncio.create_task(Session(unit, house).run()) for unit in config.inverter
        ]
        names = {*(MULTI + serial for serial in SERIALS.values()), SYSTEM, BATTERY}
        try:
            while await watcher.names() != names:
                await asyncio.sleep(1.0)
            await asyncio.sleep(120.0)  # a name may be renewed while a unit is learned
            async with owners_of(watcher) as owners:
                for _ in range(int(HOURS * 4)):
                    for inverter in inverters.values():
                        watts, volts = rng.uniform(50, 4000), rng.uniform(220, 240)
                        inverter.simulator.scene.apply(f"load {watts:.0f}")
                        mains = "off" if rng.random() < 0.2 else f"on {volts:.1f}"
                        inverter.simulator.scene.apply(f"grid {mains}")
                    await asyncio.sleep(900.0)
                assert await watcher.names() == names
        finally:
            for session in sessions:
                session.cancel()
            await asyncio.gather(*sessions, return_exceptions=True)
            await house.close()
    struck = sum((each.struck for each in inverters.values()), Counter[str]())
    return {
        "wrong": house.wrong,
        "owners": owners,
        "seen": house.seen,
        "faults": struck,
    }


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(RUNS))
def test_hours_with_a_fault_every_minute(
    tmp_path: Path, private_bus: PrivateBus, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    work = walk(tmp_path, private_bus.address, seed, monkeypatch)
    result = run_with_bus(work, monkeypatch)
    said = {**result, "wrong": len(result["wrong"])}
    print(f"seed {seed}, {HOURS:g} h: {said}", file=sys.stderr)
    assert result["wrong"][:20] == []
    assert result["owners"] == []
    assert sum(result["faults"].values()) > HOURS * 60

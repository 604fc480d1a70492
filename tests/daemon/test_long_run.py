"""Hours of running with a fault on the line every minute: nothing wrong, nothing lost.

MPPDBUS_RUNS is how often (1), MPPDBUS_HOURS how long each time (1), in hours of the
simulated inverters. The first run is a MAX, which tells of a second one, and an Axpert;
the inverters of the others are drawn.
"""

# ruff: noqa: ANN401 - values on a bus, and calls that are only passed on

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from helpers.bus import PrivateBus
from helpers.fast_time import run_with_bus
from helpers.installation import owners_of
from helpers.line_faults import KINDS, NAK, spoil, units_of
from helpers.run import BATTERY, MULTI, SYSTEM, Watcher
from mppdbus.config.models import parse
from mppdbus.daemon.installation import Installation
from mppdbus.daemon.sections import banks_of
from mppdbus.daemon.session import Session
from mppdbus.model.snapshot import Snapshot
from mppdbus.simulator.line.simulator import Response, Simulator
from mppdbus.simulator.ports.server import serve_tcp
from mppdbus.simulator.unit.profiles import PROFILES

HOURS = float(os.environ.get("MPPDBUS_HOURS", "1"))
RUNS = int(os.environ.get("MPPDBUS_RUNS", "1"))
POLL = 5.0  # s
EVERY = 60.0  # s from fault to fault
WINDOW = 60.0  # s for which a value that was true may be shown
LEARNED = 120.0  # s; a name may be renewed while a unit is learned
BEGIN = datetime(2026, 6, 1, 6, tzinfo=UTC)

# Path → the word of QPIGS that it shows.
TRUE = {
    "/Ac/In/1/L1/V": 0,
    "/Ac/In/1/L1/F": 1,
    "/Ac/Out/L1/V": 2,
    "/Ac/Out/L1/F": 3,
    "/Ac/Out/L1/S": 4,
    "/Ac/Out/L1/P": 5,
    "/Mppdbus/Load": 6,
    "/Dc/0/Voltage": 8,
    "/Pv/V": 13,
    "/Pv/0/V": 13,
}
ROUGHLY = 0.06  # QPGS has fewer digits than QPIGS
LOAD_W = 5
# The extremes of the day, and of what.
EXTREMES = {
    "/History/Daily/0/MinBatteryVoltage": 8,
    "/History/Daily/0/MaxBatteryVoltage": 8,
    "/History/Daily/0/MaxPvVoltage": 13,
}
COUNTED = ("/Yield/User", "/Yield/System", "/Energy/InverterToAcOut")
TO_THE_LOAD = tuple(
    f"/Energy/{source}ToAcOut" for source in ("Solar", "AcIn1", "Inverter")
)
LOST = 0.03  # part of the energy that may be missing, or too much
SAME = ("/Serial", "/DeviceInstance", "/NrOfTrackers")
SAME_ONCE_LEARNED = (
    "/ProductName", "/FirmwareVersion", "/Mppdbus/Dialect", "/CustomName",
    "/Ac/Out/L1/NominalInverterPower", "/Mppdbus/Switches",
)  # fmt: skip


class TrueUnit:
    """What a simulated unit says itself, whatever becomes of it on the line."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self.recent: deque[tuple[float, list[float]]] = deque()  # time, words of QPIGS
        self.modes: deque[tuple[float, str]] = deque()
        self.warned: deque[tuple[float, bool]] = deque()
        self.ever: defaultdict[int, set[float]] = defaultdict(set)
        self.wh = 0.0  # that the load has taken

    def note(self, now: float) -> None:
        """Ask it now."""
        words = [float(word) for word in self._said("QPIGS").split()[:14]]
        if self.recent:
            time, before = self.recent[-1]
            self.wh += (now - time) * (before[LOAD_W] + words[LOAD_W]) / 7200
        for place in EXTREMES.values():
            self.ever[place].add(words[place])
        self._keep(self.recent, now, words)
        self._keep(self.modes, now, self._said("QMOD"))
        self._keep(self.warned, now, "1" in self._said("QPIWS"))

    def _said(self, query: str) -> str:
        reply = self._simulator.source.reply(query)
        assert reply is not None
        return reply[1:-3].decode("latin-1")

    def _keep(self, kept: deque[tuple[float, Any]], now: float, said: Any) -> None:
        kept.append((now, said))
        while kept[0][0] < now - WINDOW:
            kept.popleft()


class Troubled:
    """A simulator whose line has a random fault once a minute."""

    def __init__(self, units: tuple[Simulator, ...], rng: random.Random) -> None:
        self.units = [TrueUnit(unit) for unit in units]
        self.simulator, self._rng = units[0], rng
        self.struck: Counter[str] = Counter()
        self._said = deque([NAK], maxlen=8)  # of less than half a minute
        self._next = EVERY
        self._respond = self.simulator.respond
        self.simulator.respond = self.respond  # type: ignore[method-assign]

    def respond(self, request: bytes, now: float) -> Response | None:
        response = self._respond(request, now)
        if response is None or not response.data:
            return response
        if request.startswith((b"QPIGS\xb7", b"QPGS", b"QMOD")):
            for unit in self.units:
                unit.note(now)
        before = list(self._said)
        self._said.append(response.data)
        if now < self._next:
            return response
        self._next = now + EVERY * self._rng.uniform(0.5, 1.5)
        kind = self._rng.choice(KINDS)
        self.struck[kind] += 1
        return spoil(kind, response, before, self._rng, latest=8.0)


class Checked(Installation):
    """An installation that compares all it shows with what was true."""

    def begin(self, inverters: dict[str, Troubled]) -> None:
        self.inverters = inverters
        self.learned = False
        self.wrong: list[str] = []
        self.seen: Counter[str] = Counter()
        self._before: dict[tuple[str, str], Any] = {}
        self._start: dict[str, tuple[float, float]] = {}  # kWh shown, and true

    def show(self, uid: str, connection: str, snapshot: Snapshot) -> bool:
        shown = super().show(uid, connection, snapshot)
        unit = self._publisher._units[uid]
        if shown and unit.service.claimed:
            name = unit.view.unit.name  # type: ignore[union-attr]
            self._check(name, unit.service.value)
            self.seen["views"] += 1
            self.seen["unknown"] += unit.service.value("/Ac/Out/L1/P") is None
            self.seen["away"] += not snapshot.online
        return shown

    def true_unit(self, name: str) -> TrueUnit:
        """Return the unit of a name; one that another reports has its digits behind."""
        first, _, reported = name.partition(" ")
        return self.inverters[first].units[1 if reported else 0]

    def _check(self, name: str, value: Callable[[str], Any]) -> None:
        now, unit = self._clock(), self.true_unit(name)
        for text in (
            *self._untrue(unit, value),
            *self._fallen(name, value),
            *self._changed(name, value),
        ):
            self.wrong.append(f"{now:.0f} s: {name}{text}")

    def _untrue(self, unit: TrueUnit, value: Callable[[str], Any]) -> Iterator[str]:
        """Yield what was not so in the last minute."""
        for path, place in TRUE.items():
            said = value(path)
            if said is not None and not any(
                abs(said - words[place]) <= ROUGHLY for _, words in unit.recent
            ):
                yield f"{path} {said}"
        mode = value("/Mppdbus/Mode")
        if mode is not None and mode not in {mode for _, mode in unit.modes}:
            yield f"/Mppdbus/Mode {mode}"
        if value("/Mppdbus/Warnings") and not any(warned for _, warned in unit.warned):
            yield f"/Mppdbus/Warnings {value('/Mppdbus/Warnings')}"
        if self.learned:
            for path, place in EXTREMES.items():
                said = value(path)
                if said is None or not any(
                    abs(said - true) <= ROUGHLY for true in unit.ever[place]
                ):
                    yield f"{path} {said}"

    def _fallen(self, name: str, value: Callable[[str], Any]) -> Iterator[str]:
        """Yield the counters that have fallen, or are gone."""
        for path in COUNTED:
            now, before = value(path), self._before.get((name, path))
            if before is not None and (now is None or now < before):
                yield f"{path} {before} {now}"
            self._before[name, path] = now

    def _changed(self, name: str, value: Callable[[str], Any]) -> Iterator[str]:
        """Yield what must stay as it is, and has not."""
        for path in SAME + (SAME_ONCE_LEARNED if self.learned else ()):
            now = value(path)
            first = self._before.setdefault((name, path), now)
            if first is None:
                del self._before[name, path]
            elif now != first and not (now is None and path in SAME_ONCE_LEARNED):
                yield f"{path} {first} {now}"

    def energy(self) -> dict[str, tuple[float, float]]:
        """Return the kWh that loads have taken since the begin: shown, and true."""
        now: dict[str, tuple[float, float]] = {}
        for unit in self._publisher._units.values():
            name = unit.view.unit.name  # type: ignore[union-attr]
            values: list[Any] = [unit.service.value(path) for path in TO_THE_LOAD]
            now[name] = sum(values), self.true_unit(name).wh / 1000
        start = self._start = self._start or now
        return {
            name: (shown - start[name][0], true - start[name][1])
            for name, (shown, true) in now.items()
        }


def profiles_of(seed: int) -> tuple[str, ...]:
    """Return the personalities of a run; two of them must not have the same number."""
    if seed == 0:
        return "max-8000", "axpert-5000"
    rng = random.Random(seed)
    while True:
        drawn = rng.sample(list(PROFILES), 2)
        one, other = (PROFILES[name] for name in drawn)
        if one.serial != other.serial:
            return tuple(drawn)


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
        inverters, text, units = {}, "", 0
        for number, profile in enumerate(profiles_of(seed)):
            scene = "time 06:00; grid on; pv curve 3000; soc 60"
            simulators = units_of(profile, scene, think=0.05)
            inverter = Troubled(simulators, rng)
            inverters[f"unit{number}"] = inverter
            units += len(simulators)
            port = await stack.enter_async_context(
                serve_tcp(inverter.simulator, "127.0.0.1", 0)
            )
            text += (
                f'[[inverter]]\nname = "unit{number}"\n'
                f'port = "tcp://127.0.0.1:{port.port}"\npoll = {POLL}\n'
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
            asyncio.create_task(Session(unit, house, others=True).run())
            for unit in config.inverter
        ]
        try:
            while sum(MULTI in name for name in await watcher.names()) < units:
                await asyncio.sleep(1.0)
            await asyncio.sleep(LEARNED)
            names = await watcher.names()
            assert {SYSTEM, BATTERY} < names
            assert len(names) == units + 2
            house.learned = True
            house.energy()
            async with owners_of(watcher) as owners:
                for _ in range(int(HOURS * 4)):
                    for inverter in inverters.values():
                        change(inverter.simulator, rng)
                    await asyncio.sleep(900.0)
                assert await watcher.names() == names
            energy = house.energy()
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
        "energy": energy,
    }


def change(simulator: Simulator, rng: random.Random) -> None:
    """Change load and mains."""
    watts, volts = rng.uniform(50, 4000), rng.uniform(220, 240)
    simulator.scene.apply(f"load {watts:.0f}")
    mains = "off" if rng.random() < 0.2 else f"on {volts:.1f}"
    simulator.scene.apply(f"grid {mains}")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(RUNS))
def test_hours_with_a_fault_every_minute(
    tmp_path: Path, private_bus: PrivateBus, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    work = walk(tmp_path, private_bus.address, seed, monkeypatch)
    result = run_with_bus(work, monkeypatch)
    said = {**result, "wrong": result["wrong"][:3]}
    print(f"seed {seed} {profiles_of(seed)}, {HOURS:g} h: {said}", file=sys.stderr)
    assert result["wrong"][:20] == []
    assert result["owners"] == []
    for name, (shown, true) in result["energy"].items():
        assert abs(shown - true) <= LOST * true + 0.05, name
    assert sum(result["faults"].values()) > HOURS * 60

"""Starts with one fault in the first minute: each shows what a start without shows.

MPPDBUS_STARTS is how many (22, one of each personality), MPPDBUS_FIRST the number of
the first one (0), from which all about it follows. Time passes at once, but for what
the bus takes.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from helpers.bus import PrivateBus
from helpers.fast_time import run_with_bus
from helpers.published import Tree, difference, steady
from helpers.run import Watcher
from mppdbus.config.models import parse
from mppdbus.daemon.installation import Installation
from mppdbus.daemon.sections import banks_of
from mppdbus.daemon.session import Session
from mppdbus.protocol.framing import encode_reply
from mppdbus.simulator.line.simulator import Response, Simulator, simulate
from mppdbus.simulator.line.speed import Pace
from mppdbus.simulator.ports.server import serve_tcp
from mppdbus.simulator.scene.sets import parse_set, simulate_set
from mppdbus.simulator.unit.profiles import PROFILES

STARTS = int(os.environ.get("MPPDBUS_STARTS", str(len(PROFILES))))
FIRST = int(os.environ.get("MPPDBUS_FIRST", "0"))
MINUTE = 60.0  # s in which the fault strikes
KNOWN = 110.0  # s after which all must be as without a fault
SCENE = "pause; load 1500; grid on; pv 900; soc 70"
PAIRS = {"max-8000": "2", "eg4-6500": "L1,L2", "lv5048": "2"}  # sets of two
KINDS = ("nak", "stray nak", "stray reply", "behind", "late", "doubled", "cut", "none")
NAK = encode_reply("NAK")


@dataclass
class Trouble:
    """One fault on a line: its kind, the s after which it strikes, and its numbers."""

    kind: str
    after: float
    rng: random.Random
    struck: str = ""

    def upset(self, simulator: Simulator) -> None:
        """Spoil the first reply after the time, which begins with the first request."""
        said, start = [NAK], 0.0
        respond = simulator.respond

        def spoiled(request: bytes, now: float) -> Response | None:
            nonlocal start
            start = start or now
            response = respond(request, now)
            if response is None or not response.data:
                return response
            said.append(response.data)
            if self.struck or now - start < self.after:
                return response
            self.struck = f"{self.kind} at {request[:-2]!r} after {now - start:.0f} s"
            return self._spoiled(response, said[:-1])

        simulator.respond = spoiled  # type: ignore[method-assign]

    def _spoiled(self, response: Response, said: list[bytes]) -> Response | None:
        data, rng = response.data, self.rng
        match self.kind:
            case "nak":
                return replace(response, data=NAK)
            case "stray nak":
                return replace(response, data=NAK + data)
            case "stray reply":
                return replace(response, data=rng.choice(said) + data)
            case "behind":
                return replace(response, data=data + rng.choice(said))
            case "late":
                return replace(response, delay=rng.uniform(0.5, 4.0))
            case "doubled":
                return replace(response, data=data * 2)
            case "cut":
                return replace(response, data=data[: rng.randrange(len(data))])
        return None


def units_of(profile: str) -> Simulator:
    """Return the unit with the cable: alone, or one of two."""
    pace = Pace(think=0.06, paced=False)
    if profile in PAIRS:
        pair = simulate_set(profile, parse_set(PAIRS[profile]), pace=pace, scene=SCENE)
        return pair.simulators[0]
    return simulate(profile, pace=pace, scene=SCENE)


async def shown(
    folder: Path, address: str, profile: str, trouble: Trouble | None
) -> Tree:
    """Start, and return what is on the bus in the end: all values by name."""
    async with AsyncExitStack() as stack:
        simulator = units_of(profile)
        if trouble is not None:
            trouble.upset(simulator)
        port = await stack.enter_async_context(serve_tcp(simulator, "127.0.0.1", 0))
        config = parse(
            f'[[inverter]]\nname = "unit"\nport = "tcp://127.0.0.1:{port.port}"\n'
            "timeout = 1.0\npoll = 2.0\n",
            "test",
        )
        house = Installation(
            address, folder, banks_of(config), expected=1, patience=0.0,
            configs=config.inverter,
        )  # fmt: skip
        watcher = await stack.enter_async_context(Watcher.on(address))
        await house.open()
        session = asyncio.create_task(
            Session(config.inverter[0], house, others=True).run()
        )
        try:
            while not simulator.scene.requests:
                await asyncio.sleep(0.1)
            await asyncio.sleep(KNOWN)
            # A unit without a number is named by its place.
            place = f"{port.port}"
            return {
                name.replace(place, "PORT"): steady(await watcher.values(name), place)
                for name in await watcher.names()
            }
        finally:
            session.cancel()
            await asyncio.gather(session, return_exceptions=True)
            await house.close()


@pytest.mark.lengthy
def test_a_fault_in_the_first_minute_changes_nothing(
    tmp_path: Path, private_bus: PrivateBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, wrong = Counter[str](), list[str]()
    for number in range(FIRST, FIRST + STARTS):
        rng = random.Random(number)
        profile = list(PROFILES)[number % len(PROFILES)]
        right = start(tmp_path, private_bus, monkeypatch, profile, None)
        units = 2 if profile in PAIRS else 1
        assert sum("com.victronenergy.multi." in name for name in right) == units
        trouble = Trouble(rng.choice(KINDS), rng.uniform(0, MINUTE), rng)
        found = start(tmp_path, private_bus, monkeypatch, profile, trouble)
        seen[trouble.kind] += 1
        if differs := difference(right, found):
            wrong.append(f"{number}: {profile}, {trouble.struck}: {differs[:6]}")
    print(f"{STARTS} starts: {dict(seen)}; {len(wrong)} wrong", file=sys.stderr)
    assert wrong == []


RIGHT: dict[str, Tree] = {}  # without a fault, by personality


def start(
    folder: Path,
    bus: PrivateBus,
    monkeypatch: pytest.MonkeyPatch,
    profile: str,
    trouble: Trouble | None,
) -> Tree:
    """Start once in a state of its own."""
    if trouble is None and profile in RIGHT:
        return RIGHT[profile]
    state = folder / f"{profile}-{len(list(folder.iterdir()))}"
    state.mkdir()
    found = run_with_bus(shown(state, bus.address, profile, trouble), monkeypatch)
    if trouble is None:
        RIGHT[profile] = found
    return found

"""Starts with one fault in the first minute: each shows what a start without shows.

Not in the end alone: what comes to the bus on the way must be right, too. The sun, the
load and the battery stand still, so a value of the one start is a value of the other.

MPPDBUS_STARTS is how many (22, one of each personality), MPPDBUS_FIRST the number of
the first one (0), from which all about it follows: 198 have each kind of fault at each
personality. Time passes at once, but for what the bus takes.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from helpers.bus import PrivateBus, unwrap
from helpers.fast_time import run_with_bus
from helpers.installation import owners_of
from helpers.line_faults import KINDS, NAK, PAIRS, spoil, units_of
from helpers.run import BATTERY, MULTI, SYSTEM, Watcher
from mppdbus.config.models import parse
from mppdbus.daemon.installation import Installation
from mppdbus.daemon.sections import banks_of
from mppdbus.daemon.session import Session
from mppdbus.simulator.line.simulator import Response, Simulator
from mppdbus.simulator.ports.server import serve_tcp
from mppdbus.simulator.unit.profiles import PROFILES

STARTS = int(os.environ.get("MPPDBUS_STARTS", str(len(PROFILES))))
CAMPAIGN = "MPPDBUS_STARTS" in os.environ  # on a quiet machine: each start counts
FIRST = int(os.environ.get("MPPDBUS_FIRST", "0"))
MINUTE = 60.0  # s in which the fault strikes
KNOWN = 110.0  # s after which all must be as without a fault
SCENE = "pause; load 1500; grid on; pv 900; soc 70"
# What tells of the line itself, and so differs from start to start. The self-check
# runs in threads, whose time is another one than that of the loop.
OF_THE_LINE = ("/Mppdbus/Link", "/Mppdbus/Doctor")
# What counts time and energy: how far it may be off. Else it is the same.
COUNTED = {
    "/Energy": 0.02, "/Yield": 0.02, "/History/Daily/0/Yield": 0.02,
    "/History/Daily/0/Pv/0/Yield": 0.02, "/History/Daily/0/Pv/1/Yield": 0.02,
    "/History/Daily/0/TimeIn": 1.0, "/Soc": 0.5, "/Mppdbus/Soc": 2.0,
    "/TimeToGo": 1200.0, "/ConsumedAmphours": 2.0,
}  # fmt: skip
SUMS = {SYSTEM, BATTERY}
IN_WORDS = ("/Mppdbus/Origin/Soc", "/SwitchableOutput/StateOfCharge")


@dataclass
class Trouble:
    """One fault on a line: its kind, where it strikes, and its numbers.

    It strikes the first reply after `after` s, or the reply to `command` when that is
    asked for the `turn`th time.
    """

    kind: str
    rng: random.Random
    after: float = 0.0
    command: str = ""
    turn: int = 1
    struck: str = ""

    def upset(self, simulator: Simulator) -> None:
        """Spoil one reply; the time begins with the first request."""
        said, start = [NAK], 0.0
        respond = simulator.respond

        def spoiled(request: bytes, now: float) -> Response | None:
            nonlocal start
            start = start or now
            response = respond(request, now)
            if response is None or not response.data:
                return response
            said.append(response.data)
            if self.struck or not self._strikes(request, now - start):
                return response
            self.struck = f"{self.kind} at {request[:-2]!r} after {now - start:.0f} s"
            return spoil(self.kind, response, said[:-1], self.rng)

        simulator.respond = spoiled  # type: ignore[method-assign]

    def _strikes(self, request: bytes, time: float) -> bool:
        if not self.command:
            return time >= self.after
        self.turn -= request[:-2].decode("latin-1") == self.command
        return self.turn <= 0


@dataclass
class Shown:
    """What was on the bus: all values in the end, by name, and all on the way."""

    end: dict[str, dict[str, Any]] = field(default_factory=dict)
    ever: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)  # how often each command


async def shown(
    folder: Path, address: str, profile: str, trouble: Trouble | None
) -> Shown:
    """Start, and return what comes to the bus."""
    async with AsyncExitStack() as stack:
        simulator = units_of(profile, SCENE, think=0.06)[0]
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
        found = Shown()
        ever = await stack.enter_async_context(watched(watcher, f"{port.port}"))
        await house.open()
        session = asyncio.create_task(
            Session(config.inverter[0], house, others=True).run()
        )
        try:
            while not simulator.scene.requests:
                await asyncio.sleep(0.1)
            await asyncio.sleep(KNOWN)
            for name in await watcher.names():
                # A unit without a number is named by its place.
                named = name.replace(f"{port.port}", "PORT")
                found.end[named] = plain(await watcher.values(name), f"{port.port}")
            found.ever = {name: dict(paths) for name, paths in ever.items()}
            found.asked = Counter(simulator.scene.requests)
            return found
        finally:
            session.cancel()
            await asyncio.gather(session, return_exceptions=True)
            await house.close()


@asynccontextmanager
async def watched(
    watcher: Watcher, place: str
) -> AsyncIterator[dict[str, dict[str, set[str]]]]:
    """Collect all values that come to the bus, by name and path.

    A name comes with values, which are read; all others are signalled.
    """
    ever: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    names: dict[str, str] = {}  # by the connection
    looking: set[asyncio.Task[None]] = set()

    def note(name: str, values: dict[str, Any]) -> None:
        for path, value in plain(values, place).items():
            ever[name.replace(place, "PORT")][path].add(repr(value))

    async def look(name: str) -> None:
        note(name, await watcher.values(name))

    def hear(message: Any) -> None:  # noqa: ANN401
        if message.member == "NameOwnerChanged" and message.body[0].startswith("com."):
            name, _, owner = message.body
            ever[name.replace(place, "PORT")][""].add("came" if owner else "left")
            if owner:
                names[owner] = name
                looking.add(asyncio.ensure_future(look(name)))
        elif message.member == "ItemsChanged" and message.sender in names:
            rows = message.body[0].items()
            values = {path: unwrap(row["Value"]) for path, row in rows}
            note(names[message.sender], values)

    async with owners_of(watcher):
        watcher.client.bus.add_message_handler(hear)
        try:
            yield ever
        finally:
            watcher.client.bus.remove_message_handler(hear)
            await asyncio.gather(*looking)


def plain(values: dict[str, Any], place: str) -> dict[str, Any]:
    """Return the values without the place, and without what tells of the line.

    /Mgmt/Connection ends in a blank for a moment when the charge becomes known.
    """
    return {
        path: value.replace(place, "PORT").strip() if isinstance(value, str) else value
        for path, value in values.items()
        if not path.startswith(OF_THE_LINE)
    }


def slack(path: str) -> float | None:
    """Return by how much a counted value may be off; None where it must be the same."""
    return next((far for start, far in COUNTED.items() if path.startswith(start)), None)


def alike(path: str, one: Any, other: Any) -> bool:  # noqa: ANN401
    """Tell whether two values of a path are as good as the same."""
    if one == other:
        return True
    if None in (one, other):
        return False
    if path.startswith(IN_WORDS):
        return True
    far = slack(path)
    return far is not None and abs(one - other) <= far


def difference(right: Shown, wrong: Shown) -> list[str]:
    """Return what differs, in words: in the end, and on the way."""
    names = right.ever.keys() ^ wrong.ever.keys()
    said = [f"{name}: {name in wrong.ever}" for name in names]
    said += [f"{name}: {name in wrong.end}" for name in right.end.keys() ^ wrong.end]
    for name in right.end.keys() & wrong.end.keys():
        for path in right.end[name].keys() | wrong.end[name].keys():
            one, other = right.end[name].get(path), wrong.end[name].get(path)
            if not alike(path, one, other):
                said.append(f"{name}{path}: {one!r} but {other!r}")
    # The sums of a set begin with the unit that has the cable.
    begin_small = SUMS if sum(MULTI in name for name in right.end) > 1 else set()
    for name in (right.ever.keys() & wrong.ever.keys()) - begin_small:
        for path, values in wrong.ever[name].items():
            new = values - right.ever[name].get(path, set()) - {"None"}
            if new and slack(path) is None and not path.startswith(IN_WORDS):
                said.append(f"{name}{path}: on the way {sorted(new)}")
    return sorted(said)


def trouble_of(number: int, right: Shown) -> Trouble:
    """Return the fault of a start: half of them by time, half at one of its queries."""
    rng = random.Random(number)
    kind = KINDS[(number + number // len(PROFILES)) % len(KINDS)]
    if rng.random() < 0.5:
        return Trouble(kind, rng, after=rng.uniform(0, MINUTE))
    command = rng.choice(list(right.asked))
    turn = rng.randint(1, min(2, right.asked[command]))
    return Trouble(kind, rng, command=command, turn=turn)


@pytest.mark.lengthy
def test_a_fault_in_the_first_minute_changes_nothing(
    tmp_path: Path, private_bus: PrivateBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, wrong = Counter[str](), list[str]()
    for number in range(FIRST, FIRST + STARTS):
        profile = list(PROFILES)[number % len(PROFILES)]
        right = start(tmp_path, private_bus, monkeypatch, profile, None)
        units = 2 if profile in PAIRS else 1
        assert sum("com.victronenergy.multi." in name for name in right.end) == units
        trouble = trouble_of(number, right)
        found = start(tmp_path, private_bus, monkeypatch, profile, trouble)
        seen[trouble.kind if trouble.struck else "missed"] += 1
        differs = difference(right, found)
        if differs and not CAMPAIGN:  # the bus lives in real time: once more
            again = trouble_of(number, right)
            found = start(tmp_path, private_bus, monkeypatch, profile, again)
            differs = difference(right, found)
        if differs:
            wrong.append(f"{number}: {profile}, {trouble.struck}: {differs[:6]}")
            print(wrong[-1], file=sys.stderr)
    print(f"{STARTS} starts: {dict(seen)}; {len(wrong)} wrong", file=sys.stderr)
    assert wrong == []
    assert len(KINDS) > STARTS or seen.keys() >= set(KINDS)


RIGHT: dict[str, Shown] = {}  # without a fault, by personality


def start(
    folder: Path,
    bus: PrivateBus,
    monkeypatch: pytest.MonkeyPatch,
    profile: str,
    trouble: Trouble | None,
) -> Shown:
    """Start once in a state of its own."""
    if trouble is None and profile in RIGHT:
        return RIGHT[profile]
    state = folder / f"{profile}-{len(list(folder.iterdir()))}"
    state.mkdir()
    found = run_with_bus(shown(state, bus.address, profile, trouble), monkeypatch)
    if trouble is None:
        RIGHT[profile] = found
    return found

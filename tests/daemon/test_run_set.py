"""A set of inverters on one cable, by the daemon: its names appear together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from helpers.installation import owners_of
from helpers.run import MULTI, SYSTEM, Daemon, Ports, Watcher, eventually
from helpers.set import fleet_of
from mppdbus.simulator.line.speed import Pace

ASKED = 10  # slots
MUTE = "fault silence forever QPGS2"


@pytest.mark.parametrize(
    "fault", ["", "fault silence forever QPGS2"], ids=["all", "one mute"]
)
async def test_the_names_of_a_set_appear_together(
    tmp_path: Path, bus_address: str, fault: str
) -> None:
    """Gui-v2 may keep the number of phases that it sees first until it is restarted."""
    fleet = fleet_of("max-7200", "L1,L2,L3", "", Pace.instant())
    first = fleet.simulators[0]
    if fault:
        first.scene.apply(fault)
    async with (
        Ports.below(tmp_path) as ports,
        Watcher.on(bus_address) as watcher,
        owners_of(watcher) as seen,
    ):
        asked: list[int] = []

        def count(message: Any) -> None:  # noqa: ANN401
            if message.member == "NameOwnerChanged" and MULTI in str(message.body[0]):
                requests = first.scene.requests
                asked.append(sum(requests[f"QPGS{n}"] > 0 for n in range(ASKED)))

        watcher.client.bus.add_message_handler(count)
        await ports.add("tty", first)
        with Daemon(tmp_path, bus_address, [ports.unit("tty")]):
            await eventually(lambda: (SYSTEM, True) in seen)
            members = 2 if fault else 3
            await eventually(lambda: len(asked) >= members)
            assert asked[:members] == [ASKED] * members
            await watcher.wait(SYSTEM, {"/Ac/NumberOfPhases": 3})
            names = {name for name in await watcher.names() if name.startswith(MULTI)}
            assert len(names) == members
            values = [await watcher.values(name) for name in sorted(names)]
            called = {each["/CustomName"] for each in values}
            digits = {each["/Serial"][-4:] for each in values}
            assert called <= {"tty", *(f"tty {four}" for four in digits)}

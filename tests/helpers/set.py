"""A poller on one unit of a simulated set, and all that it tells of the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from helpers.line import linked
from helpers.simulator import inverter_of
from mppdbus.errors import MppdbusError
from mppdbus.inverter.device import Inverter
from mppdbus.inverter.link import Link
from mppdbus.inverter.poller import Poller
from mppdbus.model.snapshot import Snapshot
from mppdbus.simulator.line.simulator import Simulator
from mppdbus.simulator.line.speed import Pace
from mppdbus.simulator.scene.control import Scene
from mppdbus.simulator.scene.sets import SetScene, SimulatedSet, parse_set, simulate_set
from mppdbus.simulator.unit.inverter import SimulatedInverter


def fleet_of(
    profile: str, labels: str, scene: str = "", pace: Pace | None = None
) -> SimulatedSet:
    """Return a set in which nothing changes but by the control language."""
    return simulate_set(profile, parse_set(labels), pace=pace, scene=f"pause; {scene}")


class SetWatched:
    """A poller at work on one unit of a fleet."""

    def __init__(
        self,
        simulators: Sequence[Simulator],
        scene: Scene | SetScene,
        link: Link,
        *,
        at: int,
        interval: float | None,
        known: Inverter | None,
    ) -> None:
        self.clock = asyncio.get_running_loop().time
        self.simulators, self.scene, self.link = simulators, scene, link
        self.line = simulators[at].scene
        self.requests = self.line.requests
        self.inverter = Inverter("garage", link, self.clock)
        self._known = known
        self.own: list[Snapshot] = []
        self.told: list[tuple[float, dict[str, Snapshot]]] = []
        self.complaints: list[MppdbusError] = []
        self._interval = interval
        self.task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self.inverter.introduce()
        if self._known is not None:
            self.inverter = self._known.resume(self.inverter)
        poller = Poller(
            self.inverter,
            self.own.append,
            self.clock,
            interval=self._interval,
            complain=self.complaints.append,
            publish_others=lambda others: self.told.append((self.clock(), others)),
        )
        self.own.append(await poller.first())
        self.task = asyncio.create_task(poller.run())

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
        await self.link.close()

    @property
    def others(self) -> dict[str, Snapshot]:
        return self.told[-1][1] if self.told else {}

    @property
    def online(self) -> set[str]:
        return {key for key, other in self.others.items() if other.online}

    def unit(self, number: int) -> SimulatedInverter:
        """Return unit `number` of the set, from 1 as the control language has it."""
        return inverter_of(self.simulators[number - 1])

    def tell(self, line: str) -> None:
        answer = self.scene.apply(line)
        assert answer.startswith("ok"), answer


@asynccontextmanager
async def watching(
    what: SimulatedSet | Simulator,
    *,
    at: int = 0,
    interval: float | None = 2.0,
    link: Link | None = None,
    inverter: Inverter | None = None,
) -> AsyncIterator[SetWatched]:
    """Poll unit `at`, from 0; `inverter` is that of an earlier connection to it."""
    units = what.simulators if isinstance(what, SimulatedSet) else (what,)
    link = link or linked(units[at])
    watched = SetWatched(
        units, what.scene, link, at=at, interval=interval, known=inverter
    )
    try:
        await watched.start()
        yield watched
    finally:
        await watched.stop()

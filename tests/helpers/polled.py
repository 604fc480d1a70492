"""A poller at work on a simulated unit, and all that it tells."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from helpers.line import linked
from mppdbus.errors import MppdbusError
from mppdbus.inverter.device import Inverter
from mppdbus.inverter.poller import Poller
from mppdbus.model.snapshot import Snapshot
from mppdbus.protocol.framing import encode_reply
from mppdbus.simulator.line.simulator import Simulator
from mppdbus.simulator.line.speed import Pace
from mppdbus.simulator.scene.control import Scene
from mppdbus.simulator.unit.recording import Recording

SPARSE = {
    "QPI": "PI30",
    "QID": "92932105100123",
    "QMOD": "B",
    "QPIGS": "230.0 50.0 230.0 50.0 0500 0450 010 380 52.00 010 080 0035 02.0 150.0 "
    "00.00 00007 00010110 00 00 00300 110",
}
SECOND = "01.0 202.0 00205 "


def sparse(unrecorded: bytes | None, **more: str) -> Simulator:
    """A unit that knows little, and says `unrecorded` to the rest."""
    framed = {query: [encode_reply(said)] for query, said in (SPARSE | more).items()}
    source = Recording("sparse", framed, unrecorded)
    return Simulator(source, Scene(None, pace=Pace(think=0.06)))


class Watched:
    """A poller at work, and all that it told."""

    def __init__(
        self, simulator: Simulator, interval: float | None, patience: float
    ) -> None:
        self._clock = asyncio.get_running_loop().time
        self.simulator = simulator
        self.link = linked(simulator, patience=patience)
        self.inverter = Inverter("garage", self.link, self._clock)
        self.shown: list[tuple[float, Snapshot]] = []
        self.complaints: list[MppdbusError] = []
        self.poller = Poller(
            self.inverter,
            lambda snapshot: self.shown.append((self._clock(), snapshot)),
            self._clock,
            interval=interval,
            complain=self.complaints.append,
        )
        self.task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self.inverter.introduce()
        self.shown.append((self._clock(), await self.poller.first()))
        self.task = asyncio.create_task(self.poller.run())

    @property
    def last(self) -> Snapshot:
        return self.shown[-1][1]

    def asked(self, query: str) -> int:
        return self.simulator.scene.requests[query]


@asynccontextmanager
async def polling(
    simulator: Simulator, interval: float | None = 2.0, patience: float = 1.0
) -> AsyncIterator[Watched]:
    watched = Watched(simulator, interval, patience)
    try:
        await watched.start()
        yield watched
    finally:
        if watched.task is not None:
            watched.task.cancel()
            await asyncio.gather(watched.task, return_exceptions=True)
        await watched.link.close()

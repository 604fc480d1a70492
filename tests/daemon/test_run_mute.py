"""Nothing on the bus waits for the serial line, not even while the inverter is mute."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median, quantiles

from helpers.bus import BusItemClient, PrivateBus
from helpers.run import MULTI, Daemon, Ports, Watcher, eventually
from mppdbus.simulator.line.simulator import simulate

ROUNDS, CALLS = 5, 1000
NAME = MULTI + "92932105100123"


async def one_round(client: BusItemClient) -> float:
    """Return the 99th percentile of the times of `CALLS` GetValue calls, in ms."""
    times = []
    for _ in range(CALLS):
        began = time.perf_counter()
        await client.call("/Ac/Out/L1/V", "GetValue")
        times.append(1000 * (time.perf_counter() - began))
    return quantiles(times, n=100)[98]


async def test_a_mute_inverter_holds_up_nobody(tmp_path: Path) -> None:
    """On a line of 2400 baud, polled as fast as it allows, then with no answer at all.

    An exchange is under way nearly all the time: 2 s of patience, twice a poll.
    """
    bus = PrivateBus(tmp_path)
    bus.start()
    async with Ports.below(tmp_path) as ports, Watcher.on(bus.address) as watcher:
        simulator = await ports.add("tty", simulate())
        lines = f'port = "serial:{tmp_path / "tty"}"\npoll = "fast"\ntimeout = 2'
        daemon = Daemon(tmp_path, bus.address, [lines])
        client = BusItemClient(watcher.client.bus, NAME)
        try:
            await watcher.wait(NAME, {"/Ac/Out/L1/V": 230.0})
            simulator.scene.apply("fault silence forever")
            before = simulator.scene.requests.total()
            rounds = [await one_round(client) for _ in range(ROUNDS)]
            await eventually(lambda: simulator.scene.requests.total() > before)
            # The values turn invalid in the middle of an exchange, before the unit
            # counts as away.
            shown = await watcher.wait(NAME, {"/Ac/Out/L1/V": None})
            assert shown["/Connected"] == 1
        finally:
            daemon.stop()
            bus.stop()
    # Bounded by the patience and not by the machine, which others use too: a call that
    # waited for the line would take up to 2000 ms. bench/ measures what it takes.
    assert median(rounds) < 500

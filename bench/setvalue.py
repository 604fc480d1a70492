"""From SetValue to the ACK on the line at 2400 baud: idle, and polled without a pause.

    setvalue.py [--writes N]

Prints median and maximum in s of each. The aim: at most 0.13 s in the middle on an idle
line, and 0.70 s at the very most on one that is never idle.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from pathlib import Path

from mppdbus.venus.dbus.connection import Request
from mppdbus.venus.dbus.values import variant
from mppdbus.venus.dbus.watcher import Watcher
from rig import Inverter, inverter, private_bus, service

FLAGS = {
    "buzzer": "a",
    "lcd_backlight": "x",
    "alarm_on_source_loss": "y",
    "fault_code_record": "z",
}
SAFE = 'control = "safe"'
LEARNT = 20.0  # s after which all that is asked once has been asked
PAUSE = 4.0  # s at least between two writes, and up to as much again


async def _service_name(watcher: Watcher) -> str:
    while True:
        for name in watcher.names():
            if name.startswith("com.victronenergy.multi."):
                return name
        await asyncio.sleep(0.1)


async def _measure(address: str, unit: Inverter, writes: int) -> list[float]:
    watcher, taken = Watcher(address), list[float]()
    await watcher.open()
    name = await _service_name(watcher)
    await asyncio.sleep(LEARNT)
    for number in range(writes):
        flag = list(FLAGS)[number % len(FLAGS)]
        value = (number // len(FLAGS)) % 2
        path = f"/Mppdbus/Settings/{flag}"
        request = Request(name, path, "SetValue", "v", [variant(float(value))])
        await asyncio.sleep(PAUSE * (1 + random.random()))
        began = time.monotonic()
        await watcher.call(request, seconds=30)
        wanted = "PE" if value else "PD"
        ended = [
            each.ended
            for each in unit.exchanges()
            if each.command == wanted + FLAGS[flag] and each.asked >= began
        ]
        taken += [end - began for end in ended if end is not None]
    await watcher.close()
    return taken


def main() -> None:
    """Measure both, and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--writes", type=int, default=24)
    writes = parser.parse_args().writes
    for poll in (10.0, "fast"):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            with (
                private_bus(folder) as address,
                inverter(folder) as unit,
                service("mppdbus", folder, address, unit.pty, poll, more=SAFE),
            ):
                taken = asyncio.run(_measure(address, unit, writes))
        middle, most = statistics.median(taken), max(taken)
        print(f"poll {poll}: {len(taken)} writes, {middle:.3f} s, at most {most:.3f} s")


if __name__ == "__main__":
    main()

"""Measures the daemon, beside the least that a service can do.

    .venv/bin/python bench/run.py [--quick] [--json FILE] [--no-docs]

Every part is a process of its own: a private bus, an inverter at 2400 baud on a
pseudo-terminal, the service. The bench is a client of the bus. Writes the tables into
docs/performance.md, unless it was only a quick look. The traffic on the bus alone
is measured by traffic.py.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import decoding
import report
import results
import rig
import traffic
from measure import Life, Task, live_through
from mppdbus.commands.demo_day import DAY_LENGTH
from results import SCENES, Scene

KINDS = ("proto", "mppdbus")


@dataclass(frozen=True, slots=True)
class Extent:
    """How thoroughly to measure."""

    rounds: int
    seconds: float  # of looking at each service, a round
    calls: int  # of GetValue, in the first round
    frames: int  # to decode at a time
    traffic: float  # s of looking at the bus


QUICK = Extent(rounds=1, seconds=14.0, calls=200, frames=2000, traffic=30.0)
FULL = Extent(rounds=3, seconds=40.0, calls=1000, frames=10000, traffic=2 * DAY_LENGTH)


def main() -> int:
    """Measure and report; 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="three minutes, no docs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write it all there")
    parser.add_argument("--no-docs", action="store_true", help="leave the docs alone")
    args = parser.parse_args()
    extent = QUICK if args.quick else FULL
    loads = [os.getloadavg()[0]]
    speeds = decoding.speeds(extent.frames)
    lives = asyncio.run(_lives(extent, loads))
    seen = traffic.look(extent.traffic)
    rows = results.rows(lives)
    about = report.about(extent.rounds, extent.seconds, loads)
    text = f"{about}\n\n{report.table(rows, speeds)}"
    said = traffic.table(seen)
    print(f"{text}\n\n**on the bus, in a living house**\n\n{said}")
    if args.json:
        data = report.everything(about, rows, speeds, lives)
        args.json.write_text(json.dumps(data, indent=1))
    if not (args.quick or args.no_docs):
        report.write(report.DOCS, text)
        report.write(report.DOCS, said, report.TRAFFIC)
    missed = [r.name for section in rows.values() for r in section if r.met is False]
    return 1 if missed or not traffic.clean(seen) else 0


async def _lives(
    extent: Extent, loads: list[float]
) -> dict[tuple[str, Scene], list[Life]]:
    """Let the services take turns, so that a busy minute of the machine meets both."""
    lives: dict[tuple[str, Scene], list[Life]] = {}
    began = time.monotonic()
    turns = list(itertools.product(range(extent.rounds), SCENES, KINDS))
    with tempfile.TemporaryDirectory() as name, rig.private_bus(Path(name)) as bus:
        rig.compile_modules(Path(name))
        for number, (round_, scene, kind) in enumerate(turns, start=1):
            calls = extent.calls if round_ == 0 and scene is SCENES[0] else 0
            task = Task(kind, scene.poll, extent.seconds, calls, scene.jitter)
            life = await live_through(task, Path(name), bus)
            lives.setdefault((kind, scene), []).append(life)
            loads.append(os.getloadavg()[0])
            print(
                f"{time.monotonic() - began:5.0f} s  {number}/{len(turns)}  {kind:8} "
                f"{scene.title}: first value {life.first:.2f} s, "
                f"CPU {life.cpu:.3f} s/min, RSS {life.memory.peak_rss:.1f} MB",
                file=sys.stderr,
            )
    return lives


if __name__ == "__main__":
    sys.exit(main())

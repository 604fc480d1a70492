"""Measures the daemon, beside the least that a service can do.

    python bench/run.py [--quick] [--json FILE] [--no-docs]

Every part is a process of its own: a private bus, an inverter at 2400 baud on a
pseudo-terminal, the service. The bench is a client of the bus. Writes the table into
docs/performance.md, unless it was only a quick look.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import decoding
import report
import results
import rig
from measure import Life, Task, live_through

DOCS = Path(__file__).parents[1] / "docs" / "performance.md"
KINDS = ("proto", "mppdbus")
POLLS: dict[str, rig.Poll] = {"fast": "fast", "2 s": 2.0}


@dataclass(frozen=True, slots=True)
class Extent:
    """How thoroughly to measure."""

    rounds: int
    seconds: float  # of looking at each service, a round
    starts: int  # further starts of each
    calls: int  # of GetValue, in the first round
    frames: int  # to decode at a time


QUICK = Extent(rounds=1, seconds=14.0, starts=0, calls=200, frames=2000)
FULL = Extent(rounds=3, seconds=45.0, starts=2, calls=1000, frames=10000)


def main() -> int:
    """Measure and report; 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="two minutes, no docs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write it all there")
    parser.add_argument("--no-docs", action="store_true", help="leave the docs alone")
    args = parser.parse_args()
    extent = QUICK if args.quick else FULL
    loads = [os.getloadavg()[0]]
    speeds = decoding.speeds(extent.frames)
    lives = asyncio.run(_lives(extent, loads))
    rows = results.rows(lives)
    about = report.about(extent.rounds, extent.seconds, loads)
    text = f"{about}\n\n{report.table(rows, speeds)}"
    print(text)
    if args.json:
        data = {
            "about": about,
            "rows": {t: [asdict(r) for r in section] for t, section in rows.items()},
            "decode": {name: asdict(speed) for name, speed in speeds.items()},
            "lives": [
                {"service": kind, "poll": poll} | asdict(life)
                for (kind, poll), some in lives.items()
                for life in some
            ],
        }
        args.json.write_text(json.dumps(data, indent=1))
    if not (args.quick or args.no_docs):
        report.write(DOCS, text)
    missed = [r.name for section in rows.values() for r in section if r.met is False]
    return 1 if missed else 0


async def _lives(
    extent: Extent, loads: list[float]
) -> dict[tuple[str, str], list[Life]]:
    """Let the services take turns, so that a busy minute of the machine meets both."""
    lives: dict[tuple[str, str], list[Life]] = {}
    began = time.monotonic()
    plan = [
        (kind, poll, round_ == 1)
        for round_ in range(1, extent.rounds + 1)
        for poll in POLLS
        for kind in KINDS
    ]
    with tempfile.TemporaryDirectory() as name, rig.private_bus(Path(name)) as bus:
        for number, (kind, poll, is_first) in enumerate(plan, start=1):
            calls = extent.calls if is_first and poll == "fast" else 0
            task = Task(kind, POLLS[poll], extent.seconds, calls)
            life = await live_through(task, Path(name), bus)
            some = lives.setdefault((kind, poll), [])
            some.append(life)
            passed = time.monotonic() - began
            print(
                f"{passed:5.0f} s  {number}/{len(plan)}  {kind:8} poll {poll:5}"
                f"first value {life.first:.2f} s, CPU {life.cpu:.3f} s/min, "
                f"RSS {life.memory.peak_rss:.1f} MB",
                file=sys.stderr,
            )
            loads.append(os.getloadavg()[0])
    return lives


if __name__ == "__main__":
    sys.exit(main())

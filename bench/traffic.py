"""What the daemon puts on the bus in a living house, beside older ways to publish.

    .venv/bin/python bench/traffic.py [--seconds N] [--no-docs]

The real daemon on an inverter at 2400 baud that lives through the day of the demo: sun,
load and mains change every few seconds. Two other publishers take each change from the
daemon's own signals, see perpath.py; a monitor counts all that goes over the bus.
Writes its table into docs/performance.md. run.py does all this as well.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import report
import rig
from monitor import Change, Monitor, Tally
from perpath import CHANGED, EVERYTHING, echo_name
from rig import Exchange
from subscriber import Subscriber

SETTLE = 20.0  # s until everything that is asked once has been asked
PATIENCE = 20.0  # s
ROUTINE = 60.0  # s of looking
LIVE = "QPIGS"
POLLED = ("QPIGS", "QPIGS2")
HEAD: tuple[str, ...] = (
    *("a minute", "mppdbus", "per path", "ratio", "everything", "ratio"),
)
SYSTEM = "com.victronenergy.acsystem.mppdbus"


@dataclass(frozen=True, slots=True)
class Ways:
    """The same news, said in three ways."""

    ours: Tally
    per_path: Tally
    everything: Tally


@dataclass(slots=True)
class Traffic:
    """What was seen in `seconds`."""

    seconds: float
    services: dict[str, Ways]
    daemon: Tally  # with calls and all of its connections
    polls: int
    changes: list[Change]  # of the services
    owners: dict[str, str]  # unique name → service
    most: int = 0  # ItemsChanged of one service for one reply with news
    crowded: int = 0  # polls in which a service sent more than one
    excused: int = 0  # of these, after another query that brought news

    @property
    def values(self) -> int:
        """Values in all ItemsChanged."""
        return sum(len(change.paths) for change in self.changes)

    @property
    def unchanged(self) -> Counter[str]:
        """Paths that were sent without having changed."""
        return Counter(path for change in self.changes for path in change.same)

    @property
    def rates(self) -> dict[str, Counter[str]]:
        """How often each path of each service was sent."""
        rates: dict[str, Counter[str]] = {}
        for change in self.changes:
            service = self.owners[change.sender]
            rates.setdefault(service, Counter()).update(change.paths)
        return rates


def main() -> int:
    """Measure and report; 1 when a service says too much."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=ROUTINE, metavar="N")
    parser.add_argument("--no-docs", action="store_true", help="leave the docs alone")
    parser.add_argument("--paths", action="store_true", help="list what was sent")
    args = parser.parse_args()
    seen = look(args.seconds)
    text = table(seen)
    print(text)
    if args.paths:
        for service, rates in seen.rates.items():
            print(f"\n{service}, in {seen.polls} polls:")
            print(
                "\n".join(f"{count:5}  {path}" for path, count in rates.most_common())
            )
    if not args.no_docs:
        report.write(report.DOCS, text, report.TRAFFIC)
    return 0 if clean(seen) else 1


def look(seconds: float) -> Traffic:
    """Measure for `seconds`, on a bus of its own."""
    with tempfile.TemporaryDirectory() as name, rig.private_bus(Path(name)) as bus:
        return asyncio.run(_live_through(Path(name), bus, seconds))


async def _live_through(folder: Path, address: str, seconds: float) -> Traffic:
    """Let the daemon live through a part of the day; everything begins afresh."""
    subscriber = await Subscriber.open(address)
    monitor = await Monitor.open(address)
    try:
        with rig.inverter(folder, day=True) as inverter:
            tty = inverter.pty
            with rig.service("mppdbus", folder, address, tty, "fast") as process:
                await asyncio.wait_for(subscriber.first, PATIENCE)
                await asyncio.sleep(SETTLE / 2)
                services = (subscriber.unit, SYSTEM)
                with rig.echoes(folder, address, services):
                    await asyncio.sleep(SETTLE / 2)
                    monitor.reset()
                    await asyncio.sleep(seconds)
                    monitor.stop()
                    return await _collect(
                        monitor, subscriber, inverter, services, process.pid
                    )
    finally:
        await monitor.close()
        await subscriber.close()


async def _collect(
    monitor: Monitor,
    subscriber: Subscriber,
    inverter: rig.Inverter,
    services: Iterable[str],
    pid: int,
) -> Traffic:
    """Find out who is who, and count."""
    owners, ways = {}, {}
    for service in services:
        owner = await subscriber.owner(service)
        owners[owner] = service
        echoes = [
            monitor.of(await subscriber.owner(echo_name(way, service)))
            for way in (CHANGED, EVERYTHING)
        ]
        ways[service] = Ways(monitor.of(owner), *echoes)
    daemon = monitor.of(*await subscriber.connections(pid))
    exchanges = [e for e in inverter.exchanges() if e.ended is not None]
    changes = [change for change in monitor.changes if change.sender in owners]
    polls = sum(
        e.command == LIVE and monitor.began <= (e.ended or 0) <= monitor.ended
        for e in exchanges
    )
    seconds = monitor.ended - monitor.began
    seen = Traffic(seconds, ways, daemon, polls, changes, owners)
    judge(seen, exchanges)
    return seen


def judge(seen: Traffic, exchanges: list[Exchange]) -> None:
    """Find how often a service spoke for one reply, and in one poll.

    A poll lasts from the end of a QPIGS to the end of the next. What is asked in
    between (the mode, the warnings) may bring news of its own.
    """
    replies = [e.ended for e in exchanges if e.ended is not None]
    polls = [e.ended for e in exchanges if e.command == LIVE and e.ended is not None]
    seen.most = max(_counts(seen.changes, replies).values(), default=0)
    for (sender, poll), count in _counts(seen.changes, polls).items():
        if count < 2:
            continue
        seen.crowded += 1
        times = [
            c.at
            for c in seen.changes
            if c.sender == sender and bisect_right(polls, c.at) == poll
        ]
        others = [exchanges[bisect_right(replies, at) - 1].command for at in times]
        seen.excused += sum(command in POLLED for command in others) <= 1


def _counts(changes: Iterable[Change], ends: list[float]) -> Counter[tuple[str, int]]:
    return Counter((c.sender, bisect_right(ends, c.at)) for c in changes)


def clean(seen: Traffic) -> bool:
    """Tell whether nothing was said twice or without need."""
    return seen.most <= 1 and seen.crowded == seen.excused and not seen.unchanged


def table(seen: Traffic) -> str:
    """Return what was seen as Markdown."""
    minute = 60 / seen.seconds
    rows = [HEAD]
    for service, ways in seen.services.items():
        name = service.split(".")[2]
        tallies = (ways.ours, ways.per_path, ways.everything)
        rows += [
            _row(f"{name}: messages", [t.messages * minute for t in tallies], ""),
            _row(f"{name}: bytes", [t.size * minute / 1000 for t in tallies], " kB"),
        ]
    return "\n\n".join((about(seen), report.markdown(rows), verdict(seen)))


def about(seen: Traffic) -> str:
    """Say on what and how long was measured."""
    live = ", ".join(f"{len(paths)}" for paths in seen.rates.values())
    return (
        f"{seen.seconds:.0f} s, {seen.polls} polls, {seen.values} changed values of "
        f"{live} paths; the load of the machine {os.getloadavg()[0]:.1f}."
    )


def verdict(seen: Traffic) -> str:
    """Say whether anything was said twice or without need."""
    minute = 60 / seen.seconds
    rest = seen.daemon.messages - sum(w.ours.messages for w in seen.services.values())
    return (
        f"Most ItemsChanged of a service for one reply: {seen.most}. Polls in which a "
        f"service sent a second one: {seen.crowded}, of which {seen.excused} because "
        "the mode or the warnings changed between two QPIGS. Values sent without a "
        f"change: {seen.unchanged.total()} of {seen.values}. Messages of all other "
        f"connections of the daemon: {rest * minute:.0f} a minute."
    )


def _row(name: str, values: list[float], unit: str) -> tuple[str, ...]:
    ours, per_path, everything = values
    return (
        name,
        f"{ours:,.0f}{unit}",
        f"{per_path:,.0f}{unit}",
        f"{per_path / ours:.1f} ×",
        f"{everything:,.0f}{unit}",
        f"{everything / ours:.1f} ×",
    )


if __name__ == "__main__":
    sys.exit(main())

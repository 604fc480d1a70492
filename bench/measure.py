"""One life of one service: started, watched while live, asked while mute, ended."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from dataclasses import dataclass, field
from pathlib import Path

import procfs
import rig
from rig import Exchange, Poll
from subscriber import Signal, Subscriber

SETTLE = 20.0  # s until everything that is asked once has been asked
FIRST_PATIENCE = 20.0  # s
MUTE_FOR = 4.0  # s before a mute inverter is what the service deals with
CALL_EVERY = 0.013  # s; no divisor of a poll, so that calls meet every moment of one
LIVE = "QPIGS"


@dataclass(slots=True)
class Life:
    """What was measured; times in s, memory in MB."""

    first: float  # process start → first true value at the subscriber
    intervals: list[float] = field(default_factory=list)  # of QPIGS, in whole cycles
    alone: list[float] = field(default_factory=list)  # with nothing between
    turns: list[float] = field(default_factory=list)  # last byte → next QPIGS request
    signal_after: list[float] = field(default_factory=list)  # last byte → first signal
    last_signal_after: list[float] = field(default_factory=list)  # … → last signal
    cpu: float = 0.0  # s a minute
    cpu_per_answer: float = 0.0
    wakeups: float = 0.0  # a second
    signals: float = 0.0  # per answer
    signal_bytes: float = 0.0  # per answer
    memory: procfs.Memory = field(default_factory=lambda: procfs.Memory(0, 0, 0))
    call_live: list[float] = field(default_factory=list)
    call_mute: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Task:
    """What to run and how long to look; `calls` of GetValue, live and mute."""

    kind: str  # "mppdbus" or "proto"
    poll: Poll
    seconds: float
    calls: int = 0
    jitter: float = 0.0  # s by which the inverter's thinking varies


async def live_through(task: Task, folder: Path, address: str) -> Life:
    """Run a service once and measure it; it starts with a fresh inverter."""
    subscriber = await Subscriber.open(address)
    try:
        with rig.inverter(folder, task.jitter) as inverter:
            began = time.monotonic()
            with rig.service(
                task.kind, folder, address, inverter.pty, task.poll
            ) as process:
                at = await asyncio.wait_for(subscriber.first, FIRST_PATIENCE)
                life = Life(at - began)
                if task.seconds:
                    await asyncio.sleep(SETTLE)
                    await _watch(life, task.seconds, process.pid, inverter, subscriber)
                if task.calls:
                    await _call(life, task.calls, inverter, subscriber)
                life.memory = procfs.memory(process.pid)
    finally:
        await subscriber.close()
    return life


async def _watch(
    life: Life, seconds: float, pid: int, inverter: rig.Inverter, subscriber: Subscriber
) -> None:
    """Look at a service that is left to itself."""
    before = procfs.usage(pid)
    await asyncio.sleep(seconds)
    after = procfs.usage(pid)
    life.cpu, life.wakeups = after.since(before)
    window = [e for e in inverter.exchanges() if before.at <= e.asked <= after.at]
    signals = [s for s in subscriber.signals if before.at <= s.at <= after.at]
    _intervals(life, window)
    _delays(life, window, signals)
    answers = sum(e.command == LIVE for e in window)
    life.cpu_per_answer = (after.cpu - before.cpu) / answers
    life.signals = len(signals) / answers
    life.signal_bytes = sum(s.size for s in signals) / answers


def _intervals(life: Life, window: list[Exchange]) -> None:
    """Take the times between requests; those in pieces of a cycle would bias the mean.

    A cycle ends with an interval in which something else was asked.
    """
    ends = []
    places = [i for i, e in enumerate(window) if e.command == LIVE]
    for one, next_one in itertools.pairwise(places):
        interval = window[next_one].asked - window[one].asked
        life.intervals.append(interval)
        if next_one > one + 1:
            ends.append(len(life.intervals))
        else:
            life.alone.append(interval)
            if (ended := window[one].ended) is not None:
                life.turns.append(window[next_one].asked - ended)
    if len(ends) > 1:
        life.intervals = life.intervals[ends[0] : ends[-1]]


def _delays(life: Life, window: list[Exchange], signals: list[Signal]) -> None:
    """Match each reply with the signals that came before the next was over."""
    ends = [e.ended for e in window if e.command == LIVE and e.ended is not None]
    for end, next_end in itertools.pairwise(ends):
        seen = [s.at - end for s in signals if end <= s.at < next_end]
        if seen:
            life.signal_after.append(min(seen))
            life.last_signal_after.append(
                max(t for t in seen if t < 0.1 or t == seen[0])
            )


async def _call(
    life: Life, calls: int, inverter: rig.Inverter, subscriber: Subscriber
) -> None:
    """Ask for a value often, with the inverter live and then mute."""
    life.call_live = await _calls(calls, subscriber)
    inverter.mute()
    with contextlib.suppress(TimeoutError):
        await asyncio.sleep(MUTE_FOR)
        life.call_mute = await _calls(calls, subscriber)


async def _calls(calls: int, subscriber: Subscriber) -> list[float]:
    took = []
    for _ in range(calls):
        took.append(await subscriber.get_value("/Ac/Out/L1/P"))
        await asyncio.sleep(CALL_EVERY)
    return took

"""What a process has used, from /proc."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used since its start, at the moment `at` (s)."""

    at: float
    cpu: float  # s, user and system
    wakeups: int  # voluntary context switches

    def since(self, before: Usage) -> tuple[float, float]:
        """Return CPU seconds a minute, and wake-ups a second, since `before`."""
        passed = self.at - before.at
        return 60 * (self.cpu - before.cpu) / passed, (
            self.wakeups - before.wakeups
        ) / passed


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of a process in MB (2**20)."""

    peak_rss: float
    rss: float
    pss: float


def usage(pid: int) -> Usage:
    """Return what the process has used so far."""
    cpu, wakeups = 0.0, 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError):  # a thread that has just ended
            wakeups += _fields(task / "status")["voluntary_ctxt_switches"]
            cpu += int((task / "schedstat").read_text().split()[0]) / 1e9
    return Usage(time.monotonic(), cpu or _ticks(pid), wakeups)


def memory(pid: int) -> Memory:
    """Return the memory of a process."""
    status = _fields(Path(f"/proc/{pid}/status"))
    rollup = _fields(Path(f"/proc/{pid}/smaps_rollup"))
    return Memory(status["VmHWM"] / 1024, status["VmRSS"] / 1024, rollup["Pss"] / 1024)


def _ticks(pid: int) -> float:
    """Return CPU seconds in steps of 10 ms, for kernels without schedstat."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / _TICK


def _fields(path: Path) -> dict[str, int]:
    """Return the numbers of a file of lines "name: number unit"."""
    found = {}
    for line in path.read_text().splitlines():
        name, _, value = line.partition(":")
        if (words := value.split()) and words[0].isdigit():
            found[name] = int(words[0])
    return found

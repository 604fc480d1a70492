"""What many lives of the services amount to: rows of a table."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from decoding import Speed
from measure import Life
from rig import Poll
from stats import NAN, mean, median, percentile

REQUEST, REPLY, THINK = 8, 110, 0.060  # bytes, bytes, s of a QPIGS
LIMIT = (REQUEST + REPLY) * 10 / 2400 + THINK  # s: no QPIGS can follow sooner

Lives = list[Life]


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table; `ratio` says of what, `target` is an upper bound."""

    name: str
    ours: float
    proto: float
    unit: str
    digits: int = 2
    target: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without one, or without a value."""
        if self.target is None or math.isnan(self.ours):
            return None
        return self.ours < self.target

    @property
    def ratio(self) -> float:
        """Ours ÷ the baseline's; NaN where there is none."""
        return self.ours / self.proto if self.proto else NAN


@dataclass(frozen=True, slots=True)
class Measure:
    """How a row comes from the lives of one service."""

    name: str
    read: Callable[[Lives], float]
    unit: str
    digits: int = 2
    target: float | None = None


def _pooled(name: str) -> Callable[[Lives], list[float]]:
    return lambda lives: [x for life in lives for x in getattr(life, name)]


def _middle(read: Callable[[Life], float]) -> Callable[[Lives], float]:
    return lambda lives: median([read(life) for life in lives])


_all, _alone = _pooled("intervals"), _pooled("alone")
_first, _last = _pooled("signal_after"), _pooled("last_signal_after")
_turns = _pooled("turns")
_live, _mute = _pooled("call_live"), _pooled("call_mute")
MS = 1000.0

SHORT = (
    Measure("CPU", _middle(lambda v: v.cpu), "s/min", 3),
    Measure("CPU per QPIGS", _middle(lambda v: v.cpu_per_answer * MS), "ms"),
    Measure("wake-ups", _middle(lambda v: v.wakeups), "1/s", 1),
    Measure(
        "last byte → signal, median", lambda v: median(_first(v)) * MS, "ms", 2, 2.0
    ),
    Measure("last byte → signal, p90", lambda v: percentile(_first(v), 90) * MS, "ms"),
)
ALWAYS = (
    *SHORT,
    Measure("last byte → last signal, median", lambda v: median(_last(v)) * MS, "ms"),
    Measure("ItemsChanged per QPIGS", _middle(lambda v: v.signals), ""),
    Measure("their bytes per QPIGS", _middle(lambda v: v.signal_bytes), "B", 0),
)
TURNS = (
    Measure("last byte → next QPIGS, median", lambda v: median(_turns(v)) * MS, "ms"),
    Measure(
        "last byte → next QPIGS, p90", lambda v: percentile(_turns(v), 90) * MS, "ms"
    ),
)
ALONE = (
    Measure("QPIGS with nothing between, mean", lambda v: mean(_alone(v)), "s", 4),
    Measure("… ÷ limit of the line", lambda v: mean(_alone(v)) / LIMIT, "", 3, 1.02),
    Measure("… median", lambda v: median(_alone(v)), "s", 4),
)
FAST = (
    *ALONE,
    *TURNS,
    Measure("QPIGS, all, mean", lambda v: mean(_all(v)), "s", 4),
    Measure("… ÷ limit of the line", lambda v: mean(_all(v)) / LIMIT, "", 3, 1.07),
    Measure("… median", lambda v: median(_all(v)), "s", 4),
)
UNEVEN = (*TURNS, *SHORT)
SLOW = (Measure("QPIGS, mean", lambda v: mean(_all(v)), "s", 4),)
ONCE = (
    Measure("start → first true value", _middle(lambda v: v.first), "s", 2, 1.5),
    Measure("peak RSS", _middle(lambda v: v.memory.peak_rss), "MB", 1, 36.0),
    Measure("PSS", _middle(lambda v: v.memory.pss), "MB", 1),
    Measure("GetValue, live, p50", lambda v: median(_live(v)) * MS, "ms"),
    Measure("GetValue, live, p99", lambda v: percentile(_live(v), 99) * MS, "ms"),
    Measure("GetValue, mute, p50", lambda v: median(_mute(v)) * MS, "ms"),
    Measure("GetValue, mute, p99", lambda v: percentile(_mute(v), 99) * MS, "ms"),
)


@dataclass(frozen=True, slots=True)
class Scene:
    """A way to run the services, and what is looked at."""

    title: str
    poll: Poll
    measures: tuple[Measure, ...]
    cpu_target: float | None = None
    jitter: float = 0.0  # s by which the inverter's thinking varies either way


SCENES = (
    Scene('poll = "fast"', "fast", FAST + ALWAYS, 0.25),
    Scene("poll = 2.0", 2.0, SLOW + ALWAYS, 0.1),
    Scene(
        'poll = "fast", and the inverter thinks unevenly: 60 ± 30 ms',
        "fast", UNEVEN, jitter=0.03,
    ),
)  # fmt: skip


def rows(lives: dict[tuple[str, Scene], Lives]) -> dict[str, list[Row]]:
    """Return the rows of each section; `lives` by service and scene."""
    sections = {}
    for scene in SCENES:
        ours, proto = lives["mppdbus", scene], lives["proto", scene]
        sections[scene.title] = [
            _row(m, ours, proto, scene.cpu_target) for m in scene.measures
        ]
    ours, proto = (
        [life for scene in SCENES for life in lives[kind, scene]]
        for kind in ("mppdbus", "proto")
    )
    sections["however it is run"] = [_row(m, ours, proto, None) for m in ONCE]
    return sections


def _row(measure: Measure, ours: Lives, proto: Lives, cpu: float | None) -> Row:
    target = cpu if measure.name == "CPU" else measure.target
    return Row(
        measure.name,
        measure.read(ours),
        measure.read(proto),
        measure.unit,
        measure.digits,
        target,
    )


def speed_ratio(speed: Speed) -> float:
    """Return how many times faster ours is."""
    return speed.ours / speed.theirs

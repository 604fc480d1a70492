"""A house whose inverter has losses, seen through whole amperes, beside the truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

from helpers.energy import Brief, Site
from mppdbus.model.energy.ledger import Ledger
from mppdbus.model.energy.sample import Sample
from mppdbus.model.losses import LossLearner
from mppdbus.model.power import Flow, flow
from mppdbus.model.snapshot import Snapshot
from mppdbus.protocol.replies.status import GeneralStatus
from mppdbus.simulator.plant.flow import Machine
from mppdbus.simulator.plant.physics import Plant
from mppdbus.simulator.unit.settings import OutputPriority

LOSSY = Machine(efficiency=0.95, own_w=40.0)
TURNS = tuple(OutputPriority)[::-1]  # battery first, solar first, mains first
EVERY_S = 3 * 3600.0


@dataclass(frozen=True)
class Meters:
    """How a unit shows what is; `pv_gain` are W shown per W that reach the DC side."""

    cuts: bool = False  # instead of rounding
    blind_out_w: float = 0.0  # a smaller discharge reads 0
    blind_load_w: float = 0.0
    pv_gain: float = 1.0
    offset: float = 0.0  # A that the battery's meter reads too high
    late: bool = False  # the battery's current is that of the reading before

    def show(self, plant: Plant, amps: float) -> Snapshot:
        """Return what a driver would read now, with `amps` for the battery's meter."""
        shown = int(amps) if self.cuts else round(amps + self.offset)
        if 0 < -plant.flow.battery_w < self.blind_out_w:
            shown = 0
        load = plant.flow.load_w
        status = Brief(
            grid_voltage=plant.grid.volts if plant.grid.on else 0.0,
            ac_output_active_power=round(load if load >= self.blind_load_w else 0.0),
            battery_voltage=round(plant.battery_v, 2),
            battery_charging_current=max(shown, 0),
            battery_discharge_current=max(-shown, 0),
            pv_charging_power=round(self.pv_gain * sum(plant.pv_w)),
            pv_input_voltage=plant.pv_v[0],
            charging=amps > 0,
            ac_charging=amps > 0 and plant.mode == "L",
            charging_to_float=False,
        )
        general = cast("GeneralStatus", status)
        return Snapshot(online=True, status=general, mode=plant.mode, trackers=1)


@dataclass(frozen=True)
class Point:
    """One reading: W from the mains in truth, with and without losses."""

    time: float
    mode: str
    truth: float
    before: float
    after: float
    known: bool
    on_battery: float  # h, until now

    @property
    def within(self) -> bool:
        """Whether it is as good as asked for."""
        return abs(self.after - self.truth) <= max(30.0, 0.03 * self.truth)


@dataclass
class Run:
    """A learner in a house; the priority changes every three hours."""

    machine: Machine = LOSSY
    meters: Meters = Meters()
    seed: int = 7
    every: float = 10.0
    turns: tuple[OutputPriority, ...] = TURNS
    learner: LossLearner = field(default_factory=LossLearner)
    counting: bool = False
    plain: Ledger = field(default_factory=Ledger)  # counts without losses
    ledger: Ledger = field(default_factory=Ledger)
    site: Site = field(init=False)

    def __post_init__(self) -> None:
        self.site = Site(seed=self.seed, blackouts=False)
        self.site.plant.machine = self.machine

    def points(self, hours: float) -> Iterator[Point]:
        """Return a point for each reading."""
        site = self.site
        on_battery, now = 0.0, site.plant.battery_a
        for _ in range(int(hours * 3600 / self.every)):
            turn = int(site.time // EVERY_S) % len(self.turns)
            site.plant.settings.output_priority = self.turns[turn]
            site.advance(self.every)
            now, before = site.plant.battery_a, now
            snapshot = self.meters.show(site.plant, before if self.meters.late else now)
            found = flow(snapshot, self.learner.losses)
            plain = flow(snapshot)
            self.learner.feed(snapshot, found, site.time)
            if self.counting:
                self._count(plain, found, site)
            on_battery += self.every / 3600 if site.plant.mode == "B" else 0.0
            yield Point(
                site.time,
                site.plant.mode,
                site.plant.flow.grid_w,
                plain.mains_power or 0.0,
                found.mains_power or 0.0,
                self.learner.losses.known,
                on_battery,
            )

    def _count(self, plain: Flow, found: Flow, site: Site) -> None:
        today = site.plant.clock.date()
        self.plain.feed(Sample(plain), site.time, today)
        self.ledger.feed(Sample(found), site.time, today)


def on_mains(points: list[Point], since: float = 1.0) -> list[Point]:
    """Return those on mains, after so many hours on battery."""
    return [p for p in points if p.mode == "L" and p.on_battery >= since]


def mean_error(points: list[Point], *, before: bool = False) -> float:
    """Return the mean of the errors in W, whichever sign."""
    return sum(_errors(points, before=before)) / len(points)


def p95_error(points: list[Point], *, before: bool = False) -> float:
    """Return what 19 of 20 errors do not exceed, in W."""
    return sorted(_errors(points, before=before))[int(0.95 * len(points))]


def _errors(points: list[Point], *, before: bool) -> list[float]:
    return [abs((p.before if before else p.after) - p.truth) for p in points]

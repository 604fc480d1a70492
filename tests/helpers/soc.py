"""Thirty days of a simulated battery, and the poor meter through which it is seen."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache

import pytest
from pydantic import TypeAdapter

from mppdbus.model.battery.battery_model import BatteryModel
from mppdbus.model.battery.chemistries import Chemistry as Chosen
from mppdbus.model.battery.current_meter import total_losses
from mppdbus.model.battery.estimator import SocEstimator
from mppdbus.model.battery.estimator_state import SocState
from mppdbus.model.losses import LossLearner, LossState
from mppdbus.model.power import Flow, Origin
from mppdbus.model.snapshot import Snapshot
from mppdbus.model.victron_codes import State
from mppdbus.simulator.plant import physics
from mppdbus.simulator.plant.battery import Phase, PlantBattery, RestCurve
from mppdbus.simulator.plant.flow import Machine
from mppdbus.simulator.plant.physics import Plant
from mppdbus.simulator.unit.settings import OutputPriority, Settings

START = datetime(2026, 3, 1, 17, tzinfo=UTC)  # the first full charge is a night away
STEP_S = 60.0
DAY_S = 86400.0
CAPACITY = 200.0
PEAK_W = 3600.0
STAGES = {
    Phase.BULK: State.BULK,
    Phase.ABSORPTION: State.ABSORPTION,
    Phase.FLOAT: State.FLOAT,
}
STATE = TypeAdapter(SocState)


@dataclass(slots=True)
class RealBattery(PlantBattery):
    """One that gives back less than it was given."""

    efficiency: float = 1.0

    def pass_time(
        self, settings: Settings, volts: float, amps: float, seconds: float
    ) -> None:
        stored = amps * self.efficiency if amps > 0 else amps
        PlantBattery.pass_time(self, settings, volts, stored, seconds)


@dataclass(frozen=True, slots=True)
class Sample:
    """The truth at one moment."""

    time: float
    soc: float
    volts: float
    amps: float
    load_w: float
    pv_w: float
    mode: str
    stage: State | None
    out_w: float  # what the battery gives


@dataclass
class House:
    """Loads of 25 to 4600 W and the weather, the same for every run of a seed."""

    plant: Plant
    scene: Scene
    time: float = 0.0
    _until: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = random.Random(self.scene.seed)
        self._sky = 1.0

    def advance(self) -> None:
        rnd, plant, scene = self._random, self.plant, self.scene
        self.time += STEP_S
        day = int(self.time / DAY_S + START.hour / 24)
        if rnd.random() < STEP_S / 900:
            dull = day in scene.dull
            self._sky = rnd.choice(scene.dull_sky if dull else (0.4, 0.8, 1.0, 1.0))
        plant.sun.watts = [PEAK_W * self._sky]
        plant.load.watts = self._load(rnd)
        dark = self._on("blackout", rnd, every=DAY_S / 2, lasts=3 * 3600)
        plant.grid.on = scene.mains != "none" and not (
            dark and scene.mains == "blackouts"
        )
        plant.step(STEP_S)

    def _load(self, rnd: random.Random) -> float:
        hour = self.plant.hour
        watts = 25.0 + 10 * rnd.random()
        watts += 90.0 if self.time % 3000 < 900 else 0.0
        if 18 < hour < 22.5:
            watts += 280.0
        if self._on("kettle", rnd, every=4 * 3600, lasts=300) and 6 < hour < 22:
            watts += 2000.0
        if self._on("washing", rnd, every=2 * DAY_S, lasts=3000) and 9 < hour < 16:
            watts += 2600.0
        return watts

    def _on(self, name: str, rnd: random.Random, *, every: float, lasts: float) -> bool:
        if rnd.random() < STEP_S / every:
            self._until[name] = self.time + lasts
        return self.time < self._until.get(name, 0.0)


@dataclass(frozen=True)
class Scene:
    """A house with a battery, and how long it is watched."""

    chemistry: RestCurve = RestCurve.LFP
    efficiency: float = 0.995
    days: int = 30
    first: float = 55.0  # % when it begins
    dull: range = range(11, 18)  # days without a full charge
    dull_sky: tuple[float, ...] = (0.17, 0.22, 0.28)
    mains: str = "none"  # or "always", or "blackouts"
    priority: OutputPriority = OutputPriority.BATTERY
    recharge_v: float = 46.0
    seed: int = 3


@cache
def truth(scene: Scene) -> tuple[Sample, ...]:
    """Return a sample for every minute."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(physics, "LONGEST_STEP_S", STEP_S)
        plant = Plant(
            Settings(output_priority=scene.priority, recharge_v=scene.recharge_v),
            battery=RealBattery(
                capacity_ah=CAPACITY,
                soc=scene.first,
                chemistry=scene.chemistry,
                efficiency=scene.efficiency,
            ),
            machine=Machine(efficiency=0.91, own_w=55.0),
            clock=START,
        )
        plant.sun.curve = True
        return tuple(_samples(House(plant, scene), scene.days))


def _samples(house: House, days: int) -> Iterator[Sample]:
    plant = house.plant
    for _ in range(int(days * DAY_S / STEP_S)):
        house.advance()
        yield Sample(
            time=house.time,
            soc=plant.battery.soc,
            volts=plant.battery_v,
            amps=plant.battery_a,
            load_w=plant.flow.load_w,
            pv_w=sum(plant.pv_w),
            mode=plant.mode,
            stage=STAGES.get(plant.charge_stage),
            out_w=-plant.flow.battery_w,
        )


@dataclass(frozen=True)
class Meter:
    """What PI30 shows of it: whole amperes, shifted, and nothing below `blind_w`."""

    offset: float = 0.0
    blind_w: float = 120.0
    blind_to_truth: bool = False  # not to what it would have shown
    blind_load_w: float = 40.0
    cuts: bool = False  # instead of rounding
    volts_off: float = 0.0
    pv_gain: float = 1.0
    balance: bool = True

    def amps(self, sample: Sample) -> float:
        shown = sample.amps + self.offset
        out_w = sample.out_w if self.blind_to_truth else -shown * sample.volts
        if 0 < out_w < self.blind_w:
            return 0.0
        return float(int(shown) if self.cuts else round(shown))

    def flow(self, at: Sample) -> Flow:
        """Return what PI30 shows of the powers."""
        load = at.load_w if at.load_w >= self.blind_load_w else 0.0
        volts, amps = round(at.volts + self.volts_off, 1), self.amps(at)
        sun = round(at.pv_w * self.pv_gain) if self.balance else None
        return Flow(
            load=round(load) if self.balance else None,
            pv_total=sun,
            pv_origin=Origin.UNKNOWN if sun is None else Origin.MEASURED,
            battery_voltage=volts,
            battery_current=amps,
            battery_power=volts * amps,
        )

    def feed(
        self, estimator: SocEstimator, learner: LossLearner, at: Sample, now: float
    ) -> None:
        """Show both what the inverter reads."""
        flow = self.flow(at)
        learner.feed(Snapshot(online=True, mode=at.mode), flow, now)
        estimator.feed(
            flow.battery_voltage,
            flow.battery_current,
            now,
            stage=at.stage,
            load_w=flow.load,
            pv_w=flow.pv_total,
            mode=at.mode,
            losses=total_losses([learner.losses]),
        )


@dataclass
class Result:
    """Estimate against truth, and when the battery was full first."""

    times: list[float] = field(default_factory=list)
    truth: list[float] = field(default_factory=list)
    shown: list[float] = field(default_factory=list)
    margins: list[float] = field(default_factory=list)
    offsets: list[float] = field(default_factory=list)
    first_full: float | None = None

    def errors(self, since: float = 0.0, until: float = 1e12) -> list[float]:
        rows = zip(self.times, self.shown, self.truth, strict=True)
        return [e - t for time, e, t in rows if since <= time < until]

    def worst(self, since: float = 0.0, until: float = 1e12) -> float:
        return max(map(abs, self.errors(since, until)))

    def covered(self) -> float:
        """Return the share of the time that the truth was within the margin."""
        rows = zip(self.shown, self.truth, self.margins, strict=True)
        inside = [abs(e - t) <= margin for e, t, margin in rows]
        return sum(inside) / len(inside)


@dataclass(frozen=True)
class Restart:
    """The program ends at `at` with a state `age` old, and is back after `away`."""

    at: float
    age: float = 300.0
    away: float = 60.0


def model(name: str, capacity_ah: float = CAPACITY) -> BatteryModel:
    """Return what a user would say of the simulated battery."""
    chosen = Chosen(name)
    return BatteryModel(
        chosen, capacity_ah, 48.0, bulk_v=56.4, float_v=54.0, cutoff_v=42.0
    )


@dataclass(frozen=True)
class Case:
    """One of the batteries that are followed for thirty days, by its name."""

    chemistry: str
    scene: Scene


CASES = {
    "LFP": Case("lithium-lfp", Scene()),
    "lead": Case("lead-agm", Scene(RestCurve.LEAD, 1.0)),
    "lossy lead": Case("lead-agm", Scene(RestCurve.LEAD, 0.88)),
}
RESTARTS = (
    Restart(2.3 * DAY_S),
    Restart(9.4 * DAY_S, age=600.0, away=20.0),
    Restart(13.5 * DAY_S, away=1200.0),
    Restart(20.2 * DAY_S),
    Restart(25.9 * DAY_S, age=500.0, away=600.0),
)
DULL_DAYS = (10.5 * DAY_S, 18.5 * DAY_S)


def errors_by_part(result: Result) -> tuple[float, float, float]:
    """Return the worst error before the first full charge, in clear and in dull days.

    The dull days end with the full charge after them.
    """
    full, (dull, clear) = result.first_full, DULL_DAYS
    assert full is not None
    clear_days = max(result.worst(full, dull), result.worst(clear))
    return result.worst(0.0, full), clear_days, result.worst(dull, clear)


def naive(samples: tuple[Sample, ...], meter: Meter) -> Result:
    """Count what the meter says and nothing else, from the truth at the beginning."""
    result, soc = Result(), samples[0].soc
    for sample in samples:
        soc += meter.amps(sample) * STEP_S / 36.0 / CAPACITY
        soc = min(max(soc, 0.0), 100.0)
        result.times.append(sample.time)
        result.truth.append(sample.soc)
        result.shown.append(soc)
    return result


def by_volts(samples: tuple[Sample, ...]) -> Result:
    """Take the inverter's own percent: where the voltage is, from cut-off to float."""
    result = Result()
    for sample in samples:
        share = (sample.volts - 42.0) / (54.0 - 42.0)
        result.times.append(sample.time)
        result.truth.append(sample.soc)
        result.shown.append(100.0 * min(max(share, 0.0), 1.0))
    return result


def follow(
    samples: tuple[Sample, ...],
    battery: BatteryModel,
    meter: Meter,
    *,
    restarts: tuple[Restart, ...] = (),
    each: Callable[[SocEstimator, Sample], None] | None = None,
) -> Result:
    """Feed an estimator, with restarts in between, and note what it says."""
    result, estimator, kept = Result(), SocEstimator(battery), b""
    learner, lessons = LossLearner(), LossState()
    kept_at, silent_until = 0.0, -1.0
    waiting = list(restarts)
    for sample in samples:
        if waiting and sample.time >= waiting[0].at:
            silent_until = sample.time + waiting[0].away
            away = silent_until - kept_at
            waiting.pop(0)
            estimator = SocEstimator(battery, STATE.validate_json(kept), away=away)
            learner = LossLearner(lessons)
        if sample.time < silent_until:
            continue
        due = not waiting or sample.time <= waiting[0].at - waiting[0].age
        if due and sample.time % 600 == 0 and (state := estimator.state) is not None:
            kept, kept_at = STATE.dump_json(state), sample.time
            lessons = learner.state
        meter.feed(estimator, learner, sample, sample.time + 5e6)
        if each is not None:
            each(estimator, sample)
        _note(result, estimator, sample)
    return result


def _note(result: Result, estimator: SocEstimator, sample: Sample) -> None:
    soc, margin = estimator.soc, estimator.margin
    assert soc is not None
    assert margin is not None
    if result.first_full is None and estimator.full:
        result.first_full = sample.time
    result.times.append(sample.time)
    result.truth.append(sample.soc)
    result.shown.append(soc)
    result.margins.append(margin)
    result.offsets.append(estimator.offset)

"""A bank of batteries seen through one or more inverters, for thirty days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from helpers.snapshots import ratings
from helpers.soc import CAPACITY, Meter, Restart, Result, Sample
from mppdbus.daemon.state import INTERVAL, StateFiles
from mppdbus.model.battery.bank import Bank, BankSettings
from mppdbus.model.losses import LossLearner, LossState
from mppdbus.model.power import Flow
from mppdbus.model.snapshot import Identity, Snapshot
from mppdbus.model.victron_codes import State
from mppdbus.protocol.replies.status import GeneralStatus

RATINGS = ratings()
WALL = 1_800_000_000.0  # s of the clock on the wall when the days begin
Pair = tuple[Snapshot, Flow]
AWAY: Pair = (Snapshot(), Flow())


@dataclass(frozen=True)
class Brief:
    """The part of QPIGS that a bank looks at."""

    battery_voltage: float | None
    charging: bool = False
    charging_to_float: bool = False
    battery_capacity: int | None = 80


def seen(
    volts: float | None,
    amps: float | None,
    *,
    load: float | None = None,
    pv: float | None = None,
    mode: str | None = "L",
    stage: State | None = None,
    percent: int | None = 80,
    fitted: bool = True,
) -> Pair:
    """Return what one inverter shows."""
    status = Brief(volts, stage is not None, stage is State.FLOAT, percent)
    snapshot = Snapshot(
        online=True,
        identity=Identity(dialect="pi30"),
        status=cast("GeneralStatus", status),
        mode=mode,
        ratings=RATINGS,
        battery_fitted=fitted,
    )
    flow = Flow(load=load, pv_total=pv, battery_voltage=volts, battery_current=amps)
    return snapshot, flow


def metered(sample: Sample, meter: Meter) -> Pair:
    """Return a sample as an inverter with this meter shows it."""
    flow = meter.flow(sample)
    snapshot, _ = seen(flow.battery_voltage, None, mode=sample.mode, stage=sample.stage)
    return snapshot, flow


def settings(
    chemistry: str | None, units: int, source: str = "estimate"
) -> BankSettings:
    assert source in ("estimate", "inverter", "none")
    return BankSettings(
        source=source,  # type: ignore[arg-type]
        chemistry=chemistry,
        capacity_ah=CAPACITY * units,
        units=units,
    )


@dataclass
class Days:
    """Follows a bank through its file; every unit sees the same battery of its own.

    So many units like the one of the samples share so many times its battery. When the
    program is `killed`, what it learned after the last save is lost.
    """

    folder: Path
    samples: tuple[Sample, ...]
    meters: Sequence[Meter]
    chemistry: str
    restarts: tuple[Restart, ...] = ()
    killed: bool = False
    result: Result = field(default_factory=Result)
    time: float = 0.0
    saved: float = 0.0
    lessons: list[LossState] = field(default_factory=list)
    learners: list[LossLearner] = field(default_factory=list)

    async def run(self) -> Result:
        waiting, silent_until = list(self.restarts), -1.0
        file, bank = await self._start()
        for sample in self.samples:
            self.time = sample.time
            if waiting and sample.time >= waiting[0].at:
                silent_until = sample.time + waiting.pop(0).away
                if not self.killed:
                    await file.close()
                    self.lessons = [learner.state for learner in self.learners]
            if sample.time < silent_until:
                continue
            if silent_until > 0:
                silent_until = -1.0
                file, bank = await self._start()
            self._feed(sample, bank)
            if waiting and waiting[0].at - 7200 < sample.time < waiting[0].at:
                await self._save(file)
            self._note(sample, bank)
        return self.result

    def _feed(self, sample: Sample, bank: Bank) -> None:
        units = [metered(sample, meter) for meter in self.meters]
        for learner, (snapshot, flow) in zip(self.learners, units, strict=True):
            learner.feed(snapshot, flow, sample.time)
        bank.feed(units, sample.time, [learner.losses for learner in self.learners])

    async def _save(self, files: StateFiles) -> None:
        """Save as often as the daemon does, by the time of the samples."""
        if self.time - self.saved >= INTERVAL and "" in files._bank_saves:
            self.saved = self.time
            await files._bank_saves[""].save()
            self.lessons = [learner.state for learner in self.learners]

    async def _start(self) -> tuple[StateFiles, Bank]:
        lessons = self.lessons or [LossState()] * len(self.meters)
        self.learners = [LossLearner(state) for state in lessons]
        file = StateFiles(self.folder, clock=lambda: WALL + self.time)
        return file, await file.bank(settings(self.chemistry, len(self.meters)))

    def _note(self, sample: Sample, bank: Bank) -> None:
        result, charge = self.result, bank.charge
        assert charge.percent is not None
        assert charge.margin is not None
        if result.first_full is None and "full: it takes" in charge.origin:
            result.first_full = sample.time
        result.times.append(sample.time)
        result.truth.append(sample.soc)
        result.shown.append(charge.percent)
        result.margins.append(charge.margin)
        result.offsets.append(charge.offset or 0.0)


def bank(units: int = 1, percent: float | None = 50.0) -> Bank:
    """Return a bank of 200 Ah of LFP a unit that was corrected at 0 s."""
    found = Bank(settings("lithium-lfp", units))
    if percent is not None:
        found.feed([seen(52.8, 0)] * units, 0.0)
        assert found.correct(percent)
    return found


def hold(
    found: Bank, units: list[Pair], since: float, seconds: float, step: float = 30.0
) -> float:
    """Feed the same again and again; return when that ended."""
    now = since
    while now < since + seconds:
        now += step
        found.feed(units, now)
    return now


def percent(found: Bank) -> float:
    assert found.charge.percent is not None
    return found.charge.percent


def margin(found: Bank) -> float:
    assert found.charge.margin is not None
    return found.charge.margin

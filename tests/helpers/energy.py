"""A simulated site seen through an inverter's coarse numbers, in accelerated time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

from helpers.snapshots import ratings
from mppdbus.model.energy.ledger import Ledger
from mppdbus.model.energy.sample import Sample
from mppdbus.model.power import flow
from mppdbus.model.snapshot import Snapshot
from mppdbus.protocol.queries import decode
from mppdbus.protocol.replies.status import GeneralStatus
from mppdbus.simulator.plant.battery import Phase, PlantBattery
from mppdbus.simulator.plant.physics import LINE_MODES, Plant
from mppdbus.simulator.unit import replies
from mppdbus.simulator.unit.profiles import PROFILES
from mppdbus.simulator.unit.settings import OutputPriority, Settings

START = datetime(2026, 3, 1, tzinfo=UTC)
PROFILE = PROFILES["axpert-5000"]
RATINGS = ratings()
PEAK = 3200.0  # W


@dataclass
class Brief:
    """The part of QPIGS that counting looks at, rounded as the reply rounds it."""

    grid_voltage: float
    grid_frequency = 50.0
    ac_output_active_power: int
    battery_voltage: float
    battery_charging_current: int
    battery_discharge_current: int
    pv_charging_power: int
    pv_input_voltage: float
    charging: bool
    ac_charging: bool
    charging_to_float: bool
    grid_input_current: float | None = None
    ac_output_voltage: float | None = None
    ac_output_frequency: float | None = None
    ac_output_apparent_power: int | None = None
    battery_capacity: int | None = None


@dataclass
class Site:
    """A plant through its days: clouds, small loads and large ones, blackouts."""

    priority: OutputPriority = OutputPriority.BATTERY
    seed: int = 7
    blackouts: bool = True
    plant: Plant = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self.plant = Plant(
            Settings(output_priority=self.priority, recharge_v=51.0),
            battery=PlantBattery(soc=60.0),
            clock=START,
        )
        self.plant.sun.curve = True
        self._kettle_until = self._dark_until = 0.0
        self._day, self._sky = START.date(), 1.0
        self.time = 0.0

    def advance(self, seconds: float) -> None:
        """Let time pass; the weather and the people change between polls."""
        rnd, plant = self._random, self.plant
        self.time += seconds
        if plant.clock.date() != self._day:
            self._day, self._sky = plant.clock.date(), rnd.choice((0.1, 0.5, 1.0))
        if rnd.random() < seconds / 180:
            plant.sun.watts = [PEAK * self._sky * rnd.choice((0.3, 0.8, 1.0))]
        if rnd.random() < seconds / 7200:
            self._kettle_until = self.time + 240
        fridge = 90.0 if self.time % 2400 < 800 else 0.0
        kettle = 2000.0 if self.time < self._kettle_until else 0.0
        evening = 600.0 if 17 < plant.hour < 23 else 0.0
        plant.load.watts = 57.0 + fridge + kettle + evening + 8 * rnd.random()
        if self.blackouts and rnd.random() < seconds / 40000:
            self._dark_until = self.time + 3600
        plant.grid.on = self.time >= self._dark_until
        plant.step(seconds)

    def snapshot(self) -> Snapshot:
        """Return what a driver would read now, through the replies themselves."""
        text = replies.qpigs(self.plant, PROFILE)
        status = cast("GeneralStatus", decode("QPIGS", text.encode()))
        return self._snapshot(status)

    def brief(self) -> Snapshot:
        """Return the same, ten times as fast."""
        plant = self.plant
        amps = round(plant.battery_a)
        charging = plant.battery_a > 0
        from_mains = plant.mode in LINE_MODES and plant.grid_usable
        status = Brief(
            grid_voltage=plant.grid.volts if plant.grid.on else 0.0,
            ac_output_active_power=round(plant.flow.load_w),
            battery_voltage=round(plant.battery_v, 2),
            battery_charging_current=max(amps, 0),
            battery_discharge_current=max(-amps, 0),
            pv_charging_power=round(plant.pv_w[0]),
            pv_input_voltage=plant.pv_v[0],
            charging=charging,
            ac_charging=charging and from_mains,
            charging_to_float=plant.charge_stage is Phase.FLOAT,
        )
        return self._snapshot(cast("GeneralStatus", status))

    def _snapshot(self, status: GeneralStatus) -> Snapshot:
        mode = self.plant.mode
        return Snapshot(
            online=True, status=status, mode=mode, trackers=1, ratings=RATINGS
        )


def sampled(snapshot: Snapshot) -> Sample:
    return Sample.of(snapshot, flow(snapshot))


@dataclass(frozen=True)
class Account:
    """kWh by source and sink, to compare a ledger with a plant."""

    pv: float
    load: float
    grid: float
    battery: float  # net

    def errors(self, truth: Account) -> dict[str, float]:
        """Return the error of each in % of the truth; of the battery, of the load."""
        return {
            "pv": 100 * (self.pv / truth.pv - 1),
            "load": 100 * (self.load / truth.load - 1),
            "grid": 100 * (self.grid / truth.grid - 1) if truth.grid else 0.0,
            "battery": 100 * (self.battery - truth.battery) / truth.load,
        }


def counted(ledger: Ledger) -> Account:
    ways = ledger.books.ways
    return Account(
        pv=ways.solar_to_ac_out + ways.solar_to_battery + ways.solar_to_ac_in1,
        load=ways.ac_in1_to_ac_out + ways.inverter_to_ac_out + ways.solar_to_ac_out,
        grid=ways.ac_in1_to_ac_out + ways.ac_in1_to_inverter,
        battery=ways.ac_in1_to_inverter
        + ways.solar_to_battery
        - ways.inverter_to_ac_out,
    )


def true(plant: Plant) -> Account:
    meter = plant.truth()

    def kwh(name: str) -> float:
        return cast("float", meter[name]) / 1000

    return Account(
        pv=kwh("pv_wh"),
        load=kwh("load_wh"),
        grid=kwh("grid_wh"),
        battery=kwh("battery_in_wh") - kwh("battery_out_wh"),
    )


def polls(days: float, seconds: float) -> Iterator[int]:
    """Return the numbers of the polls of some days."""
    return iter(range(1, int(days * 86400 / seconds) + 1))

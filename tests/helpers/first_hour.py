"""The first hour of two hundred batteries that nobody has watched before."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from helpers.snapshots import ratings
from mppdbus.model.battery.bank import Bank, BankSettings
from mppdbus.model.power import Flow
from mppdbus.model.snapshot import Identity, Snapshot
from mppdbus.protocol.replies.status import GeneralStatus
from mppdbus.simulator.plant.battery import PlantBattery, RestCurve

STEP_S, HOUR_S = 10.0, 3600.0
QPIRI = (
    "230.0 21.7 230.0 50.0 21.7 5000 5000 48.0 46.0 {cutoff} {bulk} {float} {type} 30 "
    "060 0 1 2 9 01 0 0 54.0 0 1 000"
)
AGM, USER = 0, 2
NAMES = {RestCurve.LFP: "lithium-lfp", RestCurve.LEAD: "lead-agm"}


@dataclass(frozen=True)
class Reading:
    """What the inverter shows at one moment, and the true charge."""

    soc: float
    volts: float
    amps: float
    panel: int


@dataclass(frozen=True)
class Start:
    """A battery and what flows while the program runs for its first hour."""

    chemistry: RestCurve
    capacity_ah: float
    regime: str  # at rest, charging or discharging
    configured: bool  # with [battery]
    qpiri: str
    rows: tuple[Reading, ...]

    @property
    def settings(self) -> BankSettings:
        if not self.configured:
            return BankSettings()
        name = NAMES[self.chemistry]
        return BankSettings(chemistry=name, capacity_ah=self.capacity_ah)


@dataclass(frozen=True)
class Shown:
    """What is shown beside a reading: the charge and its margin, %."""

    percent: float
    margin: float
    reading: Reading

    @property
    def error(self) -> float:
        return abs(self.percent - self.reading.soc)

    @property
    def astray(self) -> float:
        """How far it is from the truth and from the panel, whichever is nearer."""
        return min(self.error, abs(self.percent - self.reading.panel))


def starts(count: int, seed: int = 1) -> Iterator[Start]:
    """Return random starts, the same for each seed."""
    rnd = random.Random(seed)
    for number in range(count):
        chemistry = rnd.choice(list(RestCurve))
        regime = rnd.choice(("at rest", "charging", "discharging"))
        lithium = chemistry is RestCurve.LFP and rnd.random() < 0.5
        low, full = (46.0, 56.0) if lithium else (42.0, 54.0)
        kind = AGM if chemistry is RestCurve.LEAD and rnd.random() < 0.5 else USER
        capacity = rnd.choice((100.0, 200.0, 280.0, 400.0))
        ohm = 4.0 / capacity * rnd.uniform(0.7, 2.0)
        battery = PlantBattery(48.0, capacity, rnd.uniform(5, 98), ohm, chemistry)
        yield Start(
            chemistry,
            capacity,
            regime,
            configured=bool(number % 2),
            qpiri=QPIRI.format(cutoff=low, bulk=56.4, float=full, type=kind),
            rows=tuple(_hour(battery, rnd, regime, low, full)),
        )


def _hour(
    battery: PlantBattery, rnd: random.Random, regime: str, low: float, full: float
) -> Iterator[Reading]:
    """Follow a battery; some inverters know the charge, most go by the voltage."""
    knows, amps = rnd.random() < 0.25, 0.0
    for second in range(0, int(HOUR_S), int(STEP_S)):
        if second % 600 == 0:
            amps = _amps(rnd, regime, battery.capacity_ah)
        room = max(56.4 - battery.rest_v, 0.0) / battery.charging_ohm
        flows = min(amps, room, 1e3 if battery.soc < 100 else 0.0)
        flows = 0.0 if battery.soc <= 0 > flows else flows
        volts = round(battery.volts_at(flows), 2)
        percent = 100 * min(max((volts - low) / (full - low), 0.0), 1.0)
        panel = round(battery.soc if knows else percent)
        yield Reading(battery.soc, volts, float(round(flows)), panel)
        battery.soc += flows * STEP_S / 36 / battery.capacity_ah
        battery.soc = min(max(battery.soc, 0.0), 100.0)


def _amps(rnd: random.Random, regime: str, capacity_ah: float) -> float:
    most = min(0.5 * capacity_ah, 110.0)
    if regime == "at rest":
        return rnd.uniform(-0.01, 0.005) * capacity_ah
    return rnd.uniform(3.0, most) * (1 if regime == "charging" else -1)


def follow(start: Start) -> list[Shown]:
    """Return what a bank shows of a start."""
    bank, shown = Bank(start.settings), []
    rated = ratings(start.qpiri)
    for number, row in enumerate(start.rows):
        status = cast("GeneralStatus", _Brief(row.volts, row.panel))
        snapshot = Snapshot(
            online=True, identity=Identity(dialect="pi30"), status=status, ratings=rated
        )
        flow = Flow(battery_voltage=row.volts, battery_current=row.amps)
        bank.feed([(snapshot, flow)], 1e6 + number * STEP_S)
        charge = bank.charge
        assert charge.percent is not None
        assert charge.margin is not None
        shown.append(Shown(charge.percent, charge.margin, row))
    return shown


@dataclass(frozen=True)
class _Brief:
    """The part of QPIGS that a bank looks at."""

    battery_voltage: float
    battery_capacity: int
    charging: bool = False
    charging_to_float: bool = False

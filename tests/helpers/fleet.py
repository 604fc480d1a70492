"""Sets of simulated units, and what each of them says."""

from __future__ import annotations

from helpers.simulator import inverter_of
from mppdbus.simulator.line.speed import Pace
from mppdbus.simulator.scene.sets import SimulatedSet, simulate_set
from mppdbus.simulator.unit.inverter import SimulatedInverter

PARALLEL = ("parallel", "parallel", "parallel")
PHASES = ("L1", "L2", "L3")


def fleet(
    labels: tuple[str, ...] = PARALLEL, scene: str = "", profile: str = "max-8000"
) -> SimulatedSet:
    script = f"pause; losses 1; {scene}"
    return simulate_set(profile, labels, pace=Pace.instant(), scene=script)


def units(built: SimulatedSet) -> list[SimulatedInverter]:
    return [inverter_of(simulator) for simulator in built.simulators]


def words(unit: SimulatedInverter, command: str) -> list[str]:
    answer = unit.answer(command)
    assert answer is not None
    return answer.split()


def loads(built: SimulatedSet) -> list[float]:
    return [member.flow.load_w for member in built.scene.plants.members]

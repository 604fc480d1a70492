"""Simulated inverters by the name of their personality."""

from __future__ import annotations

from mppdbus.simulator.unit.inverter import SimulatedInverter
from mppdbus.simulator.unit.profiles import PROFILES

ALL = list(PROFILES.values())


def of(name: str) -> SimulatedInverter:
    return SimulatedInverter(profile=PROFILES[name])


def said(inverter: SimulatedInverter, command: str) -> str:
    answer = inverter.answer(command)
    assert answer is not None
    return answer

"""Random writes of priorities: the source is the one that was asked for, or refused.

The simulated units know better than the driver what their codes mean: clones and units
without a name count them in any order.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.direct_unit import DirectUnit
from helpers.fast_time import run_fast
from helpers.personalities import ALL
from mppdbus.control.journal import Journal
from mppdbus.control.unit_control import UnitControl
from mppdbus.control.write_check import ControlLevel
from mppdbus.errors import NotWritten
from mppdbus.simulator.unit.inverter import SimulatedInverter
from mppdbus.simulator.unit.profile import UnitProfile
from mppdbus.simulator.unit.settings import ChargerPriority, OutputPriority

OUTPUT, CHARGER = "output_source_priority", "charger_source_priority"
# What a word means for the plant.
MEANS: Mapping[str, OutputPriority | ChargerPriority] = {
    f"{OUTPUT} Utility first": OutputPriority.UTILITY,
    f"{OUTPUT} Solar first": OutputPriority.SOLAR,
    f"{OUTPUT} SBU": OutputPriority.BATTERY,
    f"{CHARGER} Utility first": ChargerPriority.UTILITY_FIRST,
    f"{CHARGER} Solar first": ChargerPriority.SOLAR_FIRST,
    f"{CHARGER} Solar and utility": ChargerPriority.SOLAR_AND_UTILITY,
    f"{CHARGER} Only solar": ChargerPriority.ONLY_SOLAR,
    f"{CHARGER} SBL, utility charges battery": ChargerPriority.SBL_UCB,
    f"{CHARGER} SBL, utility does not charge": ChargerPriority.SBL_UDC,
    f"{CHARGER} SLB, utility charges battery": ChargerPriority.SLB_UCB,
    f"{CHARGER} SLB, utility does not charge": ChargerPriority.SLB_UDC,
}
WORDS = [word.split(" ", 1) for word in MEANS]
PER_UNIT = 20
LATE_S = 400.0  # the bug "late-priority" acts after 300 s


def permuted(profile: UnitProfile, rng: random.Random) -> UnitProfile:
    """Return a unit whose codes mean anything, without the name that would lie."""
    outputs, chargers = [*OutputPriority], [*ChargerPriority][:4]
    rng.shuffle(outputs)
    rng.shuffle(chargers)
    fixed = {q: said for q, said in profile.fixed.items() if q not in ("QMN", "QGMN")}
    return replace(
        profile,
        fixed=profile.fixed if "NXPW" in profile.fixed.get("QMN", "") else fixed,
        output_codes=dict(enumerate(outputs)),
        charger_codes=dict(enumerate(chargers)),
        output_set_codes=None,
        charger_set_codes=None,
    )


def unit_of(rng: random.Random) -> SimulatedInverter:
    """Return a unit of any personality, also one that no name gives away."""
    profile = rng.choice(ALL)
    if rng.random() < 0.5 and "QMN" in profile.fixed:
        profile = permuted(profile, rng)
    inverter = SimulatedInverter(profile=profile)
    for bug in ("ack-only", "late-priority"):
        if rng.random() < 0.1:
            inverter.firmware.switch(bug, on=True)
    return inverter


async def write_some(seed: int, writes: int, folder: Path) -> Counter[str]:
    """Write random priorities to one unit; count how it ended."""
    rng, ended = random.Random(seed), Counter[str]()
    inverter = unit_of(rng)
    unit = await DirectUnit(inverter).learn()
    control = UnitControl(unit, Journal(folder / f"{seed}"), level=ControlLevel.SAFE)
    for _ in range(writes):
        name, word = rng.choice(WORDS)
        wanted = rng.choice((word, word, rng.randrange(-1, 5)))
        shown = control.setting(name)
        before = [*inverter.writes]
        try:
            verdict = await control.set(name, wanted, by="a test")
        except (NotWritten, ValueError):
            ended["refused"] += 1
            assert inverter.writes == before
            continue
        assert shown is not None
        if not verdict.done:
            ended["not done, and told"] += 1
            continue
        asked = MEANS[f"{name} {shown.names[int(verdict.value)]}"]
        inverter.plant.battery.soc = 90.0
        inverter.plant.step(LATE_S)
        ended["done"] += 1
        ended["wrong"] += not feeds(inverter, asked)
    return ended


def feeds(inverter: SimulatedInverter, asked: OutputPriority | ChargerPriority) -> bool:
    """Tell whether the unit does what was asked for, by its mode and its plant."""
    plant = inverter.plant
    if isinstance(asked, ChargerPriority):
        return plant.acting[1] is asked
    on_battery = inverter.answer("QMOD") == "B"
    assert plant.grid_usable
    return plant.acting[0] is asked and on_battery is (asked is OutputPriority.BATTERY)


def write_many(count: int, folder: Path) -> Counter[str]:
    async def work() -> Counter[str]:
        ended = Counter[str]()
        for seed in range(count // PER_UNIT):
            ended += await write_some(seed, PER_UNIT, folder)
        return ended

    return run_fast(work())


def check(ended: Counter[str], count: int) -> None:
    print(
        f"{count} random writes of priorities: {dict(ended)}, wrong: {ended['wrong']}"
    )
    assert ended["done"] > count / 10
    assert ended["refused"] > count / 10
    assert ended["wrong"] == 0


def test_random_priorities_are_what_was_asked_for_or_refused(tmp_path: Path) -> None:
    check(write_many(600, tmp_path), 600)


@pytest.mark.long
def test_ten_thousand_random_priorities(tmp_path: Path) -> None:
    check(write_many(10_000, tmp_path), 10_000)

"""A battery that floats too early, and one that sinks unseen."""

from __future__ import annotations

import pytest

from helpers.days import profile
from helpers.simulator import inverter_of
from mppdbus.control.battery_watch import BatteryWatch
from mppdbus.model.power import flow
from mppdbus.model.snapshot import Snapshot
from mppdbus.model.victron_codes import State, state
from mppdbus.protocol.queries import decode
from mppdbus.protocol.replies.settings import Ratings
from mppdbus.protocol.replies.status import GeneralStatus
from mppdbus.simulator.line.simulator import simulate
from mppdbus.simulator.line.speed import Pace

BULK, ABSORPTION, FLOAT = State.BULK, State.ABSORPTION, State.FLOAT
Part = tuple[State | None, float, float]  # stage, V at its end, s


def charge(*parts: Part, wanted: float | None = 56.0) -> list[str]:
    """What is said while these stages follow each other, from 50 V."""
    watch, now, volts, said = BatteryWatch(), 0.0, 50.0, []
    for stage, end, seconds in parts:
        steps = int(seconds / 2)
        for step in range(1, steps + 1):
            now += 2
            at = volts + (end - volts) * step / steps
            text = watch.see(now, at, 20.0, stage, wanted=wanted, line=True)
            said += [text] if text else []
        volts = end
    return said


CLEAN: tuple[Part, ...] = ((BULK, 55.9, 600), (ABSORPTION, 56.0, 600), (FLOAT, 54, 900))


@pytest.mark.parametrize(
    ("parts", "times"),
    [
        (CLEAN * 30, 0),
        (((BULK, 53.2, 600), (FLOAT, 54.0, 60)), 1),
        (((BULK, 53.2, 600), (FLOAT, 54.0, 600), (FLOAT, 54.0, 600)), 1),
        (((BULK, 53.2, 600), (FLOAT, 54.0, 60), *CLEAN), 1),
        ((*CLEAN, (BULK, 53.2, 600), (FLOAT, 54.0, 60)), 1),
        (((BULK, 53.2, 600), (FLOAT, 54.0, 60)) * 3, 3),
        (((BULK, 53.2, 600), (FLOAT, 54.0, 20), (BULK, 53.2, 60)) * 3, 0),  # a flicker
        (((BULK, 55.6, 600), (FLOAT, 54.0, 60)), 0),  # near enough
        (((FLOAT, 51.0, 900),), 0),  # the flag that stays on all night
        (((BULK, 53.2, 600), (None, 53.0, 900)), 0),
    ],
)
def test_a_float_stage_before_the_wanted_voltage_is_told_once(
    parts: tuple[Part, ...], times: int
) -> None:
    assert len(charge(*parts)) == times


def test_it_says_both_voltages_and_nothing_without_a_wanted_one() -> None:
    early = ((BULK, 53.2, 600), (FLOAT, 54.0, 60))
    (said,) = charge(*early)
    assert said == "it went to float at 53.2 V, before it reached 56.0 V"
    assert not charge(*early, wanted=None)


@pytest.mark.parametrize(
    ("amps", "end", "line", "sinks"),
    [
        (0.0, 24.9, True, True),  # half an hour of 5.5 h in which the pack emptied
        (0.0, 25.1, True, False),
        (1.0, 24.9, True, False),  # it says so itself
        (0.0, 24.9, False, False),  # nothing is held there
        (None, 24.9, True, False),
    ],
)
def test_a_voltage_that_falls_at_0_a_on_mains_is_not_believed(
    amps: float | None, end: float, *, line: bool, sinks: bool
) -> None:
    watch = BatteryWatch()
    for minute in range(31):
        volts = 25.1 + (end - 25.1) * minute / 30
        watch.see(60.0 * minute, volts, amps, None, wanted=28.2, line=line)
    assert watch.sinking is sinks


def said_over_days(days: int, seed: int, *, buggy: bool) -> list[str]:
    """What is said of a simulated unit in days of sun, clouds and outages."""
    simulator = simulate("axpert-5000", pace=Pace.instant())
    unit, watch, found, now = inverter_of(simulator), BatteryWatch(), [], 0.0

    def look() -> str:
        readings = {
            query: decode(query, (unit.answer(query) or "").encode())
            for query in ("QPIGS", "QMOD", "QPIRI")
        }
        status, ratings = readings["QPIGS"], readings["QPIRI"]
        assert isinstance(status, GeneralStatus)
        assert isinstance(ratings, Ratings)
        mode = str(getattr(readings["QMOD"], "mode", ""))
        snapshot = Snapshot(status=status, ratings=ratings, mode=mode)
        power = flow(snapshot)
        return watch.see(
            now,
            power.battery_voltage,
            power.battery_current,
            state(snapshot),
            wanted=ratings.battery_bulk_voltage,
            line=mode == "L",
        )

    if buggy:
        simulator.scene.apply("bug premature-float on")
    for lines in profile(seed, days, days * 24):
        for line in lines.split("; "):
            word, _, rest = line.partition(" ")
            if word != "step":
                simulator.scene.apply(line)
                continue
            steps = int(float(rest) / 60) + 1
            for _ in range(steps):
                simulator.scene.apply(f"step {float(rest) / steps}")
                now += float(rest) / steps
                found += [text] if (text := look()) else []
    return found


def test_simulated_days_tell_the_firmware_that_floats_too_early() -> None:
    assert not said_over_days(3, 1, buggy=False)
    assert said_over_days(3, 1, buggy=True)

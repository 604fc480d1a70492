"""What is set for the limits of a BMS: tables of decisions, and whole days."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from mppdbus.control.dvcc import (
    CURRENT,
    FALLING,
    FollowingUnit,
    Limits,
    WantedSetting,
    Written,
    follow,
)
from mppdbus.control.journal import MOST_A_DAY
from mppdbus.control.settings import Allowed, ShownSetting
from mppdbus.protocol.codes import Names
from mppdbus.protocol.settings.meanings import BY_NAME

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
MIDNIGHT = NOW.replace(hour=0)
AMPS = (2.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 80.0, 100.0, 120.0)
CHARGER: Names = {0: "Utility first", 1: "Solar first", 3: "Only solar"}
OUTPUT: Names = {0: "Utility first", 1: "Solar first", 2: "SBU"}
CHARGER_PRIORITY, OUTPUT_PRIORITY = "charger_source_priority", "output_source_priority"
BULK, FLOAT = "battery_bulk_voltage", "battery_float_voltage"
RANGE = Allowed(least=48.0, most=58.4, step=0.1)


def shown(values: Mapping[str, float]) -> dict[str, ShownSetting]:
    kinds = {
        CURRENT: partial(ShownSetting, allowed=Allowed(AMPS), unit="A"),
        CHARGER_PRIORITY: partial(ShownSetting, names=CHARGER),
        OUTPUT_PRIORITY: partial(ShownSetting, names=OUTPUT),
        BULK: partial(ShownSetting, allowed=RANGE, unit="V"),
        FLOAT: partial(ShownSetting, allowed=RANGE, unit="V"),
    }
    return {n: kinds[n](BY_NAME[n], value) for n, value in values.items()}


def unit(
    amps: float | None = 60.0,
    uid: str = "a",
    past: Mapping[str, Written] | None = None,
    *,
    charger: int = 0,
    output: int = 2,
    bulk: float | None = None,
    **more: bool,
) -> FollowingUnit:
    values = {CURRENT: amps, CHARGER_PRIORITY: charger, OUTPUT_PRIORITY: output}
    if bulk is not None:
        values |= {BULK: bulk, FLOAT: bulk}
        more["voltages"] = True
    found = shown({n: v for n, v in values.items() if v is not None})
    if amps is None:
        found[CURRENT] = replace(shown({CURRENT: 0})[CURRENT], value=None)
    return FollowingUnit(uid, found, past or {}, **more)


def wanted(
    limits: Limits, *units: FollowingUnit, most: float = 200.0
) -> dict[str, float]:
    """What is to be written; the name alone for the unit "a"."""
    found = follow(limits, units, most, NOW)
    assert [x.urgent for x in found] == sorted((x.urgent for x in found), reverse=True)
    return {x.name if x.uid == "a" else f"{x.uid}/{x.name}": x.value for x in found}


def ago(minutes: float, today: int = 1, **more: float) -> Written:
    return Written(today, NOW - timedelta(minutes=minutes), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("limit", "past", "result"),
    [
        (60.0, None, {}),
        (59.9, None, {CURRENT: 50}),
        (59.9, ago(0.1), {CURRENT: 50}),  # too much does not wait
        (45.0, ago(5, falls=1), {CURRENT: 30}),  # and falls further if it fell before
        (45.0, ago(5, falls=2), {CURRENT: 20}),
        (45.0, ago(5, falls=9), {CURRENT: 2}),
        (45.0, ago(5, today=44), {CURRENT: 2}),  # nearly all of the budget is used
        (81.0, None, {}),  # hardly above a step
        (85.0, None, {CURRENT: 80}),
        (85.0, ago(0.9), {}),  # more waits a minute
        (85.0, ago(1.1), {CURRENT: 80}),
        (85.0, ago(4, today=15), {}),  # and the longer the more was written
        (85.0, ago(6, today=15), {CURRENT: 80}),
        (85.0, ago(600, today=40), {}),
        (2.0, None, {CURRENT: 2}),
        (1.9, None, {CURRENT: 2, CHARGER_PRIORITY: 3}),
        (0.0, None, {CURRENT: 2, CHARGER_PRIORITY: 3}),
        (-5.0, None, {CURRENT: 2, CHARGER_PRIORITY: 3}),
        (None, None, {CURRENT: 120}),  # what the user allows
        (1e9, None, {CURRENT: 120}),
    ],
)
def test_the_current_is_the_next_lower_one(
    limit: float | None, past: Written | None, result: dict[str, float]
) -> None:
    one = unit(past={CURRENT: past} if past else None)
    assert wanted(Limits(charge_current=limit), one) == result


def test_never_more_than_the_user_allows() -> None:
    assert wanted(Limits(charge_current=100.0), unit(10.0), most=50.0) == {CURRENT: 40}
    assert wanted(Limits(), unit(80.0), most=50.0) == {CURRENT: 50}


def test_an_unknown_current_may_be_the_highest_and_is_brought_down() -> None:
    assert wanted(Limits(charge_current=70.0), unit(None)) == {CURRENT: 60}


@pytest.mark.parametrize(
    ("limit", "amps", "result"),
    [
        (100.0, (60, 60), {CURRENT: 50, "b/" + CURRENT: 50}),
        (95.0, (80, 10), {}),  # together it is not too much
        (85.0, (80, 10), {CURRENT: 40}),
        (200.0, (10, 10), {CURRENT: 100, "b/" + CURRENT: 80}),
        (1.0, (10, 10), {
            CURRENT: 2, "b/" + CURRENT: 2,
            CHARGER_PRIORITY: 3, "b/" + CHARGER_PRIORITY: 3,
        }),
    ],
)  # fmt: skip
def test_several_inverters_share_one_limit(
    limit: float, amps: tuple[float, float], result: dict[str, float]
) -> None:
    units = [unit(a, uid) for a, uid in zip(amps, "ab", strict=True)]
    found = wanted(Limits(charge_current=limit), *units)
    assert found == result
    after = [found.get(f"{u.uid}/{CURRENT}", u.takes) for u in units[1:]]
    assert sum([found.get(CURRENT, units[0].takes), *after]) <= max(limit, 4.0)


def test_what_an_inverter_takes_that_does_not_obey_is_not_there_for_the_others() -> (
    None
):
    other = unit(40.0, "b", obeys=False)
    assert wanted(Limits(charge_current=70.0), unit(), other) == {CURRENT: 30}
    unknown = FollowingUnit("c", {}, obeys=False)
    found = wanted(Limits(charge_current=70.0), unit(), unknown)
    assert found == {CURRENT: 2, CHARGER_PRIORITY: 3}


@pytest.mark.parametrize(
    ("amps", "past", "sinking", "result"),
    [
        (3.0, ago(30, before=0), False, {}),  # too near to the limit
        (3.0, ago(30, before=0), True, {CHARGER_PRIORITY: 0}),  # but the battery sinks
        (9.0, ago(30, before=0), False, {CHARGER_PRIORITY: 0}),
        (9.0, ago(0.5, before=0), False, {}),
        (9.0, ago(0.5, before=0), True, {}),  # writes stay a minute apart
        (9.0, ago(3, today=15, before=0), False, {}),
        (9.0, ago(3, today=15, before=0), True, {CHARGER_PRIORITY: 0}),
        (9.0, ago(300, today=45, before=0), True, {}),  # the budget is used up
        (9.0, ago(30), False, {}),  # the user has chosen it
        (0.0, ago(30, before=0), True, {}),  # never against the BMS
    ],
)
def test_mains_charge_again_when_the_bms_allows_it(
    amps: float, past: Written, *, sinking: bool, result: dict[str, float]
) -> None:
    one = unit(2.0, past={CHARGER_PRIORITY: past}, charger=3, sinking=sinking)
    assert wanted(Limits(charge_current=amps), one) == result


def test_in_line_mode_a_falling_limit_leaves_what_holds_the_battery() -> None:
    past = {CURRENT: ago(5, falls=5)}
    held = wanted(Limits(charge_current=25.0), unit(past=past, line=True))
    assert held == {CURRENT: 10}
    assert wanted(Limits(charge_current=25.0), unit(past=past)) == {CURRENT: 2}


@pytest.mark.parametrize(
    ("amps", "output", "before", "result"),
    [
        (0.0, 2, None, {OUTPUT_PRIORITY: 0}),
        (0.0, 0, None, {}),
        (50.0, 0, 2.0, {OUTPUT_PRIORITY: 2}),
        (1.0, 0, 2.0, {}),
        (50.0, 0, None, {}),
        (None, 0, 2.0, {OUTPUT_PRIORITY: 2}),
    ],
)
def test_loads_leave_a_battery_that_may_not_be_discharged(
    amps: float | None, output: int, before: float | None, result: dict[str, float]
) -> None:
    past = {OUTPUT_PRIORITY: ago(30, before=before)} if before is not None else {}
    one = unit(120.0, past=past, output=output)
    assert wanted(Limits(discharge_current=amps), one) == result


@pytest.mark.parametrize(
    ("volts", "past", "result"),
    [
        (56.4, None, {}),
        (56.35, None, {}),  # not worth a write
        (56.0, None, {FLOAT: 56.0, BULK: 56.0}),
        (55.98, None, {FLOAT: 55.9, BULK: 55.9}),
        (55.98, ago(1, falls=2), {FLOAT: 55.5, BULK: 55.5}),
        (57.0, None, {BULK: 57.0, FLOAT: 57.0}),
        (57.0, ago(0.5), {}),
        (56.5, None, {}),
        (70.0, None, {BULK: 58.4, FLOAT: 58.4}),
        (30.0, None, {FLOAT: 48.0, BULK: 48.0}),
        (None, None, {}),
    ],
)
def test_bulk_and_float_are_the_charge_voltage_and_never_above(
    volts: float | None, past: Written | None, result: dict[str, float]
) -> None:
    written = {BULK: past, FLOAT: past} if past else {}
    one = unit(120.0, past=written, bulk=56.4)
    found = follow(Limits(charge_voltage=volts), [one], 200.0, NOW)
    assert [(x.name, x.value) for x in found] == [*result.items()]  # in this order


def test_voltages_are_left_alone_without_the_leave_to_write_them() -> None:
    one = replace(unit(120.0, bulk=56.4), voltages=False)
    assert not follow(Limits(charge_voltage=50.0), [one], 200.0, NOW)


def test_what_the_inverter_does_not_show_is_not_written() -> None:
    bare = FollowingUnit("a", shown({CURRENT: 60.0}))
    assert wanted(Limits(0.0, 0.0, 50.0), bare) == {CURRENT: 2}
    codes = FollowingUnit("a", {
        CHARGER_PRIORITY: ShownSetting(BY_NAME[CHARGER_PRIORITY], 1),
    })  # fmt: skip
    assert wanted(Limits(0.0), codes) == {}  # their meaning is not known


# -- whole days ------------------------------------------------------------------------


@dataclass
class Day:
    """Units that do what is wanted, and the journal of it; a step is 20 s."""

    units: list[FollowingUnit]
    now: datetime = MIDNIGHT
    writes: list[tuple[datetime, WantedSetting, float]] = field(default_factory=list)

    def past(self, uid: str, name: str) -> Written:
        mine = [w for w in self.writes if (w[1].uid, w[1].name) == (uid, name)]
        holding = mine[-1] if mine and mine[-1][1].holds else None
        return Written(
            len(mine),
            mine[-1][0] if mine else None,
            sum(w.value < old and self.now - t <= FALLING for t, w, old in mine),
            holding[2] if holding else None,
        )

    def step(self, limits: Limits) -> list[WantedSetting]:
        names = {name for each in self.units for name in each.settings}
        units = [
            replace(u, written={n: self.past(u.uid, n) for n in names})
            for u in self.units
        ]
        found = follow(limits, units, 200.0, self.now)
        for each in found:
            self.write(each)
        self.now += timedelta(seconds=20)
        return found

    def write(self, wanted: WantedSetting) -> None:
        (at,) = (i for i, u in enumerate(self.units) if u.uid == wanted.uid)
        settings = dict(self.units[at].settings)
        before = settings[wanted.name].value
        assert before is not None
        assert before != wanted.value
        settings[wanted.name] = replace(settings[wanted.name], value=wanted.value)
        self.units[at] = replace(self.units[at], settings=settings)
        self.writes.append((self.now, wanted, before))

    @property
    def total(self) -> float:
        return sum(each.takes for each in self.units)


def noise(seed: int) -> Iterable[float]:
    """A limit that jumps at any time, ramps, and trembles."""
    chance, limit = random.Random(seed), 100.0
    while True:
        kind, end = chance.choice(["jump", "ramp", "tremble"]), chance.uniform(0, 150)
        steps = chance.randrange(2, 60)
        for i in range(steps):
            if kind == "jump":
                yield end
            elif kind == "ramp":
                yield limit + (end - limit) * i / steps
            else:
                yield max(0.0, limit + chance.uniform(-8, 8))
        limit = end


def sine(minutes: float) -> Iterable[float]:
    step = 0
    while True:
        step += 1
        yield max(0.0, 60 + 70 * math.sin(2 * math.pi * step / 3 / minutes))


LIMITS = {
    "jumps and ramps": noise(1),
    "a wave of 3 min": sine(3),
    "a wave of 40 min": sine(40),
    "a day": sine(1440),
}


@pytest.mark.parametrize("name", LIMITS)
def test_a_day_stays_within_the_limit_and_within_the_budget(name: str) -> None:
    day, limits = Day([unit(60.0), unit(60.0, "b")]), iter(LIMITS[name])
    for _ in range(24 * 180):
        limit = next(limits)
        day.step(Limits(charge_current=limit, discharge_current=limit))
        assert day.total <= max(limit, 4.0)
        if limit < 4.0:
            assert all(u.settings[CHARGER_PRIORITY].value == 3 for u in day.units)
    counts = Counter((w.uid, w.name) for _, w, _ in day.writes)
    assert max(counts.values()) < MOST_A_DAY
    slow = [t for t, w, _ in day.writes if w.name == CURRENT and not w.urgent]
    assert slow, "it never rose"


def test_a_slow_ramp_to_nothing_and_back_takes_a_few_writes() -> None:
    day = Day([unit(120.0)])
    for step in [*range(120), *range(120, 0, -1)]:
        limit = 120.0 - step
        day.step(Limits(charge_current=limit))
        assert day.total <= max(limit, 2.0)
    counts = Counter(w.name for _, w, _ in day.writes)
    assert counts[CURRENT] <= 20
    assert counts[CHARGER_PRIORITY] == 2

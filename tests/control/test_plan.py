"""A plan: the steps of several settings, in an order that is right at each of them."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.written import ALLOWED, learnt
from mppdbus.control.plan import Wanted, plan
from mppdbus.control.settings import ShownSetting
from mppdbus.control.write_check import ORDER, STRICTLY, ControlLevel, Permission
from mppdbus.errors import ConfigError, NotWritten
from mppdbus.protocol.identification import Identification

Voltages = tuple[float, float, float, float, float]


@pytest.fixture(scope="module")
def axpert() -> tuple[dict[str, ShownSetting], Identification]:
    """The settings of an Axpert whose type of battery is "User"."""
    unit = learnt("axpert-5000")
    return unit.settings, unit.found


@st.composite
def thresholds(draw: st.DrawFn) -> Voltages:
    """Five legal voltages, each in its place; re-discharge may be 0, "when full"."""
    cut_off = draw(st.integers(420, 480)) / 10
    recharge = draw(st.integers(max(int(cut_off) + 1, 44), 51))
    redischarge = draw(st.integers(max(recharge + 1, 48), 58))
    float_ = draw(st.integers(redischarge * 10, 600)) / 10
    bulk = draw(st.integers(int(float_ * 10), 610)) / 10
    zero = draw(st.booleans())
    return cut_off, recharge, 0 if zero else redischarge, float_, bulk


def in_order(values: dict[str, float]) -> bool:
    """Tell by another way than the program whether voltages are in their order."""
    there = [(name, values[name]) for name in ORDER if values[name]]
    return all(
        low < high or (low == high and name not in STRICTLY)
        for at, (name, low) in enumerate(there)
        for _, high in there[at + 1 :]
    )


@given(thresholds(), thresholds())
def test_each_step_of_a_plan_keeps_the_order(
    axpert: tuple[dict[str, ShownSetting], Identification],
    before: Voltages,
    after: Voltages,
) -> None:
    settings, found = axpert
    now = dict(zip(ORDER, before, strict=True))
    wanted = dict(zip(ORDER, after, strict=True))
    shown = [
        replace(each, value=now.get(each.name, each.value))
        for each in settings.values()
    ]
    steps = plan(shown, found, wanted, ALLOWED)
    assert len(steps) == sum(now[name] != wanted[name] for name in ORDER)
    for step in steps:
        assert in_order(now), now
        now[step.shown.name] = step.value
    assert now == wanted


def test_a_battery_type_comes_first_and_its_voltages_are_looked_at_again(
    axpert: tuple[dict[str, ShownSetting], Identification],
) -> None:
    settings, found = axpert
    wanted: Wanted = {
        "buzzer": "off",
        "output_source_priority": "SBU",
        "battery_float_voltage": settings["battery_float_voltage"].value or 0,
        "battery_type": "AGM" if settings["battery_type"].value else "flooded",
        "max_charging_current": 20,
    }
    steps = plan([*settings.values()], found, wanted, ALLOWED)
    assert [step.shown.name for step in steps] == [
        *("battery_type", "battery_float_voltage", "max_charging_current"),
        *("buzzer", "output_source_priority"),
    ]
    assert [step.changes for step in steps] == [True, False, True, True, True]


REFUSED: list[tuple[Wanted, str, str]] = [
    ({"buzzer": "off"}, "read-only", "control is off"),
    ({"buzzer": "loud"}, "full", "buzzer: that is no value of it; it may be off, on"),
    ({"max_charging_current": float("nan")}, "full", "that is no value of it"),
    ({"max_charging_current": float("inf")}, "full", "that is no value of it"),
    ({"battery_bulk_voltage": 99}, "full", "99 V is not allowed; it may be 48 to 61"),
    ({"battery_bulk_voltage": 58}, "safe", 'needs level = "full"'),
    ({"output_mode": "parallel"}, "full", "needs --i-know-what-this-does"),
    (
        {"battery_float_voltage": 56, "battery_bulk_voltage": 55},
        "full",
        "battery_float_voltage must be at most battery_bulk_voltage",
    ),
    (
        {"max_charging_current": 55, "buzzer": "x"},
        "full",
        "max_charging_current: 55 A is not allowed; it may be 10 A",
    ),
]


@pytest.mark.parametrize("case", REFUSED)
def test_a_plan_is_refused_as_a_whole_with_each_reason(
    case: tuple[Wanted, str, str],
    axpert: tuple[dict[str, ShownSetting], Identification],
) -> None:
    wanted, level, why = case
    settings, found = axpert
    permission = Permission(ControlLevel(level), confirmed=True)
    with pytest.raises(NotWritten, match=re.escape(why)) as refused:
        plan([*settings.values()], found, {"buzzer": "on", **wanted}, permission)
    if len(wanted) == 2 and "buzzer" in wanted:
        assert "buzzer: that is no value" in str(refused.value)


def test_a_plan_for_another_inverter_is_refused(
    axpert: tuple[dict[str, ShownSetting], Identification],
) -> None:
    settings, found = axpert
    with pytest.raises(ConfigError, match="does not show a setting cut_off_capacity"):
        plan([*settings.values()], found, {"cut_off_capacity": 10}, ALLOWED)


def test_what_is_so_already_is_no_step(
    axpert: tuple[dict[str, ShownSetting], Identification],
) -> None:
    settings, found = axpert
    all_of_it = {
        name: word
        for name, each in settings.items()
        if (word := each.word(each.value)) is not None
    }
    assert plan([*settings.values()], found, all_of_it, Permission()) == []

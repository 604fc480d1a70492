"""What the voltage tells the estimator: a guess, rest, the knee, and how little."""

from __future__ import annotations

from dataclasses import replace

import pytest

from helpers.soc_bench import HOUR, LEAD, LFP, Bench


def test_the_first_value_is_a_guess_and_says_so() -> None:
    bench = Bench(LEAD)
    bench.hold(49.3, -2, 60)
    assert 40 < bench.value < 60
    assert bench.margin > 20
    assert bench.soc.confidence < 0.6
    assert "guess by the voltage" in bench.soc.why
    assert "no full charge seen yet" in bench.soc.why


def test_a_guess_on_the_flat_part_or_under_load_is_worth_even_less() -> None:
    lead, flat, loaded = Bench(LEAD), Bench(LFP), Bench(LEAD)
    lead.hold(49.3, -2, 10)
    flat.hold(52.7, -2, 10)
    loaded.hold(47.0, -50, 10)
    assert lead.margin < flat.margin
    assert lead.margin < loaded.margin


def test_the_knee_means_nearly_empty() -> None:
    bench = Bench(soc=40.0)
    bench.hold(46.0, -5, 1200)
    assert bench.value < 6
    assert "nearly empty" in bench.soc.why


def test_a_sag_under_a_heavy_load_does_not() -> None:
    bench = Bench(soc=40.0)
    bench.hold(46.0, -60, 1200)
    assert bench.value == pytest.approx(30.0, abs=0.5)


def test_the_warning_for_under_voltage_means_nearly_empty_too() -> None:
    bench = Bench(soc=60.0)
    bench.hold(51.0, 0, 1200, under_voltage=True)
    assert bench.value < 15
    charging = Bench(soc=60.0)
    charging.hold(51.0, 10, 1200, under_voltage=True)  # it stays on for a while
    assert charging.value > 60


def test_rest_corrects_lead_but_hardly_the_flat_part_of_lfp() -> None:
    lead, lfp = Bench(LEAD, soc=90.0), Bench(LFP, soc=90.0)
    for bench in (lead, lfp):
        bench.hold(None, None, 12 * HOUR)
    lead.hold(48.5, -1, 3 * HOUR)
    lfp.hold(52.7, -1, 3 * HOUR)
    assert lead.value < 50
    assert 50 < lfp.value < 75
    assert lfp.margin > 30
    assert lead.margin < 25


def test_a_good_count_does_not_follow_the_voltage() -> None:
    for battery in (LEAD, LFP):
        bench = Bench(battery, soc=90.0)
        bench.hold(48.5 if battery is LEAD else 52.5, -1, 5 * HOUR)
        assert bench.value == pytest.approx(87.5, abs=2.0)


def test_a_battery_that_rests_lower_than_others_is_known_by_it_later() -> None:
    own, other = Bench(LEAD, soc=60.0), Bench(LEAD)
    volts = 49.5  # 60 % of this one; 54 % by the curve
    own.hold(volts, 0, 3 * HOUR)
    learned = own.value
    for bench in (own, other):
        bench.hold(None, None, 24 * HOUR)
        bench.hold(volts, 0, 4 * HOUR)
    assert learned == pytest.approx(60, abs=0.5)
    assert own.value == pytest.approx(60, abs=1.5)
    assert other.value == pytest.approx(54, abs=1.5)
    assert own.margin < other.margin / 1.5


def test_a_first_guess_goes_with_the_voltage() -> None:
    low, high = Bench(), Bench()
    low.hold(51.9, -2, 10)
    high.hold(53.4, -2, 10)
    assert low.value < 40
    assert high.value > 65
    assert min(low.margin, high.margin) > 40


def test_rest_waits_until_lead_has_settled_after_charging() -> None:
    bench = Bench(LEAD, soc=40.0)
    bench.hold(None, None, 12 * HOUR)
    bench.hold(51.8, 4, 60)
    begun = bench.value
    bench.hold(51.8, 4, 3 * HOUR)  # little current, but charging
    assert bench.value == pytest.approx(begun + 6 * 0.95, abs=0.5)
    bench.hold(51.5, 0, HOUR)  # still the surface charge
    assert bench.value == pytest.approx(begun + 6 * 0.95, abs=0.5)
    bench.hold(51.5, 0, 2 * HOUR)
    assert bench.value > begun + 8


def test_the_resistance_of_a_sagging_battery_is_learned() -> None:
    bench = Bench(LEAD, soc=60.0)
    ohms = 0.06
    for _ in range(60):
        bench.hold(49.6 - 2 * ohms, -2, 30)
        bench.hold(49.6 - 42 * ohms, -42, 30)
    state = bench.soc.state
    assert state is not None
    assert state.ohms == pytest.approx(ohms, rel=0.05)
    assert LEAD.ohms < 0.04


def test_more_than_full_is_not_counted_for_long() -> None:
    bench = Bench(soc=95.0)
    bench.hold(53.5, 10, 6 * HOUR)  # 30 % into the last 5, and never at bulk voltage
    assert bench.value == 100
    bench.hold(53.0, -20, HOUR)
    assert bench.value < 95


def test_less_than_empty_is_not_counted_either() -> None:
    bench = Bench(soc=5.0)
    bench.hold(52.0, -10, 6 * HOUR)
    assert 0 <= bench.value < 10
    bench.hold(53.0, 20, HOUR)
    assert bench.value > 8


def test_a_count_that_runs_dry_of_a_guessed_capacity_proves_nothing() -> None:
    bench = Bench(replace(LFP, capacity_blur=0.4), soc=30.0)
    bench.hold(52.5, -10, 12 * HOUR)
    assert bench.value == 0
    bench.hold(53.0, 20, 4 * HOUR)
    assert bench.margin > 20

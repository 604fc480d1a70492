"""State, model, filter, tables and words of the state of charge."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from pydantic import TypeAdapter, ValidationError

from mppdbus.errors import ConfigError
from mppdbus.model.battery.battery_filter import (
    CHARGE,
    CHARGE_ROW,
    OFFSET,
    SIZE,
    BatteryFilter,
)
from mppdbus.model.battery.battery_model import BatteryModel
from mppdbus.model.battery.chemistries import CELLS, Chemistry
from mppdbus.model.battery.estimator import SocEstimator
from mppdbus.model.battery.estimator_state import SocState
from mppdbus.model.battery.state_of_charge import Anchor, explain, span

LFP = BatteryModel(Chemistry.LFP, 200.0, bulk_v=56.4, float_v=54.0)
ADAPTER = TypeAdapter(SocState)


def used(battery: BatteryModel = LFP) -> SocEstimator:
    """Return one that has seen a full charge and a night."""
    estimator = SocEstimator(battery)
    for minute in range(20):
        estimator.feed(56.4, 3, minute * 60.0)
    for minute in range(20, 500):
        estimator.feed(52.8, -6, minute * 60.0, load_w=270, pv_w=0, mode="B")
    return estimator


def kept(estimator: SocEstimator) -> SocState:
    state = estimator.state
    assert state is not None
    return state


def test_a_restart_goes_on_where_it_was() -> None:
    before = used()
    text = ADAPTER.dump_json(kept(before))
    after = SocEstimator(LFP, ADAPTER.validate_json(text), away=60.0)
    assert after.soc == pytest.approx(before.soc, abs=0.01)
    assert after.margin == pytest.approx(before.margin, abs=0.01)
    assert after.offset == pytest.approx(before.offset, abs=0.01)
    assert len(text) < 700


def test_a_restart_counts_on_through_a_short_absence() -> None:
    before = used()
    after = SocEstimator(LFP, kept(before), away=120.0)
    after.feed(52.8, -6, 5.0, load_w=270, pv_w=0, mode="B")
    before.feed(52.8, -6, 499 * 60 + 120.0, load_w=270, pv_w=0, mode="B")
    assert after.soc == pytest.approx(before.soc, abs=0.02)
    assert after.margin == pytest.approx(before.margin, abs=0.1)


@pytest.mark.parametrize("away", [None, -5.0, float("nan"), 30 * 3600.0])
def test_a_long_or_unknown_absence_costs_confidence(away: float | None) -> None:
    before = used()
    after = SocEstimator(LFP, kept(before), away=away)
    assert after.soc == pytest.approx(before.soc, abs=0.01)
    assert after.margin is not None
    assert after.margin > 40
    after.feed(52.8, -6, 0.0)
    assert after.margin > 30
    assert "not seen" in after.why or "guess" in after.why


@pytest.mark.parametrize("last", [-6.0, -50.0, 0.0])
def test_what_flowed_while_away_is_what_flows_as_a_rule(last: float) -> None:
    before = used()
    before.feed(52.0, last, 500 * 60.0)  # as it was saved: a kettle, or a cloud
    after = SocEstimator(LFP, kept(before), away=1800.0)
    margin = after.margin
    after.feed(52.8, -6, 5.0)
    assert before.soc is not None
    assert after.soc == pytest.approx(before.soc - 6 * 1800 / 3600 / 2, abs=0.5)
    assert margin is not None
    assert after.margin == pytest.approx(margin, abs=1.0)


def test_silence_before_the_end_counts_with_the_absence() -> None:
    before = used()
    before.feed(None, None, 499 * 60 + 4 * 3600.0)
    after = SocEstimator(LFP, kept(before), away=10.0)
    assert after.margin is not None
    assert after.margin > 30


def test_another_chemistry_keeps_the_charge_and_forgets_the_lessons() -> None:
    state = kept(used())
    state.values = (*state.values[:1], 1.0, *state.values[2:])
    lead = BatteryModel(Chemistry.AGM, 200.0)
    after = SocEstimator(lead, state, away=0.0)
    assert after.soc == pytest.approx(state.values[0])
    assert after.offset == 0


def test_a_damaged_state_is_a_start_without_one() -> None:
    good = kept(used())
    bad = [
        replace(good, values=good.values[:-1]),
        replace(good, covariance=(*good.covariance[:-1], float("nan"))),
        replace(good, covariance=(1e300, *good.covariance[1:])),
        replace(good, age_s=float("inf")),
        replace(good, ohms=0.0),
    ]
    for state in bad:
        assert not state.sound
        assert SocEstimator(LFP, state, away=1.0).soc is None
    assert good.sound
    with pytest.raises(ValidationError):
        ADAPTER.validate_json(
            b'{"chemistry": "custard", "values": [], "covariance": []}'
        )


@pytest.mark.parametrize(
    ("chemistry", "nominal", "bulk_v", "cells"),
    [
        (Chemistry.LFP, 48.0, 56.4, 16),
        (Chemistry.LFP, 51.2, 57.6, 16),
        (Chemistry.LFP, 48.0, 53.2, 15),
        (Chemistry.LFP, 48.0, None, 16),
        (Chemistry.LFP, 25.6, 28.4, 8),
        (Chemistry.LFP, 12.0, 14.4, 4),
        (Chemistry.LFP, 38.4, None, 12),
        (Chemistry.LFP, 96.0, None, 30),
        (Chemistry.AGM, 24.0, 28.8, 12),
        (Chemistry.FLOODED, 48.0, 58.4, 24),
        (Chemistry.NMC, 48.0, 57.4, 14),
        (Chemistry.NMC, 48.0, 53.8, 13),
    ],
)
def test_the_number_of_cells_follows_from_the_voltages(
    chemistry: Chemistry, nominal: float, bulk_v: float | None, cells: int
) -> None:
    battery = BatteryModel(chemistry, 100.0, nominal, bulk_v=bulk_v)
    assert battery.in_series == cells
    assert replace(battery, cells=7).in_series == 7


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"chemistry": "custard"}, "lead-agm"),
        ({"capacity_ah": 0.0}, "capacity_ah"),
        ({"capacity_ah": float("nan")}, "capacity_ah"),
        ({"nominal_voltage": -48.0}, "nominal_voltage"),
        ({"units": 0}, "units"),
        ({"efficiency": 1.2}, "efficiency"),
        ({"cells": 0}, "cells"),
    ],
)
def test_what_no_battery_is_gets_refused(change: dict[str, float], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        replace(LFP, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize("chemistry", CELLS)
def test_the_curves_rise_from_empty_to_full(chemistry: Chemistry) -> None:
    cell = CELLS[chemistry]
    socs, volts = zip(*cell.curve, strict=True)
    assert (socs[0], socs[-1]) == (0, 100)
    for points in (socs, volts):
        assert all(one < other for one, other in pairwise(points))
    steep = BatteryModel(chemistry, 100.0)
    assert steep.soc_at(cell.knee_v * steep.in_series, 0.0)[0] < 12
    assert cell.full_v > cell.float_v
    assert 0 < cell.tail < cell.rest_current * 2


@pytest.mark.parametrize("chemistry", CELLS)
def test_a_point_of_the_curve_is_found_again(chemistry: Chemistry) -> None:
    battery = BatteryModel(chemistry, 100.0)
    for soc, volts in CELLS[chemistry].curve:
        found, sigma = battery.soc_at(volts * battery.in_series, 1.0)
        assert found == pytest.approx(soc, abs=0.01)
        assert sigma >= 5.0


def test_the_flat_part_of_lfp_tells_next_to_nothing() -> None:
    flat, lead = LFP, BatteryModel(Chemistry.AGM, 200.0)
    assert flat.soc_at(52.8, 1.0)[1] > 2 * lead.soc_at(49.3, 1.0)[1]
    assert flat.first_guess(52.8, 0.0)[1] > lead.first_guess(49.3, 0.0)[1]


@pytest.mark.parametrize("chemistry", CELLS)
def test_a_higher_voltage_is_never_a_guess_of_less(chemistry: Chemistry) -> None:
    battery = BatteryModel(chemistry, 100.0)
    low, high = 0.75 * battery.nominal_voltage, 1.3 * battery.nominal_voltage
    steps = [low + n * (high - low) / 50 for n in range(51)]
    guesses = [battery.first_guess(volts, 10.0) for volts in steps]
    assert all(one[0] <= other[0] for one, other in pairwise(guesses))
    assert guesses[0][0] < 10
    assert guesses[-1][0] > 90
    assert all(sigma >= 5 for _, sigma in guesses)


def fresh() -> BatteryFilter:
    return BatteryFilter(
        (50.0, 0.0, 0.99, 20.0, 0.0),
        (10.0, 1.0, 0.01, 20.0, 0.01),
        (*((-20.0, 120.0), (-2.0, 2.0), (0.9, 1.0)), *((0.0, 100.0), (-0.1, 0.1))),
    )


def test_a_filter_splits_a_surprise_by_what_is_known_least() -> None:
    one = fresh()
    one.update(CHARGE_ROW, 60.0, 10.0)
    assert one.values[CHARGE] == pytest.approx(55.0)
    assert one.sigma(CHARGE) == pytest.approx(10 / 2**0.5)


def test_a_filter_learns_through_what_was_counted_meanwhile() -> None:
    one = fresh()
    one.set_charge(100.0, 0.5)
    one.predict(10.0, (0.0, -10.0, 0.0, 0.0, 0.0))  # 1 A of offset makes 10 %
    assert one.sigma(CHARGE) == pytest.approx(10.0, rel=0.01)
    one.update(CHARGE_ROW, 100.0, 0.5)
    assert one.values[OFFSET] == pytest.approx(1.0, abs=0.02)
    assert one.sigma(OFFSET) < 0.1


def test_a_hint_is_taken_only_from_who_knows_better() -> None:
    one = fresh()
    assert not one.update_if_better(CHARGE_ROW, 90.0, 11.0)
    assert one.values[CHARGE] == 50.0
    assert one.update_if_better(CHARGE_ROW, 55.0, 9.0)
    assert one.values[CHARGE] > 52.0


def test_nothing_unbelievable_is_believed() -> None:
    one = fresh()
    one.update(CHARGE_ROW, 1e6, 1.0)
    assert one.values[CHARGE] <= 50 + 31
    one.set_charge(1e6, 1.0)
    assert one.values[CHARGE] == 120.0
    assert len(one.values) == SIZE


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(5, "1 min"), (600, "10 min"), (7200, "2 h"), (5 * 86400, "5 days")],
)
def test_a_span_is_said_as_people_say_it(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_the_sentence_says_what_it_rests_on() -> None:
    text = explain(
        Anchor.FULL,
        7.4,
        age_s=6 * 86400.0,
        unseen_s=7200.0,
        full_age_s=6 * 86400.0,
        offset=-0.84,
    )
    assert text == (
        "Counted for 6 days since the battery was full, ±7 %; 2 h of it not seen; "
        "no full charge for 6 days; the inverter reads about 0.8 A too low."
    )

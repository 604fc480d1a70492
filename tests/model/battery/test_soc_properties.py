"""Whatever is read: a state of charge is None or 0 to 100, and never NaN."""

from __future__ import annotations

import math
from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from mppdbus.model.battery.battery_filter import SIZE
from mppdbus.model.battery.battery_model import BatteryModel
from mppdbus.model.battery.chemistries import Chemistry
from mppdbus.model.battery.estimator import SocEstimator
from mppdbus.model.battery.estimator_state import SocState
from mppdbus.model.battery.state_of_charge import Anchor
from mppdbus.model.victron_codes import State

ADAPTER = TypeAdapter(SocState)
anything = st.none() | st.floats() | st.sampled_from([0.0, 1e308, -1e308])
volts = st.floats(40, 60) | anything
amps = st.integers(-120, 120).map(float) | anything
watts = st.floats(0, 9000) | anything
feeds = st.tuples(
    volts,
    amps,
    st.sampled_from([0.0, 0.5, 2.0, 30.0, 149.0, 151.0, 800.0, 5000.0, 1e6]),
    st.sampled_from([None, State.BULK, State.ABSORPTION, State.FLOAT]),
    watts,
    watts,
    st.sampled_from([None, "B", "L", "S", "?"]),
    st.booleans(),
    st.none() | st.floats(0, 100),
)
batteries = st.builds(
    BatteryModel,
    chemistry=st.sampled_from(Chemistry),
    capacity_ah=st.floats(1, 5000),
    nominal_voltage=st.sampled_from([12.0, 24.0, 48.0, 51.2]),
    bulk_v=st.none() | st.floats(50, 60),
    float_v=st.none() | st.floats(50, 60),
    cutoff_v=st.none() | st.floats(38, 50),
    units=st.integers(1, 9),
)


def check(estimator: SocEstimator) -> None:
    soc, margin = estimator.soc, estimator.margin
    assert (soc is None) == (margin is None) == (estimator.state is None)
    if soc is not None and margin is not None:
        assert 0 <= soc <= 100
        assert 0 < margin <= 100
    assert 0 <= estimator.confidence <= 1
    assert math.isfinite(estimator.offset)
    assert estimator.current is None or math.isfinite(estimator.current)
    assert estimator.why.endswith(".")
    assert "nan" not in estimator.why


def live_through(
    estimator: SocEstimator,
    readings: list[tuple],  # type: ignore[type-arg]
) -> Iterator[tuple[float, float | None]]:
    """Feed and check; yield the s that passed, and what the user then says."""
    now = 0.0
    for v, a, seconds, stage, load, pv, mode, low, said in readings:
        now += seconds
        estimator.feed(
            *(v, a, now),
            stage=stage,
            load_w=load,
            pv_w=pv,
            mode=mode,
            under_voltage=low,
        )
        check(estimator)
        yield seconds, said


@settings(max_examples=120, deadline=None)
@given(batteries, st.lists(feeds, max_size=25))
def test_it_is_never_nonsense(battery: BatteryModel, readings: list[tuple]) -> None:  # type: ignore[type-arg]
    estimator = SocEstimator(battery)
    for seconds, said in live_through(estimator, readings):
        if said is not None and seconds == 800.0:
            estimator.correct(said)
            assert estimator.soc == said


@settings(max_examples=60, deadline=None)
@given(batteries, st.lists(feeds, min_size=1, max_size=15), st.floats(0, 1e6))
def test_a_kept_state_says_the_same(
    battery: BatteryModel,
    readings: list[tuple],  # type: ignore[type-arg]
    away: float,
) -> None:
    estimator, now = SocEstimator(battery), 0.0
    for v, a, seconds, stage, load, pv, mode, low, _ in readings:
        now += seconds
        estimator.feed(
            *(v, a, now),
            stage=stage,
            load_w=load,
            pv_w=pv,
            mode=mode,
            under_voltage=low,
        )
    state = estimator.state
    if state is None:
        return
    again = SocEstimator(
        battery, ADAPTER.validate_json(ADAPTER.dump_json(state)), away=away
    )
    assert again.soc is not None
    assert estimator.soc is not None
    assert abs(again.soc - estimator.soc) < 0.01
    check(again)
    again.feed(50.0, -3.0, 1.0)
    check(again)


numbers = st.floats() | st.floats(-1e3, 1e3)


@settings(max_examples=150, deadline=None)
@given(
    batteries,
    st.builds(
        SocState,
        chemistry=st.sampled_from(Chemistry),
        values=st.tuples(*[numbers] * SIZE),
        covariance=st.tuples(*[numbers] * (SIZE * (SIZE + 1) // 2)),
        anchor=st.sampled_from(Anchor),
        anchor_soc=numbers,
        age_s=numbers,
        unseen_s=numbers,
        gap_s=numbers,
        full_age_s=st.none() | numbers,
        ohms=st.none() | numbers,
        amps=st.none() | numbers,
    ),
    st.none() | st.floats(),
    st.lists(feeds, max_size=5),
)
def test_no_state_whatever_makes_it_nonsense(
    battery: BatteryModel,
    state: SocState,
    away: float | None,
    readings: list[tuple],  # type: ignore[type-arg]
) -> None:
    estimator = SocEstimator(battery, state, away=away)
    check(estimator)
    for _ in live_through(estimator, readings):
        pass


@settings(max_examples=40, deadline=None)
@given(st.floats(10, 90), st.lists(st.integers(-60, 60), max_size=60))
def test_more_discharge_never_means_more_charge(
    soc: float, currents: list[int]
) -> None:
    battery = BatteryModel(Chemistry.LFP, 200.0, bulk_v=56.4)
    light, heavy = SocEstimator(battery), SocEstimator(battery)
    for estimator in (light, heavy):
        estimator.correct(soc)
    for minute, current in enumerate(currents):
        light.feed(52.6, current, 60.0 * minute)
        heavy.feed(52.6, current - 5, 60.0 * minute)
        assert light.soc is not None
        assert heavy.soc is not None
        assert heavy.soc <= light.soc + 1e-9

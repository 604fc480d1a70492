"""What a unit loses is learned on battery, and makes the mains power right."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from helpers.energy import counted, true
from helpers.losses import LOSSY, Meters, Run, mean_error, on_mains, p95_error
from helpers.snapshots import online, qpigs
from mppdbus.model.losses import BOUNDS, STRANGE, LossLearner, LossState
from mppdbus.model.power import Losses, flow
from mppdbus.simulator.plant.flow import Machine

ADAPTER = TypeAdapter(LossState)
DAY = 30.0  # h, so that a night comes twice
ROUNDED = Meters()
LONG = pytest.mark.long


def lived(run: Run, hours: float = DAY) -> LossState:
    """Let a run live, for its learner."""
    for _ in run.points(hours):
        pass
    return run.learner.state


@pytest.mark.parametrize(
    ("meters", "seed"),
    [
        (ROUNDED, 7),
        pytest.param(ROUNDED, 20, marks=LONG),
        pytest.param(ROUNDED, 23, marks=LONG),
        (Meters(late=True), 20),
        (Meters(pv_gain=1.03), 23),
    ],
)
def test_mains_power_after_an_hour_on_battery(meters: Meters, seed: int) -> None:
    run = Run(meters=meters, seed=seed)
    points = [p for p in on_mains(list(run.points(DAY))) if p.known]
    share = sum(p.within for p in points) / len(points)
    print(f"{mean_error(points, before=True):.0f} W -> {mean_error(points):.0f} W")
    print(f"p95 {p95_error(points, before=True):.0f} -> {p95_error(points):.0f} W")
    print(f"{share:.1%} within", run.learner.losses, run.learner.margin)
    assert len(points) > 1000
    assert share > 0.95
    assert mean_error(points) < 15
    assert mean_error(points, before=True) > 45
    assert p95_error(points) < 30


@pytest.mark.parametrize("offset", [1.0, -1.0, 2.0])
def test_an_offset_of_the_meter_cancels_out(offset: float) -> None:
    """It is learned with own consumption, and the mains power has both."""
    run = Run(meters=Meters(offset=offset))
    points = [p for p in on_mains(list(run.points(DAY))) if p.known]
    found = run.learner.losses
    assert found.own_w == pytest.approx(LOSSY.own_w - offset * 53.0, abs=10)
    assert found.efficiency == pytest.approx(LOSSY.efficiency, abs=0.01)
    assert mean_error(points) < 15


@pytest.mark.parametrize(
    "seed", [pytest.param(7, marks=LONG), 20, pytest.param(23, marks=LONG)]
)
def test_losses_are_found(seed: int) -> None:
    run = Run(seed=seed)
    points = list(run.points(DAY))
    found = run.learner.losses
    assert found.known
    assert next(p.on_battery for p in points if p.known) < 2
    assert abs(found.own_w - LOSSY.own_w) <= (run.learner.margin or 0)
    assert found.efficiency == pytest.approx(LOSSY.efficiency, abs=0.01)


def test_the_counted_energy_follows() -> None:
    """Load and PV are counted as before, the mains ten times better.

    What goes into the inverter's side and does not come back is charge and losses.
    """
    run = Run(counting=True)
    lived(run, 48)
    truth = true(run.site.plant)
    before, after = counted(run.plain).errors(truth), counted(run.ledger).errors(truth)
    print(before, after)
    assert before["grid"] < -8
    assert abs(after["grid"]) < 1.5
    losses = run.site.plant.energy.losses_wh / 1000
    stayed = truth.battery + losses
    assert abs(counted(run.ledger).battery - stayed) < 0.01 * truth.load
    assert after["load"] == pytest.approx(before["load"], abs=1e-9)
    assert after["pv"] == pytest.approx(before["pv"], abs=1e-9)


@pytest.mark.parametrize(
    ("cuts", "seed"),
    [
        (False, 7),
        (True, 24),
        pytest.param(True, 7, marks=LONG),
        pytest.param(False, 24, marks=LONG),
    ],
)
def test_a_unit_without_losses_is_not_corrected(*, cuts: bool, seed: int) -> None:
    run = Run(machine=Machine(), meters=Meters(cuts=cuts), seed=seed)
    points = list(run.points(DAY))
    assert not any(point.known for point in points)
    assert all(point.after == point.before for point in points)


@pytest.mark.parametrize(
    "seed", [pytest.param(7, marks=LONG), pytest.param(20, marks=LONG), 29]
)
def test_cut_amperes_are_better_than_nothing_too(seed: int) -> None:
    """Cut or rounded: only charging from the sun, on battery, tells which."""
    run = Run(meters=Meters(cuts=True), seed=seed)
    points = [p for p in on_mains(list(run.points(DAY))) if p.known]
    print(f"{mean_error(points, before=True):.0f} W -> {mean_error(points):.0f} W")
    assert mean_error(points) < 0.6 * mean_error(points, before=True)
    assert sum(p.after > p.truth + 30 for p in points) < 0.01 * len(points)


def test_what_a_unit_does_not_see_is_no_lesson() -> None:
    """Neither 0 A below 120 W nor a load that reads 0 below 40 W pulls it down."""
    run = Run(meters=Meters(blind_out_w=120.0, blind_load_w=40.0), seed=22)
    points = [p for p in on_mains(list(run.points(DAY))) if p.known]
    assert points
    assert run.learner.losses.own_w == pytest.approx(LOSSY.own_w, abs=20)
    assert p95_error(points) < 30


def feed(
    learner: LossLearner,
    *,
    seconds: int,
    mode: str = "B",
    begin: int = 0,
    load: int = 400,
    discharge: int = 10,
    charge: int = 0,
    pv: int = 0,
) -> None:
    payload = qpigs(grid=0, load=load, discharge=discharge, charge=charge, pv=pv)
    snapshot = online(payload, mode)
    for second in range(begin, begin + seconds, 5):
        learner.feed(snapshot, flow(snapshot, learner.losses), float(second))


@pytest.mark.parametrize(
    ("mode", "load", "discharge"), [("L", 400, 10), ("B", 0, 2), ("B", 60, 0)]
)
def test_where_nothing_is_to_be_learned(mode: str, load: int, discharge: int) -> None:
    learner = LossLearner()
    feed(learner, seconds=7200, mode=mode, load=load, discharge=discharge)
    assert learner.state == LossState()
    assert learner.margin is None


def test_one_load_alone_does_not_tell_own_consumption_from_a_share() -> None:
    learner = LossLearner()
    feed(learner, seconds=8 * 3600)
    assert learner.state.looks > 0
    assert (learner.margin or 0) > 50
    assert not learner.losses.known


def test_a_balance_that_makes_no_sense_is_not_believed() -> None:
    """The same sun and load, and ever another current."""
    learner, now = LossLearner(), 0
    for turn in range(60):
        charge = (5, 15, 25)[turn % 3]
        feed(
            learner,
            seconds=200,
            begin=now,
            load=200 + 4 * turn,
            discharge=0,
            charge=charge,
            pv=1500,
        )
        now += 200
    assert learner.state.strangeness > STRANGE
    assert not learner.losses.known


def test_steps_are_passed_over() -> None:
    """Some readings of the mains are said to be of battery, as the mode comes late."""
    steady, stepped = LossLearner(), LossLearner()
    for learner in (steady, stepped):
        for turn in range(30):
            begin, amps = turn * 200, 5 + turn
            load = 52 * amps - 60
            if learner is stepped:
                feed(learner, seconds=5, begin=begin, load=load, discharge=amps + 20)
            feed(learner, seconds=195, begin=begin + 5, load=load, discharge=amps)
    assert steady.losses.own_w == pytest.approx(60, abs=2)
    assert stepped.losses.own_w == pytest.approx(steady.losses.own_w, abs=0.5)


def test_it_goes_on_where_it_was() -> None:
    run = Run()
    state = lived(run)
    text = ADAPTER.dump_json(state)
    again = LossLearner(ADAPTER.validate_json(text))
    print(len(text), text.decode())
    assert len(text) < 400
    assert again.losses.known
    assert again.losses.own_w == pytest.approx(run.learner.losses.own_w, abs=0.01)
    assert again.margin == pytest.approx(run.learner.margin, abs=0.1)
    feed(again, seconds=7200)
    assert again.losses.known


@pytest.mark.parametrize(
    "state",
    [
        LossState(values=(1.0,), covariance=(1.0,), looks=9, volts=50.0, known=True),
        LossState((math.nan,) * 4, (1.0,) * 10, looks=9, volts=50.0, known=True),
        LossState((1.0,) * 4, (1e9,) * 10, looks=9, volts=50.0, known=True),
        LossState((1.0,) * 4, (1.0,) * 10, looks=9, volts=0.0, known=True),
    ],
)
def test_a_damaged_state_is_not_gone_on_with(state: LossState) -> None:
    assert LossLearner(state).losses == Losses()


readings = st.tuples(
    st.sampled_from("BBBBHLSY?"),
    st.integers(0, 9999),
    st.sampled_from([0.0, 0.2, 12.0, 26.0, 52.0, 99.99]),
    st.integers(0, 999),
    st.integers(0, 9999),
    st.integers(0, 99999),
    st.sampled_from([0.0, 1.0, 20.0, 60.0, 70.0, 1e5, -5.0]),
)
numbers = st.floats(-1e5, 1e5)
states = st.builds(
    LossState,
    st.tuples(*[numbers] * 4),
    st.tuples(*[numbers] * 10),
    st.integers(0, 10**9),
    numbers,
    numbers,
    st.booleans(),
)


@settings(max_examples=150, deadline=None)
@given(st.none() | states, st.lists(st.tuples(readings, st.integers(1, 5))))
def test_whatever_is_read_losses_stay_possible(
    state: LossState | None, fed: list[tuple[tuple[object, ...], int]]
) -> None:
    learner, now = LossLearner(state), 0.0
    for (mode, load, volts, charge, discharge, pv, seconds), times in fed:
        assert isinstance(seconds, float)
        payload = qpigs(
            load=int(str(load)),
            volts=float(str(volts)),
            charge=int(str(charge)),
            discharge=int(str(discharge)),
            pv=int(str(pv)),
        )
        snapshot = online(payload, str(mode))
        for _ in range(times):
            now += seconds
            learner.feed(snapshot, flow(snapshot, learner.losses), now)
    found = learner.losses
    assert BOUNDS[0][0] <= found.own_w <= BOUNDS[0][1]
    assert 0.75 <= found.efficiency <= 1
    assert 0.8 <= found.solar_efficiency <= 1.05
    assert abs(found.hidden_a) <= 0.5
    kept = learner.state
    assert LossLearner(kept).state.values == kept.values

"""Every watt goes one way, and the ways add up to the sources and sinks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.snapshots import online, qpigs
from mppdbus.model.energy.flows import Ways, split, values
from mppdbus.model.energy.integrator import Integrator
from mppdbus.model.power import Flow, flow

POWER = st.floats(0, 30000, allow_nan=False)
MAYBE = st.one_of(st.none(), st.floats(-100, 30000, allow_nan=False))


def known(load: float, pv: float, mains: float) -> Flow:
    return Flow(load=load, pv=(pv,), pv_total=pv, mains_power=mains)


def test_battery_mode_sun_first_and_the_battery_makes_up_the_difference() -> None:
    surplus = split(flow(online(qpigs(load=300, pv=900, charge=11), "B")))
    assert surplus == Ways(solar_to_ac_out=300, solar_to_battery=600)
    lack = split(flow(online(qpigs(load=900, pv=300, discharge=12), "B")))
    assert lack == Ways(solar_to_ac_out=300, inverter_to_ac_out=600)


def test_a_blind_ammeter_does_not_hide_what_the_battery_gives() -> None:
    night = split(flow(online(qpigs(load=27, discharge=0), "B")))
    assert night == Ways(inverter_to_ac_out=27)


@pytest.mark.parametrize(
    ("load", "pv", "charge", "discharge", "ways"),
    [
        (800, 0, 0, 0, Ways(ac_in1_to_ac_out=800)),
        (
            800,  # W, and 200 W of the sun's 500 go into the battery
            500,
            4,
            0,
            Ways(ac_in1_to_ac_out=500, solar_to_ac_out=300, solar_to_battery=200),
        ),
        (
            300,
            100,
            20,
            0,
            Ways(ac_in1_to_ac_out=300, ac_in1_to_inverter=900, solar_to_battery=100),
        ),
        (
            800,
            100,
            0,
            4,  # A that help the mains
            Ways(ac_in1_to_ac_out=500, solar_to_ac_out=100, inverter_to_ac_out=200),
        ),
        (100, 900, 0, 0, Ways(solar_to_ac_out=100, solar_to_battery=800)),
    ],
)
def test_line_mode(load: int, pv: int, charge: int, discharge: int, ways: Ways) -> None:
    text = qpigs(load=load, pv=pv, charge=charge, discharge=discharge, volts=50.0)
    assert split(flow(online(text, "L"))) == ways


def test_charging_with_the_output_off() -> None:
    sun = split(flow(online(qpigs(load=0, pv=400, charge=8, bits="00000110"), "C")))
    assert sun == Ways(solar_to_battery=400)
    text = qpigs(load=0, charge=8, volts=50.0, bits="00000101")
    assert split(flow(online(text, "S"))) == Ways(ac_in1_to_inverter=400)


def test_what_is_fed_into_the_mains_comes_from_the_sun_and_then_the_battery() -> None:
    assert split(known(load=200, pv=1000, mains=-900)) == Ways(
        solar_to_ac_out=200, solar_to_ac_in1=800, inverter_to_ac_in1=100
    )


@pytest.mark.parametrize("lacking", ["load", "pv_total", "mains_power"])
def test_unknown_is_not_nothing(lacking: str) -> None:
    numbers: dict[str, float | None] = {"load": 1, "pv_total": 1, "mains_power": 1}
    flow_ = Flow(**(numbers | {lacking: None}))  # type: ignore[arg-type]
    assert split(flow_) is None


@given(POWER, POWER, st.floats(-30000, 30000, allow_nan=False))
def test_the_ways_add_up_to_sources_and_sinks(
    load: float, pv: float, mains: float
) -> None:
    ways = split(known(load, pv, mains))
    assert ways is not None
    assert all(watts >= 0 for watts in values(ways))
    assert ways.ac_in1_to_ac_out + ways.ac_in1_to_inverter == pytest.approx(
        max(mains, 0), abs=1e-6
    )
    sun = ways.solar_to_ac_out + ways.solar_to_battery + ways.solar_to_ac_in1
    assert sun == pytest.approx(pv, abs=1e-6)
    served = ways.ac_in1_to_ac_out + ways.solar_to_ac_out + ways.inverter_to_ac_out
    assert served == pytest.approx(load, abs=1e-6)
    fed = ways.solar_to_ac_in1 + ways.inverter_to_ac_in1
    assert fed == pytest.approx(max(-mains, 0), abs=1e-6)


@given(POWER, POWER, st.integers(-200, 200))
def test_the_battery_gets_what_the_balance_leaves(
    load: float, pv: float, amps: int
) -> None:
    battery = amps * 50.0
    mains = max(0.0, load + battery - pv)
    ways = split(known(load, pv, mains))
    assert ways is not None
    net = ways.ac_in1_to_inverter + ways.solar_to_battery - ways.inverter_to_ac_out
    expected = battery if mains > 0 else pv - load
    assert net == pytest.approx(expected, abs=1e-6)


# -- over time ------------------------------------------------------------------------


def test_straight_lines_between_samples() -> None:
    integrator = Integrator()
    assert integrator.feed(known(0, 0, 0), 100.0) is None
    step = integrator.feed(known(3600, 0, 3600), 110.0)
    assert step is not None
    assert step.ways is not None
    assert values(step.ways) == pytest.approx((0.005, *[0.0] * 8))
    assert step.seconds == 10.0


def test_a_gap_is_counted_and_not_integrated() -> None:
    integrator = Integrator(longest=30.0)
    integrator.feed(known(1000, 0, 0), 0.0)
    assert integrator.feed(known(1000, 0, 0), 31.0) is None
    assert (integrator.gaps, integrator.gap_seconds) == (1, 31.0)
    assert integrator.feed(known(1000, 0, 0), 61.0) is not None


def test_both_sides_of_something_unknown_are_unknown() -> None:
    integrator = Integrator()
    integrator.feed(known(1000, 500, 500), 0.0)
    step = integrator.feed(Flow(load=1000, pv=(500.0, None)), 10.0)
    assert step is not None
    assert (step.ways, step.pv) == (None, None)
    first, second = step.trackers
    assert first == pytest.approx(500 / 360000)
    assert second is None
    step = integrator.feed(known(1000, 500, 500), 20.0)
    assert step is not None
    assert step.ways is None
    assert integrator.unknown_seconds == 20.0


def test_a_clock_that_goes_backwards_is_refused() -> None:
    integrator = Integrator()
    integrator.feed(known(1000, 0, 0), 10.0)
    with pytest.raises(ValueError, match="backwards"):
        integrator.feed(known(1000, 0, 0), 9.0)
    step = integrator.feed(known(1000, 0, 0), 11.0)
    assert step is not None
    assert step.seconds == 1.0


@given(st.lists(st.tuples(MAYBE, MAYBE, MAYBE, st.floats(0, 100)), max_size=30))
def test_no_step_is_ever_negative(
    samples: list[tuple[float | None, float | None, float | None, float]],
) -> None:
    integrator, now = Integrator(), 0.0
    for load, pv, mains, seconds in samples:
        now += seconds
        sample = Flow(load=load, pv=(pv,), pv_total=pv, mains_power=mains)
        step = integrator.feed(sample, now)
        if step is None:
            continue
        if step.ways is not None:
            assert min(values(step.ways)) >= 0
        assert all(kwh is None or kwh >= 0 for kwh in (step.pv, *step.trackers))

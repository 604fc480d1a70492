"""The plant keeps its books: nothing comes from nowhere, and limits hold."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mppdbus.simulator.plant.battery import Phase, PlantBattery, RestCurve
from mppdbus.simulator.plant.flow import Machine
from mppdbus.simulator.plant.physics import MODES, Plant
from mppdbus.simulator.unit.settings import ChargerPriority, OutputPriority, Settings

held = st.builds(
    Settings,
    output_priority=st.sampled_from(OutputPriority),
    charger_priority=st.sampled_from(ChargerPriority),
    redischarge_v=st.sampled_from([0.0, 48.0, 54.0]),
    max_ac_charge_a=st.sampled_from([2, 30, 60]),
    max_charge_a=st.sampled_from([10, 60, 80]),
    pv_balance=st.sampled_from([0, 1]),
    cv_minutes=st.sampled_from([0, 60]),
    input_range=st.sampled_from([0, 1]),
)
batteries = st.builds(
    PlantBattery,
    capacity_ah=st.floats(20, 1000),
    soc=st.floats(0, 100),
    ohm=st.floats(0.005, 0.05),
    chemistry=st.sampled_from(RestCurve),
    phase=st.sampled_from([Phase.BULK, Phase.ABSORPTION, Phase.FLOAT]),
)


@st.composite
def plants(draw: st.DrawFn, *, lossless: bool) -> Plant:
    machine = Machine()
    if not lossless:
        machine = Machine(draw(st.floats(0.5, 1.0)), draw(st.floats(0, 200)))
    hour = draw(st.integers(0, 23))
    plant = Plant(
        draw(held),
        battery=draw(batteries),
        machine=machine,
        trackers=2,
        clock=datetime(2024, 6, 21, hour, 30, tzinfo=UTC),
    )
    plant.grid.on = draw(st.booleans())
    plant.grid.volts = draw(st.sampled_from([0.0, 120.0, 230.0, 300.0]))
    plant.load.watts = draw(st.floats(0, 9000))
    plant.sun.watts = [draw(st.floats(0, 6000)), draw(st.floats(0, 6000))]
    plant.sun.curve = draw(st.booleans())
    plant.output_on = draw(st.booleans())
    plant.fault_code = draw(st.sampled_from([0, 0, 0, 7]))
    plant.pins.mode = draw(st.none() | st.sampled_from(MODES))
    plant.settle()
    return plant


steps = st.lists(st.floats(0, 900), max_size=4)


@settings(max_examples=150, deadline=None)
@given(plants(lossless=True), steps)
def test_without_losses_every_watt_and_watt_hour_is_accounted_for(
    plant: Plant, spans: list[float]
) -> None:
    for span in (0.0, *spans):
        plant.step(span)
        truth = plant.truth()
        flow = plant.flow
        turnover = 1 + sum(plant.pv_w) + flow.grid_w + flow.load_w
        left = sum(plant.pv_w) + flow.grid_w - flow.load_w - flow.battery_w
        assert abs(left) <= 1e-6 * turnover
        assert plant.battery_v * plant.battery_a == pytest.approx(
            flow.battery_w, rel=1e-6, abs=1e-6
        )
        energy = plant.energy
        left = energy.pv_wh + energy.grid_wh + energy.battery_out_wh
        left -= energy.load_wh + energy.battery_in_wh
        assert abs(left) <= 1e-6 * (1 + energy.pv_wh + energy.grid_wh + energy.load_wh)
        assert truth["pv_wh"] == energy.pv_wh


@settings(max_examples=150, deadline=None)
@given(plants(lossless=False), steps)
def test_losses_are_never_gains_and_never_more_than_the_machine_explains(
    plant: Plant, spans: list[float]
) -> None:
    for span in (0.0, *spans):
        plant.step(span)
        flow = plant.flow
        through = flow.pv_w + flow.grid_w + flow.load_w + abs(flow.battery_w)
        worst = plant.machine.own_w + (1 / plant.machine.efficiency - 1) * through
        assert -1e-6 * (1 + through) <= flow.losses_w <= worst + 1e-6 * (1 + through)


@settings(max_examples=150, deadline=None)
@given(plants(lossless=False), steps)
def test_no_limit_is_overstepped(plant: Plant, spans: list[float]) -> None:
    for span in (0.0, *spans):
        plant.step(span)
        available = plant.sun.available(plant.hour)
        pairs = zip(plant.pv_w, available, strict=True)
        assert all(0 <= used <= most + 1e-6 for used, most in pairs)
        assert plant.flow.grid_w >= 0
        assert plant.flow.grid_w == 0 or plant.grid_usable
        assert 0 <= plant.flow.load_w <= plant.load.watts
        assert 0 <= plant.battery.soc <= 100
        assert plant.battery_a <= plant.settings.max_charge_a + 1e-6
        if plant.battery_a > 0:
            assert plant.battery_v <= plant.settings.bulk_v + 1e-6
        if plant.mode in "FPD":
            assert plant.flow.load_w == 0
            assert plant.output_v == 0


@given(batteries, st.floats(1, 50))
def test_charge_counts_what_flows(battery: PlantBattery, amps: float) -> None:
    battery.soc = 40.0
    battery.pass_time(Settings(), battery.volts_at(amps), amps, 10.0)
    assert battery.soc == pytest.approx(40 + amps * 10 / 36 / battery.capacity_ah)


def plant_with(priority: OutputPriority, **values: object) -> Plant:
    plant = Plant(Settings(output_priority=priority))
    for name, value in values.items():
        part, field = name.split("_", 1)
        setattr(getattr(plant, part), field, value)
    plant.settle()
    return plant


@pytest.mark.parametrize(
    ("priority", "grid", "mode"),
    [
        (OutputPriority.UTILITY, True, "L"),
        (OutputPriority.UTILITY, False, "B"),
        (OutputPriority.SOLAR, True, "L"),
        (OutputPriority.SOLAR, False, "B"),
        (OutputPriority.BATTERY, True, "B"),
        (OutputPriority.BATTERY, False, "B"),
    ],
)
def test_output_priority_chooses_the_mode(
    priority: OutputPriority, *, grid: bool, mode: str
) -> None:
    assert plant_with(priority, grid_on=grid).mode == mode


def test_battery_first_goes_to_the_grid_when_low_and_back_when_charged() -> None:
    plant = plant_with(OutputPriority.BATTERY)
    plant.pins.battery = 45.9, -10.0
    modes = []
    for volts in (45.9, 46.1, 53.9, 54.0, 46.1, 46.0):
        plant.pins.battery = volts, -10.0
        plant.settle()
        plant.settle()
        modes.append(plant.mode)
    assert modes == ["L", "L", "L", "B", "B", "L"]


def test_battery_first_with_threshold_0_waits_for_a_full_battery() -> None:
    plant = Plant(Settings(output_priority=OutputPriority.BATTERY, redischarge_v=0.0))
    plant.pins.battery = 45.0, -1.0
    plant.settle()
    plant.pins.battery = 55.0, 5.0
    plant.settle()
    plant.settle()
    assert plant.mode == "L"
    plant.battery.phase = Phase.FLOAT
    plant.settle()
    assert plant.mode == "B"


def test_an_empty_battery_ends_the_output_and_the_grid_brings_it_back() -> None:
    plant = plant_with(OutputPriority.UTILITY, grid_on=False)
    plant.sun.watts = [0.0]
    plant.battery.soc = 3.0
    plant.step(4 * 3600)
    assert plant.mode == "S"
    assert plant.flow.load_w == 0
    assert 14 in plant.warnings()
    plant.grid.on = True
    plant.settle()
    assert plant.mode == "L"
    assert plant.flow.load_w == 500


@pytest.mark.parametrize(
    ("priority", "sun_w", "battery_w", "grid_w"),
    [
        (ChargerPriority.UTILITY_FIRST, 800.0, 30 * 53.8, 30 * 53.8),
        (ChargerPriority.SOLAR_FIRST, 800.0, 800.0, 500.0),
        (ChargerPriority.SOLAR_FIRST, 0.0, 30 * 53.8, 500 + 30 * 53.8),
        (ChargerPriority.SOLAR_AND_UTILITY, 800.0, 800 + 30 * 53.8, 500 + 30 * 53.8),
        (ChargerPriority.ONLY_SOLAR, 800.0, 800.0, 500.0),
        (ChargerPriority.ONLY_SOLAR, 0.0, 0.0, 500.0),
    ],
)
def test_charger_priority_chooses_the_source(
    priority: ChargerPriority, sun_w: float, battery_w: float, grid_w: float
) -> None:
    plant = Plant(Settings(charger_priority=priority))
    assert plant.battery.volts_at(30) == pytest.approx(53.8, abs=0.05)
    plant.sun.watts = [sun_w]
    plant.settle()
    assert plant.flow.battery_w == pytest.approx(battery_w, rel=2e-3)
    assert plant.flow.grid_w == pytest.approx(grid_w, rel=3e-3)


def test_a_charge_runs_through_its_stages_and_starts_anew_when_discharged() -> None:
    plant = Plant(Settings(max_ac_charge_a=60, max_charge_a=60))
    plant.sun.watts = [0.0]
    plant.battery.soc = 80.0
    stages: list[Phase] = []
    for _ in range(60):
        plant.step(300)
        if not stages or stages[-1] != plant.charge_stage:
            stages.append(plant.charge_stage)
    assert stages == [Phase.BULK, Phase.ABSORPTION, Phase.FLOAT]
    assert plant.battery_v == pytest.approx(54.0, abs=0.05)
    plant.grid.on = False
    plant.step(5 * 3600)
    stages.append(plant.charge_stage)
    plant.grid.on = True
    plant.settle()
    stages.append(plant.charge_stage)
    assert stages[3:] == [Phase.IDLE, Phase.BULK]


def test_the_output_priority_solar_feeds_the_load_before_the_battery() -> None:
    plant = plant_with(OutputPriority.SOLAR, sun_watts=[600.0])
    plant.settings.charger_priority = ChargerPriority.ONLY_SOLAR
    plant.settle()
    assert (plant.flow.grid_w, plant.flow.battery_w) == (0.0, 100.0)


def test_without_power_balance_the_sun_does_not_feed_the_load_in_line_mode() -> None:
    plant = Plant(Settings(pv_balance=0, max_charge_a=10))
    plant.settle()
    assert plant.flow.grid_w == 500
    assert plant.flow.pv_w == plant.flow.battery_w < 800


def test_the_sun_follows_the_clock_and_days_are_counted_apart() -> None:
    plant = Plant(clock=datetime(2024, 6, 20, 18, 0, tzinfo=UTC))
    plant.sun.curve = True
    plant.settle()
    assert plant.flow.pv_w == 0
    assert 0 in plant.warnings()
    plant.step(86400)
    first, second = plant.history.values()
    assert first.pv_wh == 0
    assert second.pv_wh == plant.energy.pv_wh > 1000
    assert first.load_wh == pytest.approx(6 * 500)


def test_time_does_not_pass_backwards() -> None:
    with pytest.raises(ValueError, match="backwards"):
        Plant().step(-1)

"""The power flow: measured where PI30 measures, derived where it does not."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.snapshots import online, qpigs, status
from mppdbus.model.power import Flow, Losses, Origin, flow
from mppdbus.model.snapshot import Snapshot

# The four scenes: mains V, mode, PV, load, charge A, discharge A, V; battery, mains W.
SCENES = {
    "bat+pv": (0.0, "B", 800, 500, 6, 0, 52.0, 312.0, 0.0),
    "bat": (0.0, "B", 0, 500, 0, 10, 51.0, -510.0, 0.0),
    "mains": (230.0, "L", 0, 500, 6, 0, 52.0, 312.0, 812.0),
    "mains+pv": (230.0, "L", 800, 500, 6, 0, 52.0, 312.0, 12.0),
}


@pytest.mark.parametrize("scene", SCENES)
def test_the_four_scenes_balance(scene: str) -> None:
    grid, mode, pv, load, charge, discharge, volts, battery, mains = SCENES[scene]
    payload = qpigs(
        grid=grid, load=load, pv=pv, charge=charge, discharge=discharge, volts=volts
    )
    result = flow(online(payload, mode))
    assert result.pv_total == pv
    assert result.load == load
    assert result.battery_power == pytest.approx(battery)
    assert result.mains_power == pytest.approx(mains)
    assert result.mains_origin is Origin.DERIVED
    assert result.mains_used is (mode == "L")


def test_nothing_known_means_nothing_shown() -> None:
    assert flow(Snapshot()) == Flow()


def test_pv_is_unknown_until_the_second_tracker_was_asked_for() -> None:
    result = flow(online(qpigs(pv=800), "L", trackers=None))
    assert result.pv_total is None
    assert result.mains_power is None
    assert result.load == 500


def test_two_trackers_are_added_and_one_missing_makes_the_sum_unknown() -> None:
    both = flow(online(qpigs(pv=226), "B", trackers=2, pv2="01.0 202.0 00205 "))
    assert both.pv == (226.0, 205.0)
    assert both.pv_total == 431
    one = flow(online(qpigs(pv=226), "B", trackers=2))
    assert one.pv == (226.0, None)
    assert one.pv_total is None


def test_the_layout_without_pv_power_gives_an_estimate_that_says_so() -> None:
    payload = (
        "232.0 49.9 229.0 50.0 0592 0476 020 374 26.12 000 078 0490 0010 036.9 25.43 "
        "00011 10010110"  # f0161
    )
    result = flow(Snapshot(online=True, status=status(payload), mode="B", trackers=1))
    assert result.pv_total == pytest.approx(254.3)
    assert result.pv_origin is Origin.ESTIMATED
    on_mains = Snapshot(online=True, status=status(payload), mode="L", trackers=1)
    assert flow(on_mains).mains_origin is Origin.ESTIMATED


@pytest.mark.parametrize(
    ("mode", "bits", "grid", "used"),
    [
        ("L", "00010000", 230.0, True),
        ("L", "00010000", 1.0, False),  # some units show 1.0 V without mains
        ("Y", "00010000", 230.0, True),
        ("B", "00010000", 230.0, False),
        ("S", "00000101", 230.0, True),
        ("S", "00000000", 230.0, False),
        ("C", "00000110", 230.0, False),  # charging from the sun, output off
        ("F", "00000000", 230.0, False),
    ],
)
def test_mains_are_used_by_mode(
    mode: str, bits: str, grid: float, *, used: bool
) -> None:
    result = flow(online(qpigs(grid=grid, bits=bits), mode))
    assert result.mains_used is used
    assert (result.mains_power == 0.0) is not used


def test_what_a_full_battery_takes_unseen_comes_from_the_mains() -> None:
    quiet = online(qpigs(load=500, volts=54.0), "L")
    assert flow(quiet).mains_power == 500
    assert flow(quiet, trickle=0.2).mains_power == pytest.approx(510.8)
    assert flow(quiet, trickle=2.0).mains_power == pytest.approx(521.6)  # or it showed
    assert flow(quiet, trickle=0.2).battery_power == 0  # measured values stay
    charging = online(qpigs(load=500, volts=54.0, charge=1), "L")
    assert flow(charging, trickle=0.2) == flow(charging)
    alone = online(qpigs(grid=0, load=500, volts=54.0, pv=500), "B")
    assert flow(alone, trickle=0.2) == flow(alone)


def test_mains_power_is_never_negative() -> None:
    assert flow(online(qpigs(load=100, pv=900), "L")).mains_power == 0.0


def test_without_a_battery_the_mains_carry_the_load() -> None:
    """The battery's own values are unknown then, as 0.2 V is none (f0044)."""
    bare = online(qpigs(load=1633), "L")
    assert bare.status is not None
    gone = dict.fromkeys(("battery_voltage", "battery_charging_current"))
    status = bare.status.model_copy(update=gone)
    result = flow(replace(bare, status=status, battery_fitted=False))
    assert result.mains_power == 1633
    assert result.battery_power is None


LOSSES = Losses(own_w=40.0, efficiency=0.9, known=True)
# Mode, PV, load, charge A, discharge A at 50 V; then W from the mains and W lost.
LOSSY_SCENES = {
    "mains to load, past the converter": ("L", 0, 500, 0, 0, 540.0, 40.0),
    "mains to load and battery": ("L", 0, 500, 18, 0, 1540.0, 140.0),
    "mains and sun to the battery": ("L", 450, 500, 18, 0, 1040.0, 90.0),
    "sun to the load, mains for the rest": ("L", 400, 500, 0, 0, 180.0, 80.0),
    "sun to the load and all to the battery": ("L", 1400, 500, 20, 0, 180.0, 80.0),
    "battery helps the mains": ("L", 0, 500, 0, 4, 360.0, 60.0),
    "more sun than that": ("L", 900, 500, 0, 0, 0.0, 130.0),
    "bypass": ("Y", 0, 500, 0, 0, 540.0, 40.0),
    "on battery": ("B", 0, 450, 0, 11, 0.0, 90.0),
    "on battery with sun": ("B", 990, 450, 9, 0, 0.0, 90.0),
}


@pytest.mark.parametrize("scene", LOSSY_SCENES)
def test_losses_by_the_way_that_each_watt_takes(scene: str) -> None:
    mode, pv, load, charge, discharge, mains, lost = LOSSY_SCENES[scene]
    payload = qpigs(
        load=load, pv=pv, charge=charge, discharge=discharge, volts=50.0, grid=230.0
    )
    result = flow(online(payload, mode), LOSSES)
    assert result.mains_power == pytest.approx(mains)
    assert result.mains_origin is Origin.DERIVED
    assert result.losses == pytest.approx(lost)
    assert result.mains_current == pytest.approx(mains / 230)


def test_losses_not_known_yet_change_nothing() -> None:
    for mode in "LYBSCF":
        snapshot = online(qpigs(load=500, pv=300, charge=10), mode)
        assert flow(snapshot, replace(LOSSES, known=False)) == flow(snapshot)
        assert flow(snapshot).losses is None


def test_the_small_load_that_reads_zero_has_an_estimate_of_its_own() -> None:
    result = flow(online(qpigs(load=0, discharge=2, volts=50.0), "B"), LOSSES)
    assert (result.load, result.load_origin) == (0.0, Origin.MEASURED)
    assert result.hidden_load == pytest.approx(60 * 0.9)


@pytest.mark.parametrize(
    ("mode", "load", "discharge"),
    [("B", 0, 0), ("B", 70, 3), ("L", 0, 2)],  # who reads 0 A may not see 2 A
)
def test_no_estimate_of_a_load_that_is_seen_or_cannot_be_known(
    mode: str, load: int, discharge: int
) -> None:
    result = flow(online(qpigs(load=load, discharge=discharge), mode), LOSSES)
    assert result.hidden_load is None


def test_a_measured_mains_current_is_not_replaced() -> None:
    """Document G has it as word 25; a VM IV shows it."""
    words = f"{qpigs(load=500)} 0 00 0000 02.9"
    result = flow(online(words, "L"), LOSSES)
    assert result.mains_current == 2.9
    assert result.mains_current_origin is Origin.MEASURED
    assert result.mains_power == pytest.approx(540)
    derived = flow(online(qpigs(load=500), "L"))
    assert derived.mains_current_origin is Origin.DERIVED


def test_the_shunt_of_a_meter_that_cuts() -> None:
    cutting = replace(LOSSES, hidden_a=0.5, solar_efficiency=0.96)
    result = flow(online(qpigs(load=500, charge=18, volts=50.0), "L"), cutting)
    assert result.battery_power == 900
    assert result.battery_current == 18
    assert result.mains_power == pytest.approx(500 + 925 / 0.9 + 40)
    sun = flow(online(qpigs(load=500, pv=1000, charge=18, volts=50.0), "L"), cutting)
    assert sun.pv_total == 1000
    assert sun.mains_power == pytest.approx(500 - 35 * 0.9 + 40)
    idle = flow(online(qpigs(load=500, volts=50.0), "L"), cutting)
    assert idle.mains_power == pytest.approx(540)


whole = st.none() | st.integers(0, 99_999)
real = st.none() | st.floats(0, 1000)


def seen(
    values: dict[str, float | None],
    mode: str | None,
    trackers: int | None,
    pv2: str | None,
    *,
    fitted: bool,
) -> Snapshot:
    """Return a snapshot with these words in its QPIGS."""
    bare = online(qpigs(), trackers=trackers, pv2=pv2)
    assert bare.status is not None
    read = bare.status.model_copy(update=values)
    return replace(bare, status=read, mode=mode, battery_fitted=fitted)


snapshots = st.builds(
    seen,
    st.fixed_dictionaries(
        {
            "grid_voltage": real,
            "battery_voltage": real,
            "ac_output_active_power": whole,
            "battery_charging_current": whole,
            "battery_discharge_current": whole,
            "pv_charging_power": whole,
            "grid_input_current": real,
        }
    ),
    st.sampled_from(["L", "B", "Y", "E", "S", "C", "F", "H", "P", "D", "?", None]),
    st.none() | st.sampled_from([1, 2, 3]),
    st.none() | st.just("01.0 202.0 00205 "),
    fitted=st.booleans(),
)
any_losses = st.none() | st.builds(
    Losses,
    st.floats(0, 250),
    st.floats(0.75, 1),
    st.booleans(),
    st.floats(0.8, 1.05),
    st.floats(-0.5, 0.5),
)


@given(snapshots, any_losses)
def test_whatever_is_read_mains_are_not_negative_and_measured_values_stay(
    snapshot: Snapshot, losses: Losses | None
) -> None:
    read = snapshot.status
    assert read is not None
    result = flow(snapshot, losses)
    reckoned = (result.mains_power, result.mains_current, result.hidden_load)
    for value in (*reckoned, result.losses):
        assert value is None or (math.isfinite(value) and value >= 0)
    assert result.load == read.ac_output_active_power
    assert result.battery_voltage == read.battery_voltage
    if read.pv_charging_power is not None:
        assert result.pv[0] == read.pv_charging_power
    plain = flow(snapshot)
    for name in ("pv", "pv_total", "battery_current", "battery_power", "mains_used"):
        assert getattr(result, name) == getattr(plain, name)
    if read.grid_input_current is not None:
        assert result.mains_current == read.grid_input_current
    for name, value in (
        ("load", result.load),
        ("pv", result.pv_total),
        ("mains", result.mains_power),
        ("mains_current", result.mains_current),
    ):
        unknown = getattr(result, f"{name}_origin") is Origin.UNKNOWN
        assert unknown == (value is None)
    if result.mains_used and not (
        result.load is None or result.pv_total is None or result.battery_power is None
    ):
        assert result.mains_power is not None

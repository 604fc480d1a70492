"""The power flow: measured where PI30 measures, derived where it does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mppdbus.power import Flow, Origin, flow
from mppdbus.snapshot import Snapshot
from support_snapshots import online, qpigs, status

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

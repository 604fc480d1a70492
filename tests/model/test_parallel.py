"""What a QPGS says of a unit, as a snapshot."""

from __future__ import annotations

import pytest

from helpers.frames import BY_ID
from mppdbus.model.parallel import at_the_battery, away, in_a_set, phase_of, snapshot_of
from mppdbus.model.power import Leg, Origin, flow, legs
from mppdbus.model.snapshot import Identity, Snapshot
from mppdbus.model.victron_codes import State, state
from mppdbus.protocol.dialects import DIALECTS
from mppdbus.protocol.plausibility import Plausibility
from mppdbus.protocol.replies.fields import Reading
from mppdbus.protocol.replies.parallel import (
    ParallelStatus,
    SecondPhaseParallelStatus,
    SecondTrackersParallel,
)
from mppdbus.protocol.replies.settings import Ratings
from mppdbus.protocol.replies.status import GeneralStatus, SecondPhase, SecondTracker

MAX, PI41, PI30 = DIALECTS["pi30lv"], DIALECTS["pi41"], DIALECTS["pi30"]


def unit(frame: str) -> ParallelStatus:
    reading = BY_ID[frame].decode()
    assert isinstance(reading, ParallelStatus)
    return reading


def lead(trackers: int, **more: object) -> Snapshot:
    ratings = Ratings(
        battery_bulk_voltage=56.4, max_charging_current=60, output_mode=1, **more
    )
    return Snapshot(
        identity=Identity("PI30", "92932105100999", "MKS2-8000", "044", "72.70"),
        trackers=trackers,
        ratings=ratings,
    )


@pytest.mark.parametrize(
    ("mode", "dialect", "phase"),
    [
        *((mode, "pi30max", phase) for mode, phase in enumerate([None, None, 1, 2, 3])),
        *((mode, "pi30max", phase) for mode, phase in ((5, 1), (6, 2), (7, 2))),
        *((mode, "pi41", phase) for mode, phase in ((1, None), (2, 1), (4, 3))),
        *((mode, "pi41", None) for mode in (5, 6)),  # parallel at 120° and 180°
        (9, "pi30max", None),
        (None, "pi30max", None),
    ],
)
def test_the_phase_of_an_output_mode(
    mode: int | None, dialect: str, phase: int | None
) -> None:
    assert phase_of(mode, DIALECTS[dialect]) == phase


@pytest.mark.parametrize(
    ("ratings", "said", "answer"),
    [
        (Ratings(output_mode=1), None, True),
        (Ratings(output_mode=0), ParallelStatus(exists=True, output_mode=1), False),
        (Ratings(), ParallelStatus(exists=True, output_mode=2), True),
        (None, ParallelStatus(exists=True, output_mode=0), False),  # f0139: alone
        (None, None, False),
    ],
)
def test_who_is_in_a_set(
    ratings: Reading | None,
    said: Reading | None,
    answer: bool,  # noqa: FBT001
) -> None:
    assert in_a_set(ratings, said) is answer


def test_a_recorded_unit_of_a_split_phase_set() -> None:
    """EG4 6500EX, f0353: PV of 138.9 and 143.1 V, 6 A each, feeds 548 W and 22 A."""
    told = snapshot_of(unit("f0353"), MAX, lead=lead(2))
    shown, status = flow(told), told.status
    assert status is not None
    assert (told.online, told.mode, told.phase, told.fault_code) == (True, "B", 1, "00")
    assert told.identity == Identity(
        "PI30", "96342304101107", "MKS2-8000", dialect="pi30lv"
    )
    assert shown.load == 548
    assert (shown.battery_voltage, shown.battery_current) == (53.5, 22)
    assert shown.pv_origin is Origin.ESTIMATED
    assert shown.pv_total == pytest.approx(548 + 22 * 53.5, rel=0.04)  # 1725 W
    assert (status.charging, status.scc_charging, status.load_on) == (True, True, True)
    assert status.ac_charging is False
    assert (status.bus_voltage, status.heatsink_temperature) == (None, None)
    assert (told.warnings, told.flags) == (None, None)
    assert isinstance(told.ratings, Ratings)
    assert told.ratings.max_charging_current == 100
    assert told.ratings.battery_bulk_voltage == 56.4
    assert told.ratings.output_mode == 5


def test_a_recorded_unit_with_two_legs() -> None:
    """LV5048, f0253 and f0252."""
    second = BY_ID["f0252"].decode()
    told = snapshot_of(unit("f0253"), PI41, lead=lead(2), second=second)
    assert isinstance(told.second, SecondPhase)
    assert told.phase is None  # mode 6 of PI41 is 180°, not leg 2
    assert [leg.power for leg in legs(told)] == [272, 130]
    assert flow(told).pv_total == 0
    assert state(told) is State.BULK
    assert flow(told).mains_used is True


def test_a_recorded_lone_unit_that_knows_little() -> None:
    """24 V 3K, f0139: exists, but on its own."""
    told = snapshot_of(unit("f0139"), DIALECTS["pi30ms"])
    assert (told.trackers, told.ratings, told.second) == (None, None, None)
    assert flow(told).pv == (0.0,)
    assert flow(told).load == 0
    assert flow(told).mains_present is False


# -- PV -----------------------------------------------------------------------------


def sunny(**more: object) -> ParallelStatus:
    words: dict[str, object] = {
        "exists": True,
        "serial": "92932105100123",
        "mode": "L",
        "battery_voltage": 50.0,
        "pv_input_voltage": 200.0,
        "pv_input_current": 8.0,
        "ac_output_active_power": 1000,
        "battery_charging_current": 10,
        "battery_discharge_current": 0,
    }
    return ParallelStatus.model_validate(words | more)


def pv(said: ParallelStatus, dialect: str = "pi30max", **more: object) -> float | None:
    told = snapshot_of(said, DIALECTS[dialect], lead=lead(1), **more)  # type: ignore[arg-type]
    return flow(told).pv_total


def test_pv_is_the_current_times_the_voltage_where_it_is_measured() -> None:
    assert pv(sunny()) == pytest.approx(1600)
    assert pv(sunny(), "pi30", current_at_battery=False) == pytest.approx(1600)
    assert pv(sunny(), "pi30", current_at_battery=True) == pytest.approx(400)
    assert pv(sunny(), "pi30max", current_at_battery=True) == pytest.approx(1600)


def test_as_long_as_nobody_knows_where_it_is_measured_pv_is_unknown() -> None:
    assert pv(sunny(), "pi30") is None
    assert pv(sunny(pv_input_current=0.0), "pi30") == 0  # but nothing is nothing
    assert pv(sunny(pv_input_voltage=None)) is None
    assert pv(sunny(battery_voltage=None)) is None


@pytest.mark.parametrize(
    ("load", "charge", "low", "high"),
    [
        (1000, 10, 1500, 1700),  # 1500 W and what is lost
        (1000, 2, 1500, 1500),  # less than the amperes allow
        (2000, 10, 1700, 1700),  # more than they allow
    ],
)
def test_on_battery_the_balance_tells_what_whole_amperes_hide(
    load: int, charge: int, low: float, high: float
) -> None:
    said = sunny(mode="B", ac_output_active_power=load, battery_charging_current=charge)
    watts = pv(said)
    assert watts is not None
    assert low - 0.1 <= watts <= high + 0.1


def test_no_sun_comes_from_the_balance_at_night() -> None:
    night = {"pv_input_current": 0.0, "mode": "B", "battery_charging_current": 0}
    for volts in (0.0, 60.0):
        said = sunny(pv_input_voltage=volts, battery_discharge_current=20, **night)
        assert pv(said) == 0


def test_tenths_of_an_ampere_leave_little_to_guess() -> None:
    said = sunny(mode="B", pv_input_current=8.1, battery_charging_current=0)
    assert pv(said) == pytest.approx(1620, abs=10.1)


def test_trackers_2_and_3_are_measured_where_qp2gs_says_so() -> None:
    second = SecondTrackersParallel(
        exists=True, pv_power=1234, pv2_voltage=200.0, pv2_power=500, pv3_power=50
    )
    told = snapshot_of(sunny(), DIALECTS["pi30duo"], lead=lead(3), second=second)
    assert flow(told).pv == (1234, 500, 50)
    assert flow(told).pv_origin is Origin.MEASURED


def test_a_second_tracker_that_nothing_tells_of_makes_the_sum_unknown() -> None:
    told = snapshot_of(sunny(), DIALECTS["pi30max"], lead=lead(2))
    assert flow(told).pv_total is None
    both = sunny(pv2_voltage=100.0, pv2_current=2.0)
    told = snapshot_of(both, DIALECTS["pi30max"], lead=lead(2))
    assert isinstance(told.second, SecondTracker)
    assert flow(told).pv == pytest.approx((1600, 200))


def test_the_second_phase_brings_the_second_tracker() -> None:
    second = SecondPhaseParallelStatus(
        serial="92932105100123", ac_output_active_power=500, pv2_voltage=100.0,
        pv2_current=2.0,
    )  # fmt: skip
    told = snapshot_of(
        sunny(), PI41, lead=lead(2), second=second, current_at_battery=False
    )
    assert flow(told).pv == pytest.approx((1600, 200))


@pytest.mark.parametrize(
    ("amps", "watts", "answer"),
    [(8.0, 1590, False), (8.0, 410, True), (8.0, 150, None), (0.0, 900, None)],
)
def test_a_unit_that_says_its_power_tells_where_the_current_is_measured(
    amps: float,
    watts: int,
    answer: bool | None,  # noqa: FBT001
) -> None:
    own = sunny(pv_input_current=amps)
    assert at_the_battery(own, GeneralStatus(pv_charging_power=watts)) is answer


# -- the rest ------------------------------------------------------------------------


def test_a_unit_without_a_number_of_its_own_has_none() -> None:
    told = snapshot_of(sunny(serial="55355535553555"), MAX)
    assert told.identity.serial is None


def test_an_empty_slot_has_no_oddities() -> None:
    empty = ParallelStatus(exists=False, mode="P", battery_voltage=0.0)
    assert Plausibility().check(empty, 0.0) == (empty, [])
    there = empty.model_copy(update={"exists": True})
    assert Plausibility().check(there, 0.0)[1]


def test_who_has_dropped_out_keeps_his_name_only() -> None:
    told = snapshot_of(unit("f0353"), MAX, lead=lead(2))
    assert away(told) == Snapshot(identity=told.identity, trackers=2, phase=1)


def test_the_legs_of_a_unit() -> None:
    status = GeneralStatus(
        ac_output_voltage=120.0,
        ac_output_frequency=60.0,
        ac_output_apparent_power=600,
        ac_output_active_power=480,
    )
    second = SecondPhase(
        ac_output_voltage=0.0, ac_output_apparent_power=0, ac_output_active_power=0
    )
    first = Leg(120.0, 5.0, 480, 60.0, 600)
    assert legs(Snapshot(status=status)) == (first,)
    two = Identity(dialect="pi41")
    assert legs(Snapshot(identity=two, status=status)) == (first, Leg())
    assert legs(Snapshot(identity=two, status=status, second=second)) == (
        first,
        Leg(0.0, 0.0, 0, None, 0),
    )
    assert legs(Snapshot()) == (Leg(),)


@pytest.mark.parametrize("frame", ["f0353", "f0413", "n0007"])
def test_without_its_battery_voltage_a_unit_has_no_amperes_of_watts(frame: str) -> None:
    """A power is no current, and an unknown voltage makes none of it."""
    told = snapshot_of(
        unit(frame).model_copy(update={"battery_voltage": None}), MAX, lead=lead(2)
    )
    assert told.status is not None
    assert not told.status.pv_input_current
    assert not flow(told).pv_total


def test_without_the_voltage_of_a_tracker_its_current_is_unknown() -> None:
    second = (
        BY_ID["f0252"]
        .decode()
        .model_copy(update={"pv2_voltage": None, "pv2_current": 5.0})
    )
    lit = unit("f0253").model_copy(update={"pv_input_current": 4.0})
    told = snapshot_of(lit, PI41, lead=lead(2), second=second, current_at_battery=True)
    assert isinstance(told.second, SecondPhase)
    assert told.second.pv2_current is None

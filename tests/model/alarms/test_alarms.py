"""Warning bits, also in mode F: what they amount to, and their hold times."""

from __future__ import annotations

from dataclasses import replace

import pytest

from helpers.alarms import Day, raised, told
from helpers.snapshots import warnings
from mppdbus.model.alarms.effects import (
    ALARM_LEVELS,
    DEFAULT_LEVELS,
    EFFECTS,
    FAULT_EFFECTS,
    LEAVES,
    LOW_SOC,
    UNSAID,
)
from mppdbus.model.alarms.levels import AlarmState, momentary
from mppdbus.model.alarms.watch import AlarmWatch
from mppdbus.model.snapshot import Snapshot
from mppdbus.protocol.dialects import DIALECTS


def without_battery(*bits: int) -> Snapshot:
    return replace(told(*bits, dialect="pi30"), battery_fitted=False)


@pytest.fixture
def day() -> Day:
    return Day(AlarmWatch())


# -- one moment ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bits", "expected"),
    [
        ((), {}),
        ((0,), {}),  # no PV: every night
        ((5,), {"GridLost": 2}),
        ((12,), {"LowVoltage": 1}),
        ((14,), {"LowVoltage": 2}),
        ((12, 14), {"LowVoltage": 2}),
        ((9,), {"HighTemperature": 1}),
        ((1, 9), {"HighTemperature": 2}),
        ((16,), {"Overload": 1}),
        ((1, 16), {"Overload": 2}),
        ((6,), {"ShortCircuit": 1}),
        ((1, 6), {"ShortCircuit": 2}),
        ((7,), {"LowVoltageAcOut": 2}),
        ((8,), {"HighVoltageAcOut": 2}),
        ((11,), {"HighVoltage": 1}),
        ((1, 11), {"HighVoltage": 2}),
        ((1,), {}),
        ((10, 15, 17, 25), {}),
    ],
)
def test_alarm_levels(bits: tuple[int, ...], expected: dict[str, int]) -> None:
    state = momentary(told(*bits))
    assert raised(state) == expected
    assert set(state.levels) == set(LEAVES)
    assert None not in state.levels.values()


def test_mode_f_makes_faults_of_what_may_be_one() -> None:
    assert raised(momentary(told(9, 12, mode="F"))) == {
        "HighTemperature": 2,
        "LowVoltage": 1,
    }


def test_missing_is_no_warning_and_not_all_clear_either() -> None:
    for snapshot in (Snapshot(), Snapshot(online=True, mode="L")):
        assert momentary(snapshot) == AlarmState()
        assert AlarmWatch().feed(snapshot, 0.0) == AlarmState()
    assert set(AlarmState().levels.values()) == {None}


@pytest.mark.parametrize(
    ("bits", "dialect", "number"),
    [
        ((18,), "pi30", 0),
        ((1, 18), "pi30", 18),
        ((1, 26), "pi30king", 33),
        ((1, 34), "pi30duo", 33),  # PV3
        ((1, 27), "pi30king", 34),
        ((1, 26), "pi30max", None),  # reserved there
        ((1, 23), "pi30", None),  # Victron has no such number
    ],
)
def test_error_code_only_with_a_fault(
    bits: tuple[int, ...], dialect: str, number: int | None
) -> None:
    snapshot = told(dialect=dialect)
    snapshot = replace(snapshot, warnings=warnings(*bits, length=38))
    assert momentary(snapshot).error_code == number


def test_every_bit_of_every_family_is_something() -> None:
    quiet = {
        *("inverter_fault", "battery_derating", "power_limit", "low_pv_energy"),
        *("equalization", "battery_weak", "reserved", "fault_code"),
        *("mppt_overload_warning", "mppt_overload_warning_2"),
        "mppt_overload_warning_3",
    }
    named = {bit.name for d in DIALECTS.values() for bit in d.warnings.values()}
    assert named == EFFECTS.keys() | quiet | UNSAID
    assert not EFFECTS.keys() & (quiet | UNSAID)


def test_every_fault_with_an_effect_is_in_a_table() -> None:
    texts = {text for d in DIALECTS.values() for text in d.fault_codes.values()}
    assert FAULT_EFFECTS.keys() <= texts


def test_every_leaf_has_a_level_to_set() -> None:
    assert {name for names in ALARM_LEVELS.values() for name in names} == {
        *LEAVES[:7],
        LOW_SOC,
    }
    assert LEAVES[7] == "GridLost"  # the GX itself has a switch for it
    assert dict(DEFAULT_LEVELS) == dict.fromkeys(LEAVES[:7], 2) | {LOW_SOC: 1}


# -- the battery ---------------------------------------------------------------------


def test_a_battery_that_is_open_is_an_alarm(day: Day) -> None:
    assert raised(momentary(told(22, dialect="pi30"))) == {"LowVoltage": 2}
    assert raised(day.settle(22, dialect="pi30")) == {"LowVoltage": 2}


def test_no_battery_is_none(day: Day) -> None:
    for _ in range(30):
        state = day.see(without_battery(22))
        assert raised(state) == {}
        assert (state.texts, state.notices) == ((), ())


def test_a_battery_that_was_taken_away_is_an_alarm(day: Day) -> None:
    for _ in range(14):
        day.see(told(dialect="pi30"))
    day.see(without_battery(22))
    assert raised(day.see(without_battery(22))) == {"LowVoltage": 2}


def test_volts_for_a_moment_are_no_battery(day: Day) -> None:
    day.settle(dialect="pi30")
    day.see(without_battery(22))
    assert raised(day.see(without_battery(22))) == {}


# -- hold ----------------------------------------------------------------------------


def test_an_alarm_needs_two_readings(day: Day) -> None:
    assert raised(day.see(told(9))) == {}
    assert raised(day.see(told(9))) == {"HighTemperature": 1}


def test_the_same_reading_twice_is_one(day: Day) -> None:
    hot = told(9)
    assert raised(day.see(hot)) == {}
    for _ in range(4):
        assert raised(day.see(hot, after=2.0)) == {}
    assert raised(day.see(hot, after=2.0)) == {"HighTemperature": 1}  # 10 s of it


def test_a_single_flicker_shows_nothing(day: Day) -> None:
    for _ in range(20):
        assert raised(day.see(told(9))) == {}
        assert raised(day.see(told())) == {}


def test_flicker_does_not_end_an_alarm(day: Day) -> None:
    day.settle(16)
    for _ in range(20):
        assert raised(day.see(told())) == {"Overload": 1}
        assert day.see(told()).texts == ("overload",)
        assert raised(day.see(told(16))) == {"Overload": 1}


def test_an_alarm_ends_after_three_readings_without(day: Day) -> None:
    day.settle(16)
    seen = [raised(day.see(told())) for _ in range(4)]
    assert seen == [{"Overload": 1}] * 3 + [{}]


def test_a_fault_shows_at_once_in_mode_f(day: Day) -> None:
    day.settle()
    state = day.see(told(1, 9, 12, mode="F"), after=0.1)
    assert raised(state) == {"HighTemperature": 2}  # a warning waits even so


def test_a_warning_becomes_an_alarm_at_once_in_mode_f(day: Day) -> None:
    assert raised(day.settle(9)) == {"HighTemperature": 1}
    assert raised(day.see(told(9, mode="F"))) == {"HighTemperature": 2}


def test_a1_without_mode_f_is_held(day: Day) -> None:
    day.settle(9)
    assert raised(day.see(told(1, 9))) == {"HighTemperature": 1}
    assert raised(day.see(told(1, 9))) == {"HighTemperature": 2}


@pytest.mark.parametrize("gap", [Snapshot(), Snapshot(online=True, mode="L")])
def test_unknown_at_once_and_back_as_it_was(day: Day, gap: Snapshot) -> None:
    day.settle(9)
    assert set(day.see(gap, after=0.1).levels.values()) == {None}
    assert day.see(gap).error_code is None
    assert raised(day.see(told(9))) == {"HighTemperature": 1}


def test_what_went_during_a_gap_does_not_come_back(day: Day) -> None:
    day.settle(9)
    day.see(Snapshot(online=True))
    assert raised(day.see(told())) == {}


def test_polls_between_two_readings_show_what_the_reading_says(day: Day) -> None:
    """Nothing is told twice, and time alone lets an alarm rise and fall."""
    polled = told(9, 13)
    states = [day.see(polled, after=0.5) for _ in range(30)]
    assert [raised(state) for state in states[::10]] == [{}, {}, raised(states[-1])]
    assert raised(states[-1])["HighTemperature"] == 1
    assert sum(len(state.unknown) for state in states) == 1
    gone = [day.see(told(), after=0.1)]
    gone += [day.see(told(), after=5.0) for _ in range(4)]
    assert raised(gone[0]) == raised(states[-1])
    assert raised(gone[-1]) == {}


def test_what_a_reading_says_follows_the_mode(day: Day) -> None:
    warned = told(9, 10)
    for _ in range(30):
        day.see(warned, after=0.5)
    faulty = replace(warned, mode="F")
    assert raised(day.see(faulty, after=0.5))["HighTemperature"] == 2
    assert day.see(faulty, after=10.0).notices  # by then its code would be known
    assert day.see(faulty, after=0.5).notices == ()

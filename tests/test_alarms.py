"""Warning bits, fault codes and mode F: what they amount to, and their hold times."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from mppdbus.alarms import (
    ALARM_LEVELS,
    DEFAULT_LEVELS,
    LEAVES,
    AlarmState,
    AlarmWatch,
    Kind,
    Notice,
    grid_lost,
    momentary,
)
from mppdbus.alarms.table import EFFECTS, FAULT_EFFECTS, UNSAID
from mppdbus.protocol.dialects import DIALECTS
from mppdbus.protocol.models import Warnings
from mppdbus.snapshot import Snapshot
from support_snapshots import online, qpigs, warnings

STEP = 5.0  # s from one QPIWS to the next


def told(*bits: int, mode: str = "L", dialect: str = "pi30max") -> Snapshot:
    """A snapshot with these bits set, from a unit with a battery."""
    return spoken(online(qpigs(), mode, warned=bits), dialect)


def spoken(snapshot: Snapshot, dialect: str) -> Snapshot:
    return replace(snapshot, identity=replace(snapshot.identity, dialect=dialect))


def without_battery(*bits: int) -> Snapshot:
    return replace(told(*bits, dialect="pi30"), battery_fitted=False)


def raised(state: AlarmState) -> dict[str, int]:
    return {name: level for name, level in state.levels.items() if level}


@dataclass
class Day:
    """A watch that is told one reading after the other."""

    watch: AlarmWatch
    now: float = 0.0

    def see(self, snapshot: Snapshot, after: float = STEP, **more: int) -> AlarmState:
        self.now += after
        return self.watch.feed(snapshot, self.now, **more)

    def settle(
        self, *bits: int, mode: str = "L", dialect: str = "pi30max"
    ) -> AlarmState:
        """Let bits stand in two readings."""
        self.see(told(*bits, mode=mode, dialect=dialect))
        return self.see(told(*bits, mode=mode, dialect=dialect))


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
        ((1, 26), "pi30max", 0),  # reserved there
        ((1, 23), "pi30", 0),
    ],
)
def test_error_code_only_with_a_fault(
    bits: tuple[int, ...], dialect: str, number: int
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
    assert {name for names in ALARM_LEVELS.values() for name in names} == set(LEAVES)
    assert dict(DEFAULT_LEVELS) == dict.fromkeys(LEAVES, 2) | {"GridLost": 0}


@pytest.mark.parametrize(
    ("level", "setting", "shown"),
    [(2, 0, None), (2, None, None), (2, 1, 2), (2, 2, 2), (0, 2, 0), (None, 2, None)],
)
def test_a_lost_grid_is_told_to_those_who_ask(
    level: int | None, setting: int | None, shown: int | None
) -> None:
    assert grid_lost(level, setting) == shown


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


# -- faults and words ------------------------------------------------------------------


def coded(code: str, mode: str = "F", dialect: str = "pi30max") -> Snapshot:
    """A unit of the 48 V MAX kind with this code in a32 and a33."""
    bits = f"01{'0' * 30}{code}00"
    snapshot = told(mode=mode, dialect=dialect)
    return replace(snapshot, warnings=Warnings.from_payload(bits.encode()))


def test_a_fault_code_raises_its_path_and_tells_once(day: Day) -> None:
    state = day.see(coded("02"))
    assert raised(state) == {"HighTemperature": 2}
    assert state.fault == "over temperature (fault 02)"
    assert state.notices == (Notice(Kind.ALARM, "over temperature (fault 02)"),)
    assert state.texts == ()
    assert day.see(coded("02")).notices == ()
    assert day.see(coded("07")).notices == (
        Notice(Kind.ALARM, "overload time-out (fault 07)"),
    )


@pytest.mark.parametrize(
    ("code", "dialect", "levels", "error"),
    [
        ("03", "pi30max", {"HighVoltage": 2}, 0),
        ("04", "pi30max", {"LowVoltage": 2}, 0),
        ("05", "pi30max", {"ShortCircuit": 2}, 0),
        ("06", "pi30max", {"HighVoltageAcOut": 2}, 0),
        ("58", "pi30max", {"LowVoltageAcOut": 2}, 0),
        ("11", "pi30max", {}, 33),
        ("51", "pi30max", {}, 18),
        ("10", "pi30max", {}, 34),
        ("59", "pi30king", {}, 33),
        ("08", "pi30max", {}, 0),
    ],
)
def test_fault_codes(
    day: Day, code: str, dialect: str, levels: dict[str, int], error: int
) -> None:
    state = day.see(coded(code, dialect=dialect))
    assert (raised(state), state.error_code) == (levels, error)
    assert state.fault is not None


def test_the_same_code_means_what_the_family_says(day: Day) -> None:
    states = {
        dialect: day.watch.feed(told(1, mode="F", dialect=dialect), 0.0, fault_code=11)
        for dialect in ("pi30", "pi30king")
    }
    assert states["pi30"].fault == "main relay failed (fault 11)"
    assert states["pi30king"].fault == "PV over-voltage (fault 11)"


def test_a_code_that_no_document_has_is_a_number(day: Day) -> None:
    assert day.see(coded("77")).fault == "no document explains it (fault 77)"


def test_a_code_without_a_fault_says_nothing(day: Day) -> None:
    quiet = replace(coded("02", mode="L"), warnings=warnings(length=36))
    for _ in range(3):
        state = day.see(quiet, fault_code=2)
        assert (raised(state), state.fault, state.notices) == ({}, None, ())


def test_a_code_from_another_reply_counts(day: Day) -> None:
    state = day.see(told(1, mode="F", dialect="pi30"), fault_code=3)
    assert raised(state) == {"HighVoltage": 2}
    assert state.notices[0].text == "battery voltage too high (fault 03)"


def test_a_code_is_kept_as_long_as_the_fault(day: Day) -> None:
    day.see(coded("02"))
    state = day.see(coded("00"))
    assert raised(state) == {"HighTemperature": 2}
    assert state.fault == "over temperature (fault 02)"


def test_a_fault_without_a_code_is_named_by_its_bits(day: Day) -> None:
    faulty = (1, 5, 10, 12, 20)
    state = day.see(told(*faulty, mode="F", dialect="pi30"))
    assert state.fault == "a fan is locked, self-test failed"
    assert state.notices == ()  # the code may come yet
    for _ in range(2):
        state = day.see(told(*faulty, mode="F", dialect="pi30"))
    assert state.notices == (Notice(Kind.ALARM, "a fan is locked, self-test failed"),)
    assert day.see(told(*faulty, mode="F", dialect="pi30")).notices == ()


def test_a_fault_that_has_no_name_is_told_as_well(day: Day) -> None:
    mute = Snapshot(online=True, mode="F")
    states = [day.see(mute) for _ in range(4)]
    assert [state.fault for state in states] == ["inverter fault"] * 4
    assert [len(state.notices) for state in states] == [0, 0, 1, 0]
    assert set(states[-1].levels.values()) == {None}
    assert day.see(Snapshot(online=True, mode="L")).fault is None


def test_a_fault_is_told_again_when_it_comes_again(day: Day) -> None:
    assert day.see(coded("02")).notices
    for _ in range(5):
        state = day.see(told())
    assert state.fault is None
    assert day.see(coded("02")).notices


def test_a_gap_in_a_fault_does_not_tell_it_twice(day: Day) -> None:
    day.see(coded("02", mode="L"))
    assert day.see(coded("02", mode="L")).notices
    assert day.see(replace(coded("02", mode="L"), warnings=None)).fault is None
    assert day.see(Snapshot()).fault is None
    again = day.see(coded("02", mode="L"))
    assert (raised(again), again.notices) == ({"HighTemperature": 2}, ())


@pytest.mark.parametrize(
    ("bit", "text"),
    [
        (2, "bus voltage too high"),
        (10, "a fan is locked"),
        (17, "settings memory failed"),
        (23, "current sensor failed"),
    ],
)
def test_what_has_no_path_is_a_notice_once(day: Day, bit: int, text: str) -> None:
    assert day.see(told(bit)).notices == ()
    state = day.see(told(bit))
    assert state.notices == (Notice(Kind.WARNING, text),)
    assert state.texts == (text,)
    assert day.see(told(bit)).notices == ()
    day.see(Snapshot())
    assert day.see(told(bit)).notices == ()
    for _ in range(4):
        day.see(told())
    assert day.settle(bit).notices


def test_what_has_a_path_is_no_notice(day: Day) -> None:
    assert day.settle(5, 9, 12, 15).notices == ()
    assert day.see(told(5, 9, 12, 15)).texts == (
        "no mains",
        "over temperature",
        "battery voltage low",
        "power reduced for the battery",
    )


def test_an_error_is_in_words_until_it_is_a_fault(day: Day) -> None:
    state = day.settle(18)
    assert state.notices == (Notice(Kind.WARNING, "inverter over-current"),)
    assert state.error_code == 0
    state = day.settle(1, 18, mode="F")
    assert (state.error_code, state.notices) == (18, ())


@pytest.mark.parametrize(("profile", "level"), [("inverter", 2), ("hybrid", None)])
def test_a_short_circuit_is_overload_where_it_has_no_path(
    profile: str, level: int | None
) -> None:
    state = Day(AlarmWatch(profile)).settle(1, 6)
    assert raised(state).get("Overload") == level


def test_unknown_bits_are_told_once(day: Day) -> None:
    assert day.see(told(0, 13, 24)).unknown == ()
    state = day.see(told(0, 13, 24))
    assert state.unknown == ("a13", "a24")
    assert (raised(state), state.texts, state.notices) == ({}, (), ())
    assert day.see(told(0, 13, 24)).unknown == ()
    for _ in range(5):
        day.see(told())
    assert day.settle(13).unknown == ()


def test_a0_is_known_even_where_it_is_reserved(day: Day) -> None:
    assert day.settle(0, dialect="pi30clone").unknown == ()

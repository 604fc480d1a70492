"""Faults and notices: what a code raises, and what is told in words, once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from helpers.alarms import Day, raised, told
from helpers.snapshots import warnings
from mppdbus.model.alarms.levels import Notice, NoticeKind
from mppdbus.model.alarms.watch import AlarmWatch
from mppdbus.model.snapshot import Snapshot
from mppdbus.protocol.replies.status import Warnings


@pytest.fixture
def day() -> Day:
    return Day(AlarmWatch())


def coded(code: str, mode: str = "F", dialect: str = "pi30max") -> Snapshot:
    """A unit of the 48 V MAX kind with this code in a32 and a33."""
    bits = f"01{'0' * 30}{code}00"
    snapshot = told(mode=mode, dialect=dialect)
    return replace(snapshot, warnings=Warnings.from_payload(bits.encode()))


def test_a_fault_code_raises_its_path_or_tells_once(day: Day) -> None:
    state = day.see(coded("02"))
    assert raised(state) == {"HighTemperature": 2}
    assert state.fault == "over temperature (fault 02)"
    assert (state.notices, state.texts) == ((), ())
    assert day.see(coded("01")).notices == (
        Notice(NoticeKind.ALARM, "Fan locked while the inverter was off (fault 01)"),
    )
    assert day.see(coded("01")).notices == ()
    assert day.see(coded("08")).notices == (
        Notice(NoticeKind.ALARM, "Bus voltage too high (fault 08)"),
    )


@pytest.mark.parametrize(
    ("code", "dialect", "levels", "error"),
    [
        ("03", "pi30max", {"HighVoltage": 2}, None),
        ("04", "pi30max", {"LowVoltage": 2}, None),
        ("05", "pi30max", {"ShortCircuit": 2}, None),
        ("06", "pi30max", {"HighVoltageAcOut": 2}, None),
        ("58", "pi30max", {"LowVoltageAcOut": 2}, None),
        ("11", "pi30max", {}, 33),
        ("51", "pi30max", {}, 18),
        ("10", "pi30max", {}, 34),
        ("59", "pi30king", {}, 33),
        ("08", "pi30max", {}, None),
    ],
)
def test_fault_codes(
    day: Day, code: str, dialect: str, levels: dict[str, int], error: int | None
) -> None:
    state = day.see(coded(code, dialect=dialect))
    assert (raised(state), state.error_code) == (levels, error)
    assert state.fault is not None
    alarms = len(levels) + bool(error) + len(state.notices)
    assert alarms == 1, "one fault is one alarm"


def test_the_same_code_means_what_the_family_says(day: Day) -> None:
    states = {
        dialect: day.watch.feed(told(1, mode="F", dialect=dialect), 0.0, fault_code=11)
        for dialect in ("pi30", "pi30king")
    }
    assert states["pi30"].fault == "main relay failed (fault 11)"
    assert states["pi30king"].fault == "PV over-voltage (fault 11)"


def test_a_code_that_no_document_has_is_a_number(day: Day) -> None:
    assert day.see(coded("77")).fault == "inverter fault 77"


def test_of_several_bits_only_those_without_a_path_are_told(day: Day) -> None:
    for _ in range(3):
        state = day.see(told(1, 9, 16, mode="F", dialect="pi30"))
    assert raised(state) == {"HighTemperature": 2, "Overload": 2}
    assert (state.error_code, state.notices) == (None, ())
    day = Day(AlarmWatch())
    for _ in range(3):
        state = day.see(told(1, 9, 10, mode="F", dialect="pi30"))
    assert raised(state) == {"HighTemperature": 2}
    assert state.notices == (Notice(NoticeKind.ALARM, "A fan is locked"),)


def test_a_number_is_an_alarm_only_where_venus_reads_it() -> None:
    hybrid, bare = AlarmWatch(), AlarmWatch("inverter")
    assert Day(hybrid).see(coded("51")).notices == ()
    told_ = Day(bare).see(coded("51"))
    assert told_.notices == (Notice(NoticeKind.ALARM, "Over-current (fault 51)"),)
    assert told_.error_code == 18


def test_a_fault_is_told_in_words_while_no_path_can_show_it(day: Day) -> None:
    mute = replace(coded("07"), warnings=None)
    state = day.see(mute, fault_code=7)
    assert set(state.levels.values()) == {None}
    assert state.notices == (Notice(NoticeKind.ALARM, "Overload time-out (fault 07)"),)


def test_a_code_without_a_fault_says_nothing(day: Day) -> None:
    quiet = replace(coded("02", mode="L"), warnings=warnings(length=36))
    for _ in range(3):
        state = day.see(quiet, fault_code=2)
        assert (raised(state), state.fault, state.notices) == ({}, None, ())


def test_a_code_from_another_reply_counts(day: Day) -> None:
    state = day.see(told(1, mode="F", dialect="pi30"), fault_code=3)
    assert raised(state) == {"HighVoltage": 2}
    assert state.fault == "battery voltage too high (fault 03)"


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
    assert state.notices == (
        Notice(NoticeKind.ALARM, "A fan is locked, self-test failed"),
    )
    assert day.see(told(*faulty, mode="F", dialect="pi30")).notices == ()


def test_a_fault_that_has_no_name_is_told_as_well(day: Day) -> None:
    mute = Snapshot(online=True, mode="F")
    states = [day.see(mute) for _ in range(4)]
    assert [state.fault for state in states] == ["inverter fault"] * 4
    assert [len(state.notices) for state in states] == [0, 0, 1, 0]
    assert set(states[-1].levels.values()) == {None}
    assert day.see(Snapshot(online=True, mode="L")).fault is None


def test_a_fault_is_told_again_when_it_comes_again(day: Day) -> None:
    assert day.see(coded("08")).notices
    for _ in range(5):
        state = day.see(told())
    assert state.fault is None
    assert day.see(coded("08")).notices


def test_a_gap_in_a_fault_does_not_tell_it_twice(day: Day) -> None:
    day.see(coded("08", mode="L"))
    assert day.see(coded("08", mode="L")).notices
    assert day.see(replace(coded("08", mode="L"), warnings=None)).fault is None
    assert day.see(Snapshot()).fault is None
    again = day.see(coded("08", mode="L"))
    assert (again.fault, again.notices) == ("bus voltage too high (fault 08)", ())


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
    shown = text[0].upper() + text[1:]
    assert state.notices == (Notice(NoticeKind.WARNING, shown),)
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
    assert state.notices == (Notice(NoticeKind.WARNING, "Inverter over-current"),)
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

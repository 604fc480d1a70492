"""A ledger as a file: all of it comes back, and nothing else is taken for it."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.state import OLD, decode_books, energy_data
from mppdbus.daemon.state import ENERGY
from mppdbus.errors import StateError
from mppdbus.model.energy.daily_history import Day, History, Overall, TrackerDay
from mppdbus.model.energy.flows import Ways
from mppdbus.model.energy.ledger import Books
from mppdbus.model.energy.meter_follower import Follower

KWH = st.floats(0, 1e6)
MAYBE = st.one_of(st.none(), st.floats(-1e4, 1e4))
FOLLOWERS = st.builds(
    Follower,
    count=KWH,
    shown=st.one_of(st.none(), KWH),
    offset=KWH,
    held=KWH,
    recent=KWH,
    doubt=st.one_of(st.none(), KWH),
)
DAYS = st.builds(
    Day,
    when=st.one_of(st.none(), st.dates()),
    pv=FOLLOWERS,
    max_power=MAYBE,
    max_pv_voltage=MAYBE,
    max_battery_voltage=MAYBE,
    min_battery_voltage=MAYBE,
    max_battery_current=MAYBE,
    minutes_in_bulk=KWH,
    minutes_in_absorption=KWH,
    minutes_in_float=KWH,
    trackers=st.lists(st.builds(TrackerDay, KWH, MAYBE, MAYBE), max_size=3),
)
BOOKS = st.builds(
    Books,
    ways=st.builds(Ways, *[KWH] * 9),
    user=KWH,
    trackers=st.lists(KWH, max_size=3),
    total=FOLLOWERS,
    total_read=st.one_of(st.none(), st.dates()),
    history=st.builds(
        History,
        days=st.lists(DAYS, min_size=1, max_size=4),
        overall=st.builds(Overall, MAYBE, MAYBE, MAYBE),
        behind=st.one_of(st.none(), st.dates()),
    ),
)


def some_books() -> Books:
    days = [Day(date(2026, 11, 23), Follower(3.25)), Day(date(2026, 11, 22))]
    return Books(Ways(12.5), 7.5, [7.5], Follower(100.0, 99.9), history=History(days))


def changed(**parts: object) -> bytes:
    return json.dumps(json.loads(energy_data(some_books())) | parts).encode()


@given(BOOKS)
def test_everything_comes_back(books: Books) -> None:
    assert decode_books(energy_data(books)) == books
    assert ENERGY.state(decode_books(energy_data(books))) == ENERGY.state(books)


def test_the_file_says_whose_it_is_and_from_when() -> None:
    head = json.loads(energy_data(some_books()))
    assert head["inverter"] == "96332405100123"
    assert head["saved"] == "2026-11-23T12:00:00+00:00"
    assert (head["format"], head["version"]) == ("mppdbus energy", 1)


def test_a_month_of_two_trackers_is_small() -> None:
    long = 123.45678901234567
    pv = Follower(long, long, long, long, long)
    tracker = TrackerDay(long, long, long)
    numbers = {
        field.name: long
        for field in fields(Day)
        if field.name.startswith(("max", "min"))
    }
    day = Day(date(2026, 11, 1), pv, trackers=[tracker] * 2, **numbers)
    assert len(energy_data(Books(history=History([day] * 31)))) < 24000


def test_a_field_that_is_missing_or_unknown_does_no_harm() -> None:
    state = {"user": 5.0, "of the future": [1], "history": {"days": [{"pv": {}}]}}
    books = decode_books(changed(state=state))
    assert books.user == 5.0
    assert books.ways == Ways()
    assert books.history.today == Day()
    assert decode_books(changed(state={})) == Books()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "damaged"),
        (energy_data(some_books())[:-9], "damaged"),
        (b"\0" * 4096, "damaged"),
        (b"\xff\xfe{}", "damaged"),
        (b"[" * 100000, "damaged"),
        (b"[]", "not a file of mppdbus energy"),
        (b'{"format":"else"}', "not a file of mppdbus energy"),
        (changed(version="1"), "no version"),
        (changed(version=0), "no version"),
        (changed(state=[]), "damaged"),
        (changed(version=2), "newer mppdbus .version 2"),
        (changed(state={"user": -1}), "user"),
        (changed(state={"user": float("nan")}), "user"),
        (changed(state={"user": 1e300}), "user"),
        (changed(state={"ways": {"solar_to_ac_out": "x"}}), r"ways.solar_to_ac_out"),
        (changed(state={"history": {"days": []}}), r"history.days"),
        (changed(state={"history": {"days": [{"when": "1-1"}]}}), "when"),
    ],
)
def test_what_is_not_ours_is_refused_by_name(data: bytes, says: str) -> None:
    with pytest.raises(StateError, match=says):
        decode_books(data)


@given(st.data())
def test_damage_is_refused_or_harmless_and_never_a_crash(data: st.DataObject) -> None:
    whole = bytearray(energy_data(some_books()))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(
            st.integers(0, 255)
        )
    cut = data.draw(st.integers(0, len(whole)))
    for each in (bytes(whole), bytes(whole[:cut])):
        try:
            books = decode_books(each)
        except StateError:
            continue
        assert decode_books(energy_data(books)) == books


def test_the_first_version_stays_readable() -> None:
    """A file as version 1 wrote it; it must be read for ever."""
    text = (
        '{"format": "mppdbus energy", "version": 1, "inverter": "96332405100123", '
        '"saved": "2026-11-23T13:51:51+00:00", "state": {"ways":{"ac_in1_to_ac_out":'
        '22.5,"solar_to_battery":11.25},"user":16.5,"trackers":[16.5],"total":'
        '{"count":10636.75,"shown":10636.7,"recent":0.05},"total_read":"2026-11-23",'
        '"history":{"days":[{"when":"2026-11-23","pv":{"count":3.5,"shown":3.5},'
        '"max_power":3000.0,"min_battery_voltage":50.5,"minutes_in_bulk":61.5,'
        '"trackers":[{"count":3.5,"max_power":3000.0,"max_voltage":320.0}]},'
        '{"when":"2026-11-22","pv":{"count":13.0}}],'
        '"overall":{"max_pv_voltage":410.0},"behind":"2026-11-22"}}}'
    )
    books = decode_books(text.encode())
    assert books.ways == Ways(ac_in1_to_ac_out=22.5, solar_to_battery=11.25)
    assert books.total == Follower(10636.75, 10636.7, recent=0.05)
    assert books.history.day(1) == Day(date(2026, 11, 22), Follower(13.0))
    assert books.history.today.trackers == [TrackerDay(3.5, 3000.0, 320.0)]
    assert books.history.behind == date(2026, 11, 22)


def test_a_file_of_the_daemon_before_this_envelope_is_read_in_full() -> None:
    data = (OLD / "energy-1.json").read_bytes()
    books = decode_books(data)
    assert books.ways.solar_to_battery == pytest.approx(0.2917, abs=1e-4)
    assert books.losses.known
    assert books.losses.looks == 60
    assert [day.pv.count for day in books.history.days[:3]] == pytest.approx(
        [0.22, 0.22, 0.2017], abs=1e-4
    )
    assert json.loads(ENERGY.state(books)) == json.loads(data)["state"]

"""The monitor's picture: pure text, for any width, and never a stale number."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.snapshots import online, qpigs
from mppdbus.commands.view.live_values import Picture, Tracker, of_service, of_unit
from mppdbus.commands.view.render import number, render, render_all, seconds, summary
from mppdbus.commands.view.screen import HIDE, SHOW, PlainLines, Screen
from mppdbus.commands.view.widgets import (
    Style,
    bar,
    bare,
    beside,
    box,
    centre,
    fit,
    paint,
    spread,
    width_of,
)
from mppdbus.model.snapshot import Snapshot
from mppdbus.model.views import Unit, UnitView
from mppdbus.venus.tables.row import values_of
from mppdbus.venus.unit_service import INVERTER, MULTI

UNIT = Unit("garage", "/dev/ttyUSB0", 288)
SUNNY = online(
    qpigs(load=500, charge=6, pv=800, bits="00010110"),
    trackers=2,
    pv2="01.0 201.0 00205 ",
)
MAINS = online(qpigs(load=500, charge=6, bits="00010101"), warned=(5, 12))
DARK = online(qpigs(grid=0.0, load=900, discharge=18), mode="B")


def picture(snapshot: Snapshot, age: float = 0.4) -> Picture:
    return of_unit(UnitView.of(UNIT, snapshot), age=age)


def text(one: Picture, width: int = 80) -> str:
    return "\n".join(render(one, width))


# -- widgets -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (None, "····"),
        (0.0, "░░░░"),
        (0.001, "▏░░░"),
        (0.5, "██░░"),
        (0.53, "██▏░"),
        (1.0, "████"),
        (7.0, "████"),
        (-1.0, "░░░░"),
    ],
)
def test_bars(share: float | None, shown: str) -> None:
    assert bar(share, 4) == shown


def test_pieces_have_the_width_they_were_given() -> None:
    red = paint("alarm", Style.BAD)
    assert bare(red) == "alarm"
    assert width_of(red) == 5
    assert fit("alarm", 8) == "alarm   "
    assert fit(red, 3) == "al…"
    assert fit("x", 0) == ""
    assert spread("left", "right", 12) == "left   right"
    assert spread("left", "right", 7) == "l…right"
    assert spread("left", "right", 4) == "rig…"
    assert centre("ab", 6) == "  ab  "
    assert paint("  ", Style.BAD) == "  "
    lines = [
        bare(line) for line in box("PV", ["a", "too long a line"], 10, Style.DIM, 2)
    ]
    assert lines == ["┌─ PV ───┐", "│ a      │", "│ too l… │", "└────────┘"]
    assert beside(["a", "bb"], ["c"]) == ["a c", "bb "]


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "-- s"), (0.44, "0.4 s"), (12.4, "12 s"), (200, "3 min"), (7300, "2 h")],
)
def test_times_as_people_say_them(value: float | None, said: str) -> None:
    assert seconds(value) == said


def test_numbers_have_no_minus_zero_and_their_sign_where_it_matters() -> None:
    assert number(-0.2, "W", sign="+") == "0 W"
    assert number(12.04, "A", 1, sign="+") == "+12.0 A"
    assert number(-12.04, "A", 1, sign="+") == "-12.0 A"
    assert number(None, "V", 2) == "-- V"


# -- pictures --------------------------------------------------------------------------


def test_the_flow_on_mains_with_sun() -> None:
    shown = text(picture(SUNNY))
    assert "1  150.0 V          800 W" in shown
    assert "2  201.0 V          205 W" in shown
    assert "together           1005 W" in shown
    assert "charging           +312 W" in shown
    assert " 80 % █" in shown
    assert "VMIII-5000 · 96332405100123" in shown
    assert "● read 0.4 s ago" in shown
    assert "Alarms   none" in shown
    assert shown.count("━▶") == 3  # PV and load and battery; the mains give nothing
    assert shown.count("··") == 1


def test_arrows_turn_round_with_the_power() -> None:
    shown = text(picture(DARK))
    assert "discharging        -936 W" in shown
    assert shown.count("◀━") == 1
    assert shown.count("━▶") == 1
    assert "no mains" in shown
    assert "battery" in shown


def test_mains_power_says_that_it_is_derived() -> None:
    assert "derived             812 W" in text(picture(MAINS))


def test_warnings_are_said_in_words() -> None:
    assert picture(MAINS).alarms == ("no mains", "battery voltage low")
    assert "Alarms   no mains, battery voltage low" in text(picture(MAINS))
    fault = replace(MAINS, mode="F", warnings=online(qpigs(), warned=(1, 9)).warnings)
    assert picture(fault).alarms == ("inverter fault", "over temperature")


def test_raw_counts_are_no_temperature() -> None:
    raw = replace(SUNNY, identity=replace(SUNNY.identity, dialect="pi30ms"))
    assert picture(SUNNY).temperature == 35
    assert "35 °C" in text(picture(SUNNY))
    assert picture(raw).temperature is None


@pytest.mark.parametrize("width", [80, 50])
def test_a_silent_inverter_shows_no_number_of_its_own(width: int) -> None:
    shown = text(picture(SUNNY).gone(4.0, "QPIGS: no reply within 1.6 s"), width)
    assert "no answer for 4.0 s" in shown
    values = "".join(shown.splitlines()[2:-1])
    assert not re.search("[0-9]", re.sub(r"[12]  -- V", "", values))
    assert "-- W" in shown
    assert "Why      QPIGS: no reply" in shown


def test_nothing_known_yet() -> None:
    shown = text(Picture("garage", "/dev/ttyUSB0"))
    assert "○ waiting" in shown
    assert "Alarms   --" in shown
    assert "Link     --" in shown


@pytest.mark.parametrize("width", [20, 40, 71, 72, 80, 100, 133])
@pytest.mark.parametrize("snapshot", [SUNNY, MAINS, DARK, Snapshot(online=True)])
def test_no_line_is_wider_than_the_terminal(width: int, snapshot: Snapshot) -> None:
    lines = render(picture(snapshot), width, colour=True)
    assert max(map(width_of, lines)) <= max(width, 20)
    assert [bare(line) for line in lines] == render(picture(snapshot), width)


def test_at_80_columns_there_are_boxes_and_below_72_lines() -> None:
    assert "┌─ Grid " in text(picture(SUNNY), 72)
    assert "┌" not in text(picture(SUNNY), 71)
    assert "Battery   +312 W █" in text(picture(SUNNY), 71)
    assert len(render(picture(SUNNY), 80)) <= 23  # fits the smallest usual terminal


def test_long_alarms_go_on_below() -> None:
    long = replace(
        picture(MAINS), alarms=tuple(f"warning number {n}" for n in range(9))
    )
    lines = render(long, 60)
    rows = [line for line in lines if "warning number" in line]
    assert len(rows) == 4, lines
    assert rows[1].startswith(" " * 9)


def test_several_inverters_stand_one_below_the_other() -> None:
    two = render_all([picture(SUNNY), picture(DARK)], 80)
    assert (
        len(two) == len(render(picture(SUNNY), 80)) + len(render(picture(DARK), 80)) + 1
    )


numbers = st.one_of(st.none(), st.floats(-1e5, 1e5))


@given(
    values=st.tuples(*[numbers] * 8),
    width=st.integers(1, 140),
    name=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60),
)
@settings(max_examples=100, deadline=None)
def test_any_values_can_be_drawn(
    values: tuple[float | None, ...], width: int, name: str
) -> None:
    pv, grid, load, battery, soc, volts, rating, age = values
    one = Picture(
        name,
        name,
        age=abs(age or 0.0),
        mode=name,
        trackers=(Tracker(volts, pv),) * 3,
        pv_power=pv,
        grid_power=grid,
        load_power=load,
        battery_power=battery,
        battery_voltage=volts,
        soc=soc,
        rated_power=abs(rating or 0.0) or None,
        alarms=(name,),
    )
    assert all(width_of(line) <= max(width, 20) for line in render(one, width))
    assert "\n" not in summary(one)


# -- one line -------------------------------------------------------------------------


def test_the_summary_of_a_poll() -> None:
    assert summary(picture(SUNNY)) == (
        "garage: line, bulk; pv 1005 W (800+205); grid 230.0 V 0 W; load 500 W; "
        "battery 52.00 V +6.0 A +312 W 80 %; alarms: none"
    )
    assert summary(picture(SUNNY).gone(5, "no reply")) == (
        "garage: no answer for 5.0 s (no reply)"
    )


def test_a_pipe_gets_a_line_only_for_what_reads_otherwise(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines, sunny = PlainLines(), picture(SUNNY)
    lines.show([sunny], news=True)
    lines.show([sunny], news=True)
    lines.show([picture(MAINS)], news=True)
    lines.show([picture(MAINS).gone(5, "no reply")], news=False)
    said = capsys.readouterr().out.splitlines()
    assert [line.partition(" ")[2] for line in said] == [
        summary(sunny),
        summary(picture(MAINS)),
    ]


# -- the same picture from the bus -----------------------------------------------------

ONLY_WE_KNOW = {"temperature", "exchange_time", "heard", "where", "alarms", "age"}
ONLY_WE_KNOW |= {"model", "failures", "quality"}


@pytest.mark.parametrize("snapshot", [SUNNY, MAINS, DARK])
def test_the_bus_shows_what_the_line_shows(snapshot: Snapshot) -> None:
    view = UnitView.of(UNIT, snapshot)
    seen = of_service("com.victronenergy.multi.x", values_of(MULTI, view, 1), age=0.4)
    ours = picture(snapshot)
    for name in set(Picture.__dataclass_fields__) - ONLY_WE_KNOW:
        assert getattr(seen, name) == getattr(ours, name), name
    assert "● changed 0.4 s ago" in text(seen)


def test_an_alarm_on_the_bus() -> None:
    view = UnitView.of(UNIT, MAINS)
    seen = of_service("x", values_of(INVERTER, view, 1), age=0.0)
    assert seen.alarms == ("battery voltage low (warning)",)


def test_a_service_that_is_not_connected_shows_nothing_else() -> None:
    view = UnitView.of(UNIT, Snapshot(identity=SUNNY.identity))
    seen = of_service("x", values_of(MULTI, view, 1), age=3.0)
    assert seen.silent == 3.0
    assert seen.load_power is None


def test_a_service_with_rubbish_is_drawn_too() -> None:
    rubbish = dict.fromkeys(values_of(MULTI, UnitView.of(UNIT, SUNNY), 1), "x")
    assert of_service("x", rubbish | {"/Connected": 1}, age=0.0).pv_power is None
    assert render(of_service("x", {}, age=None), 80)


# -- the screen ------------------------------------------------------------------------


class Terminal(io.StringIO):
    """A stdout that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def small_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")


def test_the_screen_is_redrawn_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Terminal()
    one = picture(SUNNY)
    rows = len(render(one, 80))
    with Screen(terminal) as screen:
        screen.show([one], news=True)
        first = terminal.getvalue()
        screen.show([one], news=False)
        second = terminal.getvalue()[len(first) :]
        monkeypatch.setenv("COLUMNS", "60")
        screen.show([one], news=False)
    third = terminal.getvalue()[len(first) + len(second) :]
    assert first.startswith(HIDE)
    assert first.count("\n") == rows
    assert second.startswith(f"\x1b[{rows}A\r")
    assert third.startswith("\x1b[H\x1b[J")
    assert third.endswith(SHOW)


def test_a_low_terminal_gets_what_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINES", "6")
    terminal = Terminal()
    with Screen(terminal) as screen:
        screen.show([picture(SUNNY)], news=True)
    assert terminal.getvalue().count("\n") == 5

"""Victron's words for what the inverter does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from helpers.snapshots import online, qpigs
from mppdbus.model.power import mains_used
from mppdbus.model.snapshot import Snapshot
from mppdbus.model.victron_codes import (
    State,
    active_input,
    firmware_number,
    mode,
    state,
)

CHARGING = "00010101"


@pytest.mark.parametrize(
    ("letter", "payload", "expected"),
    [
        ("P", qpigs(), State.OFF),
        ("S", qpigs(bits="00000000"), State.OFF),
        ("S", qpigs(bits="00000101", volts=50), State.BULK),
        ("L", qpigs(), State.PASSTHRU),
        ("L", qpigs(bits=CHARGING, volts=52), State.BULK),
        ("L", qpigs(bits=CHARGING, volts=56.2), State.ABSORPTION),
        ("L", qpigs(bits=CHARGING, volts=54, more="110"), State.FLOAT),
        ("B", qpigs(grid=0), State.INVERTING),
        ("F", qpigs(), State.FAULT),
        ("H", qpigs(), State.LOW_POWER),
        ("Y", qpigs(), State.PASSTHRU),
        ("E", qpigs(), State.PASSTHRU),
        ("C", qpigs(bits="00000110", volts=50), State.BULK),
        ("D", qpigs(), State.OFF),
        ("Q", qpigs(), None),  # a letter that nobody has explained
    ],
)
def test_state(letter: str, payload: str, expected: State | None) -> None:
    assert state(online(payload, letter)) is expected


def test_bulk_and_absorption_are_unknown_without_the_bulk_voltage() -> None:
    known = online(qpigs(bits=CHARGING), "L", with_ratings=False)
    assert state(known) is None


def test_no_battery_is_not_charged_whatever_the_bits_say() -> None:
    bare = replace(online(qpigs(bits=CHARGING), "L"), battery_fitted=False)
    assert state(bare) is State.PASSTHRU


def test_an_unknown_mode_is_unknown_everywhere() -> None:
    assert state(Snapshot(online=True)) is None
    assert mode(Snapshot(online=True)) is None
    assert active_input(mains_used(Snapshot(online=True))) is None


def test_a_mode_letter_that_nobody_explained_is_no_switch_position() -> None:
    assert mode(online(qpigs(), "Q")) is None


def test_switch_position_and_active_input() -> None:
    assert mode(online(qpigs(), "L")) == 3
    assert mode(online(qpigs(), "S")) == 4
    assert active_input(mains_used(online(qpigs(), "L"))) == 0
    assert active_input(mains_used(online(qpigs(grid=0), "B"))) == 240


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("00072.70", 0x7270),
        ("00041.15", 0x4115),
        ("00000.00", 0),
        ("0007A.0B", 0x7A0B),
        (None, None),
        ("12345.67", None),  # does not fit three bytes
    ],
)
def test_firmware_number(text: str | None, number: int | None) -> None:
    assert firmware_number(text) == number

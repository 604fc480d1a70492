"""A letter of QMOD is one row, and everything that depends on it follows."""

from __future__ import annotations

import pytest

from helpers.snapshots import online, qpigs
from mppdbus.model.power import mains_used
from mppdbus.model.victron_codes import mode, state
from mppdbus.protocol.modes import MODES, Supply, letters


@pytest.mark.parametrize("letter", MODES)
def test_each_known_mode_has_a_state_and_a_switch_position(letter: str) -> None:
    unit = online(qpigs(), letter)
    assert state(unit) is not None
    assert mode(unit) is not None
    assert mains_used(unit) is not None


def test_a_letter_without_a_row_says_nothing() -> None:
    unit = online(qpigs(), "Z")
    assert (state(unit), mode(unit), mains_used(unit)) == (None, None, None)


@pytest.mark.parametrize(
    ("supply", "wanted"),
    [
        (Supply.MAINS, "LYE"),
        (Supply.BATTERY, "BH"),
        (Supply.SWITCHED_OFF, "SC"),
        (Supply.NONE, "PFD"),
    ],
)
def test_what_feeds_the_output(supply: Supply, wanted: str) -> None:
    assert letters(supply) == frozenset(wanted)

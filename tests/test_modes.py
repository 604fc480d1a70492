"""A letter of QMOD counts for all families, and several tables have to know it."""

from __future__ import annotations

import pytest

from mppdbus.power import MAINS_MODES, OUTPUT_OFF_MODES
from mppdbus.protocol.models import MODES
from mppdbus.victron import mode, state
from support_snapshots import online, qpigs

# Letters with which nothing is taken from the mains; all others are in power.py.
OFF_MAINS = frozenset("PBFHD")


@pytest.mark.parametrize("letter", MODES)
def test_each_known_mode_means_something_here_too(letter: str) -> None:
    unit = online(qpigs(), letter)
    if state(unit) is None or mode(unit) is None:
        pytest.fail(
            f"QMOD {letter}: say in STATES or state(), and where it is not ON in "
            "MODE_OF, of src/mppdbus/victron.py what it amounts to",
            pytrace=False,
        )
    places = [MAINS_MODES, OUTPUT_OFF_MODES, OFF_MAINS]
    if sum(letter in place for place in places) != 1:
        pytest.fail(
            f"QMOD {letter}: does it take from the mains? Then MAINS_MODES in "
            "src/mppdbus/power.py has to know, else OFF_MAINS in "
            "tests/test_modes.py; OUTPUT_OFF_MODES where only its b0 can tell",
            pytrace=False,
        )

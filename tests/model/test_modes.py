"""A letter of QMOD counts for all families, and several tables have to know it."""

from __future__ import annotations

import pytest

from helpers.snapshots import online, qpigs
from mppdbus.model.power import BATTERY_MODES, MAINS_MODES, OUTPUT_OFF_MODES
from mppdbus.model.victron_codes import mode, state
from mppdbus.protocol.replies.status import MODES

NEITHER = frozenset("PFD")  # no power flows: just switched on, fault, shut down


@pytest.mark.parametrize("letter", MODES)
def test_each_known_mode_means_something_here_too(letter: str) -> None:
    unit = online(qpigs(), letter)
    if state(unit) is None or mode(unit) is None:
        pytest.fail(
            f"QMOD {letter}: say in STATES or state(), and where it is not ON in "
            "MODE_OF, of src/mppdbus/model/victron_codes.py what it amounts to",
            pytrace=False,
        )
    places = [MAINS_MODES, BATTERY_MODES, OUTPUT_OFF_MODES, NEITHER]
    if sum(letter in place for place in places) != 1:
        pytest.fail(
            f"QMOD {letter}: where does the load's power come from? Say so in "
            "src/mppdbus/model/power.py: in MAINS_MODES; in BATTERY_MODES, where "
            "nothing is taken from the mains; or in OUTPUT_OFF_MODES",
            pytrace=False,
        )

"""What is gone at once is believed when another reply, or the mode, says so too."""

from __future__ import annotations

import pytest

from helpers.frames import BY_ID
from mppdbus.protocol.replies.fields import Reading
from mppdbus.protocol.replies.parallel import ParallelStatus
from mppdbus.protocol.replies.settings import Ratings
from mppdbus.protocol.replies.status import GeneralStatus, SecondTracker
from mppdbus.protocol.vanished import Vanished

LIVE = GeneralStatus(
    grid_voltage=230.0,
    grid_frequency=50.0,
    ac_output_voltage=230.0,
    ac_output_frequency=50.0,
    battery_voltage=52.0,
    bus_voltage=380.0,
    pv_input_voltage=300.0,
    ac_output_active_power=500,
)
UNIT = ParallelStatus(
    exists=True, serial="1", mode="B", ac_output_voltage=230.0, battery_voltage=52.0
)
RATED = Ratings(ac_output_rating_voltage=230.0, battery_rating_voltage=48.0)
PV2 = SecondTracker(pv2_current=5.0, pv2_voltage=210.0, pv2_power=1050)
GONE = {
    "mains": (LIVE, {"grid_voltage": 0.0, "grid_frequency": 0.0}),
    "mains at 1 V": (LIVE, {"grid_voltage": 1.0}),
    "output": (LIVE, {"ac_output_voltage": 0.0, "ac_output_frequency": 0.0}),
    "battery": (LIVE, {"battery_voltage": 0.1}),
    "bus": (LIVE, {"bus_voltage": 0.0}),
    "sun": (LIVE, {"pv_input_voltage": 0.0}),
    "second tracker": (PV2, {"pv2_current": 0.0, "pv2_voltage": 0.0, "pv2_power": 0}),
    "member": (UNIT, {"ac_output_voltage": 0.0, "battery_voltage": 0.0}),
    "ratings": (RATED, {"ac_output_rating_voltage": 0.0}),
}


def told(vanished: Vanished, mode: str | None, *readings: Reading) -> list[bool]:
    """Tell of each reading, a second apart, whether it is believed."""
    return [
        not vanished.doubts("Q", reading, float(now), mode)
        for now, reading in enumerate(readings)
    ]


@pytest.mark.parametrize("what", GONE)
def test_once_is_not_believed_and_leaves_no_trace(what: str) -> None:
    good, missing = GONE[what]
    gone = good.model_copy(update=missing)
    vanished = Vanished()
    for _ in range(3):
        assert told(vanished, None, good, gone, good) == [True, False, True]


@pytest.mark.parametrize("what", [what for what in GONE if what != "member"])
def test_a_second_reply_confirms_it(what: str) -> None:
    good, missing = GONE[what]
    gone = good.model_copy(update=missing)
    believed = told(Vanished(), None, good, gone, gone, gone)
    assert believed in ([True, False, True, True], [True, False, False, True])


def test_a_mode_that_contradicts_takes_a_reply_more() -> None:
    gone = LIVE.model_copy(update=GONE["mains"][1])
    assert told(Vanished(), "L", LIVE, gone, gone, gone) == [True, False, False, True]
    assert told(Vanished(), "L", gone, gone, gone) == [False, False, True]
    assert told(Vanished(), "B", gone) == [True]
    assert told(Vanished(), "S", LIVE.model_copy(update=GONE["output"][1])) == [True]


def test_a_new_mode_confirms_it_only_if_it_agrees() -> None:
    vanished, gone = Vanished(), LIVE.model_copy(update=GONE["mains"][1])
    dark = LIVE.model_copy(update=GONE["output"][1])
    assert told(vanished, "L", LIVE, gone) == [True, False]
    assert not vanished.confirms("Q", gone, 1.0, "L")
    assert vanished.confirms("Q", gone, 1.0, "B")
    assert told(vanished, "B", gone, LIVE, dark) == [True, True, False]
    assert not vanished.confirms("Q", dark, 2.0, "L")
    assert vanished.confirms("Q", dark, 2.0, "S")


def test_powers_may_go_at_once_and_old_readings_are_not_compared() -> None:
    vanished = Vanished()
    idle = LIVE.model_copy(update={"ac_output_active_power": 0})
    assert told(vanished, "L", LIVE, idle) == [True, True]
    gone = LIVE.model_copy(update=GONE["sun"][1])
    assert vanished.doubts("Q", gone, 62.0, "L") == frozenset()
    assert told(Vanished(), None, RATED.model_copy(update=GONE["ratings"][1])) == [
        False
    ]


def test_units_and_queries_are_not_compared_with_each_other() -> None:
    vanished = Vanished()
    other = UNIT.model_copy(
        update={"serial": "2", "mode": "S", "ac_output_voltage": 0.0}
    )
    assert told(vanished, "L", UNIT, other, UNIT, other) == [True] * 4
    assert not vanished.doubts("QPGS3", other, 5.0, "L")


def test_what_units_have_said_in_turn_is_believed() -> None:
    for frame in BY_ID.values():
        if frame.is_good and frame.command in ("QPIGS", "QPIRI") and not frame.is_nak:
            assert not Vanished().doubts("Q", frame.decode(), 0.0, None), frame.id

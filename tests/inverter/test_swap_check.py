"""Plugs that are swapped while the port stays: nothing of the other one is shown."""

from __future__ import annotations

import asyncio

import pytest

from helpers.polled import Watched, polling, sparse
from helpers.simulator import inverter_of, warped
from mppdbus.errors import LinkError, NoReply
from mppdbus.inverter.schedule import SERIAL, SHORTEST_KEEP
from mppdbus.inverter.timing import FAILURES_OFFLINE, FAILURES_REOPEN, SWAP
from mppdbus.protocol.framing import encode_reply
from mppdbus.simulator.line.simulator import Simulator, simulate

OURS, THEIRS = 500, 900  # W, the loads
OTHER = "96342107100002"
SCENE = f"grid on; load {OURS}; pause"


def ours() -> Simulator:
    return simulate("max-8000", scene=SCENE)


def swap(simulator: Simulator, serial: str = OTHER) -> None:
    inverter_of(simulator).serial = serial
    simulator.scene.apply(f"load {THEIRS}")


async def told_of(watched: Watched, seconds: float) -> None:
    """Wait until the other unit is found, and look that nothing of it was shown."""
    assert watched.task is not None
    with pytest.raises(LinkError, match=rf"^another .* now: {OTHER}, not "):
        async with asyncio.timeout(seconds):
            await watched.task
    shown = [s.status for _, s in watched.shown if s.status is not None]
    assert {status.ac_output_active_power for status in shown} == {OURS}
    assert {s.online for _, s in watched.shown[1:]} == {True}


@pytest.mark.parametrize("query", ["QPIGS", "QPIGS2", "QMOD", "QPIWS", "QPIRI"])
@pytest.mark.parametrize("attempts", [1, 2, 3])
@pytest.mark.parametrize("interval", [2.0, None])
def test_a_swap_in_a_silence(query: str, attempts: int, interval: float | None) -> None:
    """Also where a second attempt is answered, and no query has failed."""

    async def main() -> None:
        async with polling(ours(), interval) as watched:
            await asyncio.sleep(40)
            scene = watched.simulator.scene
            before = watched.link.stats.lost
            scene.apply(f"fault silence {attempts} {query}")
            async with asyncio.timeout(700):
                while watched.link.stats.lost == before:
                    await asyncio.sleep(0.01)
            swap(watched.simulator)
            await told_of(watched, 12.0)

    warped(main)


@pytest.mark.parametrize(
    ("interval", "seconds"),
    [
        (60.0, 62),
        (10.0, 12),
        (5.0, 7),
        (2.0, SERIAL.every + 4),
        (None, SERIAL.every_fast),
    ],
)
def test_a_swap_without_a_trace(interval: float | None, seconds: float) -> None:
    """With a long time between two polls the next reading is not shown unasked."""

    async def main() -> None:
        async with polling(ours(), interval) as watched:
            await asyncio.sleep(150)
            swap(watched.simulator)
            assert watched.task is not None
            with pytest.raises(LinkError, match="another inverter is here now"):
                async with asyncio.timeout(seconds):
                    await watched.task
            if interval is not None and interval > 2 * SWAP:
                shown = [s.status for _, s in watched.shown if s.status]
                assert {s.ac_output_active_power for s in shown} == {OURS}

    warped(main)


def test_while_nobody_says_who_he_is_nothing_is_shown() -> None:
    """And after a while nothing is known; then the port is opened anew."""

    async def main() -> None:
        async with polling(ours()) as watched:
            await asyncio.sleep(40)
            watched.simulator.scene.apply("fault silence 1 QPIWS")
            watched.simulator.scene.apply("fault silence forever QID")
            watched.simulator.scene.apply(f"load {THEIRS}")
            before = watched.asked("QID")
            async with asyncio.timeout(20):
                while watched.asked("QID") == before:
                    await asyncio.sleep(0.01)
            good, shown = asyncio.get_running_loop().time(), len(watched.shown)
            assert watched.task is not None
            with pytest.raises(NoReply, match=r"^QID: "):
                await watched.task
            assert watched.asked("QID") - before == 2 * FAILURES_REOPEN
            assert [type(each) for each in watched.complaints] == [NoReply]
            later = watched.shown[shown:]
            assert all(s.status is None for _, s in later)
            assert later[0][0] - good < SHORTEST_KEEP + 1
            assert not watched.last.online

    warped(main)


def test_values_turn_invalid_while_it_is_asked_who_is_there() -> None:
    """What was shown before is as old as without the question."""

    async def main() -> None:
        async with polling(ours(), interval=0.5, patience=60) as watched:
            await asyncio.sleep(30)
            watched.simulator.scene.apply("fault corrupt 1 QPIGS")
            watched.simulator.scene.apply("fault silence forever QID")
            await asyncio.sleep(SHORTEST_KEEP + 2)
            good = max(t for t, s in watched.shown if s.status is not None)
            ((invalid, last),) = [(t, s) for t, s in watched.shown if t > good]
            assert invalid - good == pytest.approx(SHORTEST_KEEP, abs=0.7)
            assert (last.status, last.second, last.online) == (None, None, True)

    warped(main)


def test_one_lost_question_shows_nowhere() -> None:
    async def main() -> None:
        async with polling(ours()) as watched:
            await asyncio.sleep(40)
            watched.simulator.scene.apply("fault corrupt 1 QMOD")
            watched.simulator.scene.apply("fault silence 2 QID")
            before = watched.asked("QID")
            await asyncio.sleep(20)
            assert watched.asked("QID") - before == 3
            assert all(s.status is not None for _, s in watched.shown)
            assert watched.complaints == []

    warped(main)


def test_a_number_that_many_units_give_is_none() -> None:
    async def main() -> None:
        async with polling(ours()) as watched:
            await asyncio.sleep(40)
            watched.simulator.scene.apply("fault silence 1 QMOD")
            swap(watched.simulator, "55355535553555")
            assert watched.task is not None
            with pytest.raises(LinkError, match="55355535553555 is the number of many"):
                await watched.task
            assert len(watched.complaints) == 1

    warped(main)


@pytest.mark.parametrize(("serial", "more"), [("NAK", 8), ("55355535553555", 0)])
def test_who_has_no_number_is_seldom_asked_for_it(serial: str, more: int) -> None:
    async def main() -> None:
        unit = sparse(encode_reply("NAK"), QID=serial)
        async with polling(unit, interval=10.0) as watched:
            asked = watched.asked("QID")
            watched.simulator.scene.apply("fault corrupt 3 QMOD")
            await asyncio.sleep(300)
            assert watched.asked("QID") - asked <= more
            assert all(s.status is not None for _, s in watched.shown)

    warped(main)


@pytest.mark.parametrize("every", [1, FAILURES_OFFLINE])
def test_the_same_unit_goes_on_after_a_silence(every: int) -> None:
    async def main() -> None:
        async with polling(ours()) as watched:
            await asyncio.sleep(40)
            watched.simulator.scene.apply(f"fault silence {2 * every} QPIGS")
            before = watched.asked("QID")
            await asyncio.sleep(15)
            assert watched.asked("QID") - before == 1
            assert watched.last.status is not None

    warped(main)

"""Which query when, over hours at 2400 baud that take no time."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from itertools import pairwise

import pytest

from helpers.polled import SECOND, polling, sparse
from helpers.simulator import warped
from mppdbus.errors import (
    CorruptReply,
    LinkError,
    MppdbusError,
    NoReply,
    PortLost,
    Refused,
)
from mppdbus.inverter.schedule import ONCE, OPTIONAL
from mppdbus.inverter.timing import (
    ATTEMPTS,
    FAILED_EVERY,
    FAILURES_OFFLINE,
    FAILURES_REOPEN,
)
from mppdbus.protocol.framing import encode_reply
from mppdbus.simulator.line.simulator import Response, Simulator, simulate
from mppdbus.simulator.line.speed import Pace
from mppdbus.simulator.unit.recording import Recording

# -- cadences ------------------------------------------------------------------------


def test_at_leisure_each_query_has_its_cadence() -> None:
    async def main() -> None:
        async with polling(simulate("max-8000")) as watched:
            await asyncio.sleep(1200)
            asked = watched.simulator.scene.requests
            assert asked["QPIGS"] == pytest.approx(600, abs=5)
            assert asked["QPIGS2"] == pytest.approx(600, abs=5)
            assert asked["QMOD"] == pytest.approx(600, abs=5)
            assert 190 <= asked["QPIWS"] <= 240
            assert 18 <= asked["QPIRI"] <= 22
            assert 4 <= asked["QFLAG"] <= 6
            assert 18 <= asked["QID"] <= 21
            assert {asked[query] for query in ("QPI", "QMN", "QGMN")} == {1}
            assert watched.link.stats.retries == 0
            assert watched.complaints == []
            assert all(s.status is not None for _, s in watched.shown)

    warped(main)


def test_as_fast_as_the_line_allows() -> None:
    """QPIGS takes 0.55 s; with QMOD and QPIWS after every tenth 0.59 s."""

    async def main() -> None:
        async with polling(simulate(), interval=None) as watched:
            await asyncio.sleep(600)
            asked = watched.simulator.scene.requests
            assert 600 / asked["QPIGS"] < 0.60
            assert 600 / asked["QMOD"] < 6.5
            assert asked["QID"] in (2, 3)
            assert 600 / asked["QPIWS"] < 6.5
            assert watched.link.stats.retries == 0
            live = [t for t, s in watched.shown[1:] if s.status is not None]
            assert max(b - a for a, b in pairwise(live)) < 1.7  # QPIRI between

    warped(main)


def test_all_that_is_asked_once_is_known_soon() -> None:
    async def main() -> None:
        async with polling(simulate("max-8000"), interval=None) as watched:
            await asyncio.sleep(10)
            needed = [query for query in ONCE if query not in OPTIONAL]
            assert all(watched.asked(query) >= 1 for query in needed)
            last = watched.last
            assert (last.identity.model, last.trackers) == ("MKS2-8000", 2)
            assert None not in (last.ratings, last.warnings, last.flags, last.second)
            await asyncio.sleep(15)
            assert all(watched.asked(query) >= 1 for query in ONCE)

    warped(main)


def test_the_mode_is_asked_at_once_when_the_mains_go() -> None:
    async def main() -> None:
        async with polling(simulate(), interval=None) as watched:
            await asyncio.sleep(30.3)
            assert watched.last.mode == "L"
            watched.simulator.scene.apply("grid off")
            await asyncio.sleep(2 * 0.6 + 0.2)
            assert watched.last.mode == "B"

    warped(main)


def test_the_mode_is_asked_at_once_when_the_battery_takes_over() -> None:
    """No status bit shows that: neither mode charges, and the mains stay."""

    async def main() -> None:
        scene = "grid on; pv 0; load 800; panel PCP03; soc 90"
        unit = simulate("max-8000", scene=scene)
        async with polling(unit, interval=None) as watched:
            await asyncio.sleep(30.3)
            assert watched.last.mode == "L"
            before = watched.last.status
            for line in ("mode B", "battery 51 -16"):
                watched.simulator.scene.apply(line)
            await asyncio.sleep(2 * 0.8 + 0.3)
            assert watched.last.mode == "B"
            assert before is not None
            assert watched.last.status is not None
            assert watched.last.status.device_status == before.device_status

    warped(main)


# -- units that do not answer all -----------------------------------------------------


@pytest.mark.parametrize("unrecorded", [encode_reply("NAK"), None])
@pytest.mark.parametrize("interval", [2.0, None])
def test_what_a_unit_does_not_know_does_not_cost_its_live_values(
    unrecorded: bytes | None, interval: float | None
) -> None:
    """NAK, or silence as a VMII says it: each silence costs seconds."""

    async def main() -> None:
        async with polling(sparse(unrecorded), interval) as watched:
            await asyncio.sleep(120)
            assert watched.last.trackers == 1
            assert watched.complaints == []
            for query in ("QPIGS2", "QMN", "QGMN", "QVFW"):
                # Two rounds, and a third one a minute later; silence is repeated.
                assert 3 <= watched.asked(query) <= 4
            before = watched.asked("QPIGS")
            assert all(s.status is not None for _, s in watched.shown)
            await asyncio.sleep(600)
            assert all(s.status is not None for _, s in watched.shown)
            every = 600 / (watched.asked("QPIGS") - before)
            assert every < 1.15 * (interval or 0.6)

    warped(main)


@pytest.mark.parametrize("interval", [0.5, 2.0, None])
@pytest.mark.parametrize("think", [0.6, 1.1])
def test_a_unit_that_thinks_for_long_shows_all(
    think: float, interval: float | None
) -> None:
    """Longer than half the patience, and than all of it: both trackers and the mode."""

    async def main() -> None:
        scene = "grid on; pv 900; load 800; soc 70"
        unit = simulate("max-8000", pace=Pace(think=think), scene=scene)
        async with polling(unit, interval) as watched:
            await asyncio.sleep(60)
            start = len(watched.shown)
            await asyncio.sleep(600)
            shown = [snapshot for _, snapshot in watched.shown[start:]]
            assert len(shown) > 100
            for each in shown:
                assert None not in (each.status, each.second, each.mode, each.warnings)

    warped(main)


@pytest.mark.parametrize("interval", [2.0, None])
def test_one_tracker_is_known_within_four_seconds(interval: float | None) -> None:
    async def main() -> None:
        unit = simulate("axpert-5000", pace=Pace(think=0.06))
        async with polling(unit, interval) as watched:
            start = asyncio.get_running_loop().time()
            await asyncio.sleep(30)
            known = [time for time, shown in watched.shown if shown.trackers == 1]
            assert known[0] - start < 4.0
            assert watched.asked("QPIGS2") == 2

    warped(main)


ODD = {
    "QMOD": "12 34", "QPIWS": "00 11 ab", "QFLAG": "12 x", "QMN": "", "QVFW": "?? 12",
    "QID": "12 34 56",
}  # fmt: skip


def said_oddly(query: str, times: int) -> Simulator:
    """Return a unit whose first replies to a query have a shape that none has."""
    unit = simulate("axpert-5000", pace=Pace(think=0.06))
    respond, odd = unit.respond, [encode_reply(ODD[query])] * times

    def oddly(request: bytes, now: float) -> Response | None:
        response = respond(request, now)
        if odd and response is not None and request[:-2] == query.encode():
            return replace(response, data=odd.pop())
        return response

    unit.respond = oddly  # type: ignore[method-assign]
    return unit


@pytest.mark.parametrize("query", ODD)
def test_an_odd_reply_is_no_answer_and_is_soon_asked_again(query: str) -> None:
    async def main() -> None:
        async with polling(said_oddly(query, 2)) as watched:
            await asyncio.sleep(20)
            last = watched.last
            assert None not in (last.mode, last.warnings, last.flags)
            assert last.identity.model == "VMIII-5000"
            assert last.identity.firmware == "00041.15"
            assert last.identity.serial == "92932105100123"

    warped(main)


@pytest.mark.parametrize("query", ODD)
def test_where_all_replies_are_odd_it_is_seldom_asked(query: str) -> None:
    async def main() -> None:
        async with polling(said_oddly(query, 10_000)) as watched:
            await asyncio.sleep(60)
            before = watched.asked(query)
            await asyncio.sleep(600)
            # Once a minute at most, in two attempts.
            assert watched.asked(query) - before <= 22
            assert watched.last.status is not None

    warped(main)


def test_a_unit_without_modes() -> None:
    async def main() -> None:
        simulator = sparse(None)
        assert isinstance(simulator.source, Recording)
        del simulator.source.replies["QMOD"]
        async with polling(simulator) as watched:
            await asyncio.sleep(300)
            assert all(s.status is not None for _, s in watched.shown)
            assert watched.last.mode is None
            assert watched.asked("QMOD") < 20  # silence takes seconds: once a minute

    warped(main)


def test_damage_is_not_taken_for_a_no() -> None:
    async def main() -> None:
        simulator = sparse(encode_reply("NAK"), QPIGS2=SECOND)
        simulator.scene.apply("fault corrupt 4 QPIGS2")
        async with polling(simulator) as watched:
            await asyncio.sleep(2.5)
            assert watched.last.trackers is None
            await asyncio.sleep(20)
            assert watched.last.trackers == 2

    warped(main)


@pytest.mark.parametrize("fault", ["nak", "corrupt", "silence"])
def test_the_second_tracker_alone_takes_nothing_offline(fault: str) -> None:
    async def main() -> None:
        async with polling(simulate("max-8000")) as watched:
            await asyncio.sleep(20)
            watched.simulator.scene.apply(f"fault {fault} forever QPIGS2")
            await asyncio.sleep(30)
            last = watched.last
            assert (last.online, last.trackers, last.second) == (True, 2, None)
            assert last.status is not None
            assert watched.complaints == []

    warped(main)


@pytest.mark.parametrize("fault", ["", "fault silence forever QPIGS2"])
def test_a_round_of_several_trackers_ends_with_its_second_reply(fault: str) -> None:
    """QPIGS is shown at once; sums wait for QPIGS2, or until it is not there."""

    async def main() -> None:
        async with polling(simulate("max-8000")) as watched:
            await asyncio.sleep(20)
            watched.simulator.scene.apply(fault)
            begin = len(watched.shown)
            await asyncio.sleep(30)
            shown = [snapshot for _, snapshot in watched.shown[begin:]]
            rounds = list(itertools.pairwise(shown))
            whole = [snapshot for snapshot in shown if not snapshot.second_follows]
            assert all(not b.second_follows for a, b in rounds if a.second_follows)
            assert len({id(snapshot.status) for snapshot in whole}) >= 10
            assert any(snapshot.second_follows for snapshot in shown)

    warped(main)


# -- mute -----------------------------------------------------------------------------


def test_three_failed_polls_and_nothing_is_known_until_it_answers_again() -> None:
    async def main() -> None:
        async with polling(simulate()) as watched:
            await asyncio.sleep(30)
            watched.simulator.scene.apply("fault silence forever")
            before = watched.asked("QPIGS")
            others = watched.simulator.scene.requests.total() - before
            loop = asyncio.get_running_loop()
            while watched.last.online:
                await asyncio.sleep(0.1)
            # Nothing else is asked meanwhile: it would only take time.
            asked = watched.simulator.scene.requests.total() - watched.asked("QPIGS")
            assert asked <= others + 2
            assert watched.asked("QPIGS") - before in (3 * 2, 3 * 2 + 1)
            assert [type(each) for each in watched.complaints] == [NoReply]
            away = watched.inverter.away()
            assert replace(watched.last, link=away.link) == away
            assert watched.last.link.failures == 2 * FAILURES_OFFLINE
            watched.simulator.scene.apply("fault off")
            answered = loop.time()
            while not watched.last.online:
                await asyncio.sleep(0.1)
            assert loop.time() - answered < 2 * (FAILED_EVERY + 1.7)
            assert len(watched.complaints) == 1

    warped(main)


def test_values_turn_invalid_in_the_middle_of_an_exchange() -> None:
    """A refusal takes long with such a patience, so they are kept for longer."""

    async def main() -> None:
        async with polling(simulate(), interval=0.5, patience=60) as watched:
            await asyncio.sleep(30)
            watched.simulator.scene.apply("fault silence forever")
            good = max(t for t, s in watched.shown if s.status is not None)
            keep = watched.poller.keep["QPIGS"]
            assert keep < 16
            await asyncio.sleep(keep + 1)
            invalid = min(t for t, s in watched.shown if t > good and s.status is None)
            assert invalid - good == pytest.approx(keep, abs=0.7)
            assert watched.last.online

    warped(main)


def test_one_mishap_shows_nowhere() -> None:
    async def main() -> None:
        async with polling(simulate()) as watched:
            await asyncio.sleep(20)
            watched.simulator.scene.apply("fault silence 2 QPIGS")  # a whole poll
            await asyncio.sleep(20)
            assert all(s.status is not None for _, s in watched.shown)
            assert watched.complaints == []

    warped(main)


@pytest.mark.parametrize(
    ("fault", "error"),
    [("silence", NoReply), ("corrupt", CorruptReply), ("nak", Refused)],
)
def test_who_stays_away_has_his_port_opened_anew(
    fault: str, error: type[MppdbusError]
) -> None:
    async def main() -> None:
        async with polling(simulate()) as watched:
            await asyncio.sleep(20)
            watched.simulator.scene.apply(f"fault {fault} forever")
            assert watched.task is not None
            before = watched.asked("QPIGS")
            with pytest.raises(error, match=r"^QPIGS: "):
                await watched.task
            assert watched.asked("QPIGS") - before == FAILURES_REOPEN * ATTEMPTS
            assert len(watched.complaints) == 1

    warped(main)


def test_a_lost_port_ends_it_at_once() -> None:
    async def main() -> None:
        async with polling(simulate()) as watched:
            await asyncio.sleep(20)
            watched.simulator.scene.apply("fault disconnect")
            assert watched.task is not None
            with pytest.raises(PortLost):
                await watched.task
            assert watched.complaints == []
            shown = len(watched.shown)
            await asyncio.sleep(60)
            assert len(watched.shown) == shown  # no timer is left behind

    warped(main)


def test_a_stranger_at_the_first_poll_is_an_error_of_the_link() -> None:
    async def main() -> None:
        with pytest.raises(LinkError):
            async with polling(simulate(scene="fault silence forever")):
                pass

    warped(main)


# -- two trackers --------------------------------------------------------------------


def test_live_values_do_not_wait_for_the_second_tracker() -> None:
    """QPIGS is shown at its end, and QPIGS2 is asked after that."""

    async def main() -> None:
        async with polling(simulate("max-8000")) as watched:
            await asyncio.sleep(40)
            clock, asked = asyncio.get_running_loop().time, list[tuple[float, str]]()
            source = watched.simulator.source
            reply = source.reply

            def noted(command: str) -> bytes | None:
                asked.append((clock(), command))
                return reply(command)

            source.reply = noted  # type: ignore[method-assign]
            shown = len(watched.shown)
            await asyncio.sleep(10)
            live = [t for t, s in watched.shown[shown:] if s.link.age == 0]
            assert len(live) >= 4
            for time in live[1:]:
                last = max(t for t, query in asked if query == "QPIGS2" and t < time)
                assert time - last > 1.0

    warped(main)


@pytest.mark.parametrize("interval", [2.0, None])
def test_a_silent_second_tracker_does_not_slow_the_live_values(
    interval: float | None,
) -> None:
    async def main() -> None:
        async with polling(simulate("max-8000"), interval) as watched:
            await asyncio.sleep(60)
            watched.simulator.scene.apply("fault silence forever QPIGS2")
            before, shown = watched.asked("QPIGS"), len(watched.shown)
            await asyncio.sleep(300)
            every = 300 / (watched.asked("QPIGS") - before)
            assert every < 1.1 * (interval or 0.62)
            new = [(t, s) for t, s in watched.shown[shown:] if s.status is not None]
            live = [b for (_, a), (b, c) in pairwise(new) if a.status is not c.status]
            assert max(b - a for a, b in pairwise(live)) < (interval or 0.6) + 1.5
            watched.simulator.scene.apply("fault off")
            await asyncio.sleep(61)
            assert watched.last.second is not None

    warped(main)

"""One cable, many units: what the poller tells of a simulated set at 2400 baud."""

from __future__ import annotations

import asyncio
from collections.abc import Container
from dataclasses import replace

import pytest

from helpers.set import SetWatched, fleet_of, watching
from helpers.simulator import warped
from mppdbus.model.power import Flow, Origin, flow, legs
from mppdbus.model.snapshot import Snapshot
from mppdbus.protocol.framing import encode_reply
from mppdbus.simulator.line.simulator import Simulator, simulate
from mppdbus.simulator.line.speed import Pace
from mppdbus.simulator.scene.control import Scene
from mppdbus.simulator.unit.recording import Recording
from mppdbus.simulator.unit.replies import grid_v

SUNNY = "load 3000; grid off; pv 2000 700; soc 60"
ON_MAINS = "load 2400; grid on; pv 1000 300; soc 60"
ONE_TRACKER = "load 3000; grid off; pv 1500; soc 60"
KNOWN = 45.0  # s until a set of three is known at leisure
ROUND = 20.0  # s that three rounds of two others take at most


def agrees(watched: SetWatched, number: int) -> Flow:
    """Compare what is told of a unit with the truth; return its flow."""
    unit = watched.unit(number)
    told, truth = watched.others[unit.serial], unit.plant.truth()
    status, shown = told.status, flow(told)
    assert status is not None
    assert told.online
    assert told.identity.serial == unit.serial
    assert told.mode == unit.plant.mode
    assert status.grid_voltage == pytest.approx(grid_v(unit.plant), abs=0.06)
    assert status.ac_output_voltage == pytest.approx(unit.plant.output_v, abs=0.06)
    assert status.battery_voltage == pytest.approx(unit.plant.battery_v, abs=0.06)
    assert shown.battery_current == pytest.approx(unit.plant.battery_a, abs=1.01)
    assert sum(leg.power or 0.0 for leg in legs(told)) == pytest.approx(
        truth["load_w"], abs=1.1
    )
    assert status.bus_voltage is None
    assert status.heatsink_temperature is None
    assert told.warnings is None
    assert told.fault_code == "00"
    return shown


def sun_of(watched: SetWatched, number: int) -> float:
    return sum(watched.unit(number).plant.pv_w)


@pytest.mark.parametrize(
    ("profile", "labels", "scene", "phases", "tolerance"),
    [
        ("max-8000", "3", SUNNY, [None, None, None], 0.03),
        ("max-8000", "L1,L2,L3", SUNNY, [1, 2, 3], 0.03),
        ("max-8000", "3", ON_MAINS, [None, None, None], 0.3),
        ("king-5000", "L1,L2,L3", ONE_TRACKER, [1, 2, 3], 0.03),
        ("eg4-6500", "L1,L2", SUNNY, [1, 2], 0.03),
        ("plus-duo-5000", "2", SUNNY, [None, None], 0.001),
        ("lv5048", "3", SUNNY, [None, None, None], 0.03),
        ("lv5048", "2", ON_MAINS, [None, None], 0.05),
    ],
)
def test_the_others_are_told_as_they_are(
    profile: str, labels: str, scene: str, phases: list[int | None], tolerance: float
) -> None:
    """PV is printed in whole amperes, so it is inexact on mains."""

    async def main() -> None:
        for at in range(len(phases)):
            async with watching(fleet_of(profile, labels, scene), at=at) as watched:
                await asyncio.sleep(KNOWN)
                others = [n for n in range(len(phases)) if n != at]
                assert len(watched.others) == len(others)
                for number in others:
                    shown = agrees(watched, number + 1)
                    sun = sun_of(watched, number + 1)
                    assert shown.pv_total == pytest.approx(sun, rel=tolerance)
                    measured = profile == "plus-duo-5000"
                    wanted = Origin.MEASURED if measured else Origin.ESTIMATED
                    assert shown.pv_origin is wanted
                    told = watched.others[watched.unit(number + 1).serial]
                    assert told.phase == phases[number]
                assert watched.own[-1].phase == phases[at]
                assert watched.inverter.away().phase == phases[at]

    warped(main)


@pytest.mark.parametrize(
    ("interval", "cycle", "live"), [(1.0, 14, 1.75), (2.0, 14, 2.35), (None, 14, 1.65)]
)
def test_nine_units_each_within_a_sensible_cycle(
    interval: float | None, cycle: float, live: float
) -> None:
    async def main() -> None:
        async with watching(fleet_of("max-8000", "9", SUNNY), interval=interval) as w:
            await asyncio.sleep(90)
            assert len(w.online) == 8
            before = w.requests.copy()
            await asyncio.sleep(300)
            rounds = [w.requests[f"QPGS{n}"] - before[f"QPGS{n}"] for n in range(1, 9)]
            assert 300 / min(rounds) < cycle
            assert max(rounds) - min(rounds) <= 1
            rare = w.requests["QPGS9"] + w.requests["QPGS0"]
            assert 3 <= rare - before["QPGS9"] - before["QPGS0"] <= 6
            intervals = {told.link.interval for told in w.others.values()}
            assert all(each is not None and 9 < each < 14.5 for each in intervals)
            assert 300 / (w.requests["QPIGS"] - before["QPIGS"]) < live
            assert all(s.status is not None for s in w.own[-100:])
            for number in range(2, 10):
                agrees(w, number)

    warped(main)


def test_a_long_pause_is_used_for_several_units() -> None:
    async def main() -> None:
        async with watching(fleet_of("max-8000", "9", SUNNY), interval=6.0) as watched:
            await asyncio.sleep(90)
            before = watched.requests["QPGS4"]
            await asyncio.sleep(300)
            assert 300 / (watched.requests["QPGS4"] - before) < 13
            assert all(s.status is not None for s in watched.own)

    warped(main)


@pytest.mark.parametrize("interval", [2.0, None])
def test_a_unit_drops_out_and_comes_back(interval: float | None) -> None:
    async def main() -> None:
        fleet = fleet_of("max-8000", "L1,L2,L3", SUNNY)
        async with watching(fleet, interval=interval) as watched:
            await asyncio.sleep(KNOWN)
            gone, stays = watched.unit(2).serial, watched.unit(3).serial
            assert watched.online == {gone, stays}
            watched.tell("unit 2 off")
            await asyncio.sleep(ROUND)
            assert watched.online == {stays}
            told = watched.others[gone]
            identity = replace(told.identity)
            assert told == Snapshot(identity=identity, trackers=2, phase=2)
            assert identity.serial == gone
            agrees(watched, 3)
            watched.tell("unit 2 on")
            await asyncio.sleep(ROUND)
            assert watched.online == {gone, stays}
            agrees(watched, 2)
            assert watched.complaints == []

    warped(main)


@pytest.mark.parametrize("interval", [1.0, 2.0, None])
@pytest.mark.parametrize("count", [2, 5, 9])
@pytest.mark.parametrize("fault", ["silence", "nak", "corrupt"])
def test_the_last_values_of_a_silent_unit_are_shown_for_15_s_at_most(
    count: int, interval: float | None, fault: str
) -> None:
    """Of nine a round takes up to 13 s; then it is a quarter of that more."""

    async def main() -> None:
        fleet = fleet_of("max-8000", str(count), SUNNY)
        async with watching(fleet, interval=interval) as watched:
            await asyncio.sleep(120)
            silent = watched.unit(2).serial
            interval_ = watched.others[silent].link.interval
            assert interval_ is not None
            watched.line.apply(f"fault {fault} forever QPGS1")
            began = watched.clock()
            while silent in watched.online:
                assert watched.clock() - began < 60
                await asyncio.sleep(0.1)
            assert watched.clock() - began < max(15.0, 1.25 * interval_) + 3.0
            assert watched.online == {
                watched.unit(n).serial for n in range(3, count + 1)
            }

    warped(main)


@pytest.mark.parametrize("fault", ["silence", "corrupt"])
def test_what_was_not_answered_three_times_is_not_known(fault: str) -> None:
    async def main() -> None:
        async with watching(fleet_of("max-8000", "3", SUNNY)) as watched:
            await asyncio.sleep(KNOWN)
            scene = watched.line
            scene.apply(f"fault {fault} 2 QPGS1")
            await asyncio.sleep(ROUND)
            assert all(
                len({k for k in t if t[k].online}) == 2 for _, t in kept(watched)
            )
            scene.apply(f"fault {fault} forever QPGS1")
            await asyncio.sleep(ROUND)
            assert watched.online == {watched.unit(3).serial}
            assert all(snapshot.status is not None for snapshot in watched.own)
            scene.apply("fault off")
            await asyncio.sleep(ROUND)
            assert len(watched.online) == 2

    warped(main)


def kept(watched: SetWatched) -> list[tuple[float, dict[str, Snapshot]]]:
    """Return what was told since both others are known."""
    return [entry for entry in watched.told if len(entry[1]) == 2]


def test_a_unit_that_is_switched_on_later_is_found() -> None:
    async def main() -> None:
        fleet = fleet_of("max-8000", "3", f"{SUNNY}; unit 3 off")
        async with watching(fleet) as watched:
            await asyncio.sleep(KNOWN)
            assert watched.online == {watched.unit(2).serial}
            watched.tell("unit 3 on")
            await asyncio.sleep(9 * 61)  # one empty slot a minute
            assert watched.online == {watched.unit(n).serial for n in (2, 3)}

    warped(main)


def test_while_the_cable_is_dead_no_unit_is_online() -> None:
    async def main() -> None:
        async with watching(fleet_of("max-8000", "3", SUNNY)) as watched:
            await asyncio.sleep(KNOWN)
            watched.line.apply("fault silence forever")
            while watched.own[-1].online:
                await asyncio.sleep(0.1)
            assert watched.online == set()
            watched.line.apply("fault off")
            await asyncio.sleep(ROUND)
            assert len(watched.online) == 2

    warped(main)


def test_the_end_of_a_connection_takes_all_away_and_the_next_knows_them() -> None:
    async def main() -> None:
        fleet = fleet_of("max-8000", "3", SUNNY)
        async with watching(fleet) as watched:
            await asyncio.sleep(KNOWN)
            assert len(watched.online) == 2
        assert watched.online == set()
        assert len(watched.others) == 2
        async with watching(fleet, inverter=watched.inverter) as again:
            await asyncio.sleep(1)
            while len(again.online) < 2:
                await asyncio.sleep(0.1)
            await asyncio.sleep(KNOWN)
            assert again.requests["QPGS7"] == 1  # only the first has looked there

    warped(main)


def test_the_fault_code_of_another_unit_and_of_the_own() -> None:
    async def main() -> None:
        async with watching(fleet_of("max-8000", "3", SUNNY)) as watched:
            await asyncio.sleep(KNOWN)
            assert watched.own[-1].fault_code is None  # asked too seldom to be true
            watched.tell("unit 2 fault 71")
            await asyncio.sleep(ROUND)
            told = watched.others[watched.unit(2).serial]
            assert (told.mode, told.fault_code) == ("F", "71")
            watched.tell("unit 1 fault 7")
            await asyncio.sleep(ROUND)
            assert watched.own[-1].fault_code == "07"
            watched.tell("unit 1 fault 0")
            await asyncio.sleep(ROUND + 30)
            assert watched.own[-1].fault_code in (None, "00")

    warped(main)


def test_units_without_a_number_of_their_own_stay_apart() -> None:
    async def main() -> None:
        fleet = fleet_of("max-8000", "3", f"{SUNNY}; unit 2 pv 900 0; unit 3 pv 0 0")
        for simulator in fleet.simulators:
            simulator.source.serial = "55355535553555"  # type: ignore[attr-defined]
        async with watching(fleet, at=1) as watched:
            await asyncio.sleep(KNOWN)
            assert watched.online == {"slot 0", "slot 2"}
            sun = {key: flow(told).pv_total for key, told in watched.others.items()}
            assert sun["slot 0"] == pytest.approx(2700, rel=0.03)
            assert sun["slot 2"] == 0
            watched.tell("unit 3 off")
            await asyncio.sleep(ROUND)
            assert watched.online == {"slot 0"}

    warped(main)


def test_other_units_are_no_evidence_of_the_family() -> None:
    async def main() -> None:
        async with watching(fleet_of("eg4-6500", "9", SUNNY)) as watched:
            await asyncio.sleep(90)
            found = watched.inverter.readings.filter.identification
            assert found is not None
            assert len(set(found.reasons)) == len(found.reasons)

    warped(main)


OWN = "92932105100123"
REPLIES = {
    "QPI": "PI30",
    "QID": OWN,
    "QMOD": "B",
    "QPIGS": "000.0 00.0 230.0 50.0 0500 0450 010 380 52.00 010 080 0035 02.0 150.0 "
    "00.00 00007 00010110 00 00 00300 110",
    "QPIRI": "230.0 21.7 230.0 50.0 21.7 5000 5000 48.0 46.0 42.0 56.4 54.0 0 30 060 "
    "0 0 2 9 01 0 1 54.0 0 1",
}
QPGS = (
    "1 {} B 00 000.0 00.00 230.0 {:05.2f} 0500 0450 010 {:04.1f} 000 080 000.0 000 "
    "01000 00900 010 00000010 1 2 060 060 30 00 009"
)


TRACKERS = "1 00500 202.0 01.0 00205 203.0 01.0 00203 0000"


def recorded(**more: str) -> Recording:
    """A unit of a parallel set that answers NAK where no other unit is."""
    framed = {query: [encode_reply(said)] for query, said in (REPLIES | more).items()}
    return Recording("recorded", framed, encode_reply("NAK"))


def test_what_cannot_have_been_measured_is_unknown() -> None:
    async def main() -> None:
        other = "92932105100124"
        source = recorded(
            QPGS0=QPGS.format(OWN, 50, 52), QPGS1=QPGS.format(other, 99, 7.5)
        )
        simulator = Simulator(source, Scene(None, pace=Pace(think=0.06)))
        async with watching(simulator) as watched:
            await asyncio.sleep(KNOWN)
            told = watched.others[other]
            assert told.status is not None
            assert told.status.ac_output_active_power == 450
            assert told.status.ac_output_frequency is None
            assert told.status.battery_voltage is None
            assert flow(told).battery_current is None

    warped(main)


def test_where_a_nak_was_a_unit_may_be_another_time() -> None:
    async def main() -> None:
        other = "92932105100124"
        source = recorded(QPGS0=QPGS.format(OWN, 50, 52))
        simulator = Simulator(source, Scene(None, pace=Pace(think=0.06)))
        async with watching(simulator) as watched:
            await asyncio.sleep(KNOWN)
            assert watched.others == {}
            source.replies["QPGS1"] = [encode_reply(QPGS.format(other, 50, 52))]
            await asyncio.sleep(10 * 61)
            assert watched.online == {other}
            del source.replies["QPGS1"]
            await asyncio.sleep(4.5)
            assert watched.online == {other}  # a NAK may be a mishap
            await asyncio.sleep(4.5)
            assert watched.online == set()

    warped(main)


@pytest.mark.parametrize(
    ("answers", "asked"), [(["NAK"], range(3, 5)), (["NAK", TRACKERS], range(9, 99))]
)
def test_the_other_half_is_asked_for_until_it_never_comes(
    answers: list[str], asked: Container[int]
) -> None:
    async def main() -> None:
        other = "92932105100124"
        source = recorded(
            QPIGS2="01.0 202.0 00205 ",
            QPGS0=QPGS.format(OWN, 50, 52),
            QPGS1=QPGS.format(other, 50, 52),
        )
        source.replies["QP2GS1"] = [encode_reply(answer) for answer in answers]
        simulator = Simulator(source, Scene(None, pace=Pace(think=0.06)))
        async with watching(simulator) as watched:
            await asyncio.sleep(3 * KNOWN)
            # QPGS0 is not known to be its own when it is asked first.
            assert watched.requests["QP2GS0"] == 1
            assert watched.requests["QP2GS0"] + watched.requests["QP2GS1"] in asked
            assert watched.online == {other}
            seconds = [told[other].second for _, told in watched.told if other in told]
            assert any(seconds) is (TRACKERS in answers)

    warped(main)


# -- units without others --------------------------------------------------------------


@pytest.mark.parametrize("profile", ["max-8000", "axpert-5000", "plus-duo-5000"])
def test_a_lone_unit_is_asked_once(profile: str) -> None:
    async def main() -> None:
        async with watching(simulate(profile)) as watched:
            await asyncio.sleep(600)
            asked = [q for q in watched.requests if q.startswith(("QPGS", "QP2GS"))]
            assert asked == ["QPGS0"]
            # Where it is refused, once more soon, and then seldom.
            assert watched.requests["QPGS0"] in (1, 3)
            assert watched.told == []
            assert watched.own[-1].phase is None

    warped(main)


def test_a_unit_that_could_have_others_looks_for_them_seldom() -> None:
    """An LV5048 is never set up as a single one."""

    async def main() -> None:
        async with watching(simulate("lv5048")) as watched:
            await asyncio.sleep(60)
            before = watched.requests.copy()
            await asyncio.sleep(1200)
            looked = watched.requests - before
            assert sum(n for q, n in looked.items() if "QPGS" in q) in (19, 20)
            assert before["QP2GS0"] <= 1
            assert looked["QP2GS0"] == 0  # QPIGS2 says it
            assert watched.others == {}

    warped(main)


def test_a_lone_unit_names_its_fault() -> None:
    async def main() -> None:
        async with watching(simulate("max-8000")) as watched:
            await asyncio.sleep(KNOWN)
            watched.tell("fault 7")
            await asyncio.sleep(ROUND)
            assert watched.own[-1].fault_code == "07"

    warped(main)

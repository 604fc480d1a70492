"""Sets of units: which there are, and what each unit knows of the others."""

from __future__ import annotations

import pytest

from helpers.fleet import PARALLEL, PHASES, fleet, loads, units, words
from mppdbus.errors import ConfigError
from mppdbus.protocol.framing import encode_reply, encode_request
from mppdbus.simulator.scene.sets import parse_set, simulate_set
from mppdbus.simulator.unit.inverter import SimulatedInverter
from mppdbus.simulator.unit.profiles import PROFILES


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("2", ("parallel",) * 2),
        ("9", ("parallel",) * 9),
        ("L1,L2,L3", PHASES),
        ("l1, l1, l2,l3", ("L1", "L1", "L2", "L3")),
        ("L1,L2", ("S1", "S2")),
        ("L1,L1,L2,L2", ("S1", "S1", "S2", "S2")),
    ],
)
def test_how_a_set_is_written(text: str, labels: tuple[str, ...]) -> None:
    assert parse_set(text) == labels


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1", "a set has 2 to 9 units, not 1"),
        ("10", "a set has 2 to 9 units, not 10"),
        ("L1", "'L1' is no set: write 3, or L1,L2,L3"),
        ("L1,L3", "is no set"),
        ("L1,L2,L4", "is no set"),
        ("", "is no set"),
        ("three", "is no set"),
    ],
)
def test_what_is_no_set(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        parse_set(text)


def test_which_personalities_can() -> None:
    with pytest.raises(ConfigError, match="axpert-5000 works alone; for sets take mks"):
        simulate_set("axpert-5000", PARALLEL)
    with pytest.raises(ConfigError, match="king-5000 cannot be L1 of two legs; take e"):
        simulate_set("king-5000", ("S1", "S2"))
    for name, profile in PROFILES.items():
        if "QPGS" in profile.queries:
            assert len(simulate_set(name, PARALLEL).simulators) == 3


@pytest.mark.parametrize(
    ("labels", "profile", "modes"),
    [
        (PARALLEL, "max-8000", ["1", "1", "1"]),
        (PHASES, "king-5000", ["2", "3", "4"]),
        (("S1", "S2"), "eg4-6500", ["5", "7"]),
        (("parallel", "parallel"), "lv5048", ["6", "6"]),
        (PHASES, "lv5048", ["2", "3", "4"]),
    ],
)
def test_every_unit_knows_its_place(
    labels: tuple[str, ...], profile: str, modes: list[str]
) -> None:
    found = units(fleet(labels, profile=profile))
    assert [words(unit, "QPIRI")[21] for unit in found] == modes
    assert [words(unit, "QOPM")[0] for unit in found] == [f"0{mode}" for mode in modes]
    for asked in found:
        seen = [words(asked, f"QPGS{n}")[20] for n in range(len(found))]
        assert seen == modes


def test_all_units_are_seen_over_one_cable() -> None:
    built = fleet(scene="grid off; load 1500; pv 0 0; battery 52 -30")
    first, _, third = units(built)
    for asked in (first, third):
        seen = [words(asked, f"QPGS{n}") for n in range(10)]
        assert [row[0] for row in seen] == ["1"] * 3 + ["0"] * 7
        serials = [row[1] for row in seen[:3]]
        assert serials == ["96342107100456", "96342107100457", "96342107100458"]
        assert {row[9] for row in seen[:3]} == {"0500"}
        assert {row[17] for row in seen} == {"01500"}  # totals, of empty slots too
        assert {row[26] for row in seen[:3]} == {"010"}  # 30 A out of all of them
        assert seen[5][2] == "P"
        assert seen[5][11] == "00.0"
    assert [words(unit, "QID")[0] for unit in (first, third)] == [
        serials[0],
        serials[2],
    ]
    assert words(third, "QSID")[0].startswith("1496342107100458")


def test_one_alone_says_that_no_set_exists() -> None:
    alone = SimulatedInverter(profile=PROFILES["max-8000"])
    assert words(alone, "QPGS0")[:2] == ["0", "96342107100456"]  # f0039
    assert words(alone, "QPGS1")[:2] == ["0", "0" * 14]
    assert (
        words(SimulatedInverter(profile=PROFILES["plus-duo-5000"]), "QPGS0")[0] == "1"
    )


def test_a_unit_drops_out_and_comes_back() -> None:
    built = fleet(scene="load 1500; pv 0 0; battery 52 -30; grid off")
    first, second, _ = units(built)
    assert built.scene.apply("unit 2 off") == "ok unit 2: power off"
    assert loads(built) == [750, 0, 750]
    assert built.simulators[1].respond(encode_request("QMOD")[:-1], 0.0) is None
    gone, others = words(first, "QPGS1"), words(first, "QPGS0")
    assert gone[:3] == ["0", "0" * 14, "P"]
    assert (others[9], others[17], others[26]) == ("0750", "01500", "015")
    assert [words(unit, "Q1")[9] for unit in units(built)[::2]] == ["02", "01"]
    built.scene.apply("unit 1 off")
    assert words(units(built)[2], "Q1")[9] == "02"  # the master has gone
    built.scene.apply_script("unit 1 on; unit 2 on")
    assert loads(built) == [500, 500, 500]
    assert words(first, "QPGS1")[1] == second.serial
    response = built.simulators[1].respond(encode_request("QMOD")[:-1], 0.0)
    assert response is not None
    assert response.data == encode_reply("B")


def test_a_unit_that_comes_back_does_as_the_others_do() -> None:
    built = fleet(scene="load 900; pv 0 0; soc 90; unit 3 off")
    first, _, third = units(built)
    assert first.answer("POP02") == "ACK"
    built.scene.apply("step 60")
    built.scene.apply("unit 3 on")
    assert [words(unit, "QMOD")[0] for unit in units(built)] == ["B", "B", "B"]
    assert words(third, "QPIRI")[16] == "2"


def test_setters_reach_one_unit_or_all() -> None:
    found = units(fleet())
    assert found[0].answer("MNCHGC2100") == "ACK"  # unit number 2
    assert [words(unit, "QPIRI")[14] for unit in found] == ["060", "060", "100"]
    assert found[0].answer("PPCP103") == "ACK"
    assert [words(unit, "QPIRI")[17] for unit in found] == ["2", "3", "2"]
    assert words(found[2], "QPGS1")[21] == "3"
    assert found[0].answer("MNCHGC3100") == "NAK"  # there is no number 3
    assert found[1].answer("POP01") == "ACK"
    assert found[1].answer("PBCV48.0") == "ACK"
    for unit in found:
        assert (words(unit, "QPIRI")[16], words(unit, "QPIRI")[8]) == ("1", "48.0")

"""Sets of units: one battery, one load, and nothing from nowhere."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mppdbus.errors import ConfigError
from mppdbus.protocol.framing import encode_reply, encode_request
from mppdbus.simulator.cli import run
from mppdbus.simulator.inverter import SimulatedInverter
from mppdbus.simulator.pace import Pace
from mppdbus.simulator.profiles import PROFILES
from mppdbus.simulator.sets import Fleet, parse_set, simulate_set
from support_simulator import (
    arguments,
    ask,
    first_line,
    inverter_of,
    opened,
    process,
)

PARALLEL = ("parallel", "parallel", "parallel")
PHASES = ("L1", "L2", "L3")


def fleet(
    labels: tuple[str, ...] = PARALLEL, scene: str = "", profile: str = "max-8000"
) -> Fleet:
    script = f"pause; losses 1; {scene}"
    return simulate_set(profile, labels, pace=Pace.instant(), scene=script)


def units(built: Fleet) -> list[SimulatedInverter]:
    return [inverter_of(simulator) for simulator in built.simulators]


def words(unit: SimulatedInverter, command: str) -> list[str]:
    answer = unit.answer(command)
    assert answer is not None
    return answer.split()


def loads(built: Fleet) -> list[float]:
    return [member.flow.load_w for member in built.scene.site.members]


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


lines = st.sampled_from(
    [
        *("grid on", "grid off", "pv 0 0", "pv 2500 900", "pv curve 4000", "load 0"),
        *("load 900", "load 7000", "load 40000", "soc 3", "soc 50", "soc 100"),
        *("unit 2 off", "unit 2 on", "unit 1 off", "unit 1 on", "unit 3 pv 100 0"),
        *("unit 2 load 3000", "unit 3 load 0", "unit 2 output off", "unit 2 output on"),
        *("unit 1 fault 7", "unit 1 fault 0", "step 7", "step 3600", "unit 3 mode E"),
        *("time 05:30", "output off", "output on"),
    ]
)
setters = st.sampled_from(
    [
        "POP00",
        "POP01",
        "POP02",
        "PCP01",
        "PCP03",
        "MNCHGC1010",
        "MNCHGC0120",
        "PBDV00.0",
    ]
)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([PARALLEL, PHASES, ("S1", "S2"), ("L1", "L1", "L2", "L3")]),
    st.lists(lines | setters, max_size=7),
)
def test_the_units_add_up_to_the_whole(
    labels: tuple[str, ...], told: list[str]
) -> None:
    built = fleet(labels, profile="eg4-6500")
    site = built.scene.site
    for line in told:
        if line.startswith(("P", "M")):
            inverter_of(built.simulators[0]).answer(line)
        else:
            built.scene.apply(line)
        total = site.truth()
        flows = [member.flow for member in site.members]
        scale = 1 + sum(f.pv_w + f.grid_w + f.load_w for f in flows)
        battery = site.battery_v * site.battery_a
        assert abs(sum(f.battery_w for f in flows) - battery) <= 1e-6 * scale
        balance = sum(f.pv_w + f.grid_w - f.load_w for f in flows) - battery
        assert abs(balance) <= 1e-6 * scale
        volts = {member.battery_v for member in site.members}
        assert volts == {site.battery_v}
        amps = sum(member.battery_a for member in site.members)
        assert amps == pytest.approx(site.battery_a, rel=1e-6, abs=1e-6)
        assert total["load_w"] == pytest.approx(sum(f.load_w for f in flows))
        assert sum(f.load_w for f in flows) <= 1e-6 * scale + sum(
            member.load.watts for member in site.members
        )


def test_energies_add_up_and_the_battery_keeps_the_difference() -> None:
    built = fleet(scene="grid off; load 1800; pv 2000 500; soc 40")
    site = built.scene.site
    before = site.battery.soc
    built.scene.apply("unit 2 pv 0 0")
    built.scene.apply("step 3600")
    truth = site.truth()
    energies = {
        key: sum(getattr(member.energy, key) for member in site.members)
        for key in ("pv_wh", "load_wh", "grid_wh", "battery_in_wh", "battery_out_wh")
    }
    for key, value in energies.items():
        assert truth[key] == pytest.approx(value, abs=1e-6)
    assert energies["load_wh"] == pytest.approx(1800)
    assert energies["pv_wh"] == pytest.approx(5000)
    stored = energies["battery_in_wh"] - energies["battery_out_wh"]
    assert stored == pytest.approx(3200)
    ampere_hours = (site.battery.soc - before) / 100 * 600  # three times 200 Ah
    assert ampere_hours * site.battery_v == pytest.approx(3200, rel=0.02)


def test_parallel_units_share_the_load() -> None:
    built = fleet(scene="load 1500")
    assert loads(built) == [500, 500, 500]
    built.scene.apply("unit 2 load 1100")
    assert loads(built) == pytest.approx([700, 700, 700])  # tied together
    assert built.scene.site.truth()["load_w"] == pytest.approx(2100)


def test_phases_carry_their_own_load() -> None:
    built = fleet(("L1", "L2", "L3"), "load 1500; unit 2 load 900; unit 3 load 0")
    assert loads(built) == [500, 900, 0]
    shown = [words(unit, "QPIGS")[5] for unit in units(built)]
    assert shown == ["0500", "0900", "0000"]
    doubled = fleet(("L1", "L1", "L2", "L3"), "load 0; unit 1 load 800")
    assert loads(doubled) == [400, 400, 0, 0]


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
    crew = units(fleet(labels, profile=profile))
    assert [words(unit, "QPIRI")[21] for unit in crew] == modes
    assert [words(unit, "QOPM")[0] for unit in crew] == [f"0{mode}" for mode in modes]
    for asked in crew:
        seen = [words(asked, f"QPGS{n}")[20] for n in range(len(crew))]
        assert seen == modes


def test_split_phase_gives_two_legs_of_120_volts() -> None:
    built = fleet(("S1", "S2"), "load 0; unit 1 load 700; unit 2 load 300", "eg4-6500")
    first, second = units(built)
    assert words(first, "QPIGS")[2:6] == ["120.0", "60.0", "0778", "0700"]
    assert words(second, "QPIGS")[2:6] == ["120.0", "60.0", "0333", "0300"]
    assert words(first, "QPGS1")[9] == "0300"
    assert words(first, "QPGS0")[17] == "01000"


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


def test_a_phase_whose_only_unit_has_gone_is_dark() -> None:
    built = fleet(("L1", "L2", "L3"), "load 1500; unit 2 off")
    assert loads(built) == [500, 0, 500]
    truth = json.loads(built.scene.apply("truth").removeprefix("ok "))
    assert [unit["on"] for unit in truth["units"]] == [True, False, True]


def test_a_unit_that_comes_back_does_as_the_others_do() -> None:
    built = fleet(scene="load 900; pv 0 0; soc 90; unit 3 off")
    first, _, third = units(built)
    assert first.answer("POP02") == "ACK"
    built.scene.apply("step 60")
    built.scene.apply("unit 3 on")
    assert [words(unit, "QMOD")[0] for unit in units(built)] == ["B", "B", "B"]
    assert words(third, "QPIRI")[16] == "2"


def test_a_faulty_unit_leaves_its_load_to_the_others() -> None:
    built = fleet(scene="load 1500; unit 3 fault 71")
    assert loads(built) == [750, 750, 0]
    assert words(units(built)[0], "QPGS2")[2:4] == ["F", "71"]


def test_the_sun_of_one_unit_feeds_the_others() -> None:
    built = fleet(scene="grid off; load 3000; pv 0 0; unit 1 pv 3000 0")
    site = built.scene.site
    assert site.truth()["pv_w"] == pytest.approx(3000)
    assert site.battery_a == pytest.approx(0, abs=1e-6)
    own = [member.flow.battery_w for member in site.members]
    assert own == pytest.approx([2000, -1000, -1000])


def test_setters_reach_one_unit_or_all() -> None:
    crew = units(fleet())
    assert crew[0].answer("MNCHGC2100") == "ACK"  # unit number 2
    assert [words(unit, "QPIRI")[14] for unit in crew] == ["060", "060", "100"]
    assert crew[0].answer("PPCP103") == "ACK"
    assert [words(unit, "QPIRI")[17] for unit in crew] == ["2", "3", "2"]
    assert words(crew[2], "QPGS1")[21] == "3"
    assert crew[0].answer("MNCHGC3100") == "NAK"  # there is no number 3
    assert crew[1].answer("POP01") == "ACK"
    assert crew[1].answer("PBCV48.0") == "ACK"
    for unit in crew:
        assert (words(unit, "QPIRI")[16], words(unit, "QPIRI")[8]) == ("1", "48.0")


def test_charging_stays_within_every_units_limit() -> None:
    built = fleet(scene="pv 0 0; soc 30")
    crew = units(built)
    for number, amps in enumerate(("010", "030", "060")):
        assert crew[0].answer(f"MUCHGC{number}{amps}") == "ACK"
    shown = [int(words(unit, "QPIGS")[9]) for unit in crew]
    assert shown == [10, 30, 60]
    assert words(crew[1], "QPGS0")[15] == "100"


def test_one_battery_for_all() -> None:
    built = fleet(scene="battery 52 6; soc 44")
    assert built.scene.apply("battery 52 6") == "ok battery 52 6"
    assert [words(unit, "QPIGS")[8] for unit in units(built)] == ["52.00"] * 3
    assert built.scene.site.truth()["battery_w"] == 312
    built.scene.apply("battery auto")
    assert built.scene.site.truth()["soc"] == 44
    assert built.scene.site.battery_v != 52


def test_truth_is_one_line_of_json() -> None:
    built = fleet(scene="load 1500")
    truth = json.loads(built.scene.apply("truth").removeprefix("ok "))
    assert truth == json.loads(json.dumps(built.scene.truth()))
    assert truth["total"]["load_w"] == 1500
    assert [unit["number"] for unit in truth["units"]] == [1, 2, 3]
    assert truth["units"][1]["serial"] == "96342107100457"


def test_time_passes_once_for_all() -> None:
    built = fleet(scene="resume; speed 60; time 10:00")
    for place, now in enumerate((0.0, 1.0, 1.0, 2.0, 2.0, 2.0)):
        built.simulators[place % 3].respond(encode_request("QMOD")[:-1], now)
    hours = {member.clock.strftime("%H:%M:%S") for member in built.scene.site.members}
    assert hours == {"10:02:00"}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("unit 4 off", "there are units 1 to 3"),
        ("unit 0 off", "there are units 1 to 3"),
        ("unit x off", "cannot be read"),
        ("unit", "cannot be read"),
        ("unit 2", "that is not for one unit"),
        ("unit 2 battery 52 1", "that is not for one unit"),
        ("unit 2 load x", "load x: cannot be read"),
        ("unit 2 nonsense", "nonsense is no command"),
        ("load", "cannot be read"),
        ("load -5", "-5 is not within 0"),
        ("battery 52", "cannot be read"),
        ("scene none", "none is none of bat+pv"),
        ("requests all", "all is not known"),
        ("grid maybe", "maybe is neither on nor off"),
        ("nonsense", "nonsense is no command"),
        ("", "an empty line is no command"),
    ],
)
def test_a_wrong_line_says_what_is_wrong(line: str, problem: str) -> None:
    scene = fleet().scene
    before = scene.truth()
    answer = scene.apply(line)
    assert answer.startswith("error: ")
    assert problem in answer
    assert "\n" not in answer
    assert scene.truth() == before


def test_a_line_for_one_and_a_line_for_all() -> None:
    built = fleet()
    scenes = [simulator.scene for simulator in built.simulators]
    built.scene.apply_script("unit 2 fault silence 3; unit 3 bug echo on; think 0.2")
    assert [len(scene.faults.armed) for scene in scenes] == [0, 1, 0]
    assert [scene.firmware.bugs for scene in scenes if scene.firmware] == [
        (),
        (),
        ("echo",),
    ]
    assert {scene.pace.think for scene in scenes} == {0.2}
    built.scene.apply("bug lf on")
    assert all("lf" in scene.firmware.bugs for scene in scenes if scene.firmware)
    built.simulators[0].respond(encode_request("QMOD")[:-1], 0.0)
    built.simulators[2].respond(encode_request("QMOD")[:-1], 0.0)
    assert built.scene.apply("requests") == 'ok {"QMOD": 2}'
    assert built.scene.apply("requests clear") == "ok {}"
    assert built.scene.apply("help").startswith("ok unit N on|off")
    assert not built.scene.quitting
    assert built.scene.apply("quit") == "ok bye"
    assert built.scene.quitting


@pytest.mark.parametrize("name", ["bat+pv", "bat", "mains", "mains+pv"])
def test_the_known_flows_hold_for_a_set(name: str) -> None:
    built = fleet(scene=f"scene {name}")
    total = built.scene.site.truth()
    assert total["load_w"] == pytest.approx(500)
    sun = 2400 if name.endswith("pv") else 0  # of three units
    assert total["pv_w"] == pytest.approx(sun if name == "bat+pv" else min(sun, 812))


async def test_the_process_serves_every_unit_on_its_own_port(tmp_path: Path) -> None:
    path, control = tmp_path / "tty", tmp_path / "control"
    args = ("--pty", str(path), "--tcp", "0", "--control", f"unix:{control}")
    rest = ("--set", "L1,L2,L3", "--profile", "max-11000", "--unpaced")
    async with process(*args, *rest, "--scene", "load 900") as simulator:
        ready = await first_line(simulator.stderr)
        assert ready.startswith(f"simulating 3 × max-11000 on {path}, tcp://127.0.0.1:")
        assert f"{path}.2, tcp://" in ready
        ports = [path, Path(f"{path}.2"), Path(f"{path}.3")]
        serials = []
        for port in ports:
            with opened(port) as fd:
                serials.append((await ask(fd, "QID"))[1:15])
        assert serials == [b"96342209100999", b"96342209101000", b"96342209101001"]
        reader, writer = await asyncio.open_unix_connection(control)
        writer.write(b"unit 3 off\n")
        assert await reader.readline() == b"ok unit 3: power off\n"
        writer.close()
        with opened(path) as fd:
            assert (await ask(fd, "QPGS2"))[1:3] == b"0 "
        simulator.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(simulator.wait(), 5) == 0
    assert not any(port.is_symlink() for port in ports)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--set", "3"), "say where"),
        (("--pty", "x", "--set", "3"), "axpert-5000 works alone"),
        (("--pty", "x", "--set", "L9", "--profile", "max-8000"), "'L9' is no set"),
        (
            ("--pty", "x", "--set", "3", "--recording", "f"),
            "--set belongs to --profile",
        ),
    ],
)
async def test_bad_arguments_end_with_2(
    words: tuple[str, ...], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run(arguments(*words)) == 2
    assert problem in capsys.readouterr().err

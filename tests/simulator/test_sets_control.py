"""Sets of units under the control language, and as a process."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

import pytest

from helpers.fleet import fleet
from helpers.simulator import arguments, ask, first_line, opened, process
from mppdbus.commands.simulate import run
from mppdbus.protocol.framing import encode_request


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
    hours = {member.clock.strftime("%H:%M:%S") for member in built.scene.plants.members}
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
        assert await asyncio.wait_for(simulator.wait(), 30) == 0
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

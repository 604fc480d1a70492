"""The control language, in-process and over its socket."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mppdbus.errors import ConfigError
from mppdbus.simulator.line.simulator import simulate
from mppdbus.simulator.scene.control import COMMANDS, Scene
from mppdbus.simulator.scene.control_server import parse_address, serve_control


@pytest.fixture
def scene() -> Scene:
    return simulate("max-8000", scene="pause").scene


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ("grid off", "grid_v", 0.0),
        ("grid on 215 49.9", "grid_v", 215.0),
        ("pv 300", "pv_w", [300.0, 0.0]),
        ("pv 300 200", "pv_w", [300.0, 200.0]),
        ("pv curve 300 200", "pv_w", [300.0, 200.0]),
        ("load 1200", "load_w", 1200.0),
        ("load 1200 1300", "load_va", 1300.0),
        ("battery 52 6", "battery_w", 312.0),
        ("battery 51 -10", "battery_a", -10.0),
        ("soc 33", "soc", 33.0),
        ("time 23:45", "clock", "2024-06-21T23:45:00"),
        ("temperature 61", "temperature_c", 61.0),
        ("mode D", "mode", "D"),
        ("output off", "mode", "C"),
        ("fault 08", "fault", 8),
        ("fault 08", "mode", "F"),
        ("warn 10 on", "warnings", [10]),
        ("panel POP02", "mode", "B"),
        ("scene bat", "battery_w", -510.0),
        ("step 90", "clock", "2024-06-21T12:01:30"),
    ],
)
def test_a_line_changes_what_it_names(
    scene: Scene, line: str, key: str, value: object
) -> None:
    assert scene.truth()[key] != value
    assert scene.apply(line).startswith("ok")
    assert scene.truth()[key] == value


@pytest.mark.parametrize(
    ("line", "undo", "key"),
    [
        ("grid off", "grid on", "grid_v"),
        ("battery 50 3", "battery auto", "battery_w"),
        ("mode B", "mode auto", "mode"),
        ("panel POP02", "panel POP00", "mode"),
        ("output off", "output on", "load_w"),
        ("fault 1", "fault 0", "fault"),
        ("warn 3 on", "warn 3 auto", "warnings"),
        ("losses 0.9 50", "losses 1 0", "losses_w"),
    ],
)
def test_a_line_can_be_taken_back(scene: Scene, line: str, undo: str, key: str) -> None:
    before = scene.truth()[key]
    scene.apply(line)
    assert scene.truth()[key] != before
    scene.apply(undo)
    assert scene.truth()[key] == before


def test_warnings_can_be_held_off(scene: Scene) -> None:
    scene.apply("grid off")
    assert scene.truth()["warnings"] == [5]
    scene.apply("warn 5 off")
    assert scene.truth()["warnings"] == []


def test_the_day_curve_follows_the_clock(scene: Scene) -> None:
    scene.apply_script("day curve 4000; load 9000; time 06:00")
    assert scene.truth()["pv_w"] == [0.0, 0.0]
    scene.apply("step 10800")
    assert scene.truth()["pv_w"] == [pytest.approx(4000 * 0.5**0.75), 0.0]


def test_truth_is_one_line_of_json_with_everything_in_si(scene: Scene) -> None:
    answer = scene.apply("truth")
    assert json.loads(answer.removeprefix("ok ")) == scene.truth()
    assert {"pv_w", "grid_w", "battery_w", "soc", "settings"} <= set(scene.truth())


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("", "an empty line is no command"),
        ("nonsense", "nonsense is no command"),
        ("grid", "too few or too many words"),
        ("grid maybe", "maybe is neither on nor off"),
        ("load", "too few"),
        ("load x", "cannot be read"),
        ("load -1", "-1 is not within 0"),
        ("load nan", "nan is not within"),
        ("load 1 2 3", "too many words"),
        ("pv 1 2 3", "2 tracker(s)"),
        ("battery 52", "the amps are missing"),
        ("soc 101", "101 is not within 0 to 100"),
        ("time 24:00", "cannot be read"),
        ("time noon", "cannot be read"),
        ("mode X", "X is none of L"),
        ("mode LE", "LE is none of L"),
        ("warn 40 on", "40 is not within 0 to 39"),
        ("fault nonsense", "nonsense is none of silence"),
        ("fault cut often", "often is not known"),
        ("fault cut 0", "0 is not within 1"),
        ("fault corrupt 101%", "101 is not within 0 to 100"),
        ("scene none", "none is none of bat+pv"),
        ("panel POP99", "this unit refuses that"),
        ("speed fast", "cannot be read"),
        ("step -1", "-1 is not within 0"),
        ("step 1e9", "1e9 is not within"),
        ("requests all", "all is not known"),
        ("quit now", "too many words"),
    ],
)
def test_a_wrong_line_says_what_is_wrong_and_changes_nothing(
    scene: Scene, line: str, problem: str
) -> None:
    before = scene.truth()
    answer = scene.apply(line)
    assert answer.startswith("error: ")
    assert problem in answer
    assert "\n" not in answer
    assert scene.truth() == before
    assert scene.faults.armed == []
    assert not scene.quitting


words = st.sampled_from(["on", "off", "auto", "5", "-1", "1e400", "x", "50%", "²", "B"])


@given(st.sampled_from(sorted(COMMANDS)), st.lists(words, max_size=4))
def test_no_line_breaks_the_scene(name: str, arguments: list[str]) -> None:
    scene = simulate("max-8000", scene="pause").scene
    answer = scene.apply(" ".join([name, *arguments]))
    assert answer.startswith(("ok", "error: "))
    json.dumps(scene.truth())


def test_faults_are_armed_as_told(scene: Scene) -> None:
    scene.apply_script(
        "fault silence 3; fault corrupt 1% QPIGS; fault slow forever 1.5s; fault cut"
    )
    silence, corrupt, slow, cut = scene.faults.armed
    assert silence.left == 3
    assert (corrupt.left, corrupt.chance, corrupt.command) == (None, 0.01, "QPIGS")
    assert (slow.left, slow.seconds) == (None, 1.5)
    assert cut.left == 1
    assert scene.apply("fault off") == "ok no fault on the line"
    assert scene.faults.armed == []


def test_a_script_stops_at_the_first_line_that_fails(scene: Scene) -> None:
    with pytest.raises(ConfigError, match="load x: cannot be read"):
        scene.apply_script("grid off; load x; pv 1")
    assert scene.truth()["grid_v"] == 0
    assert scene.truth()["pv_w"] == [800.0, 800.0]


def test_the_pace_can_be_changed(scene: Scene) -> None:
    assert scene.apply("think 0.1") == "ok 2400 baud, think 100 ms"
    assert scene.apply("baud 9600") == "ok 9600 baud, think 100 ms"
    assert scene.apply("baud unpaced") == "ok unpaced, think 100 ms"
    assert scene.pace.byte_s == 0


def test_fault_0_clears_as_help_says(scene: Scene) -> None:
    assert "fault CODE (0 clears it)" in scene.apply("help")
    scene.apply("fault 7")
    assert scene.truth()["mode"] == "F"
    assert scene.apply("fault 0") == "ok fault code 00"
    assert scene.truth()["mode"] != "F"


def test_help_names_every_command(scene: Scene) -> None:
    answer = scene.apply("help")
    assert all(command.usage in answer for command in COMMANDS.values())


def test_a_recording_has_no_physics() -> None:
    scene = Scene(None)
    assert scene.apply("grid off").startswith("error: grid off: a recording has no")
    assert scene.apply("fault cut 2") == "ok fault cut 2"
    scene.catch_up(1.0)
    scene.catch_up(2.0)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("8899", ("127.0.0.1", 8899)),
        ("localhost:0", ("localhost", 0)),
        (":7", ("127.0.0.1", 7)),
        ("[::1]:9", ("::1", 9)),
    ],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["", "host", "host:port", "host:70000", "unix:"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ConfigError, match="is no address"):
        parse_address(text)


@pytest.mark.parametrize("kind", ["unix", "tcp"])
async def test_the_socket_obeys_and_quits(
    scene: Scene, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "control"
    stop = asyncio.Event()
    where = f"unix:{path}" if kind == "unix" else "127.0.0.1:0"
    async with serve_control(scene, where, stop.set) as address:
        if kind == "unix":
            reader, writer = await asyncio.open_unix_connection(path)
        else:
            reader, writer = await asyncio.open_connection(*parse_address(address))
        answers = []
        for line in (b"load 700\n", b"nonsense\n", b"truth\r\n", b"quit\n"):
            writer.write(line)
            answers.append((await reader.readline()).decode())
        await asyncio.wait_for(stop.wait(), 30)
        writer.close()
        await writer.wait_closed()
    assert answers[0] == "ok load 700 W\n"
    assert answers[1].startswith("error: nonsense is no command")
    assert json.loads(answers[2].removeprefix("ok "))["load_w"] == 700
    assert answers[3] == "ok bye\n"
    assert not path.exists()


async def test_the_socket_ends_although_a_client_stays(
    scene: Scene, tmp_path: Path
) -> None:
    path = tmp_path / "control"
    async with serve_control(scene, f"unix:{path}", lambda: None):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"help\n")
        await reader.readline()
    assert await asyncio.wait_for(reader.read(), 30) == b""
    writer.close()


async def test_an_address_that_is_taken_is_told(scene: Scene, tmp_path: Path) -> None:
    where = f"unix:{tmp_path}/no/such/folder"
    with pytest.raises(ConfigError, match="cannot listen on unix:"):
        async with serve_control(scene, where, lambda: None):
            pass

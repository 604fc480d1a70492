"""The `simulate` command, and the simulator as a process of its own."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import tempfile
from pathlib import Path

import pytest

from helpers.places import TESTS
from helpers.simulator import arguments, ask, first_line, opened, process
from mppdbus.commands.simulate import build_simulator, run
from mppdbus.protocol.framing import encode_reply
from mppdbus.simulator.line.simulator import simulate
from mppdbus.simulator.line.speed import Pace
from mppdbus.simulator.ports.server import serve_pty
from mppdbus.simulator.unit.bugs import BUGS
from mppdbus.simulator.unit.profiles import PROFILES

FRAMES = TESTS / "frames" / "frames.jsonl"


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ((), "say where"),
        (("--pty", "x", "--profile", "none"), "no profile 'none'; there are ms-3000"),
        (("--pty", "x", "--scene", "grid maybe"), "maybe is neither on nor off"),
        (("--pty", "x", "--speed", "-1"), "-1.0 is not within 0"),
        (("--pty", "x", "--baud", "0"), "--baud 0 makes no sense"),
        (("--pty", "x", "--think", "-1"), "--think -1 makes no sense"),
        (("--pty", "x", "--think", "nan"), "--think nan makes no sense"),
        (("--pty", "x", "--chunk", "0"), "--chunk 0 makes no sense"),
        (("--pty", "x", "--model", "King"), "--model belongs to --recording"),
        (("--pty", "x", "--recording", "/none"), "/none cannot be read"),
        (("--pty", "x", "--recording", "/none", "--bug", "lf"), "--bug belongs to"),
        (("--pty", "x", "--bug", "none"), "no bug 'none'; there are bogus-serial"),
        (("--pty", "x", "--recording", str(FRAMES)), "choose one with --model: "),
        (("--tcp", "nonsense"), "nonsense is no address"),
        (("--pty", "/no/such/folder/tty"), "cannot be made: No such file"),
        (("--tcp", "0", "--control", "nowhere"), "nowhere is no address"),
    ],
)
async def test_bad_arguments_end_with_2_and_one_line(
    words: tuple[str, ...], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run(arguments(*words)) == 2
    shown = capsys.readouterr()
    assert problem in shown.err
    assert shown.err.startswith("mppdbus simulate: ")
    assert shown.err.count("\n") == 1
    assert shown.out == ""


def test_arguments_reach_the_simulator() -> None:
    simulator = build_simulator(
        arguments(
            *("--pty", "x", "--profile", "max-8000", "--speed", "60", "--think", "0.1"),
            *("--baud", "9600", "--jitter", "0.02", "--chunk", "4", "--seed", "7"),
            *("--scene", "grid off; load 300"),
        )
    )
    assert simulator.name == "max-8000"
    assert simulator.scene.pace == Pace(9600, 0.1, 0.02, chunk=4)
    assert simulator.scene.clock.speed == 60
    assert simulator.scene.truth()["load_w"] == 300
    assert (
        build_simulator(arguments("--pty", "x", "--unpaced")).scene.pace
        == Pace.instant()
    )


async def test_list_profiles(capsys: pytest.CaptureFixture[str]) -> None:
    assert await run(arguments("--list-profiles")) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[::2]] == list(PROFILES)
    assert lines[0].startswith("ms-3000        Axpert MS/MSX 3 kVA of 2014")
    assert lines[1].strip().startswith("from documents A; f0014 f0015")
    assert max(map(len, lines)) <= 100


async def test_list_bugs(capsys: pytest.CaptureFixture[str]) -> None:
    assert await run(arguments("--list-bugs")) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[::2]] == list(BUGS)
    assert all(line.strip().startswith("from ") for line in lines[1::2])


def test_bugs_are_on_from_the_start() -> None:
    simulator = build_simulator(arguments("--pty", "x", "--bug", "echo", "--bug", "lf"))
    assert simulator.scene.firmware is not None
    assert simulator.scene.firmware.bugs == ("echo", "lf")


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT, "quit"])
async def test_the_process_serves_and_ends_cleanly(
    tmp_path: Path, end: signal.Signals | str
) -> None:
    path, control = tmp_path / "tty", tmp_path / "control"
    words = ("--pty", str(path), "--tcp", "0", "--control", f"unix:{control}")
    async with process(*words, "--unpaced", "--scene", "scene bat") as simulator:
        ready = await first_line(simulator.stderr)
        assert ready.startswith(f"simulating axpert-5000 on {path}, tcp://127.0.0.1:")
        assert ready.endswith(" (unpaced, think 0 ms)")
        with opened(path) as fd:
            assert await ask(fd, "QMOD") == encode_reply("B")
        assert simulator.stdin is not None
        simulator.stdin.write(b"load 321\ntruth\n")
        assert await first_line(simulator.stdout) == "ok load 321 W"
        truth = json.loads((await first_line(simulator.stdout)).removeprefix("ok "))
        assert truth["load_w"] == 321
        reader, writer = await asyncio.open_unix_connection(control)
        if isinstance(end, str):
            writer.write(f"{end}\n".encode())
            assert await reader.readline() == b"ok bye\n"
        else:
            simulator.send_signal(end)
        assert await asyncio.wait_for(simulator.wait(), 30) == 0
        writer.close()
        assert simulator.stderr is not None
        assert await simulator.stderr.read() == b""
    assert not path.is_symlink()
    assert not control.exists()


async def test_the_process_plays_a_recording(tmp_path: Path) -> None:
    path = tmp_path / "tty"
    words = ("--pty", str(path), "--recording", str(FRAMES), "--model", "EG4 6500EX-48")
    async with process(*words, "--unpaced") as simulator:
        ready = await first_line(simulator.stderr)
        assert ready.startswith("simulating recording of EG4 6500EX-48 on ")
        with opened(path) as fd:
            assert await ask(fd, "QGMN") == encode_reply("045")
            assert await ask(fd, "QPI") == encode_reply("NAK")


async def test_a_foreign_client_reads_the_same_values() -> None:
    # Not below tmp_path: mpp-solar takes a path with "test" in it for no port.
    with tempfile.TemporaryDirectory(prefix="sim-") as folder:
        path = f"{folder}/ttyUSB0"
        async with serve_pty(simulate(scene="pause; scene bat+pv"), path):
            client = await asyncio.create_subprocess_exec(
                str(Path(sys.executable).with_name("mpp-solar")),
                *("-p", path, "-P", "PI30"),
                *("-c", "QPIGS#QMOD", "-o", "json"),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
            out, _ = await asyncio.wait_for(client.communicate(), 20)
    seen: dict[str, object] = {}
    for line in out.decode().splitlines():
        seen |= json.loads(line)
    expected = {
        "ac_input_voltage": 0.0,
        "ac_output_active_power": 500,
        "battery_voltage": 52.0,
        "battery_charging_current": 6,
        "battery_discharge_current": 0,
        "battery_capacity": 80,
        "pv_input_power": 800,
        "is_scc_charging_on": 1,
        "is_ac_charging_on": 0,
        "device_mode": "Battery",
    }
    assert {key: seen.get(key) for key in expected} == expected

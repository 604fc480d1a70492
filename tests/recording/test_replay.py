"""`mppdbus replay`: a recording is the inverter over again, to us and to Victron."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from helpers.bus import BusItemClient
from helpers.commands import MPPDBUS, cli, command, simulated
from helpers.processes import daemon, names, until, wait_for_units
from helpers.simulator import ask_once
from mppdbus.commands.replay import load_replies
from mppdbus.errors import ConfigError
from mppdbus.protocol.framing import encode_reply
from mppdbus.recording.journal import Entry, read
from mppdbus.simulator.line.simulator import Simulator
from mppdbus.simulator.scene.control import Scene

Capture = pytest.CaptureFixture[str]
HASTE = ("--timeout", "0.2", "--baud", "115200")
STEADY = 7  # looks, a tenth of a second apart, that show the same
# What depends on how the line did, and not on what the inverter said.
OF_THE_LINE = re.compile(r"/Mppdbus/Link/.*")
# What is counted goes on while the inverter stands still.
COUNTED = re.compile(
    r".*(/Energy/\w+|/Yield/(User|System)|/History/.*|/Soc(/\w+)?"
    r"|/SwitchableOutput/StateOfCharge/Dimming)"
)
NEAR = 0.5  # kWh, %, minutes


def line(command: str, payload: str | None, **more: object) -> str:
    reply = "" if payload is None else encode_reply(payload).hex()
    return json.dumps({"command": command, "response_hex": reply} | more) + "\n"


@contextmanager
def replayed(*words: str) -> Iterator[dict[str, str]]:
    argv = [*MPPDBUS, "replay", "--json", *words]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()
            assert process.wait(60) == 0


def record(capsys: Capture, port: str, path: Path, *words: str) -> list[Entry]:
    argv = ("record", "--port", port, *HASTE, "--output", str(path), *words)
    assert command(capsys, *argv).code == 0
    return read(path)


# -- what is played ----------------------------------------------------------------


def test_replies_come_in_turn_with_refusals_and_silence(tmp_path: Path) -> None:
    path = tmp_path / "unit.jsonl"
    path.write_text(
        line("QMOD", "B")
        + line("QMOD", None, quality="silent")
        + line("QMOD", "L")
        + line("QMOD", "X", quality="corrupt")
        + line("QMOD", "S", quality="superseded")
        + line("QBEQI", "NAK", quality="nak")
        + line("QBMS", None, quality="silent")
    )
    simulator = Simulator(load_replies(path), Scene(None))
    said = [ask_once(simulator, "QMOD") for _ in range(4)]
    assert said == [encode_reply("B"), b"", encode_reply("L"), encode_reply("B")]
    assert ask_once(simulator, "QBEQI") == encode_reply("NAK")
    assert ask_once(simulator, "QBMS") == b""
    assert ask_once(simulator, "QPIRI") == encode_reply("NAK")


def test_one_of_several_inverters_is_played(tmp_path: Path) -> None:
    path = tmp_path / "units.jsonl"
    path.write_text(line("QMOD", "B", model="King") + line("QMOD", "L", model="MAX"))
    assert load_replies(path, "max").replies == {"QMOD": [encode_reply("L")]}
    with pytest.raises(ConfigError, match="choose one with --model"):
        load_replies(path)


def test_a_file_that_is_none_is_told(capsys: Capture, tmp_path: Path) -> None:
    path = tmp_path / "unit.jsonl"
    path.write_text("(B\n")
    said = command(capsys, "replay", str(path))
    assert said.code == 2
    assert f"{path}:1: no recorded reply; such a line is JSON" in said.err


def test_a_recording_of_a_replay_is_the_recording(
    capsys: Capture, tmp_path: Path
) -> None:
    with simulated(tmp_path, "--scene", "scene mains+pv; pause") as unit:
        first = record(capsys, unit.path, tmp_path / "first.jsonl")
    port = str(tmp_path / "replayed")
    with replayed(str(tmp_path / "first.jsonl"), "--pty", port, "--unpaced") as told:
        assert told == {"model": "VMIII-5000", "port": f"serial:{port}"}
        again = record(capsys, port, tmp_path / "again.jsonl", "--no-mask")

    def said(entries: list[Entry]) -> list[tuple[str, str, str]]:
        return [(e.command, e.response_hex, e.quality) for e in entries]

    assert said(again) == said(first)


def test_without_a_place_it_finds_one_itself_and_over_tcp_too(
    capsys: Capture, tmp_path: Path
) -> None:
    path = tmp_path / "unit.jsonl"
    path.write_text(line("QPI", "PI30") + line("QMOD", "L"))
    for words in ((), ("--tcp", "0")):
        with replayed(str(path), "--unpaced", *words) as told:
            asked = ("query", "QMOD", "--json", "--port", told["port"])
            (said,) = command(capsys, *asked).records
            assert said["values"]["mode"] == "L"
        if not words:
            assert not Path(told["port"].removeprefix("serial:")).exists()


# -- what Victron sees -------------------------------------------------------------


def still(items: dict[str, Any]) -> dict[str, Any]:
    return {path: i for path, i in items.items() if not COUNTED.fullmatch(path)}


async def published(folder: Path, address: str, port: str) -> dict[str, Any]:
    """Return service and path → item, once nothing changes any more."""
    folder.mkdir()
    program = daemon(folder, address, [f'port = "serial:{port}"\npoll = 0.6'])
    client = await BusItemClient.connect(address, "")
    try:
        await wait_for_units(client, program)
        seen: list[dict[str, Any]] = []

        async def settled() -> bool:
            seen.append({})
            for service in sorted(await names(client)):  # one comes after the other
                items = await BusItemClient(client.bus, service).get_items()
                for path, item in items.items():
                    if not OF_THE_LINE.fullmatch(path):
                        seen[-1][f"{service}{path}"] = item
            last = [
                {
                    path: item
                    for path, item in each.items()
                    if not COUNTED.fullmatch(path)
                }
                for each in seen[-STEADY:]
            ]
            return len(last) == STEADY and all(each == last[0] for each in last)

        await until(settled, lambda: program.said)
    finally:
        await client.close()
        assert program.stop() == 0
    return seen[-1]


async def test_the_daemon_publishes_the_same_from_a_recording(
    tmp_path: Path, bus_address: str
) -> None:
    path = tmp_path / "unit.jsonl"
    scene = ("--profile", "max-8000", "--scene", "scene mains+pv; warn 16 on; pause")
    with simulated(tmp_path, *scene) as unit:
        live = await published(tmp_path / "live", bus_address, unit.path)
        argv = ("record", "--port", unit.path, *HASTE, "--output", str(path))
        done = await asyncio.to_thread(cli, *argv, "--no-mask")
        assert done.returncode == 0, done.stderr
    with replayed(str(path), "--pty", unit.path, "--unpaced"):
        again = await published(tmp_path / "again", bus_address, unit.path)
    assert live.keys() == again.keys()
    for where, item in live.items():
        value = item["Value"]
        if COUNTED.fullmatch(where) and isinstance(value, float):
            assert again[where]["Value"] == pytest.approx(value, abs=NEAR), where
        else:
            assert again[where] == item, where
    (load,) = (live[n] for n in live if re.match(r".*multi\..*/Ac/Out/L1/P$", n))
    assert load["Value"] == 500
    assert sum(item["Value"] is not None for item in live.values()) > 60

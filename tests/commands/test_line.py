"""detect, test-connection and monitor against a simulated inverter on a pty."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest
import tomli

from helpers.commands import HASTE, MPPDBUS, Simulated, cli, command, simulated
from mppdbus.commands import detect
from mppdbus.commands.target import likely_ports
from mppdbus.config.models import parse
from mppdbus.host.ports import Candidate, PortVerdict
from mppdbus.inverter.detection import detect as detect_at
from mppdbus.protocol.framing import encode_reply
from mppdbus.transport.port_url import parse_port

Capture = pytest.CaptureFixture[str]


# -- detect --------------------------------------------------------------------------


def test_detect_says_who_is_there_and_writes_the_configuration(
    capsys: Capture, inverter: Simulated
) -> None:
    said = command(capsys, "detect", "-v", "--port", inverter.path)
    assert said.code == 0
    row = next(line for line in said.out.splitlines() if "96342107100456" in line)
    assert re.search(r"inverter +MKS2-8000 +96342107100456 +pi30max +\d+ ms$", row)
    assert "- QGMN 044" in said.out
    config = parse(said.out.partition("For config.toml:")[2], "detect")
    assert config.inverter[0].serial == "96342107100456"
    assert config.inverter[0].port.path == inverter.path


def test_detect_for_scripts(capsys: Capture, inverter: Simulated) -> None:
    line = ("detect", "--json", "--port", inverter.path, "/dev/ttyNO")
    said = command(capsys, *line)
    assert said.code == 0
    found, missing = said.records
    assert found["dialect"] == "pi30max"
    assert missing["error"].startswith("port: /dev/ttyNO does not exist")


def test_ports_are_asked_at_once_and_a_silent_one_ends_in_time(
    capsys: Capture, tmp_path: Path
) -> None:
    folders = [tmp_path / name for name in ("mute", "good", "mad")]
    for folder in folders:
        folder.mkdir()
    with (
        simulated(folders[0]) as mute,
        simulated(folders[1]) as good,
        simulated(folders[2]) as mad,
    ):
        mute.tell("fault silence forever")
        mad.tell("fault loopback forever")
        began = time.monotonic()
        ports = (mute.path, good.path, mad.path)
        said = command(capsys, "detect", "-v", "--port", *ports)
        took = time.monotonic() - began
        assert said.code == 0
        assert "QPI: no reply" in said.out
        assert "only the request itself came back" in said.out
        assert "VMIII-5000" in said.out
        assert took < 40  # the optional queries take two rounds
        for unit in (mute, good, mad):  # and all ports are free again
            unit.tell("fault off")
            assert command(capsys, "detect", "--port", unit.path).code == 0


def test_nothing_but_plausible_ports_gets_a_byte(inverter: Simulated) -> None:
    def port(verdict: PortVerdict, reason: str) -> Candidate:
        return Candidate(
            path=inverter.path,
            kind="serial",
            usb_id="1a86:7523",
            product="",
            driver=None,
            by_id=None,
            verdict=verdict,
            reason=reason,
        )

    others = [
        port(PortVerdict.HELD, "in use by pid 7 (mppdbus run)"),
        port(PortVerdict.FOREIGN, "u-blox GPS receiver"),
        port(PortVerdict.UNNAMED, "on-board port: tried only if you name it"),
    ]
    assert likely_ports(others) == []
    likely = likely_ports([*others, port(PortVerdict.PLAUSIBLE, "CH340")])
    assert [port.label for port in likely] == [inverter.path]
    assert "in use by pid 7" in detect.advice(others, [])
    assert f"--port {inverter.path}" in detect.advice(others, [])
    assert "plugged in" in detect.advice([], [])


def test_a_stable_name_goes_into_the_configuration(inverter: Simulated) -> None:
    found = asyncio.run(detect_at(parse_port(inverter.path)))
    candidate = Candidate(
        path=inverter.path,
        kind="serial",
        usb_id="1a86:7523",
        product="",
        driver=None,
        by_id="/dev/serial/by-path/x",
        verdict=PortVerdict.PLAUSIBLE,
        reason="",
    )
    lines = detect.toml_sections([found, found], {inverter.path: candidate})
    tables = tomli.loads("\n".join(lines))["inverter"]
    assert [table["name"] for table in tables] == ["inverter 1", "inverter 2"]
    assert tables[0]["port"] == "/dev/serial/by-path/x"


def test_a_device_of_another_protocol_is_named(capsys: Capture, tmp_path: Path) -> None:
    recording = tmp_path / "other.jsonl"
    reply = encode_reply("PI34").hex()
    line = {"id": "x", "model": "charger", "command": "QPI", "quality": "good"}
    recording.write_text(json.dumps({**line, "response_hex": reply}))
    with simulated(tmp_path, "--recording", str(recording)) as unit:
        said = command(capsys, "detect", "--port", unit.path)
        assert said.code == 3
        assert "the device speaks PI34, not PI30" in said.out
        said = command(capsys, "test-connection", "--port", unit.path)
        assert said.code == 1
        assert "✗ Connection failed: QPI: the device speaks PI34" in said.out
        said = command(capsys, "monitor", "--once", "--port", unit.path)
        assert said.code == 1


def test_an_inverter_behind_tcp_is_found(capsys: Capture) -> None:
    """A gateway that answers QPI with NAK and knows QPIGS is PI30 all the same."""
    status = (
        "230.1 49.9 230.0 50.0 0712 0635 014 369 52.90 003 097 0037 06.2 145.1 "
        "00.00 00000 10010110 00 00 00907 110"
    )

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            while request := connection.recv(64):
                known = request.startswith(b"QPIGS")
                connection.sendall(encode_reply(status if known else "NAK"))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        url = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        said = command(capsys, "detect", "--port", url)
    assert said.code == 0
    assert f'port = "{url}"' in said.out
    assert "serial" not in said.out.partition("For config")[2]


# -- test-connection -----------------------------------------------------------------


def test_the_standalone_test_says_what_it_always_said(
    capsys: Capture, inverter: Simulated
) -> None:
    said = command(capsys, "test-connection", "--port", inverter.path)
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[:8] == [
        "MPP Solar Device Test",
        "=====================",
        f"Port: {inverter.path}",
        "Baud Rate: 2400",
        "Protocol: PI30",
        "",
        "Testing connection...",
        "✓ Connection successful!",
    ]
    device = ast.literal_eval(lines[8].removeprefix("Device Info: "))
    status = ast.literal_eval(lines[9].removeprefix("Status Data: "))
    assert device["serial"] == "96342107100456"
    assert device["dialect"] == "pi30max"
    assert status["battery_voltage"] > 40


def test_the_standalone_test_of_nobody(capsys: Capture, inverter: Simulated) -> None:
    inverter.tell("fault silence forever")
    line = ("test-connection", *HASTE, "--port", inverter.path)
    said = command(capsys, *line)
    assert said.code == 3
    assert said.out.splitlines()[-1].startswith("✗ Connection failed: QPI: no reply")


def test_a_terminal_without_a_tick(inverter: Simulated) -> None:
    line = ("test-connection", "--port", inverter.path)
    done = cli(*line, env={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0
    assert "+ Connection successful!" in done.stdout


# -- monitor -------------------------------------------------------------------------


def test_one_picture(capsys: Capture, inverter: Simulated) -> None:
    said = command(capsys, "monitor", "--once", "--port", inverter.path)
    assert said.code == 0
    assert "MKS2-8000 · 96342107100456 · pi30max" in said.out
    assert "together           1600 W" in said.out
    assert "Alarms   none" in said.out


def test_one_picture_for_scripts(capsys: Capture, inverter: Simulated) -> None:
    inverter.tell("grid off")
    said = command(capsys, "monitor", "--once", "--json", "--port", inverter.path)
    record = said.records[0]
    assert record["grid_present"] is False
    assert record["mode"] == "battery"
    assert record["load_power"] == 500
    assert record["alarms"] == ["no mains"]


def test_nobody_to_watch(capsys: Capture, inverter: Simulated) -> None:
    inverter.tell("fault silence forever")
    line = ("monitor", *HASTE, "--port", inverter.path)
    assert command(capsys, *line).code == 3
    assert command(capsys, *line, "--once").code == 3


@pytest.mark.parametrize(
    "words", [["--bus", "session", "--port", "/dev/x"], ["--service", "x"]]
)
def test_a_bus_or_a_port(capsys: Capture, words: list[str]) -> None:
    assert command(capsys, "monitor", *words).code == 2


def test_lines_of_a_pipe_and_a_lost_inverter_that_comes_back(
    inverter: Simulated,
) -> None:
    line = ("monitor", "--json", "--interval", "fast", *HASTE)
    with subprocess.Popen(
        [*MPPDBUS, *line, "--port", inverter.path], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None

        def until(silent: bool) -> dict[str, object]:  # noqa: FBT001
            assert process.stdout is not None
            for written in process.stdout:
                record: dict[str, object] = json.loads(written)
                if (record["silent"] is not None) is silent:
                    return record
            raise AssertionError("the monitor ended")

        assert until(silent=False)["load_power"] == 500
        inverter.tell("fault silence forever")
        lost = until(silent=True)
        assert lost["load_power"] is None
        assert lost["serial"] == "96342107100456"
        inverter.tell("fault off")
        assert until(silent=False)["load_power"] == 500
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_a_terminal_is_left_as_it_was(inverter: Simulated) -> None:
    ours, theirs = os.openpty()
    line = ("monitor", "--port", inverter.path, "--interval", "fast")
    with subprocess.Popen(
        [*MPPDBUS, *line],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "COLUMNS": "80", "LINES": "24"},
    ) as process:
        os.close(theirs)
        shown = b""
        while b"together" not in shown:
            shown += os.read(ours, 4096)
        process.send_signal(signal.SIGINT)
        while b"\x1b[?25h" not in shown:
            shown += os.read(ours, 4096)
        assert process.wait(60) == 0
    os.close(ours)
    assert b"\x1b[?25l" in shown
    assert b"Traceback" not in shown

"""`mppdbus setup`, from the search to the file and the first picture."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.commands import Simulated, cli, command, simulated
from helpers.raw_port import raw_port
from mppdbus.config.models import load
from mppdbus.protocol.framing import encode_reply


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "sub" / "config.toml"


def test_one_go_without_questions(
    inverter: Simulated, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = command(
        capsys,
        *("setup", "--port", inverter.path, "--output", str(config), "--yes"),
        *("--battery", "lfp", "--capacity", "280", "--cells", "16"),
    )
    assert said.code == 0, said.err
    assert "MKS2-8000  96342107100456  pi30max" in said.out  # who was found
    assert "firmware 00072.70, mains 230 V" in said.out  # and what it says
    assert "Control: read-only: nothing is written." in said.out
    assert "─ Battery ─" in said.out  # the picture of the monitor
    assert f"run {config}" in said.out
    found = load(config)
    assert found.inverter[0].serial == "96342107100456"
    assert found.inverter[0].port.path == inverter.path
    battery = found.battery[0]
    assert (battery.chemistry, battery.capacity_ah) == ("lithium-lfp", 280)
    assert battery.cells == 16
    assert found.control.level == "read-only"
    assert "\n# MKS2-8000\n" in config.read_text()  # for the person who opens it


def test_proposals_are_what_the_inverter_is_set_to(
    inverter: Simulated, config: Path
) -> None:
    """Answers come from a person: an empty line takes the proposal."""
    words = ("setup", "--port", inverter.path, "--output", str(config))
    done = cli(*words, stdin=b"nonsense\n\n\nsafe\n")
    assert done.returncode == 0, done.stderr
    assert "nonsense: use one of lead-agm" in done.stdout
    battery = load(config).battery[0]
    assert (battery.chemistry, battery.capacity_ah) == ("lead-agm", 240)
    assert load(config).control.level == "safe"


def test_nobody_there_to_answer(inverter: Simulated, config: Path) -> None:
    words = ("setup", "--port", inverter.path, "--output", str(config))
    done = cli(*words)
    assert done.returncode == 2
    assert "say --yes to take all proposals" in done.stderr
    assert not config.exists()


def test_a_file_is_never_lost(
    inverter: Simulated, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.toml"
    config.write_text("# precious\n")
    words = ("setup", "--port", inverter.path, "--output", str(config), "--yes")
    said = command(capsys, *words)
    assert said.code == 2
    assert "was left as it is" in said.err
    assert config.read_text() == "# precious\n"
    said = command(capsys, *words, "--replace", "--json")
    assert said.code == 0, said.err
    kept = Path(said.records[0]["kept"])
    assert kept.read_text() == "# precious\n"
    assert said.records[0]["inverters"][0]["serial"] == "96342107100456"
    assert load(config).inverter[0].port.path == inverter.path
    # Another time the first copy is kept, too.
    assert command(capsys, *words, "--replace", "--json").code == 0
    assert kept.read_text() == "# precious\n"


def test_two_inverters_get_a_name_each(
    inverter: Simulated, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    config = tmp_path / "config.toml"
    with simulated(other, "--profile", "axpert-5000") as second:
        ports = (inverter.path, second.path)
        words = ("--output", str(config), "--yes", "--json")
        said = command(capsys, "setup", "--port", *ports, *words)
    assert said.code == 0, said.err
    units = load(config).inverter
    assert [unit.name for unit in units] == ["inverter 1", "inverter 2"]
    assert tuple(unit.port.path for unit in units) == ports
    assert len({unit.serial for unit in units}) == 2


async def test_the_speed_is_found(tmp_path: Path) -> None:
    """At 9600 baud; what comes at 2400 is nothing."""
    replies = {"QPI": "PI30", "QID": "92932004102443"}
    live = (
        "230.1 50.0 230.1 50.0 0322 0240 006 402 52.80 004 088 0041 00.0 000.0 "
        "00.00 00000 00010101 00 00 00000 010"
    )
    replies["QPIGS"] = live

    def answer(request: bytes, speed: int) -> bytes:
        said = replies.get(request[:-2].decode("latin-1"), "NAK")
        return encode_reply(said) if speed == 9600 else b""

    port, config = tmp_path / "tty", tmp_path / "config.toml"
    words = ("--output", str(config), "--yes", "--json")
    async with raw_port(port, answer):
        done = await asyncio.to_thread(cli, "setup", "--port", str(port), *words)
    assert done.returncode == 0, done.stderr
    unit = load(config).inverter[0]
    assert (unit.baud, unit.serial) == (9600, "92932004102443")


async def test_a_held_port_hears_nothing(tmp_path: Path) -> None:
    """Not a byte is written where another program is, and its name is told."""
    heard: list[bytes] = []
    port, config = tmp_path / "tty", tmp_path / "config.toml"

    def answer(request: bytes, _: int) -> bytes:
        heard.append(request)
        return b""

    code = "import sys, time; f = open(sys.argv[1]); print(flush=True); time.sleep(99)"
    async with raw_port(port, answer):
        holder = subprocess.Popen(
            [sys.executable, "-c", code, str(port)], stdout=subprocess.PIPE
        )
        try:
            assert holder.stdout is not None
            await asyncio.to_thread(holder.stdout.readline)
            words = ("--output", str(config), "--yes")
            done = await asyncio.to_thread(cli, "setup", "--port", str(port), *words)
        finally:
            holder.kill()
            holder.communicate()
    assert done.returncode == 3
    assert (
        f"The port is in use.\n   - {port} is open in pid {holder.pid}" in done.stdout
    )
    assert not heard
    assert not config.exists()


@pytest.mark.parametrize(
    ("control", "cause"), [("fault silence forever", "silent"), ("modbus 1", "modbus")]
)
def test_why_nothing_is_found(
    inverter: Simulated, config: Path, control: str, cause: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    inverter.tell(control)
    words = ("--output", str(config), "--yes", "--json")
    said = command(capsys, "setup", "--port", inverter.path, *words)
    assert said.code == 3
    assert said.records[0]["findings"][0]["name"] == cause
    assert not config.exists()


def test_doctor_on_the_command_line(
    inverter: Simulated, capsys: pytest.CaptureFixture[str]
) -> None:
    """Well: 0; something wrong: 1; the same for people and for scripts."""
    well = command(capsys, "doctor", "--port", inverter.path, "--baud", "115200")
    assert well.code == 0, well.out
    assert "100 % of 10 replies good" in well.out
    assert "All is well." in well.out
    inverter.tell("fault silence forever QPIGS")
    wrong = command(capsys, "doctor", "--port", inverter.path, "--json")
    assert wrong.code == 1
    assert json.loads(wrong.out)["findings"][0]["name"] == "mute"
    missing = command(capsys, "doctor", "--port", "/dev/nobody")
    assert missing.code == 1
    assert "1. " in missing.out
    assert "What helps: " in missing.out


def test_for_a_service_it_is_written_where_that_reads_it(
    inverter: Simulated,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mppdbus.host.install.systemd.why_hidden", lambda _python: "")
    port = tmp_path / inverter.path.lstrip("/")
    port.parent.mkdir(parents=True, exist_ok=True)
    port.symlink_to(inverter.path)
    setup = ("setup", "--port", inverter.path, "--yes", "--install")
    words = (*setup, "--root", str(tmp_path))
    refused = command(capsys, *words, "--output", str(tmp_path / "mine.toml"))
    assert refused.code == 2
    assert "etc/mppdbus/config.toml: leave --output out" in refused.err
    said = command(capsys, *words)
    assert said.code == 0, said.err
    assert load(tmp_path / "etc/mppdbus/config.toml").inverter[0].serial
    assert (tmp_path / "etc/systemd/system/mppdbus.service").exists()
    status = command(capsys, "status", "--root", str(tmp_path), "--json")
    assert status.code == 1  # systemd does not run there
    assert status.records[0]["state"] == ""
    assert status.records[0]["config"] == "/etc/mppdbus/config.toml"

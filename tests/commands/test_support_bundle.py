"""`mppdbus support-bundle`: nothing secret in it, and the same values elsewhere."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import tarfile
from pathlib import Path
from typing import Any

import pytest

from helpers.bus import PrivateBus
from helpers.commands import Simulated, cli, command
from helpers.run import MULTI, Daemon, Ports, Watcher
from mppdbus.commands.replay import _load
from mppdbus.recording.masking import Masker
from mppdbus.recording.text_masking import TextMasker
from mppdbus.simulator.line.simulator import Simulator
from mppdbus.simulator.line.speed import Pace
from mppdbus.simulator.scene.control import Scene

SERIAL = "96342107100456"
LOG = f"""\
2026-06-01 10:00:00 INFO mppdbus.garage: connected on 192.168.7.23:8899: serial {SERIAL}
2026-06-01 10:00:01 WARNING mppdbus.bus: com.victronenergy.multi.mppdbus_{SERIAL} taken
10:00:02 WARNING mppdbus.garage: bad checksum in 39 36 33 34 32 31 30 37 31 30
/home/waltraud/mppdbus on HOST, by waltraud, mac 0a:1b:2c:3d:4e:5f, 192.168.7.23 again
/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A10KZP45-if00-port0
"""
SECRETS = (
    *(SERIAL, "192.168.7.23", "waltraud", "0a:1b:2c", "A10KZP45"),
    "39 36 33 34 32 31 30 37 31 30",
)


def unpacked(path: Path) -> dict[str, str]:
    with tarfile.open(path) as bundle:
        files = {m.name: bundle.extractfile(m) for m in bundle.getmembers()}
        return {name: file.read().decode() for name, file in files.items() if file}


def test_nothing_secret_is_in_it(
    inverter: Simulated, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    host = socket.gethostname()
    (tmp_path / "log").write_text(LOG.replace("HOST", host))
    config, out = tmp_path / "config.toml", tmp_path / "bundle.tar.gz"
    config.write_text(f'[[inverter]]\nport = "{inverter.path}"\nserial = "{SERIAL}"\n')
    monkeypatch.setenv("USER", "waltraud")
    words = ("--config", str(config), "--no-bus", "--log", str(tmp_path / "log"))
    said = command(capsys, "support-bundle", *words, "--output", str(out))
    assert said.code == 0, said.err
    assert "recording.jsonl" in said.out
    files = unpacked(out)
    everything = "\n".join(files.values())
    for secret in (*SECRETS, *SERIAL_IN_HEX):
        assert secret not in everything, secret
    if len(host) > 2:
        assert host not in everything
    # The same thing has the same name everywhere, and the story can still be read.
    made_up = Masker().number(SERIAL)
    log = files["mppdbus-support/log.txt"]
    assert log.count(made_up) == 2
    assert log.count("192.0.2.1") == 2
    assert made_up in files["mppdbus-support/config.toml"]
    assert made_up in files["mppdbus-support/doctor.json"]
    assert {"recording.jsonl", "versions.json", "README.txt"} <= {
        Path(name).name for name in files
    }
    # Another one does not replace it.
    again = command(capsys, "support-bundle", *words, "--output", str(out))
    assert again.code == 2
    assert "name another --output" in again.err


SERIAL_IN_HEX = (SERIAL.encode().hex(), SERIAL.encode().hex(" "))

# What depends on the moment, or tells of this machine and not of the inverter.
OF_THE_MOMENT = (
    "/Mgmt/Connection",
    "/Mppdbus/Link/",
    "/Energy/",
    "/History/",
    "/Yield/",
)


def lasting(values: dict[str, Any]) -> dict[str, Any]:
    return {p: v for p, v in values.items() if not p.startswith(OF_THE_MOMENT)}


async def test_a_bundle_of_a_running_daemon_replays_its_values(
    private_bus: PrivateBus, tmp_path: Path
) -> None:
    """The daemon keeps its port; what it shows is shown elsewhere, but masked."""
    bundle = tmp_path / "bundle.tar.gz"
    address = private_bus.address
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
    known = {"/Mppdbus/Load": ..., "/NrOfTrackers": 2, "/Mppdbus/Dialect": ...}
    known |= {"/ProductName": "MKS2-8000", "/FirmwareVersion": ...}
    known |= {"/Mppdbus/InputRating": ..., "/Alarms/Overload": ..., "/Yield/Power": ...}
    known |= {"/SwitchableOutput/OverloadBypass/State": 0}  # of QFLAG
    async with Watcher.on(address) as watcher:
        async with Ports.below(here) as ports:
            scene = "grid on; pv 800 700; load 500; battery 52 6"
            await ports.add("tty", "max-8000", scene)
            with Daemon(here, address, [ports.unit("tty")]) as daemon:
                shown = await watcher.wait(MULTI + SERIAL, known)
                words = ("--config", str(here / "daemon.toml"), "--output", str(bundle))
                state = {"MPPDBUS_STATE": str(here / "state")}
                done = await asyncio.to_thread(
                    lambda: cli("support-bundle", *words, "--json", env=state)
                )
                assert done.returncode == 0, done.stderr
                said = json.loads(done.stdout)
                assert {"recording.jsonl", "dbus.json"} <= set(said["contents"]), said
                assert daemon.running
                await watcher.wait(MULTI + SERIAL, {"/Connected": 1})
        everything = "\n".join(unpacked(bundle).values())
        assert SERIAL not in everything
        made_up = Masker().number(SERIAL)
        report = unpacked(bundle)["mppdbus-support/doctor.txt"]
        assert "served by mppdbus, MKS2-8000" in report
        assert "All is well." in report
        tree = json.loads(unpacked(bundle)["mppdbus-support/dbus.json"])
        assert MULTI + made_up in tree
        async with Ports.below(there) as ports:
            recording = await asyncio.to_thread(_load, bundle, None)
            scene_of = Scene(None, pace=Pace.instant())
            await ports.add("tty", Simulator(recording, scene_of, name="replayed"))
            with Daemon(there, address, [ports.unit("tty")]):
                wanted = {p: shown[p] for p in known}
                replayed = await watcher.wait(MULTI + made_up, wanted)
    assert lasting(replayed) == lasting(shown | {"/Serial": made_up})


def test_masked_texts() -> None:
    masker = TextMasker(Masker(), ["AB12345678"], ["anna", "annas-pi", "root"])
    for before, after in (
        ("serial AB12345678", "serial 9801024681"),
        ("anna@annas-pi: root", "name-2@name-1: root"),
        ("joanna", "joanna"),
        ("1 bits 00000100000000000000", "1 bits 00000100000000000000"),
        ("@400000006512345678901234 text", "@400000006512345678901234 text"),
        ("127.0.0.1 and 10.0.0.9", "127.0.0.1 and 192.0.2.1"),
        ("fe80::1ff:fe23:4567:890a", "ip6-1"),
        ("230.0 21.7 230.0 50.0", "230.0 21.7 230.0 50.0"),
        ("12:30:45 o'clock", "12:30:45 o'clock"),
    ):
        assert masker.text(before) == after


def test_a_bundle_without_a_recording(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No inverter, no bus, no log: it says what is missing, and replay refuses."""
    out = tmp_path / "bundle.tar.gz"
    words = ("--port", "/dev/nobody", "--output", str(out), "--log", os.devnull)
    said = command(capsys, "support-bundle", *words)
    assert said.code == 0, said.err
    assert "Not in it: " in said.out
    assert "port-missing" in unpacked(out)["mppdbus-support/doctor.json"] or (
        "no-adapter" in unpacked(out)["mppdbus-support/doctor.json"]
    )
    refused = command(capsys, "replay", str(out))
    assert refused.code == 2
    assert "no recording in this bundle" in refused.err

"""The serial-starter of Venus OS is kept off our ports, whatever it does."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from mppdbus.host import serial_starter
from mppdbus.host.install import venus_paths as paths


def starter(root: Path, script: str) -> Path:
    """Make a serial-starter whose stop-tty.sh does this; return our lock."""
    for name in (paths.STOP_TTY, f"{paths.STARTER_LINKS}/x", f"{paths.TTY_LOCKS}/x"):
        (root / name.lstrip("/")).parent.mkdir(parents=True)
    stop = root / paths.STOP_TTY.lstrip("/")
    stop.write_text(f"#!/bin/sh\n{script}\n")
    stop.chmod(0o755)
    (root / paths.STARTER_LINKS.lstrip("/") / "ttyUSB7").touch()
    return root / paths.TTY_LOCKS.lstrip("/") / "ttyUSB7"


def test_without_one_nothing_is_done(tmp_path: Path) -> None:
    serial_starter.claim("/dev/ttyUSB7", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_port_is_claimed_once(tmp_path: Path) -> None:
    lock = starter(tmp_path, f"echo $1 >>{tmp_path}/calls")
    lock.symlink_to("99999999")  # of a process that is no more
    for _ in range(2):
        serial_starter.claim("/dev/ttyUSB7", tmp_path)
    assert str(lock.readlink()) == str(os.getpid())
    assert (tmp_path / "calls").read_text() == "ttyUSB7\n"
    assert not (tmp_path / paths.STARTER_LINKS.lstrip("/") / "ttyUSB7").exists()


def test_a_script_that_hangs_and_a_holder_that_stays_hold_up_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(serial_starter, "LONGEST", 0.2)
    monkeypatch.setattr(serial_starter, "PATIENCE", 0.2)
    lock = starter(tmp_path, "sleep 600 & wait")
    lock.symlink_to("4711")
    (tmp_path / "proc/4711").mkdir(parents=True)
    serial_starter.claim("/dev/ttyUSB7", tmp_path)
    assert str(lock.readlink()) == "4711"
    assert "stop-tty.sh ttyUSB7 did not end within 0.2 s" in caplog.text
    assert "ttyUSB7 is locked by process 4711" in caplog.text


def test_what_the_config_no_longer_names_is_forgotten(tmp_path: Path) -> None:
    saved = tmp_path / paths.SAVED_RULES.lstrip("/")
    saved.parent.mkdir(parents=True)
    one, two = "# ttyUSB0 /dev/a\nrule a\n", "# ttyUSB1 /dev/b\nrule b\n"
    saved.write_text(one + two)
    serial_starter.forget_all_but(["/dev/b", "/dev/c"], tmp_path)
    assert saved.read_text() == two
    assert (tmp_path / paths.RULES.lstrip("/")).read_text() == two


@pytest.mark.parametrize(
    ("known", "match"),
    [
        ("E:ID_PATH=usb-1\n", 'ENV{ID_PATH}=="usb-1"'),
        (
            "E:ID_VENDOR_ID=0403\nE:ID_SERIAL_SHORT=A9\n",
            'ENV{ID_VENDOR_ID}=="0403", ENV{ID_SERIAL_SHORT}=="A9"',
        ),
        ('E:ID_PATH=a"b\n', ""),
        ("", ""),
    ],
)
def test_the_rule_is_for_exactly_this_adapter(
    known: str, match: str, tmp_path: Path
) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/ttyUSB7").symlink_to("/dev/null")
    number = subprocess.run(
        ["stat", "-Lc", "%t:%T", "/dev/null"], capture_output=True, check=True
    )
    major, minor = (int(part, 16) for part in number.stdout.decode().split(":"))
    data = tmp_path / f"run/udev/data/c{major}:{minor}"
    data.parent.mkdir(parents=True)
    data.write_text(known)
    rule = serial_starter._rule(tmp_path, "/dev/ttyUSB7")
    whole = f'ACTION!="remove", SUBSYSTEM=="tty", {match}, ENV{{VE_SERVICE}}="ignore"'
    assert rule == (whole if match else "")

"""mppdbus as a unit of systemd, put into a directory that stands for a machine."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.places import ROOT
from helpers.tree import tree
from mppdbus.errors import InstallError
from mppdbus.host.install.changes import InstallTarget
from mppdbus.host.install.systemd import (
    CONFIG,
    DROP_IN,
    POLICY,
    SYSUSERS,
    UDEV_RULE,
    UNIT,
    UNIT_FILE,
    WANTED,
    SystemdInstaller,
    why_hidden,
)

PYTHON = "/usr/bin/python3"  # every user may read it
SOURCES = {
    UNIT_FILE: "mppdbus.service",
    POLICY: "mppdbus-dbus.conf",
    SYSUSERS: "mppdbus-sysusers.conf",
    UDEV_RULE: "mppdbus-udev.rules",
}
ANALYZE = shutil.which("systemd-analyze")
SERIAL = '[[inverter]]\nport = "/dev/ttyUSB0"  # or "tcp://host:8899"\n'
TCP = '[[inverter]]\nport = "tcp://192.168.1.50:8899"\n'


@pytest.fixture
def installer(monkeypatch: pytest.MonkeyPatch) -> SystemdInstaller:
    """Install as root does, from where all may read; the tests run from anywhere."""
    monkeypatch.setattr("mppdbus.host.install.systemd.why_hidden", lambda _python: "")
    return SystemdInstaller(PYTHON)


@pytest.fixture
def machine(tmp_path: Path) -> InstallTarget:
    (tmp_path / "etc/systemd/system").mkdir(parents=True)
    (tmp_path / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/bash\n")
    return InstallTarget(tmp_path)


def write_config(machine: InstallTarget, text: str) -> None:
    place = machine.at(CONFIG)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


def install(
    installer: SystemdInstaller, machine: InstallTarget, *, dry_run: bool = False
) -> list[str]:
    said: list[str] = []
    installer.install(machine, said.append, dry_run=dry_run)
    return said


def uninstall(
    installer: SystemdInstaller, machine: InstallTarget, *, purge: bool = False
) -> list[str]:
    said: list[str] = []
    installer.uninstall(machine, said.append, purge=purge, dry_run=False)
    return said


def test_what_is_installed_is_what_is_in_the_repository(
    installer: SystemdInstaller, machine: InstallTarget
) -> None:
    install(installer, machine)
    for path, name in SOURCES.items():
        assert machine.at(path).read_bytes() == (ROOT / "systemd" / name).read_bytes()
    assert machine.at(WANTED).readlink() == Path(UNIT_FILE)


def test_once_more_changes_nothing_and_a_lost_file_comes_back(
    installer: SystemdInstaller, machine: InstallTarget
) -> None:
    write_config(machine, SERIAL)
    dry = install(installer, machine, dry_run=True)
    assert not machine.at(UNIT_FILE).exists()
    assert install(installer, machine) == dry
    before = tree(machine.root)
    assert install(installer, machine)[0] == "all is as it should be"
    machine.at(POLICY).unlink()
    machine.at(DROP_IN).write_text("broken")
    assert len([line for line in install(installer, machine) if "write" in line]) == 2
    assert tree(machine.root) == before


@pytest.mark.parametrize("config", [None, SERIAL])
def test_uninstall_leaves_what_was_there(
    installer: SystemdInstaller, machine: InstallTarget, config: str | None
) -> None:
    if config is not None:
        write_config(machine, config)
    before = tree(machine.root)
    install(installer, machine)
    said = uninstall(installer, machine)
    assert tree(machine.root) == before
    assert said[-1].startswith("what remains: ")
    assert ("/etc/mppdbus" in said[-1]) is (config is not None)
    assert uninstall(installer, machine)[:-1] == []  # nothing more to do


def test_purge_takes_config_and_state(
    installer: SystemdInstaller, machine: InstallTarget
) -> None:
    before = tree(machine.root)
    write_config(machine, SERIAL)
    install(installer, machine)
    machine.at("/var/lib/mppdbus").mkdir(parents=True)
    uninstall(installer, machine, purge=True)
    (machine.root / "var/lib").rmdir()
    (machine.root / "var").rmdir()
    assert tree(machine.root) == before


def test_the_network_is_open_only_for_a_port_on_it(
    installer: SystemdInstaller, machine: InstallTarget
) -> None:
    for config, wanted in ((SERIAL, False), (TCP, True), (SERIAL, False)):
        write_config(machine, config)
        install(installer, machine)
        drop_in = machine.at(DROP_IN).read_text()
        assert ("PrivateNetwork=no\n" in drop_in) is wanted


def stubs(machine: InstallTarget, *, active: bool) -> Path:
    """Put programs in place that only note how they are called; return the notes."""
    notes = machine.root / "notes"
    folder = machine.root / "usr/bin"
    folder.mkdir(parents=True)
    (machine.root / "run/systemd/system").mkdir(parents=True)
    for name in ("systemctl", "udevadm", "systemd-sysusers", "userdel"):
        program = folder / name
        answer = 'case "$*" in is-active*) exit 3;; esac\n' if not active else ""
        text = f'#!/bin/sh\n{answer}echo "{name} $*" >> {notes}\n'
        program.write_text(text)
        program.chmod(0o755)
    return notes


def test_what_runs_and_in_which_order(
    installer: SystemdInstaller, machine: InstallTarget
) -> None:
    notes = stubs(machine, active=True)
    write_config(machine, SERIAL)
    install(installer, machine)
    assert notes.read_text().splitlines() == [
        f"systemd-sysusers {SYSUSERS}",
        "systemctl reload dbus",
        "udevadm control --reload",
        "udevadm trigger --subsystem-match=hidraw",
        "systemctl daemon-reload",
        f"systemctl restart {UNIT}",
    ]
    notes.unlink()
    install(installer, machine)
    assert notes.read_text().splitlines() == [f"systemctl is-active --quiet {UNIT}"]
    notes.unlink()
    uninstall(installer, machine)
    assert notes.read_text().splitlines() == [
        f"systemctl is-active --quiet {UNIT}",
        f"systemctl stop {UNIT}",
        "systemctl daemon-reload",
        "udevadm control --reload",
        "systemctl reload dbus",
    ]


def test_a_service_that_was_stopped_is_started_and_one_without_config_is_not(
    installer: SystemdInstaller, machine: InstallTarget
) -> None:
    notes = stubs(machine, active=False)
    said = install(installer, machine)
    assert "start" not in notes.read_text()
    assert any("there is no /etc/mppdbus/config.toml yet" in line for line in said)
    write_config(machine, SERIAL)
    install(installer, machine)
    assert notes.read_text().splitlines()[-1] == f"systemctl start {UNIT}"


def test_where_a_service_cannot_see_it(tmp_path: Path) -> None:
    inside = tmp_path / "venv/bin/python3"
    inside.parent.mkdir(parents=True)
    inside.symlink_to(PYTHON)
    said = why_hidden(str(inside))
    assert "which a service does not see; install mppdbus elsewhere" in said
    # Each step needs root, and mppdbus is in no registry.
    steps = said.partition("source: ")[2].split(" && ")
    assert [step.split()[0] for step in steps] == ["sudo"] * 3
    assert steps[1].endswith("pip install .")
    with pytest.raises(InstallError, match="does not see"):
        SystemdInstaller(str(inside)).install(
            InstallTarget(tmp_path), print, dry_run=True
        )


@pytest.mark.skipif(ANALYZE is None, reason="no systemd-analyze here")
@pytest.mark.parametrize("config", [SERIAL, TCP])
def test_what_systemd_thinks_of_the_unit(
    installer: SystemdInstaller, machine: InstallTarget, config: str
) -> None:
    write_config(machine, config)
    install(installer, machine)
    unit = str(machine.at(UNIT_FILE))
    checked = analyze("verify", "--man=no", unit)
    assert checked == "", checked
    said = analyze("security", "--offline=yes", "--no-pager", unit).splitlines()[-1]
    exposure = float(said.split("mppdbus.service:")[1].split()[0])
    assert exposure < 2


@pytest.mark.skipif(ANALYZE is None, reason="no systemd-analyze here")
def test_a_place_with_odd_characters(
    machine: InstallTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mppdbus.host.install.systemd.why_hidden", lambda _python: "")
    odd = tmp_path / "a b%n$HOME"
    odd.mkdir()
    (odd / "python3").symlink_to(sys.executable)
    install(SystemdInstaller(str(odd / "python3")), machine)
    assert analyze("verify", "--man=no", str(machine.at(UNIT_FILE))) == ""


def analyze(*words: str) -> str:
    done = subprocess.run(
        [ANALYZE or "", *words], capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr

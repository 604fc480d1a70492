"""The service under a real systemd, in a virtual machine without a hypervisor.

Opt-in (`-m vm`): it takes half an hour and needs `vng` (virtme-ng of PyPI, with
qemu-system-x86 and busybox-static), and two places that variables name:
MPPDBUS_VM_KERNEL, a vmlinuz of Debian, and MPPDBUS_VM_ROOT, the root of a Debian that
may be written to, with the kernel's modules and these packages (mmdebstrap makes one):
systemd-sysv, dbus, udev, kmod, python3-venv; and mppdbus with what it needs in
/opt/mppdbus, of whatever version.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from helpers.places import ROOT, TESTS

KERNEL, VM_ROOT = (os.environ.get(f"MPPDBUS_VM_{what}") for what in ("KERNEL", "ROOT"))
SCRIPT = TESTS / "data" / "systemd_vm.sh"
LIMIT = 3600  # s a boot

pytestmark = [
    pytest.mark.vm,
    pytest.mark.skipif(
        not (KERNEL and VM_ROOT and shutil.which("vng")), reason="see this file"
    ),
]


@contextmanager
def simulator() -> Iterator[int]:
    """Run an inverter at a TCP port; in the machine, a USB adapter leads to it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    words = [sys.executable, "-m", "mppdbus", "simulate", "--tcp", f"127.0.0.1:{port}"]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as running:
        try:
            yield port
        finally:
            running.terminate()


def boot(phase: str, port: int) -> dict[str, str]:
    """Boot, run the script, and return what its steps saw, by name."""
    log = Path(VM_ROOT or "", "opt", f"systemd_vm.{phase}.log")
    usb = f"-chardev socket,id=line,host=127.0.0.1,port={port},reconnect=1"
    usb += " -device qemu-xhci -device usb-serial,chardev=line"
    argv = ["vng", "-r", str(KERNEL), "--root", str(VM_ROOT), "--user", "root"]
    argv += ["--disable-kvm", "--disable-microvm", "--force-9p", "--rw", "--systemd"]
    argv += ["--memory", "1G", f"--qemu-opts={usb}"]
    argv += ["--exec", f"sh /opt/{SCRIPT.name} {phase} > /opt/{log.name} 2>&1"]
    subprocess.run(argv, stdin=subprocess.DEVNULL, timeout=LIMIT, check=False)
    said = log.read_text()
    print(said)
    return dict(re.findall(r"^(\w+): (.*)$", said, re.MULTILINE))


@pytest.fixture(scope="module")
def seen() -> dict[str, str]:
    """Put today's mppdbus into the machine, and boot it twice."""
    root = Path(VM_ROOT or "")
    for file in (SCRIPT, TESTS / "data" / "uhid_inverter.py"):
        shutil.copy(file, root / "opt")
    (package,) = root.glob("opt/mppdbus/lib/python3.*/site-packages/mppdbus")
    shutil.rmtree(package)
    hidden = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src/mppdbus", package, ignore=hidden)
    with simulator() as port:
        return boot("first", port) | boot("second", port)


def test_installed_without_a_config_it_waits_for_one(seen: dict[str, str]) -> None:
    assert seen["waits"] == "inactive, inactive"
    assert seen["start"] == "inactive, condition no"


def test_the_service_lives_under_systemd(seen: dict[str, str]) -> None:
    assert seen["active"] == "active"
    assert seen["user"] == "mppdbus"
    assert seen["status"].endswith(" mode")
    assert "com.victronenergy.acsystem.mppdbus" in seen["names"]
    assert "com.victronenergy.multi.mppdbus_" in seen["names"]
    assert seen["again"] == "all is as it should be"
    assert float(seen["security"].split()[0]) < 2
    assert '"state": "active"' in seen["json"]


def test_who_may_do_what(seen: dict[str, str]) -> None:
    assert "string" in seen["read"]
    assert "AccessDenied" in seen["refused"]
    assert seen["written"] == " int32 0"
    assert seen["device"].startswith("usb ")
    assert "not permitted" in seen["device"]


def test_it_is_watched_and_outlives_its_adapter(seen: dict[str, str]) -> None:
    assert seen["watchdog"] == "1 restart, active"
    assert not seen["unplugged"].endswith(" mode")
    assert seen["same"] == "yes"
    assert seen["plugged"].endswith(" mode")


def test_more_ports_without_an_end(seen: dict[str, str]) -> None:
    assert seen["hidraw"] == "root dialout 660"  # the udev rule
    assert seen["reloaded"] == seen["before"]
    assert "new: hid" in seen["log"]
    assert seen["two"] == "2"
    assert seen["three"].startswith("3, ")


def test_booted_again_and_gone(seen: dict[str, str]) -> None:
    assert seen["stopped"] == "success, 0"
    assert seen["booted"] == "active, 1"
    assert "Barn" in seen["renamed"]
    assert "/" not in seen["left"]
    assert "no such user" in seen["left"]
    assert seen["end"] == "second"

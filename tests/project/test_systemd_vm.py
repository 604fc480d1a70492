"""The service under a real systemd, in a virtual machine without a hypervisor.

Opt-in (`-m vm`): it takes some minutes and needs `vng` (virtme-ng of PyPI, with
qemu-system-x86 and busybox-static), and two places that variables name:
MPPDBUS_VM_KERNEL, a vmlinuz of Debian, and MPPDBUS_VM_ROOT, the root of a Debian that
may be written to, with its modules and these packages (mmdebstrap makes one):
systemd-sysv, dbus, udev, kmod, python3-venv; and mppdbus in /opt/mppdbus.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from helpers.places import TESTS

KERNEL, VM_ROOT = (os.environ.get(f"MPPDBUS_VM_{what}") for what in ("KERNEL", "ROOT"))
SCRIPT = TESTS / "data" / "systemd_vm.sh"
LIMIT = 1500  # s

pytestmark = [
    pytest.mark.vm,
    pytest.mark.skipif(
        not (KERNEL and VM_ROOT and shutil.which("vng")), reason="see this file"
    ),
]


@pytest.fixture(scope="module")
def seen() -> dict[str, str]:
    """Run the script in the machine; return what its steps saw, by name."""
    root = Path(VM_ROOT or "")
    shutil.copy(SCRIPT, root / "opt")
    log = root / "opt/systemd_vm.log"
    argv = ["vng", "-r", str(KERNEL), "--root", str(root), "--user", "root"]
    argv += ["--disable-kvm", "--disable-microvm", "--force-9p", "--rw", "--systemd"]
    argv += ["--exec", f"sh /opt/{SCRIPT.name} > /opt/{log.name} 2>&1"]
    subprocess.run(argv, stdin=subprocess.DEVNULL, timeout=LIMIT, check=False)
    said = log.read_text()
    print(said)
    return dict(re.findall(r"^(\w+): (.*)$", said, re.MULTILINE))


def test_the_service_lives_under_systemd(seen: dict[str, str]) -> None:
    assert seen["active"] == "active"
    assert seen["user"] == "mppdbus"
    assert seen["status"] == "garage: line mode"
    assert "com.victronenergy.acsystem.mppdbus" in seen["names"]
    assert "string" in seen["read"]
    assert "AccessDenied" in seen["refused"]
    assert seen["written"] == " int32 0"
    assert seen["again"] == "all is as it should be"
    assert seen["reloaded"] == seen["before"]
    assert "restarted: garage" in seen["log"]
    assert seen["watchdog"] == "1 restart, active"
    assert seen["silent"] == "garage: does not answer"
    assert seen["same"] == "yes"
    assert "/etc" not in seen["left"]
    assert "no such user" in seen["left"]
    assert seen["end"] == "ok"

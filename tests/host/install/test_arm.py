"""The bundles on the machine code of a GX device, emulated: they start and publish.

Opt-in (`-m arm`): it needs qemu-user-static, and MPPDBUS_ARM_ROOTS, a folder with the
roots `armhf` and `arm64` of a Debian with python3 (mmdebstrap --architectures=armhf).
The D-Bus and the simulated inverter are those of this machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import NamedTuple

import pytest

import make_bundle
from helpers.bus import PrivateBus
from helpers.run import MULTI, SYSTEM, Daemon, Ports, Watcher
from mppdbus import __version__

ROOTS = Path(os.environ.get("MPPDBUS_ARM_ROOTS", "/none"))
# Architecture of a bundle → folder of the root, emulator, processor of such a GX.
MACHINES = {
    "armv7": ("armhf", "qemu-arm-static", "cortex-a7"),
    "aarch64": ("arm64", "qemu-aarch64-static", "cortex-a53"),
}
# Prints the time of all imports of a daemon in s; its memory in kB.
IMPORTS = """
import sys, time
sys.path[:0] = sys.argv[1:]
began = time.perf_counter()
import mppdbus.daemon.main
print(round(time.perf_counter() - began, 2), mppdbus.__version__, end=" ")
"""
MEMORY = "print([l.split()[1] for l in open('/proc/self/status') if 'VmRSS' in l][0])"
PASTED = (
    "QPIGS (230.1 50.0 230.1 50.0 0322 0240 006 402 52.80 004 088 0041 00.0 000.0 "
    "00.00 00000 00010101 00 00 00000 010\n"
)

pytestmark = [
    pytest.mark.arm,
    pytest.mark.skipif(not ROOTS.is_dir(), reason="see this file"),
]


class Machine(NamedTuple):
    """A release on an emulated machine: `python` begins each command."""

    release: Path
    python: list[str]
    tag: str

    def says(self, *words: str) -> list[str]:
        """Run Python; return the words that it prints."""
        argv = [*self.python, *words]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        return done.stdout.split()


@pytest.fixture(params=MACHINES)
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Machine:
    """Unpack a bundle for Venus OS's Python and for that of the root."""
    folder, emulator, cpu = MACHINES[request.param]
    root = ROOTS / folder
    if not root.is_dir() or shutil.which(emulator) is None:
        pytest.skip(f"there is no {root} or no {emulator}")
    python = next(root.glob("usr/bin/python3.[0-9]*"))
    version = python.name.removeprefix("python")
    bundle = make_bundle.build(request.param, ["3.12", version], tmp_path)
    with tarfile.open(bundle) as archive:
        archive.extractall(tmp_path, filter="tar")
    release = tmp_path / f"mppdbus-{__version__}"
    size = sum(path.stat().st_size for path in release.rglob("*"))
    print(f"{request.param}: {bundle.stat().st_size / 1e6:.1f} MB, ", end="")
    print(f"{size / 1e6:.1f} MB unpacked, for 3.12 and {version}")
    command = [emulator, "-cpu", cpu, "-L", str(root), str(python), "-s", "-u"]
    return Machine(release, command, f"cp{version.replace('.', '')}")


async def test_it_starts_decodes_and_publishes(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = str(machine.release / "bin/start.py")
    pasted = tmp_path / "pasted.txt"
    pasted.write_text(PASTED)
    assert machine.says(start, "--version") == [__version__]
    assert "52.8" in machine.says(start, "decode", str(pasted))
    site = [str(machine.release / name) for name in ("site", f"site-{machine.tag}")]
    (bare,) = machine.says("-c", MEMORY)
    for _ in range(2):  # the first time compiles
        seconds, version, all_in = machine.says("-c", IMPORTS + MEMORY, *site)
    assert version == __version__
    print(f"imports {seconds} s; memory {all_in} kB, the bare emulator {bare} kB")

    monkeypatch.setattr("helpers.run.MPPDBUS", (*machine.python, start))
    bus = PrivateBus(tmp_path)
    bus.start()
    async with Ports.below(tmp_path) as ports, Watcher.on(bus.address) as watcher:
        await ports.add("one")
        daemon = Daemon(tmp_path, bus.address, [f'port = "serial:{tmp_path / "one"}"'])
        try:
            name = f"{MULTI}92932105100123"
            shown = await watcher.wait(name, {"/Connected": 1}, 600)
            assert shown["/Dc/0/Voltage"] is not None
            assert SYSTEM in await watcher.names()
            status = Path(f"/proc/{daemon.pid}/status").read_text()
            print("daemon", [x for x in status.splitlines() if "VmRSS" in x])
            assert daemon.warnings() == []
        finally:
            daemon.stop()
            bus.stop()

"""A GX device in a sandbox: what Venus OS has, and nothing else.

BusyBox, Python, daemontools and a D-Bus; a root file system that cannot be written;
no pip, git, systemctl or timeout. Only /data is kept from one boot to the next.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tarfile
import time
from functools import cache
from importlib.metadata import distribution
from itertools import count
from pathlib import Path
from typing import NamedTuple

import make_bundle
from helpers.bus import CONFIG
from mppdbus import __version__
from mppdbus.host.install.release import PACKAGE, complete, needed_packages

DAEMONTOOLS = (
    *("svscan", "supervise", "svc", "svok", "svstat", "svscanboot", "readproctitle"),
    *("multilog", "softlimit", "tai64nlocal"),
)
NOT_THERE = {"timeout", "svc", "svok", "pip", "git", "systemctl"}  # of BusyBox's
PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
ARCH = os.uname().machine
PATIENCE = 60.0  # s
BUS = "/run/dbus/system_bus_socket"
STUB = '#!/bin/sh\necho "${0##*/} $*" >>/rec/stubs\n'
INIT = """\
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/ PYTHONDONTWRITEBYTECODE=
exec 2>>/rec/init.log
mkdir -p /run/dbus /run/udev/rules.d /dev/serial-starter /var/lock/serial-starter
[ ! -x /data/rcS.local ] || /data/rcS.local
dbus-daemon --config-file=/opt/bus.conf --nofork --nopidfile >>/rec/init.log &
/opt/sim/bin/mppdbus simulate --pty /dev/ttyUSB0 --unpaced >>/rec/init.log &
svscan /service >>/rec/init.log &
[ ! -x /data/rc.local ] || /data/rc.local
echo ready >/rec/ready
while read -r number; do
    /bin/sh /rec/command.$number >/rec/output.$number 2>&1 </dev/null
    echo $? >/rec/code.new
    mv /rec/code.new /rec/code.$number
done
"""


class Result(NamedTuple):
    """What a command of the device ended with, and what it printed."""

    code: int
    output: str


def a_bundle(folder: Path, version: str = __version__, breaks: str = "") -> Path:
    """Build the bundle of this very machine; one that `breaks` fails as a daemon."""
    tree = folder / f"tree-{version}" / f"mppdbus-{version}"
    make_bundle.lay_out(tree, ARCH, [PYTHON], version)
    if breaks:
        daemon = tree / "site/mppdbus/daemon/main.py"
        daemon.write_text(f"{daemon.read_text()}\nraise RuntimeError({breaks!r})\n")
        complete(tree, version, ARCH)
    path = folder / f"mppdbus-{version}-venus-{ARCH}.tar.gz"
    path.write_bytes(make_bundle.packed(tree.parent))
    return path


def installed_by_pip(folder: Path) -> None:
    """Lay out mppdbus with what it needs, as `pip install --target` does."""
    shutil.copytree(PACKAGE, folder / "mppdbus", ignore=shutil.ignore_patterns("*.pyc"))
    for package in (distribution("mppdbus"), *needed_packages()):
        for file in package.files or ():
            if ".." not in file.parts and file.suffix not in (".pth", ".pyc"):
                place = folder / str(file)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(str(file.locate()), place)


@cache
def image_of(folder: Path) -> Path:
    """Build the read-only part: programs, stubs, and a simulated inverter."""
    image = folder / "image"
    for name in ("bin", "usrbin", "packages/pydantic", "opt/serial-starter"):
        (image / name).mkdir(parents=True)
    busybox = shutil.which("busybox")
    assert busybox, "apt-get install busybox-static"
    shutil.copy(busybox, image / "bin/busybox")
    listed = subprocess.run([busybox, "--list"], capture_output=True, check=True)
    for name in set(listed.stdout.decode().split()) - NOT_THERE - {"busybox"}:
        (image / "bin" / name).symlink_to("busybox")
    for name in ("dbus-daemon", *DAEMONTOOLS):
        program = shutil.which(name)
        assert program, f"{name} is missing: apt-get install dbus daemontools"
        shutil.copy(program, image / "usrbin" / name)
    python = Path(sys.base_prefix) / f"bin/python{PYTHON}"
    if sys.base_prefix == "/usr":
        shutil.copy(python, image / "usrbin" / python.name)
        (image / "usrbin/python3").symlink_to(python.name)
    else:
        (image / "usrbin/python3").symlink_to(python)
    # An image has packages of its own, and ours must win.
    (image / "packages/pydantic/__init__.py").write_text("raise SystemExit('theirs')")
    stub(image / "usrbin/udevadm")
    stub(image / "opt/serial-starter/stop-tty.sh", 'rm -f "/dev/serial-starter/$1"\n')
    stub(image / "opt/serial-starter/start-tty.sh")
    (image / "bus.conf").write_text(CONFIG.format(socket=BUS, policy="", limits=""))
    (image / "init").write_text(INIT)
    with tarfile.open(a_bundle(image)) as bundle:
        bundle.extractall(image, filter="tar")
    return image


def stub(path: Path, more: str = "") -> None:
    """Write a program that notes how it was called."""
    path.write_text(STUB + more)
    path.chmod(0o755)


class Gx:
    """A device: boot it, type commands, cut its power."""

    def __init__(self, folder: Path, image: Path) -> None:
        self.data, self.rec = folder / "data", folder / "rec"
        for path in (self.data / "log", self.data / "conf", self.rec):
            path.mkdir(parents=True)
        self._folder, self._image = folder, image
        self._boots, self._numbers = count(1), count(1)
        self._process: subprocess.Popen[str] | None = None
        self.run = folder / "none"

    @property
    def bus_address(self) -> str:
        return f"unix:path={self.run}/dbus/system_bus_socket"

    def boot(self, firmware: str = "v3.81", packages: str = "packages") -> None:
        """Start with a fresh root file system; return when the start scripts ran."""
        number = next(self._boots)
        self.run = self._folder / f"run{number}"
        opt = self._folder / f"opt{number}"
        self.run.mkdir()
        shutil.copytree(self._image / "opt", opt)
        (opt / "version").write_text(f"{firmware}\n")
        (self.rec / "ready").unlink(missing_ok=True)
        self._process = subprocess.Popen(
            [*self._bwrap(opt, packages), "/bin/sh", "/opt/init"],
            stdin=subprocess.PIPE,
            text=True,
        )
        self._wait_for(self.rec / "ready")

    def _bwrap(self, opt: Path, packages: str) -> list[str]:
        ro = {
            "/bin": self._image / "bin",
            "/usr/bin": self._image / "usrbin",
            "/opt/victronenergy": opt,
            "/opt/sim": self._image / f"tree-{__version__}/mppdbus-{__version__}",
            "/opt/bus.conf": self._image / "bus.conf",
            "/opt/init": self._image / "init",
        }
        for name in ("/lib", "/lib64", "/usr/lib", "/usr/local/lib", "/etc/passwd"):
            if Path(name).exists():
                ro[name] = Path(name)
        if sys.base_prefix != "/usr":
            ro[sys.base_prefix] = Path(sys.base_prefix)
        site = f"{sys.base_prefix}/lib/python{PYTHON}/site-packages"
        words = ["bwrap", "--unshare-pid", "--unshare-net", "--unshare-ipc"]
        words += ["--die-with-parent", "--new-session", "--clearenv"]
        for place, source in ro.items():
            words += ["--ro-bind", str(source), place]
        if Path(site).exists():
            words += ["--ro-bind", str(self._image / packages), site]
        words += ["--proc", "/proc", "--dev", "/dev", "--symlink", "/bin", "/sbin"]
        for place in ("/tmp", "/service", "/var/lock", "/media"):
            words += ["--tmpfs", place]
        words += ["--symlink", "/data/log", "/var/log"]
        words += ["--bind", str(self.run), "/run", "--bind", str(self.rec), "/rec"]
        return [*words, "--bind", str(self.data), "/data", "--remount-ro", "/"]

    def start(self, command: str) -> int:
        """Begin a command, and return its number."""
        number = next(self._numbers)
        (self.rec / f"command.{number}").write_text(command)
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"{number}\n")
        self._process.stdin.flush()
        return number

    def sh(self, command: str) -> Result:
        """Type a command and wait for its end."""
        number = self.start(command)
        self._wait_for(self.rec / f"code.{number}", 2 * PATIENCE)
        output = (self.rec / f"output.{number}").read_text(errors="replace")
        return Result(int((self.rec / f"code.{number}").read_text()), output)

    def good(self, command: str) -> str:
        """Type a command that must succeed; return what it printed."""
        code, output = self.sh(command)
        assert code == 0, f"{command}: {code}: {output}"
        return output

    async def tried(self, command: str) -> Result:
        """Type a command while the loop goes on."""
        return await asyncio.to_thread(self.sh, command)

    async def typed(self, command: str) -> str:
        """Type a command that must succeed while the loop goes on."""
        return await asyncio.to_thread(self.good, command)

    def power_cut(self) -> None:
        """End everything on the device at once."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def stubs(self) -> list[str]:
        """Return how the stubs were called so far."""
        path = self.rec / "stubs"
        return path.read_text().splitlines() if path.exists() else []

    def _wait_for(self, path: Path, seconds: float = PATIENCE) -> None:
        end = time.monotonic() + seconds
        while not path.exists():
            assert self._process is not None
            assert self._process.poll() is None, (self.rec / "init.log").read_text()
            assert time.monotonic() < end, f"{path.name}: not within {seconds} s"
            time.sleep(0.02)

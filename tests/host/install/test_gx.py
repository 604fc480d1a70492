"""A GX device in a sandbox: installed, rebooted, updated, rolled back, uninstalled."""

from __future__ import annotations

import asyncio
import random
import shutil
import tarfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import make_bundle
from helpers.bus import BusItemClient
from helpers.gx import ARCH, Gx, a_bundle, image_of, installed_by_pip
from helpers.places import ROOT
from helpers.run import MULTI, SYSTEM
from helpers.settings import OwnService
from helpers.tree import tree
from mppdbus import __version__
from mppdbus.host.install.boot_line import LINE
from mppdbus.venus.dbus.names import list_names

FIRST, SECOND = pytest.mark.xdist_group("gx-1"), pytest.mark.xdist_group("gx-2")

UNIT = f"{MULTI}92932105100123"
OURS = {UNIT, SYSTEM}
MPPDBUS = "/data/apps/available/mppdbus/current/bin/mppdbus"
OTHERS = b"#!/bin/sh\n# \xff odd \r\n/data/other/start &\nexit 0\n"
CONFIG = """
[[inverter]]
port = "/dev/ttyUSB0"
name = "garage"
baud = 115200
timeout = 0.5
poll = 0.5
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return image_of(tmp_path_factory.mktemp("image"))


@pytest.fixture
def gx(tmp_path: Path, image: Path) -> Iterator[Gx]:
    device = Gx(tmp_path / "gx", image)
    shutil.copy(image / f"mppdbus-{__version__}-venus-{ARCH}.tar.gz", device.rec)
    shutil.copy(ROOT / "venus/install.sh", device.rec)
    yield device
    device.power_cut()


def install(version: str = __version__) -> str:
    return f"sh /rec/install.sh --local /rec/mppdbus-{version}-venus-{ARCH}.tar.gz"


def configure(gx: Gx) -> None:
    (gx.data / "conf/mppdbus").mkdir(exist_ok=True)
    (gx.data / "conf/mppdbus/config.toml").write_text(CONFIG)


@asynccontextmanager
async def settings_on(
    gx: Gx, kept: OwnService | None = None
) -> AsyncIterator[OwnService]:
    """Run a localsettings on the bus of the device; it keeps what one before had."""
    service = OwnService(gx.bus_address)
    service.settings = kept.settings if kept else {}
    async with asyncio.timeout(30):
        while True:
            try:
                await service.start()
                break
            except OSError:  # its bus is about to start
                await asyncio.sleep(0.05)
    try:
        yield service
    finally:
        await service.stop()


async def on_the_bus(gx: Gx, wanted: set[str] = OURS) -> None:
    """Wait until all names of ours, and no others, are on the bus."""
    async with asyncio.timeout(60):
        while {n for n in await list_names(gx.bus_address) if "mppdbus" in n} != wanted:
            await asyncio.sleep(0.1)


def plug_in(gx: Gx) -> None:
    """Have udev know where the adapter of the inverter is plugged in."""
    folder = gx.run / "udev/data"
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(9):
        known = "E:ID_BUS=usb\nE:ID_PATH=platform-usb-0:1.2:1.0\n"
        (folder / f"c136:{number}").write_text(known)


async def value(gx: Gx, path: str) -> object:
    client = await BusItemClient.connect(gx.bus_address, UNIT)
    try:
        return await client.get_value(path)
    finally:
        await client.close()


@FIRST
async def test_installed_it_survives_other_firmware(gx: Gx) -> None:
    script = gx.data / "rcS.local"
    script.write_bytes(OTHERS)
    script.chmod(0o750)
    before = tree(gx.data)
    gx.boot()
    async with settings_on(gx) as settings:
        # What the image has, and what it has not.
        assert (await gx.tried("touch /bin/x /opt/victronenergy/x")).code != 0
        assert (await gx.tried("command -v pip git systemctl timeout")).code != 0

        dry = await gx.typed(f"DRY_RUN=1 {install()}")
        assert tree(gx.data) == before
        begun = time.monotonic()
        said = await gx.typed(install())
        assert time.monotonic() - begun < 60
        assert said.splitlines()[:5] == dry.splitlines()[:5]
        assert script.stat().st_mode & 0o777 == 0o750
        assert LINE in script.read_bytes().splitlines()
        configure(gx)
        await on_the_bus(gx)
        assert await value(gx, "/Connected") == 1
        assert "garage" in str(await value(gx, "/CustomName"))
        instance = await value(gx, "/DeviceInstance")

        # svc reaches the daemon itself, and Venus OS's limits are there.
        program = await gx.typed(
            "cat /proc/$(svstat /service/mppdbus | tr -dc '0-9 ' |"
            " awk '{print $1}')/limits"
        )
        assert "400000000" in program
        assert "is up since" in await gx.typed(f"{MPPDBUS} status")
        assert "connected on /dev/ttyUSB0" in await gx.typed(f"{MPPDBUS} logs")

        installed = {n: v for n, v in tree(gx.data).items() if "/__pycache__" not in n}
        assert "nothing to change" in await gx.typed(install())
        again = {n: v for n, v in tree(gx.data).items() if "/__pycache__" not in n}
        assert {n for n in installed if n.startswith("apps")} == {
            n for n in again if n.startswith("apps")
        }
    gx.power_cut()

    # Other firmware: nothing but /data is as it was.
    gx.boot("v3.90")
    async with settings_on(gx, settings):
        await on_the_bus(gx)
        assert await value(gx, "/DeviceInstance") == instance
        boot = "/data/apps/available/mppdbus/current/boot.sh boot"
        began = await gx.typed(f"time -p {boot}")
        assert float(began.split("real")[1].split()[0]) < 0.3


@SECOND
async def test_switched_off_and_on_and_gone(gx: Gx) -> None:
    script = gx.data / "rcS.local"
    script.write_bytes(OTHERS)
    script.chmod(0o750)
    before = tree(gx.data)
    gx.boot()
    configure(gx)
    plug_in(gx)
    async with settings_on(gx) as settings:
        await gx.typed(install())
        await on_the_bus(gx)
        # The port is taken from Venus OS's serial-starter, and nothing else is.
        assert "stop-tty.sh ttyUSB0" in gx.stubs()
        lock = await gx.typed("readlink /var/lock/serial-starter/ttyUSB0")
        assert f"(pid {lock.strip()})" in await gx.typed("svstat /service/mppdbus")
        rule = (gx.run / "udev/rules.d/zz-mppdbus.rules").read_text()
        assert rule.count("\n") == 2
        assert (
            'ENV{ID_PATH}=="platform-usb-0:1.2:1.0", ENV{VE_SERVICE}="ignore"' in rule
        )
        await gx.typed(f"{MPPDBUS} disable")
        assert gx.stubs()[-1] == "start-tty.sh ttyUSB0"
        assert (await gx.tried("readlink /var/lock/serial-starter/ttyUSB0")).code != 0
        await on_the_bus(gx, set())
        assert (await gx.tried("ls -d /service/mppdbus")).code != 0
    gx.power_cut()

    # The GUI's switch for custom scripts, while ours is switched off as well.
    (gx.data / "rcS.local.disabled").write_bytes(b"")
    gx.boot()
    async with settings_on(gx, settings):
        assert (await gx.tried("ls -d /service/mppdbus")).code != 0
        said = (await gx.tried(f"{MPPDBUS} status")).output
        assert "is switched off: mppdbus enable" in said
        assert "rcS.local.disabled: the start-up scripts were switched off" in said
        (gx.data / "rcS.local.disabled").unlink()
        await gx.typed(f"{MPPDBUS} enable")
        assert (gx.run / "udev/rules.d/zz-mppdbus.rules").read_text() == rule
        await on_the_bus(gx)

        last = await gx.typed(f"{MPPDBUS} uninstall --purge")
        assert "nothing of mppdbus remains" in last
        await on_the_bus(gx, set())
        there = await gx.typed("ls -a /service /run/udev/rules.d")
        assert "mppdbus" not in there
        assert not [path for path in settings.settings if "mppdbus_" in path]
    assert tree(gx.data) == before


@SECOND
async def test_an_update_keeps_all_and_a_bad_one_is_undone(gx: Gx) -> None:
    better = a_bundle(gx.rec, "7.0.0")
    worse = a_bundle(gx.rec, "7.1.0", breaks="a defect")
    gx.boot()
    async with settings_on(gx):
        configure(gx)
        await gx.typed(install())
        await on_the_bus(gx)
        instance = await value(gx, "/DeviceInstance")

        said = await gx.typed(f"{MPPDBUS} update /rec/{better.name}")
        assert "mppdbus 7.0.0 is installed" in said
        await on_the_bus(gx)
        assert await value(gx, "/DeviceInstance") == instance
        assert (await gx.typed(f"{MPPDBUS} --version")).strip() == "7.0.0"

        refused = await gx.tried(install())
        assert refused.code == 1
        assert "is older than 7.0.0" in refused.output

        code, output = await gx.tried(install("7.1.0"))
        assert code == 1, output
        assert "back to releases/7.0.0, which runs as before" in output
        await on_the_bus(gx)
        assert (await gx.typed(f"{MPPDBUS} --version")).strip() == "7.0.0"
        releases = (gx.data / "apps/available/mppdbus/releases").iterdir()
        assert {path.name for path in releases} == {__version__, "7.0.0"}

        await gx.typed(f"{MPPDBUS} rollback")
        await on_the_bus(gx)
        assert (await gx.typed(f"{MPPDBUS} --version")).strip() == __version__
        assert (gx.data / "conf/mppdbus/config.toml").read_text() == CONFIG
        assert not list(gx.data.glob(".mppdbus-install.*"))
    assert worse.exists()


@SECOND
def test_install_sh_refuses_what_is_not_right(gx: Gx, tmp_path: Path) -> None:
    gx.boot()
    before = tree(gx.data)
    name = f"mppdbus-{__version__}-venus-{ARCH}.tar.gz"

    def refused(command: str, why: str) -> None:
        code, output = gx.sh(command)
        assert code != 0
        assert why in output
        assert "Traceback" not in output
        assert tree(gx.data) == before

    refused(f"SHA256=abc {install()}", "its SHA-256 is")
    refused(
        f"VERSION=9.9 {install()}", f"should be release 9.9, but it is {__version__}"
    )
    refused("sh /rec/install.sh --local /rec/none", "there is no file /rec/none")
    refused("sh /rec/install.sh", "say which release")
    refused(
        f"head -c 100000 /rec/{name} >/rec/half; sh /rec/install.sh --local /rec/half",
        "cannot be unpacked",
    )
    refused("head -c 3000 /rec/install.sh >/rec/cut.sh; sh /rec/cut.sh; false", "")
    refused(
        "sed s/^LEAST_SPACE=25/LEAST_SPACE=99999999/ /rec/install.sh >/rec/big.sh; "
        f"sh /rec/big.sh --local /rec/{name}",
        "MB left and mppdbus needs 99999999 MB",
    )
    refused(
        "mkdir /tmp/b; printf '#!/bin/sh\\necho armv7 cp312' >/tmp/b/python3; "
        f"chmod +x /tmp/b/python3; PATH=/tmp/b:$PATH {install()}",
        f"this bundle is for {ARCH}, and this machine is armv7",
    )

    with tarfile.open(gx.rec / name) as bundle:
        bundle.extractall(tmp_path / "odd", filter="tar")
    (tmp_path / f"odd/mppdbus-{__version__}/boot.sh").write_text("#!/bin/sh\n")
    (gx.rec / "odd.tar.gz").write_bytes(make_bundle.packed(tmp_path / "odd"))
    refused("sh /rec/install.sh --local /rec/odd.tar.gz", "the bundle is damaged")


@FIRST
async def test_a_usb_stick_installs_it(gx: Gx, image: Path) -> None:
    bundle = image / f"mppdbus-{__version__}-venus-{ARCH}.tar.gz"
    installer = make_bundle.make_installer([bundle], gx.rec)
    archive = make_bundle.make_usb_archive([bundle, installer], gx.rec)
    gx.boot()
    async with settings_on(gx):
        await gx.typed(f"tar -xzf /rec/{archive.name} -C /data")
        await gx.typed("/data/rc/post-hook.sh")
        assert not (gx.data / "rc").exists()
        find = "setup --yes --install --port /dev/ttyUSB0 --battery lfp"
        said = await gx.typed(f"{MPPDBUS} {find}")
        assert "92932105100123" in said
        assert "Written to /data/conf/mppdbus/config.toml." in said
        assert "nothing to change; what it does: " in said
        await on_the_bus(gx)


@FIRST
def test_what_install_sh_downloads_is_looked_at(gx: Gx, image: Path) -> None:
    bundle = image / f"mppdbus-{__version__}-venus-{ARCH}.tar.gz"
    make_bundle.make_installer([bundle], gx.rec)  # it knows this release
    site = gx.rec / "www"
    site.mkdir()
    gx.boot()
    before = tree(gx.data)
    serve = "python3 -m http.server 8080 --bind 127.0.0.1 --directory /rec/www"
    gx.good(f"{serve} >/dev/null 2>&1 &")
    url = "http://127.0.0.1:8080"
    gx.good(f"until wget -qO- {url} >/dev/null 2>&1; do sleep 0.1; done")
    total = make_bundle.sha256(bundle.read_bytes())

    def refused(words: str, why: str) -> None:
        code, said = gx.sh(f"{words} URL={url} sh /rec/install.sh")
        assert code != 0
        assert why in said
        assert tree(gx.data) == before

    refused("", f"{bundle.name} cannot be downloaded")
    (site / bundle.name).write_bytes(bundle.read_bytes()[:-1] + b"x")
    refused("", "damaged or another one: its SHA-256 is ")
    shutil.copy(bundle, site)
    refused(f"SHA256={'0' * 64}", f"its SHA-256 is {total}, not 000")
    other = site / bundle.name.replace(__version__, "9.9.9")
    shutil.copy(bundle, other)
    refused("VERSION=v9.9.9", f"this should be release 9.9.9, but it is {__version__}")
    said = gx.good(
        f"VERSION=v{__version__} SHA256={total} URL={url} sh /rec/install.sh"
    )
    assert f"mppdbus {__version__} is installed" in said
    assert gx.good(f"{MPPDBUS} --version").strip() == __version__


@FIRST
async def test_what_pip_installed_becomes_a_service(gx: Gx) -> None:
    """As after `pip install mppdbus`; Venus OS forgets that at its next update."""
    installed_by_pip(gx.rec / "pip")
    configure(gx)
    gx.boot()
    async with settings_on(gx) as settings:
        mppdbus = "PYTHONPATH=/rec/pip python3 -m mppdbus"
        said = await gx.typed(f"{mppdbus} install")
        assert f"mppdbus {__version__} is installed" in said
        await on_the_bus(gx)
    gx.power_cut()
    shutil.rmtree(gx.rec / "pip")
    gx.boot("v3.90")
    async with settings_on(gx, settings):
        await on_the_bus(gx)
        assert await value(gx, "/Connected") == 1
        assert "nothing of mppdbus" in await gx.typed(f"{MPPDBUS} uninstall --purge")


@pytest.mark.long
def test_fifty_power_cuts_of_the_whole_device(gx: Gx) -> None:
    """As test_power_cuts.py, but at any moment of all that runs."""
    dice = random.Random(3)
    a_bundle(gx.rec, "7.0.0")
    empty, old = gx.rec.parent / "empty", gx.rec.parent / "old"
    shutil.copytree(gx.data, empty)

    def cut(command: str, begin: Path, seconds: float) -> str:
        """Cut the power after some s; return the version after the next boot."""
        shutil.rmtree(gx.data)
        shutil.copytree(begin, gx.data, symlinks=True)
        gx.boot()
        gx.start(command)
        time.sleep(seconds)  # it is this moment that is tried
        gx.power_cut()
        gx.boot()
        there = gx.sh(f"[ ! -e {MPPDBUS} ] || {MPPDBUS} --version")
        assert there.code == 0, there.output
        serves = gx.sh("test -x /service/mppdbus/run").code == 0
        assert serves == bool(there.output), seconds
        gx.power_cut()
        return there.output.strip()

    def lasts(command: str) -> float:
        gx.boot()
        began = time.monotonic()
        gx.good(command)
        gx.power_cut()
        return time.monotonic() - began

    whole = lasts(install())
    shutil.copytree(gx.data, old, symlinks=True)
    first = [cut(install(), empty, dice.uniform(0, whole)) for _ in range(25)]
    assert set(first) <= {"", __version__}
    whole = lasts(install("7.0.0"))
    later = [cut(install("7.0.0"), old, dice.uniform(0, whole)) for _ in range(25)]
    assert set(later) <= {__version__, "7.0.0"}
    print(first, later)

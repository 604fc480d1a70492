"""The files for Debian: what its system bus must allow, and where the state goes."""

from __future__ import annotations

import asyncio
import grp
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

import pytest
from dbus_fast import Variant
from dbus_fast.errors import DBusError

from helpers.bus import BusItemClient, PrivateBus
from helpers.places import ROOT
from helpers.run import BATTERY, INVERTER, MULTI, SYSTEM, Daemon, Ports, Watcher
from mppdbus.errors import BusError
from mppdbus.host.platform import state_directory
from mppdbus.venus.dbus.items import Item, ItemType
from mppdbus.venus.dbus.service import Service

FILES = ROOT / "systemd"
# What /usr/share/dbus-1/system.conf says to begin with; in the policy of PrivateBus.
SYSTEM_BUS = """
<deny own="*"/>
<deny send_type="method_call"/>
<allow send_destination="org.freedesktop.DBus"/>
"""


def policy(**instead: str) -> str:
    """Return the policies of our file, for whoever runs this test.

    `instead` has other names for the user and the group. The policies stand behind that
    of PrivateBus, which ends and begins again for them.
    """
    user = pwd.getpwuid(os.getuid())
    names = {"user": user.pw_name, "group": grp.getgrgid(user.pw_gid).gr_name}
    text = (FILES / "mppdbus-dbus.conf").read_text()
    rules = text.split("<busconfig>")[1].split("</busconfig>")[0]
    for kind, name in (names | instead).items():
        assert f'<policy {kind}="mppdbus">' in rules
        rules = rules.replace(f'{kind}="mppdbus"', f'{kind}="{name}"')
    return f'</policy>{rules}<policy context="default">'


async def test_a_system_bus_lets_it_own_all_its_names_and_others_read(
    tmp_path: Path,
) -> None:
    bus = PrivateBus(tmp_path)
    bus.start(policy=SYSTEM_BUS + policy())
    async with Ports.below(tmp_path) as ports, Watcher.on(bus.address) as watcher:
        await ports.add("one")
        await ports.add("two", "max-8000")
        units = [ports.unit("one"), ports.unit("two", 'profile = "inverter"')]
        daemon = Daemon(tmp_path, bus.address, units)
        try:
            one, two = f"{MULTI}92932105100123", f"{INVERTER}96342107100456"
            for name in (one, two, SYSTEM, BATTERY):
                shown = await watcher.wait(name, {"/Connected": 1})
                assert shown["/Dc/0/Voltage"] is not None
            assert await watcher.names() == {one, two, SYSTEM, BATTERY}
            assert daemon.warnings() == []
        finally:
            daemon.stop()
            bus.stop()


# Three users that every Debian has; the group of the second may write.
SERVICE, WRITER, READER = "daemon", "bin", "games"


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Make a folder that every user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="mppdbus-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def dbus_send(user: str, bus: PrivateBus, *words: str) -> str:
    """Call as another user; return the last line of the reply, or of the error."""
    who = pwd.getpwnam(user)
    done = subprocess.run(
        ["dbus-send", f"--bus={bus.address}", "--print-reply", *words],
        user=who.pw_uid,
        group=who.pw_gid,
        extra_groups=[],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return (done.stdout + done.stderr).strip().splitlines()[-1].strip()


async def as_reader(bus: PrivateBus) -> BusItemClient:
    """Connect as `READER`; Victron's programs send calls without an interface."""
    user = pwd.getpwnam(READER).pw_uid
    os.setresuid(user, user, 0)
    try:
        return await BusItemClient.connect(bus.address, BATTERY)
    finally:
        os.setresuid(0, 0, 0)


@pytest.mark.skipif(os.getuid() != 0, reason="only root may become other users")
async def test_who_may_own_read_and_write(open_folder: Path) -> None:
    bus = PrivateBus(open_folder)
    bus.start(policy=SYSTEM_BUS + policy(user=SERVICE, group=WRITER))
    names = [f"{MULTI}1", f"{INVERTER}1", "com.victronenergy.inverter", SYSTEM]
    names += [BATTERY, f"{BATTERY}_house"]

    def claim(user: str, name: str) -> str:
        request = ("/org/freedesktop/DBus", "org.freedesktop.DBus.RequestName")
        words = (*request, f"string:{name}", "uint32:4")
        return dbus_send(user, bus, "--dest=org.freedesktop.DBus", *words)

    written: list[object] = []

    def write(_path: str, value: object) -> int:
        written.append(value)
        return 0

    item = Item("/CustomName", ItemType.TEXT, writable=True)
    service = Service(BATTERY, [item], address=bus.address, writer=write)
    try:
        for name in names:
            assert claim(SERVICE, name) == "uint32 1", name
            for other in (READER, WRITER):
                assert "not allowed to own" in claim(other, name)
        assert "not allowed to own" in claim(SERVICE, "com.victronenergy.grid.x")

        await service.start()
        service.update({"/CustomName": "House"})

        async def call(user: str, *words: str) -> str:
            to = (f"--dest={BATTERY}", "/CustomName")
            return await asyncio.to_thread(dbus_send, user, bus, *to, *words)

        item_interface = "com.victronenergy.BusItem"
        read = f"{item_interface}.GetValue"
        change = (f"{item_interface}.SetValue", "variant:string:Shed")
        for user in (READER, WRITER, SERVICE):
            assert await call(user, read) == 'variant       string "House"'
        assert "rejected" in (await call(READER, *change)).lower()
        bare = await as_reader(bus)
        try:
            reply = await bare.call("/CustomName", "GetValue", interface=None)
            assert reply.body[0].value == "House"
            body = [Variant("s", "Shed")]
            with pytest.raises(DBusError, match="Rejected send"):
                await bare.call("/CustomName", "SetValue", "v", body, interface=None)
        finally:
            await bare.close()
        assert written == []
        assert await call(WRITER, *change) == "int32 0"
        assert written == ["Shed"]
    finally:
        await service.close()
        bus.stop()


async def test_without_the_file_it_may_own_nothing(tmp_path: Path) -> None:
    bus = PrivateBus(tmp_path)
    bus.start(policy=SYSTEM_BUS)
    service = Service(BATTERY, [], address=bus.address)
    try:
        with pytest.raises(BusError, match="no policy allows it"):
            await service.start()
    finally:
        await service.close()
        bus.stop()


def test_the_unit_gives_it_a_directory_for_its_state() -> None:
    unit = ConfigParser(interpolation=None, strict=False)
    unit.read(FILES / "mppdbus.service")
    name = unit["Service"]["StateDirectory"]
    given = {"STATE_DIRECTORY": f"/var/lib/{name}", "HOME": "/root"}
    assert state_directory(given, venus=False) == Path("/var/lib/mppdbus")

"""The files for Debian: what its system bus must allow, and where the state goes."""

from __future__ import annotations

import os
import pwd
from configparser import ConfigParser
from pathlib import Path

import pytest

from helpers.bus import PrivateBus
from helpers.places import ROOT
from helpers.run import BATTERY, INVERTER, MULTI, SYSTEM, Daemon, Ports, Watcher
from mppdbus.errors import BusError
from mppdbus.host.platform import state_directory
from mppdbus.venus.dbus.service import Service

FILES = ROOT / "systemd"
# What /usr/share/dbus-1/system.conf says to begin with; in the policy of PrivateBus.
SYSTEM_BUS = """
<deny own="*"/>
<deny send_type="method_call"/>
<allow send_destination="org.freedesktop.DBus"/>
"""


def policy() -> str:
    """Return the policies of our file, for whoever runs this test.

    They stand behind that of PrivateBus, which ends and begins again for it.
    """
    text = (FILES / "mppdbus-dbus.conf").read_text()
    rules = text.split("<busconfig>")[1].split("</busconfig>")[0]
    assert '<policy user="root">' in rules
    rules = rules.replace('user="root"', f'user="{pwd.getpwuid(os.getuid()).pw_name}"')
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

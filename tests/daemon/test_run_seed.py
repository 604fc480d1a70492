"""What dbus-mppsolar promised its users, word for word, with profile "inverter"."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest
import pytest_asyncio

from helpers.bus import PrivateBus
from helpers.run import Daemon, Ports, Watcher
from mppdbus.simulator.line.simulator import Simulator

NAME = "com.victronenergy.inverter"  # bare, as in its commands
SCENE = "grid off; pv 0; load 500; battery 51 -10"
# The list of D-Bus paths in its README, and what they are in this scene.
PATHS = {
    "/Ac/Out/L1/V": 230.0,
    "/Ac/Out/L1/I": 2.42,
    "/Ac/Out/L1/P": 500.0,
    "/Ac/Out/L1/F": 50.0,
    "/Dc/0/Voltage": 51.0,
    "/Dc/0/Current": -10.0,
    "/Dc/0/Power": -510.0,
    "/DeviceInstance": 288,
    "/ProductId": 0xBA44,
    "/ProductName": "VMIII-5000",
    "/FirmwareVersion": 0x4115,
    "/Connected": 1,
    "/Status": 1,
    "/Mgmt/ProcessName": "mppdbus",
    "/Mgmt/ProcessVersion": ...,
    "/Mgmt/Connection": ...,
}
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("seed"),  # they share one run of the daemon
]


class Served(NamedTuple):
    address: str
    watcher: Watcher
    simulator: Simulator
    daemon: Daemon


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    folder = tmp_path_factory.mktemp("seed")
    bus = PrivateBus(folder)
    bus.start()
    async with Ports.below(folder) as ports, Watcher.on(bus.address) as watcher:
        simulator = await ports.add("tty", scene=SCENE)
        unit = ports.unit("tty", 'profile = "inverter"', f'bus_name = "{NAME}"')
        daemon = Daemon(folder, bus.address, [unit])
        try:
            await watcher.wait(NAME, {"/Status": 1, "/NrOfTrackers": 1, "/State": 9})
            await watcher.wait(NAME, {"/FirmwareVersion": ...})
            yield Served(bus.address, watcher, simulator, daemon)
        finally:
            daemon.stop()
            bus.stop()


async def output(*words: str) -> str:
    process = await asyncio.create_subprocess_exec(*words, stdout=subprocess.PIPE)
    out, _ = await process.communicate()
    assert process.returncode == 0, words
    return out.decode()


@pytest.mark.parametrize("path", PATHS)
async def test_every_promised_path_is_there(served: Served, path: str) -> None:
    shown = await served.watcher.values(NAME)
    wanted = PATHS[path]
    assert shown[path] == wanted if wanted is not ... else shown[path]


async def test_nothing_else_is_on_the_bus(served: Served) -> None:
    assert await served.watcher.names() == {NAME}


async def test_its_commands_work_word_for_word(served: Served) -> None:
    """`dbus -y NAME PATH GetValue` is this call, without an interface."""
    text = await output(
        *("dbus-send", f"--bus={served.address}", "--print-reply", f"--dest={NAME}"),
        *("/Ac/Out/L1/V", "com.victronenergy.BusItem.GetValue"),
    )
    assert "variant       double 230" in text
    busctl = ("busctl", f"--address={served.address}", "call", NAME)
    item = "com.victronenergy.BusItem"
    assert await output(*busctl, "/DeviceInstance", item, "GetValue") == "v i 288\n"
    assert await output(*busctl, "/Connected", item, "GetValue") == "v i 1\n"
    name = await output(*busctl, "/ProductName", item, "GetValue")
    assert name == 'v s "VMIII-5000"\n'
    status = await output(*busctl, "/Status", item, "GetText")
    assert status == 's "Running"\n'
    value = await served.watcher.client.call(
        "/Ac/Out/L1/V", "GetValue", interface=None, destination=NAME
    )
    assert value.body[0].value == 230.0


async def test_status_says_offline(served: Served) -> None:
    served.simulator.scene.apply("fault disconnect 1 QPIGS 1s")
    shown = await served.watcher.wait(NAME, {"/Status": 0})
    assert (shown["/Connected"], shown["/Ac/Out/L1/V"]) == (0, None)
    text = await served.watcher.client.call("/Status", "GetText", destination=NAME)
    assert text.body == ["Offline"]
    shown = await served.watcher.wait(NAME, {"/Status": 1, "/Ac/Out/L1/V": 230.0})
    assert shown["/Connected"] == 1

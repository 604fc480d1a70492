"""SIGHUP: a new config is followed, and what has not changed does not notice."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from helpers.installation import owners_of
from helpers.notify import NotifySocket
from helpers.run import (
    BATTERY,
    INVERTER,
    MULTI,
    PATIENCE,
    SYSTEM,
    Daemon,
    Ports,
    Watcher,
)
from mppdbus.config.models import parse
from mppdbus.daemon.config_change import ConfigChange
from mppdbus.simulator.unit.inverter import SimulatedInverter

A, B = MULTI + "92932105100123", MULTI + "96342107100456"
B_INVERTER = INVERTER + "96342107100456"
DONE = "the config was read again: "


class Rig(NamedTuple):
    """A daemon, as a service, on two simulated inverters."""

    daemon: Daemon
    ports: Ports
    watcher: Watcher
    config: Path
    address: str
    notify: NotifySocket

    async def reload(self, units: Iterable[str], head: str = "", bus: str = "") -> str:
        """Write a config, send SIGHUP, and return what is said about it."""
        tables = "".join(f"[[inverter]]\n{unit}\n" for unit in units)
        bus = bus or self.address
        self.config.write_text(f'[dbus]\nbus = "{bus}"\n{head}\n{tables}')
        return await self.hang_up()

    async def hang_up(self) -> str:
        """Send SIGHUP; return the lines of the log until it is followed."""
        before = len(self.daemon.said)
        os.kill(self.daemon.pid, signal.SIGHUP)
        await self.notify.hear("RELOADING=1")
        await self.notify.hear("READY=1")
        return self.daemon.said[before:]


@pytest.fixture
async def rig(
    tmp_path: Path, bus_address: str, notify_socket: NotifySocket
) -> AsyncIterator[Rig]:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # where the tests run behind nohup
    async with Ports.below(tmp_path) as ports, Watcher.on(bus_address) as watcher:
        await ports.add("a", scene="grid on; load 500; soc 50")
        await ports.add("b", "max-8000", "grid on; load 700; soc 50")
        with Daemon(tmp_path, bus_address, [ports.unit("a"), ports.unit("b")]) as made:
            for name in (A, B, SYSTEM, BATTERY):
                await watcher.wait(name, {"/Connected": 1})
            await notify_socket.hear("READY=1")
            config = tmp_path / "daemon.toml"
            yield Rig(made, ports, watcher, config, bus_address, notify_socket)


@asynccontextmanager
async def undisturbed(watcher: Watcher, *services: str) -> AsyncIterator[None]:
    """Hold that these services keep name and connection; that no unit loses a value.

    What is the sum of all units is unknown while one of them is.
    """
    owners = {await watcher.owner(name): name for name in services}
    known = {name: await watcher.values(name) for name in services}
    watcher.signals.clear()
    async with owners_of(watcher) as seen:
        yield
    assert {await watcher.owner(name): name for name in services} == owners
    assert not [name for name, _ in seen if name in services]
    lost = {
        (owners[sender], path)
        for sender, rows in watcher.signals
        if owners.get(sender, SYSTEM) not in (SYSTEM, BATTERY)
        for path, value in rows.items()
        if value.signature == "ai" and not value.value
        if known[owners[sender]].get(path) is not None
    }
    assert lost == set()


async def names_are(watcher: Watcher, wanted: set[str]) -> None:
    """Wait until these names are on the bus; it may be slow to see who hung up."""
    end = asyncio.get_running_loop().time() + PATIENCE
    while (found := await watcher.names()) != wanted:
        assert asyncio.get_running_loop().time() < end, found
        await asyncio.sleep(0.02)


async def test_a_changed_inverter_starts_over_alone(rig: Rig) -> None:
    """What is of the line or changes in place: it keeps its name meanwhile."""
    a, b = rig.ports.unit("a"), rig.ports.unit("b")
    async with undisturbed(rig.watcher, A, SYSTEM, BATTERY):
        owner = await rig.watcher.owner(B)
        slower = b.replace("poll = 0.5", "poll = 0.7")
        said = await rig.reload([a, slower + '\nac_input = "generator"'])
        assert DONE + "restarted: b\n" in said
        await rig.watcher.wait(B, {"/Connected": 1, "/Ac/In/1/Type": 2})
        await rig.watcher.wait(B, {"/Ac/Out/L1/P": 700.0})
        assert await rig.watcher.owner(B) == owner


async def test_a_new_level_of_control_restarts_nothing(rig: Rig) -> None:
    level = {"/Mppdbus/Control/Level": "safe"}
    async with undisturbed(rig.watcher, A, B, SYSTEM, BATTERY):
        units = [rig.ports.unit("a", 'control = "safe"'), rig.ports.unit("b")]
        said = await rig.reload(units)
        assert "a: control is safe now" in said
        await rig.watcher.wait(A, level)
        await rig.watcher.wait(B, {"/Mppdbus/Control/Level": "read-only"})


async def test_another_profile_is_another_service(rig: Rig) -> None:
    a, b = rig.ports.unit("a"), rig.ports.unit("b", 'profile = "inverter"')
    async with undisturbed(rig.watcher, A):
        await rig.reload([a, b])
        await rig.watcher.wait(B_INVERTER, {"/Ac/Out/L1/P": 700.0})
        await names_are(rig.watcher, {A, B_INVERTER, SYSTEM, BATTERY})


async def test_inverters_come_and_go(rig: Rig) -> None:
    c = MULTI + "92932105100124"
    third = await rig.ports.add("c", scene="grid on; load 900")
    assert isinstance(third.source, SimulatedInverter)
    third.source.serial = "92932105100124"
    one, two, three = (rig.ports.unit(name) for name in "abc")
    async with undisturbed(rig.watcher, A, SYSTEM):
        said = await rig.reload([one, two, three])
        assert DONE + "new: c\n" in said
        await rig.watcher.wait(c, {"/Ac/Out/L1/P": 900.0})
        said = await rig.reload([one, three])
        assert DONE + "removed: b\n" in said
        await names_are(rig.watcher, {A, c, SYSTEM, BATTERY})
        await rig.watcher.wait(SYSTEM, {"/Ac/Out/P": 1400.0})
        await rig.reload([one])
        assert {A, SYSTEM} <= await rig.watcher.names()
        await rig.watcher.wait(SYSTEM, {"/Ac/Out/P": 500.0})
    await rig.reload([two])  # all that were there have gone
    await rig.watcher.wait(B, {"/Ac/Out/L1/P": 700.0})
    await rig.watcher.wait(SYSTEM, {"/Ac/Out/P": 700.0})
    await names_are(rig.watcher, {B, SYSTEM})
    assert rig.daemon.warnings() == []


async def test_another_port(rig: Rig) -> None:
    await rig.ports.add("elsewhere", "max-8000", "grid on; load 800")
    a, b = rig.ports.unit("a"), rig.ports.unit("b").replace("/b", "/elsewhere")
    async with undisturbed(rig.watcher, A):
        await rig.reload([a, b])
        shown = await rig.watcher.wait(B, {"/Ac/Out/L1/P": 800.0})
        assert shown["/Mgmt/Connection"].strip().endswith("/elsewhere")


async def test_the_battery_and_the_log(rig: Rig) -> None:
    units = [rig.ports.unit("a"), rig.ports.unit("b")]
    async with undisturbed(rig.watcher, A, B, SYSTEM, BATTERY):
        head = '[battery]\ncapacity_ah = 321\n[log]\nlevel = "DEBUG"'
        said = await rig.reload(units, head)
        assert DONE + "battery changed; log level DEBUG\n" in said
        await rig.watcher.wait(BATTERY, {"/InstalledCapacity": 321.0})
        await rig.daemon.says(" DEBUG ")
    await rig.reload(units, '[battery]\nsoc = "none"')
    await rig.watcher.wait(A, {"/Soc": None})


@pytest.mark.parametrize(
    "broken", ["[[inverter]\n", "[[inverter]]\nport = 5\n", "", None]
)
async def test_a_broken_config_changes_nothing(rig: Rig, broken: str | None) -> None:
    async with undisturbed(rig.watcher, A, B, SYSTEM, BATTERY):
        if broken is None:
            rig.config.unlink()
        else:
            rig.config.write_text(broken)
        said = await rig.hang_up()
        (line,) = said.splitlines()
        assert "ERROR" in line
        assert f"wrong, the old one goes on: {rig.config}: " in line
    assert "new: " not in await rig.reload([rig.ports.unit("a"), rig.ports.unit("b")])


async def test_the_same_config_and_another_bus(rig: Rig) -> None:
    units = [rig.ports.unit("a"), rig.ports.unit("b")]
    async with undisturbed(rig.watcher, A, B, SYSTEM, BATTERY):
        said = await rig.reload(units)
        assert said.splitlines()[0].endswith(DONE + "nothing has changed")
        said = await rig.reload(units, bus="unix:path=/nowhere")
        first, second = said.splitlines()
        assert "WARNING" in first
        assert "another one needs a restart of the service" in first
        assert second.endswith("nothing has changed")
        for _ in range(20):
            os.kill(rig.daemon.pid, signal.SIGHUP)
        await rig.notify.hear("READY=1")
        assert rig.daemon.running


ONE = '[[inverter]]\nname = "a"\nport = "/dev/ttyUSB0"\n'


@pytest.mark.parametrize(
    ("new", "words", "leaving"),
    [
        (ONE, "nothing has changed", ()),
        (ONE + "poll = 5", "restarted: a", ()),
        (ONE + "instance = 7", "instance of a: the one in use stays", ()),
        (ONE + 'serial = "1"', "restarted: a", ("a",)),
        (ONE.replace("USB0", "USB1"), "restarted: a", ("a",)),
        (ONE.replace('"a"', '"z"'), "new: z; removed: a", ("a",)),
        (ONE + "[battery]\ncells = 16", "battery changed", ()),
        (ONE + '[battery]\nname = "x"', "restarted: a; battery changed", ("a",)),
        (ONE + '[log]\nlevel = "ERROR"', "log level ERROR", ()),
        (ONE + '\ncontrol = "safe"', "nothing has changed", ()),
    ],
)
def test_what_a_change_means(new: str, words: str, leaving: tuple[str, ...]) -> None:
    change = ConfigChange.between(parse(ONE, ""), parse(new, ""))
    assert change.words == words
    assert change.leaving == leaving

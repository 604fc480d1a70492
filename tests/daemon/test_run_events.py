"""One daemon, and what happens to it: trouble, another unit, a new bus, the end."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from helpers.bus import PrivateBus
from helpers.run import MULTI, SYSTEM, Daemon, Ports, Watcher, eventually
from mppdbus.simulator.unit.inverter import SimulatedInverter

MULTI_NAME = MULTI + "96342107100456"


async def test_one_unit_in_trouble_does_not_touch_the_other(
    tmp_path: Path, bus_address: str
) -> None:
    async with Ports.below(tmp_path) as ports, Watcher.on(bus_address) as watcher:
        sick = await ports.add("sick", "max-8000")
        well = await ports.add("well", scene="grid off; pv 0; load 500; soc 90")
        with Daemon(
            tmp_path, bus_address, [ports.unit("sick"), ports.unit("well")]
        ) as daemon:
            well_name = MULTI + "92932105100123"
            for name in (MULTI_NAME, well_name):
                await watcher.wait(name, {"/Ac/Out/L1/P": ..., "/State": ...})
            for watts, trouble in enumerate(
                ("fault silence forever", "fault corrupt forever", "fault disconnect"),
                start=600,
            ):
                sick.scene.apply("fault off")
                sick.scene.apply(trouble)
                # Two polls of the healthy one, each with its news.
                for news in (watts, watts + 100):
                    well.scene.apply(f"load {news}")
                    await watcher.wait(well_name, {"/Ac/Out/L1/P": float(news)})
            assert (await watcher.values(well_name))["/Connected"] == 1
            assert not [w for w in daemon.warnings() if ".well: " in w]


async def test_a_lone_unit_has_the_charge_of_its_battery(
    tmp_path: Path, bus_address: str
) -> None:
    """There is no battery service, and nothing is known while the unit is mute."""
    async with Ports.below(tmp_path) as ports, Watcher.on(bus_address) as watcher:
        simulator = await ports.add("tty")
        name = MULTI + "92932105100123"
        control = "/SwitchableOutput/StateOfCharge"
        known = ("/Soc", "/Mppdbus/Soc/Margin", "/Mppdbus/Soc/Confidence")
        paths = (*known, f"{control}/Dimming", f"{control}/Status")
        with Daemon(
            tmp_path, bus_address, [ports.unit("tty")], battery="capacity_ah = 200"
        ):
            shown = await watcher.wait(name, dict.fromkeys(paths, ...))
            assert "%" in shown["/Mppdbus/Origin/Soc"]
            await watcher.wait(SYSTEM, {"/Soc": ...})
            assert await watcher.names() == {name, SYSTEM}
            simulator.scene.apply("fault silence forever")
            await watcher.wait(name, dict.fromkeys(paths) | {"/Connected": 0})
            await watcher.wait(SYSTEM, {"/Soc": None})


async def test_another_unit_on_the_same_port_gets_its_own_name(
    tmp_path: Path, bus_address: str
) -> None:
    async with Ports.below(tmp_path) as ports, Watcher.on(bus_address) as watcher:
        simulator = await ports.add("tty")
        with Daemon(tmp_path, bus_address, [ports.unit("tty")]):
            first, second = MULTI + "92932105100123", MULTI + "96332211223344"
            await watcher.wait(first, {"/Ac/Out/L1/P": ...})
            source = simulator.source
            assert isinstance(source, SimulatedInverter)
            source.serial = "96332211223344"
            simulator.scene.apply("fault disconnect 1 QPIGS 0.3s")
            shown = await watcher.wait(second, {"/Ac/Out/L1/P": ...})
            assert shown["/Serial"] == "96332211223344"
            assert await watcher.names() == {second, SYSTEM}
            system = await watcher.wait(SYSTEM, {"/Devices/0/Service": second})
            assert system["/Serial"] == "96332211223344"


async def test_it_survives_a_restart_of_the_bus(
    tmp_path: Path, private_bus: PrivateBus
) -> None:
    async with Ports.below(tmp_path) as ports:
        simulator = await ports.add("tty", scene="grid off; pv 0; load 500; soc 90")
        name = MULTI + "92932105100123"
        with Daemon(tmp_path, private_bus.address, [ports.unit("tty")]) as daemon:
            async with Watcher.on(private_bus.address) as watcher:
                await watcher.wait(name, {"/Ac/Out/L1/P": 500.0})
            private_bus.stop()
            await eventually(daemon.warnings)  # in other words while a name is claimed
            # Meanwhile the unit goes and comes: it is introduced while there is no bus.
            asked = simulator.scene.requests["QPI"]
            simulator.scene.apply("fault disconnect 1 QPIGS 0.1s")
            await eventually(lambda: simulator.scene.requests["QPI"] > asked)
            await asyncio.sleep(0.3)
            simulator.scene.apply("load 900")
            private_bus.start()
            async with Watcher.on(private_bus.address) as watcher:
                await watcher.wait(name, {"/Ac/Out/L1/P": 900.0})
                await watcher.wait(SYSTEM, {"/Ac/Out/P": 900.0})
                assert await daemon.terminate() == 0


async def test_it_ends_when_it_is_told_to(tmp_path: Path, bus_address: str) -> None:
    """SIGTERM, while one unit is mute and another port is missing."""
    async with Ports.below(tmp_path) as ports, Watcher.on(bus_address) as watcher:
        await ports.add("well")
        await ports.add("mute", "max-8000", "fault silence forever")
        names = ("well", "mute", "nowhere")
        with Daemon(
            tmp_path, bus_address, [ports.unit(name) for name in names]
        ) as daemon:
            await watcher.wait(SYSTEM, {"/Connected": 1})
            assert await daemon.terminate() == 0
            assert await watcher.names() == set()
            assert "Traceback" not in daemon.said


@pytest.mark.parametrize("supervised", [False, True])
async def test_a_terminal_that_closes(
    tmp_path: Path,
    bus_address: str,
    supervised: bool,  # noqa: FBT001 - a parameter of the test
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """SIGHUP ends it in good order and saves; a service reads its config again."""
    # Where the tests run behind nohup, processes would not be told either.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    monkeypatch.delenv("INVOCATION_ID", raising=False)
    if supervised:  # by systemd
        monkeypatch.setenv("INVOCATION_ID", "0123456789abcdef")
    async with Ports.below(tmp_path) as ports, Watcher.on(bus_address) as watcher:
        await ports.add("tty", scene="pv 0; load 500")
        name = MULTI + "92932105100123"
        with Daemon(tmp_path, bus_address, [ports.unit("tty")]) as daemon:
            await watcher.wait(name, {"/Yield/User": ...})
            os.kill(daemon.pid, signal.SIGHUP)
            if supervised:
                await daemon.says("the config was read again: nothing has changed")
                await watcher.wait(name, {"/Connected": 1})
                assert await daemon.terminate() == 0
            else:
                assert await daemon.ended() == 0
            assert await watcher.names() == set()
            assert (tmp_path / "state" / "energy-mppdbus_92932105100123.json").exists()


async def test_a_restart_of_the_bus_is_two_lines(
    tmp_path: Path, private_bus: PrivateBus
) -> None:
    """However many services there are: lost as a warning, back as news."""
    async with Ports.below(tmp_path) as ports:
        for name, kind in (("a", "axpert-5000"), ("b", "max-8000")):
            await ports.add(name, kind)
        units = [ports.unit("a"), ports.unit("b")]
        with Daemon(tmp_path, private_bus.address, units) as daemon:
            async with Watcher.on(private_bus.address) as watcher:
                for name in (MULTI_NAME, MULTI + "92932105100123", SYSTEM):
                    await watcher.wait(name, {"/Connected": 1})
            before = len(daemon.said.splitlines())
            private_bus.stop()
            await eventually(daemon.warnings)
            private_bus.start()
            await daemon.says("the D-Bus is there again")
            lines = daemon.said.splitlines()[before:]
            assert len(lines) == 2
            assert "WARNING mppdbus.bus: the D-Bus is lost: " in lines[0]
            assert "INFO    mppdbus.bus: the D-Bus is there again" in lines[1]

"""What the GUI changes: each kind of control, from the bus to the inverter and back."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from helpers.bus import BusItemClient
from helpers.processes import LAUNCHER
from helpers.run import MULTI, PATIENCE, SYSTEM, Daemon, Ports, Watcher, eventually
from mppdbus.simulator.line.simulator import Simulator
from mppdbus.simulator.unit.inverter import SimulatedInverter
from mppdbus.simulator.unit.settings import Settings
from mppdbus.venus.dbus.items import Item, ItemType
from mppdbus.venus.dbus.service import Service
from mppdbus.venus.notifications import INJECT, PLATFORM

UNIT = MULTI + "92932105100123"
OUTPUT = "/SwitchableOutput/"
PRIORITY, CHARGER = OUTPUT + "OutputSourcePriority", OUTPUT + "ChargerSourcePriority"
CURRENT, BULK = OUTPUT + "MaxChargingCurrent", OUTPUT + "BatteryBulkVoltage"
BUZZER = OUTPUT + "Buzzer"
# The second reading back of a write, which takes ten seconds.
QUICK = (*LAUNCHER, "--set", "mppdbus.control.write.LATER=0.3", "--")


class House:
    """A daemon on one simulated inverter, and a client that writes on the bus."""

    def __init__(
        self, folder: Path, watcher: Watcher, simulator: Simulator, program: Daemon
    ) -> None:
        self.folder, self.watcher, self.program = folder, watcher, program
        self.simulator = simulator

    @property
    def settings(self) -> Settings:
        """What the inverter holds."""
        source = self.simulator.source
        assert isinstance(source, SimulatedInverter)
        return source.plant.settings

    @property
    def sent(self) -> list[str]:
        """The setters that reached the inverter."""
        asked = self.simulator.scene.requests
        return [
            each
            for each, count in asked.items()
            for _ in range(count)
            if not each.startswith(("Q", "(", "VERFW"))
        ]

    async def write(
        self, path: str, value: object, kind: str = "d", service: str = UNIT
    ) -> int:
        client = BusItemClient(self.watcher.client.bus, service)
        return await client.set_value(path, kind, value)

    async def shows(
        self, wanted: Mapping[str, object], service: str = UNIT
    ) -> dict[str, Any]:
        """Wait until paths, which may come late, have these values."""
        end = asyncio.get_running_loop().time() + PATIENCE
        while not wanted.keys() <= (await self.watcher.values(service)).keys():
            assert asyncio.get_running_loop().time() < end, wanted
            await self.watcher.news()
        return await self.watcher.wait(service, wanted)

    def journal(self) -> list[dict[str, Any]]:
        path = self.folder / "state" / "writes.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()]

    def configure(self, level: str) -> None:
        """Write another level into the config, and tell the daemon."""
        config = self.folder / "daemon.toml"
        lines = config.read_text().splitlines()
        new = [
            f'level = "{level}"' if line.startswith("level") else line for line in lines
        ]
        config.write_text("\n".join(new) + "\n")
        os.kill(self.program.pid, signal.SIGHUP)


@asynccontextmanager
async def house(
    folder: Path, address: str, level: str, profile: str = "axpert-5000"
) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        ports = await stack.enter_async_context(Ports.below(folder))
        watcher = await stack.enter_async_context(Watcher.on(address))
        scene = "grid on; load 500; soc 60"
        simulator = await ports.add("a", profile, scene)
        control = f'[control]\nlevel = "{level}"\nmode = true\n'
        units = [ports.unit("a")]
        program = stack.enter_context(
            Daemon(folder, address, units, battery=control, program=QUICK)
        )
        await watcher.wait(SYSTEM, {"/Connected": 1})
        yield House(folder, watcher, simulator, program)


async def test_a_choice_of_each_kind_reaches_the_inverter(
    tmp_path: Path, bus_address: str
) -> None:
    async with house(tmp_path, bus_address, "full") as home:
        shown = await home.shows({f"{CURRENT}/Name": ..., f"{BULK}/Name": ...})
        labels = shown[f"{PRIORITY}/Settings/Labels"]
        assert labels == ["Utility first", "Solar first", "SBU"]
        assert await home.write(f"{PRIORITY}/Dimming", 2, "i") == 0
        assert home.settings.output_priority == "battery"
        amps = shown[f"{CURRENT}/Settings/Labels"].index("20 A")
        assert await home.write(f"{CURRENT}/Dimming", float(amps)) == 0
        assert home.settings.max_charge_a == 20
        assert await home.write(f"{BUZZER}/State", 0, "i") == 0
        assert "a" not in home.settings.flags
        assert await home.write(f"{BULK}/Dimming", 57.2) == 0
        assert home.settings.bulk_v == 57.2
        await home.shows(
            {
                f"{PRIORITY}/Dimming": 2.0,
                f"{CURRENT}/Dimming": float(amps),
                f"{BUZZER}/State": 0,
                f"{BULK}/Dimming": 57.2,
                "/Settings/ChargeCurrentLimit": 20.0,
            }
        )
        assert len(home.sent) == 4


async def test_the_switch_mode_sets_priorities_and_brings_them_back(
    tmp_path: Path, bus_address: str
) -> None:
    async with house(tmp_path, bus_address, "safe") as home:
        for service in (UNIT, SYSTEM):
            await home.shows({"/Mode": 3, "/ModeIsAdjustable": 1}, service)
        assert await home.write("/Mode", 2, "i", SYSTEM) == 0
        assert home.settings.output_priority == "battery"
        assert home.settings.charger_priority == "only solar"
        for service in (UNIT, SYSTEM):
            await home.shows({"/Mode": 2}, service)
        before = home.sent
        for mode in (1, 4, 251):
            assert await home.write("/Mode", mode, "i") != 0
            await home.shows({"/Mode": 2})
        assert home.sent == before
        assert await home.write("/Mode", 3, "i") == 0
        assert home.settings.output_priority == "utility"
        assert home.settings.charger_priority == "solar and utility"
        for service in (UNIT, SYSTEM):
            await home.shows({"/Mode": 3}, service)


async def test_a_limit_of_the_charge_current_and_the_ess_page(
    tmp_path: Path, bus_address: str
) -> None:
    limit, ess = "/Settings/ChargeCurrentLimit", "/Settings/Ess/Mode"
    async with house(tmp_path, bus_address, "safe") as home:
        await home.shows({limit: 60.0})
        assert await home.write(limit, 45, "i") == 0
        assert home.settings.max_charge_a == 40
        await home.shows({limit: 40.0})
        assert await home.write(limit, 0.0) != 0
        await home.shows({limit: 40.0})
        await home.shows({ess: 2}, SYSTEM)
        assert await home.write(ess, 1, "i", SYSTEM) == 0
        assert home.settings.output_priority == "battery"
        await home.shows({ess: 3}, SYSTEM)
        assert await home.write(ess, 2.0, "d", SYSTEM) == 0
        assert home.settings.output_priority == "utility"
        await home.shows({ess: 2}, SYSTEM)
        assert await home.write(ess, 0, "i", SYSTEM) != 0
        await home.shows({ess: 2}, SYSTEM)


async def test_a_held_button_is_one_command(tmp_path: Path, bus_address: str) -> None:
    async with house(tmp_path, bus_address, "full") as home:
        shown = await home.shows({f"{BULK}/Name": "Bulk voltage"})
        assert shown[f"{BULK}/Dimming"] == 56.4
        steps = [round(56.4 + 0.1 * number, 1) for number in range(1, 25)]
        writes = []
        for volts in steps:
            writes.append(asyncio.create_task(home.write(f"{BULK}/Dimming", volts)))
            await asyncio.sleep(0.02)
        await home.shows({f"{BULK}/Dimming": steps[-1]})  # at once
        assert home.sent == []
        verdicts = await asyncio.gather(*writes)
        assert all(verdicts[:-1])
        assert verdicts[-1] == 0
        assert home.sent == ["PCVV58.8"]
        assert home.settings.bulk_v == 58.8


async def test_a_choice_is_any_number_that_is_a_place_in_the_list(
    tmp_path: Path, bus_address: str
) -> None:
    """As gui-v2, MQTT and Node-RED write; what is no choice is not sent."""
    async with house(tmp_path, bus_address, "safe") as home:
        await home.shows({f"{PRIORITY}/Dimming": 0.0})
        for kind, value in [("i", 3), ("i", -1), ("d", 0.5), ("s", "1"), ("ai", [])]:
            assert await home.write(f"{PRIORITY}/Dimming", value, kind) != 0
        assert await home.write(f"{PRIORITY}/Dimming", float("nan")) != 0
        assert await home.write(f"{BUZZER}/State", 2, "i") != 0
        assert await home.write(f"{PRIORITY}/Settings/Labels", ["a"], "as") != 0
        await home.shows({f"{PRIORITY}/Dimming": 0.0, f"{BUZZER}/State": 1})
        assert home.sent == []
        meant = [("i", 1, "solar"), ("d", 2.0, "battery"), ("y", 0, "utility")]
        for kind, number, priority in meant:
            assert await home.write(f"{PRIORITY}/Dimming", number, kind) == 0
            assert home.settings.output_priority == priority


async def test_what_the_inverter_refuses_goes_back_with_the_reason(
    tmp_path: Path, bus_address: str
) -> None:
    async with house(tmp_path, bus_address, "safe") as home:
        await home.shows({f"{PRIORITY}/Dimming": 0.0})
        home.simulator.scene.faults.arm("nak", command="POP02")
        platform = Service(
            PLATFORM, [Item(INJECT, ItemType.TEXT, writable=True)], address=bus_address
        )
        await platform.start()
        assert await home.write(f"{PRIORITY}/Dimming", 2, "i") != 0
        await home.shows({f"{PRIORITY}/Dimming": 0.0})
        assert home.sent == ["POP02"]
        said = await eventually(lambda: platform.value(INJECT))
        assert "SBU: refused (NAK)" in str(said)
        await platform.close()


@pytest.mark.usefixtures("notify_socket")  # a service follows SIGHUP
async def test_another_level_hides_and_shows_controls(
    tmp_path: Path, bus_address: str
) -> None:
    names = [f"{base}/Name" for base in (PRIORITY, CURRENT, BUZZER)]
    async with house(tmp_path, bus_address, "read-only") as home:
        shown = await home.shows({f"{BUZZER}/State": 1, "/ModeIsAdjustable": 0})
        assert not [path for path in names if path in shown]
        for path in (f"{BUZZER}/State", "/Mode", "/Settings/ChargeCurrentLimit"):
            assert await home.write(path, 2, "i") != 0
        home.configure("safe")
        shown = await home.shows(dict.fromkeys(names, ...))
        assert f"{BULK}/Name" not in shown
        home.configure("full")
        await home.shows({f"{BULK}/Name": ..., f"{BULK}/Dimming": 56.4})
        home.configure("read-only")
        await home.shows(
            {
                **dict.fromkeys(names),
                f"{BULK}/Name": None,
                f"{PRIORITY}/Dimming": None,
                f"{PRIORITY}/Settings/Type": None,
                f"{BUZZER}/State": 1,  # a reading, as ever
                "/ModeIsAdjustable": 0,
                "/Settings/ChargeCurrentLimit": None,
            }
        )
        assert home.sent == []

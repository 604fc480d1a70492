"""Settings on the bus: written and read back, or refused with the reason."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from helpers.bus import BusItemClient, serving
from helpers.commands import cli
from helpers.run import MULTI, Daemon, Ports, Watcher
from mppdbus.simulator.line.simulator import Simulator
from mppdbus.venus.dbus.items import Item, ItemType

SETTING, CONTROL = "/Mppdbus/Settings/", "/Mppdbus/Control/"
LOCKED = CONTROL + "Locked/"
SOURCE, BULK = "output_source_priority", "battery_bulk_voltage"


class House:
    """One unit on the bus, and a client that writes to it."""

    def __init__(
        self, folder: Path, watcher: Watcher, unit: Simulator, daemon: Daemon
    ) -> None:
        self.folder, self.watcher = folder, watcher
        self.unit, self.daemon = unit, daemon
        self.service = ""

    async def set(self, name: str, value: object, signature: str = "d") -> int:
        """Write as a client does; return the verdict."""
        client = BusItemClient(self.watcher.client.bus, self.service)
        return await client.set_value(SETTING + name, signature, value)

    async def values(self) -> dict[str, Any]:
        return await self.watcher.values(self.service)

    @property
    def sent(self) -> list[str]:
        """The setters that reached the unit."""
        return [
            command
            for command, count in self.unit.scene.requests.items()
            for _ in range(count)
            if not command.startswith(("Q", "(", "VERFW"))
        ]

    def journal(self) -> list[dict[str, Any]]:
        path = self.folder / "state" / "writes.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]


@asynccontextmanager
async def house(
    folder: Path, address: str, level: str, profile: str = "axpert-5000"
) -> AsyncIterator[House]:
    async with Ports.below(folder) as ports, Watcher.on(address) as watcher:
        unit = await ports.add("garage", profile)
        line = ports.unit("garage", f'control = "{level}"')
        with Daemon(folder, address, [line]) as daemon:
            here = House(folder, watcher, unit, daemon)
            while not here.service:
                await watcher.news()
                names = await watcher.names()
                here.service = next((n for n in names if n.startswith(MULTI)), "")
            await watcher.wait(here.service, {CONTROL + "Level": level})
            asked = {SETTING + SOURCE, SETTING + "buzzer"}  # of QPIRI and QFLAG
            while not asked <= (await here.values()).keys():
                await watcher.news()
            yield here


async def test_a_setting_is_set_read_back_on_the_bus_and_in_the_journal(
    tmp_path: Path, bus_address: str
) -> None:
    async with house(tmp_path, bus_address, "safe") as here:
        free = {SETTING + SOURCE: 0.0, f"{CONTROL}Locked/{SOURCE}": ""}
        await here.watcher.wait(here.service, free)  # its family is known by then
        assert await here.set(SOURCE, 2) == 0
        values = await here.values()
        assert values[SETTING + SOURCE] == 2.0
        assert values[CONTROL + "LastWrite"] == (
            f"{SOURCE}: Utility first → SBU: accepted, and the inverter shows it"
        )
        assert here.sent == ["POP02"]
        last = here.journal()[-1]
        assert (last["old"], last["observed"], last["accepted"]) == (0, 2, True)
        assert last["by"].startswith("D-Bus :1.")
        assert f"pid {os.getpid()} (" in last["by"]


async def test_read_only_writes_nothing(tmp_path: Path, bus_address: str) -> None:
    async with house(tmp_path, bus_address, "read-only") as here:
        await here.watcher.wait(here.service, {SETTING + SOURCE: 0.0})
        assert await here.set(SOURCE, 2) != 0
        values = await here.values()
        assert values[SETTING + SOURCE] == 0.0
        assert "control is off (read-only)" in values[CONTROL + "LastWrite"]
        assert "control is off" in values[CONTROL + "Locked/" + SOURCE]
        assert here.sent == []


async def typed(here: House, *words: str) -> subprocess.CompletedProcess[str]:
    """Type a command for this unit; its service has the port."""
    config = ("--config", str(here.folder / "daemon.toml"))
    state = {"MPPDBUS_STATE": str(here.folder / "elsewhere")}
    return await asyncio.to_thread(cli, *words, *config, env=state)


async def test_the_command_line_goes_through_the_service(
    tmp_path: Path, bus_address: str
) -> None:
    async with house(tmp_path, bus_address, "safe") as here:
        await here.watcher.wait(here.service, {LOCKED + SOURCE: ""})
        said = await typed(here, "get", SOURCE)
        assert (said.returncode, said.stdout, said.stderr) == (0, "Utility first\n", "")
        said = await typed(here, "set", SOURCE, "sbu")
        change = f"{SOURCE}: Utility first → SBU"
        assert said.stdout == f"done: {change}: accepted, and the inverter shows it\n"
        assert (await typed(here, "get", SOURCE)).stdout == "SBU\n"
        said = await typed(here, "undo")
        assert (said.returncode, said.stderr) == (0, "")
        assert here.sent == ["POP02", "POP00"]
        writes = {each["command"]: each for each in here.journal()}
        assert writes["POP02"]["by"].startswith("command line, ")
        assert writes["POP00"]["undoes"] == writes["POP02"]["time"]
        for words, why in (
            (("set", BULK, "57", "--yes"), 'needs level = "full"'),
            (("set", BULK, "57", "--yes", "--level", "full"), "its level is safe"),
            (("set", "max_charging_current", "55"), "55 A is not allowed; it may be"),
            (("set", "output_frequency", "60"), "it needs --i-know-what-this-does"),
            (
                ("set", "output_frequency", "60", "--i-know-what-this-does"),
                "never written through the service; stop it",
            ),
        ):
            said = await typed(here, *words)
            assert (said.returncode, said.stdout) == (1, ""), words
            assert why in said.stderr
        assert here.sent == ["POP02", "POP00"]


async def test_a_plan_goes_through_the_service_and_the_clock_does_not(
    tmp_path: Path, bus_address: str
) -> None:
    file = tmp_path / "night.toml"
    file.write_text('buzzer = "off"\nmax_charging_current = 20\n')
    async with house(tmp_path, bus_address, "safe") as here:
        said = await typed(here, "apply", str(file))
        assert (said.returncode, said.stderr) == (0, "")
        assert said.stdout.endswith("night.toml: all is so now\n")
        assert here.sent == ["MNCHGC020", "PDa"]
        assert len({each["plan"] for each in here.journal()}) == 1
        assert (await typed(here, "undo")).stdout.endswith("undo: all is so now\n")
        assert len(here.sent) == 4
        said = await typed(here, "clock", "sync")
        assert (said.returncode, said.stdout) == (1, "")
        assert "the service has this one; stop it first" in said.stderr
        assert len(here.sent) == 4


NAN = float("nan")
REFUSED = [
    (SOURCE, 3, "i", "no value of it; it may be Utility first, Solar first, SBU"),
    (SOURCE, 0.5, "d", "no value of it"),
    (SOURCE, NAN, "d", "no value of it"),
    (SOURCE, "SBU!", "s", "no value of it"),
    (SOURCE, [], "ai", "is no finite number"),
    ("max_charging_current", 55, "i", "55 A is not allowed; it may be 10 A, 20 A"),
    (BULK, 99, "i", "99 V is not allowed; it may be 48 to 61 V"),
    (BULK, 56.45, "d", "56.45 V is not allowed"),
    (BULK, 53.9, "d", "must be at most battery_bulk_voltage"),
    ("output_frequency", 60, "i", "it needs --i-know-what-this-does"),
    ("output_mode", 1, "i", "it needs --i-know-what-this-does"),
]


async def test_bad_input_is_refused_with_the_reason_and_nothing_is_sent(
    tmp_path: Path, bus_address: str
) -> None:
    inject = Item("/Notifications/Inject", ItemType.TEXT, writable=True)
    platform = serving(bus_address, [inject], name="com.victronenergy.platform")
    async with platform as (_, heard), house(tmp_path, bus_address, "full") as here:
        known = {SETTING + "max_charging_current": 60.0, SETTING + BULK: 56.4}
        await here.watcher.wait(
            here.service, known | {LOCKED + "max_charging_current": ""}
        )
        before = await here.values()
        for name, value, signature, why in REFUSED:
            assert await here.set(name, value, signature) != 0, (name, value)
            values = await here.values()
            assert why in values[CONTROL + "LastWrite"], (name, value)
            assert values[SETTING + name] == before[SETTING + name]
            told = await heard.get_value(inject.path)
            assert told == f"0\tgarage\t{values[CONTROL + 'LastWrite']}"
        assert here.sent == []
        assert here.journal() == []


async def test_what_the_line_does_to_a_write_is_told(
    tmp_path: Path, bus_address: str
) -> None:
    """A lost ACK is settled by reading; NAK and an idle ACK leave the true value."""
    async with house(tmp_path, bus_address, "safe") as here:
        await here.watcher.wait(here.service, {LOCKED + SOURCE: ""})
        scene = here.unit.scene
        scene.faults.arm("lost", command="PDa")
        assert await here.set("buzzer", 0) == 0
        values = await here.values()
        assert (
            "no answer came, and the inverter shows it" in values[CONTROL + "LastWrite"]
        )
        scene.faults.arm("nak", command="PEa")
        assert await here.set("buzzer", 1) != 0
        values = await here.values()
        assert "refused (NAK)" in values[CONTROL + "LastWrite"]
        assert values[SETTING + "buzzer"] == 0.0
        scene.apply("bug ack-only on")
        assert await here.set(SOURCE, 2, "i") != 0
        values = await here.values()
        assert "accepted, but the inverter shows Util" in values[CONTROL + "LastWrite"]
        assert values[SETTING + SOURCE] == 0.0
        assert sorted(here.sent) == ["PDa", "PEa", "POP02"]


async def test_of_a_thousand_writes_the_last_one_wins(
    tmp_path: Path, bus_address: str
) -> None:
    async with house(tmp_path, bus_address, "safe") as here:
        await here.watcher.wait(here.service, {LOCKED + SOURCE: ""})
        most = asyncio.Semaphore(100)  # calls that the bus lets wait for an answer

        async def write(value: int) -> int:
            async with most:
                return await here.set(SOURCE, value)

        writes = (write(n % 3) for n in range(999))
        verdicts = await asyncio.gather(*writes, write(1))
        assert verdicts[-1] == 0
        assert (await here.values())[SETTING + SOURCE] == 1.0
        assert here.journal()[-1]["command"] == "POP01"
        assert len(here.sent) < 10  # one on its way, one waiting


@pytest.mark.parametrize("profile", ["king-5000", "mks2-5000"])
async def test_settings_of_a_family_are_written(
    profile: str, tmp_path: Path, bus_address: str
) -> None:
    async with house(tmp_path, bus_address, "full", profile) as here:
        while (await here.values()).get(LOCKED + BULK) != "":
            await here.watcher.news()
        bulk = (await here.values())[SETTING + BULK]
        for name, value in (("buzzer", 0), (BULK, round(bulk + 0.1, 1))):
            assert await here.set(name, value) == 0
            assert (await here.values())[SETTING + name] == value
            last = here.journal()[-1]
            assert (last["setting"], last["observed"]) == (name, value)
        assert len(here.sent) == 2

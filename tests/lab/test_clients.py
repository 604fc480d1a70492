"""Victron's own client libraries, and its register map, read our services alike."""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from helpers.bus import BusItemClient
from helpers.processes import FAST, Plant, Wanted, running, until
from lab.scenes import SCENES
from lab.stack import LAB, PYTHON, REGISTERS, SOURCES, Stack

ACSYSTEM = "com.victronenergy.acsystem.mppdbus"
WANTED = (
    Wanted("scene mains+pv", (), FAST),
    Wanted("scene mains+pv", ('profile = "inverter"',), FAST),
)
QUIET = 60  # looks, 0.1 s apart: warnings are asked every 5 s
WHOLE = {
    "uint16": (0, 0xFFFF),
    "int16": (-0x8000, 0x7FFF),
    "uint32": (0, 0xFFFFFFFF),
    "int32": (-0x80000000, 0x7FFFFFFF),
}

pytestmark = LAB


class Reader:
    """A foreign client in a process of its own, which follows services."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def line(self) -> str:
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), 20)
        assert line, "the reader has ended; see its traceback above"
        return line.decode().strip()

    async def held(self) -> dict[str, Any]:
        """Return what it holds now; it ends then."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        held: dict[str, Any] = json.loads(await self.line())
        return held


@asynccontextmanager
async def reading(
    script: str, stack: Stack, services: list[str]
) -> AsyncIterator[Reader]:
    process = await asyncio.create_subprocess_exec(
        *(PYTHON, str(Path(__file__).with_name(script)), *services),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=stack.environment,
        limit=1 << 20,
    )
    try:
        reader = Reader(process)
        assert await reader.line() == "ready"
        yield reader
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def change_scenes(stack: Stack, plant: Plant) -> None:
    """Change what can be changed, and wait until nothing changes any more."""
    for name in ("bat", "mains", "bat"):
        for simulated in plant.simulated:
            await simulated.tell(f"scene {name}")
        await settled(stack, plant, SCENES[name].battery)


async def settled(stack: Stack, plant: Plant, battery: float) -> None:
    """Wait until all services tell these watts, and have not changed for a while."""
    seen: list[Any] = []

    async def quiet() -> bool:
        seen.append([await stack.items(name) for name in (*plant.services, ACSYSTEM)])
        last = seen[-1]
        arrived = all(items["/Dc/0/Power"] == battery for items in last)
        return arrived and seen[-QUIET:].count(last) == QUIET

    await until(quiet, lambda: f"still changing: {seen[-2:]}", 30)


async def test_clients_follow_as_get_items_says(stack: Stack, tmp_path: Path) -> None:
    async with running(tmp_path, stack.address, *WANTED) as plant:
        services = [*plant.services, ACSYSTEM]
        async with (
            reading("velib_reader.py", stack, services) as velib,
            reading("aiovelib_reader.py", stack, services) as aiovelib,
        ):
            before = {name: await stack.items(name) for name in services}
            await change_scenes(stack, plant)
            theirs, async_ones = await velib.held(), await aiovelib.held()
        for name in services:
            now = await stack.items(name)
            rows = await BusItemClient(stack.client.bus, name).get_items()
            assert now != before[name]
            assert theirs[name]["monitor"] == now
            assert theirs[name]["import"] == now
            assert theirs[name]["text"] == {p: row["Text"] for p, row in rows.items()}
            assert async_ones[name]["monitor"] == now
            assert theirs[name]["changes"] > 3
            assert async_ones[name]["changes"] >= 3


async def test_plain_calls_say_what_get_items_says(
    stack: Stack, tmp_path: Path
) -> None:
    async with running(tmp_path, stack.address, *WANTED) as plant:
        await change_scenes(stack, plant)
        for name in (*plant.services, ACSYSTEM):
            client = BusItemClient(stack.client.bus, name)
            rows = await client.get_items()
            values = {path: row["Value"] for path, row in rows.items()}
            texts = {path: row["Text"] for path, row in rows.items()}
            assert {path: await client.get_value(path) for path in rows} == values
            assert {path: await client.get_text(path) for path in rows} == texts
            assert await client.get_value("/") == {p[1:]: v for p, v in values.items()}
            assert await client.get_text("/") == {p[1:]: t for p, t in texts.items()}


# Registers that answer, at least, in a scene with everything in it.
REGISTERS_THAT_ANSWER = {"multi": 25, "inverter": 12, "acsystem": 10}


async def test_values_fit_the_modbus_registers(stack: Stack, tmp_path: Path) -> None:
    map_ = await asyncio.to_thread((SOURCES / REGISTERS).read_text)
    rows = [row for row in csv.reader(map_.splitlines()) if row]
    async with running(tmp_path, stack.address, *WANTED) as plant:
        for name in (*plant.services, ACSYSTEM):
            items = await stack.items(name)
            kind = name.split(".")[2]
            answers = 0
            for service, path, _, _, register, type_, scale, _ in (r[:8] for r in rows):
                if service != f"com.victronenergy.{kind}" or items.get(path) is None:
                    continue
                answers += 1
                assert fits(items[path], type_, float(scale)), (register, path)
            assert answers >= REGISTERS_THAT_ANSWER[kind]


def fits(value: float | str, type_: str, scale: float) -> bool:
    """Tell whether a value can be told in a register, or in several."""
    if type_.startswith("string"):
        return isinstance(value, str)
    low, high = WHOLE[type_]
    return not isinstance(value, str) and low <= value * scale <= high

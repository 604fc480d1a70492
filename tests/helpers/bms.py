"""A battery service in a process of its own, to come, go, crash and hang."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from contextlib import suppress
from typing import Self

SCRIPT = """
import asyncio, json, sys
from mppdbus.venus.dbus.items import Item, ItemType
from mppdbus.venus.dbus.service import Service

async def main(name, address, values):
    kinds = {path: ItemType.INT for path in ("/Connected", "/DeviceInstance")}
    items = [
        Item(path, ItemType.TEXT if isinstance(value, str)
             else kinds.get(path, ItemType.DOUBLE))
        for path, value in values.items()
    ]
    service = Service(name, items, address=address)
    service.update(values)
    await service.start()
    print("ready", flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        service.update(json.loads(line))
        print("ready", flush=True)
    await service.close()

asyncio.run(main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3])))
"""
NAME = "com.victronenergy.battery.ttyUSB3"
VALUES: dict[str, float | int | str | None] = {"/Connected": 1, "/Soc": 77.0}
# What a BMS adds, so that systemcalc lets it command the chargers.
COMMANDING: dict[str, float | int | str | None] = {
    **VALUES,
    "/DeviceInstance": 1,
    "/ProductName": "BMS",
    "/Mgmt/Connection": "CAN",
    "/Dc/0/Voltage": 53.0,
    "/Dc/0/Current": 0.0,
    "/Info/MaxChargeVoltage": 56.0,
    "/Info/MaxChargeCurrent": 45.0,
    "/Info/MaxDischargeCurrent": 100.0,
}


class Bms:
    """A running service; use `start`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(
        cls,
        address: str,
        name: str = NAME,
        values: dict[str, float | int | str | None] | None = None,
    ) -> Self:
        """Start it and return when it has its name."""
        told = json.dumps(VALUES if values is None else values)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", SCRIPT, name, address, told),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        bms = cls(process)
        await bms._ready()
        return bms

    async def show(self, **values: float | None) -> None:
        """Change values; paths without their slash."""
        assert self._process.stdin is not None
        line = json.dumps({f"/{path}": value for path, value in values.items()})
        self._process.stdin.write(f"{line}\n".encode())
        await self._ready()

    async def leave(self) -> None:
        """End it as it should."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await asyncio.wait_for(self._ended(), 60)

    async def crash(self) -> None:
        """Kill it, if it is still there."""
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._ended()

    async def _ended(self) -> None:
        """Wait for its end, and for that of the pipe, which closes it."""
        await self._process.wait()
        assert self._process.stdout is not None
        await self._process.stdout.read()

    def hang(self) -> None:
        """Let it answer nothing any more."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Undo `hang`."""
        self._process.send_signal(signal.SIGCONT)

    async def _ready(self) -> None:
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), 60)
        assert line == b"ready\n", "the battery service did not start"

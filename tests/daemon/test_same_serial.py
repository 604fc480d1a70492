"""Units that claim to be the same one get names of their own."""

from __future__ import annotations

import asyncio
from pathlib import Path

from helpers.bus import BusItemClient
from helpers.house import House
from helpers.processes import names
from mppdbus.model.snapshot import Identity, Snapshot
from mppdbus.model.views import Unit


async def test_units_that_come_at_once_with_one_number(
    bus_address: str, state: Path
) -> None:
    ports = ("/dev/ttyUSB0", "/dev/ttyUSB1", "/dev/ttyUSB2")
    units = [Unit(f"unit {n}", port, 288 + n) for n, port in enumerate(ports)]
    house = House(bus_address, state, *units)
    same = Snapshot(online=True, identity=Identity(serial="55355535553555"))
    client = await BusItemClient.connect(bus_address, "")
    await house.open()
    try:
        await asyncio.gather(*(house.introduce(n, same) for n in range(3)))
        multi = "com.victronenergy.multi.mppdbus_"
        assert await names(client) == {
            f"{multi}55355535553555",
            f"{multi}55355535553555_at_ttyUSB1",
            f"{multi}55355535553555_at_ttyUSB2",
            "com.victronenergy.acsystem.mppdbus",
            "com.victronenergy.battery.mppdbus",
        }
    finally:
        await house.close()
        await client.close()

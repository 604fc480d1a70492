"""Units that claim to be the same one get names of their own."""

from __future__ import annotations

import asyncio

from mppdbus.snapshot import Identity, Snapshot
from mppdbus.venus.publisher import Member, Publisher
from mppdbus.venus.views import Unit
from support_bus import BusItemClient
from support_processes import names


async def test_units_that_come_at_once_with_one_number(bus_address: str) -> None:
    ports = ("/dev/ttyUSB0", "/dev/ttyUSB1", "/dev/ttyUSB2")
    members = [Member(Unit(f"unit {n}", port, 288 + n)) for n, port in enumerate(ports)]
    publisher = Publisher(bus_address, members)
    same = Snapshot(online=True, identity=Identity(serial="55355535553555"))
    client = await BusItemClient.connect(bus_address, "")
    await publisher.open()
    try:
        await asyncio.gather(*(publisher.introduce(n, same) for n in range(3)))
        multi = "com.victronenergy.multi.mppdbus_"
        assert await names(client) == {
            f"{multi}55355535553555",
            f"{multi}ttyUSB1",
            f"{multi}ttyUSB2",
            "com.victronenergy.acsystem.mppdbus",
        }
    finally:
        await publisher.close()
        await client.close()

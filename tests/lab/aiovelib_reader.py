"""Reads services as Victron's asyncio programs do; runs under REALSTACK_PYTHON.

    aiovelib_reader.py SERVICE …

Prints "ready", follows the services until a line comes on stdin, and prints as JSON
what aiovelib's Monitor then holds of each.
"""


# mypy: ignore-errors

import asyncio
import json
import os
import sys
from pathlib import Path

sys.path.insert(1, str(Path(os.environ["REALSTACK_SRC"]) / "aiovelib"))

from aiovelib.client import Monitor, Service
from dbus_fast.aio import MessageBus
from dbus_fast.constants import BusType


async def main() -> None:
    """Follow the services until told to say what is held."""
    services = sys.argv[1:]
    changes = dict.fromkeys(services, 0)

    def changed(service: Service, values: dict[str, object]) -> None:
        changes[service.name] += bool(values)

    bus = await MessageBus(bus_type=BusType.SESSION).connect()
    kinds = {".".join(name.split(".")[:3]): Service for name in services}
    monitor = await Monitor.create(bus, itemsChanged=changed, handlers=kinds)
    found = {
        name: await asyncio.wait_for(monitor.wait_for_service(name), 5)
        for name in services
    }
    told = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), told.set)
    print("ready", flush=True)
    await told.wait()
    held = {
        name: {
            "changes": changes[name],
            "monitor": {path: item.value for path, item in service.values.items()},
        }
        for name, service in found.items()
    }
    print(json.dumps(held), flush=True)


asyncio.run(main())

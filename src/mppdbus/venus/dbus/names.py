"""What a command asks a bus once: which names there are, and to forget settings."""

import asyncio
from typing import Any

from mppdbus.venus.dbus.connection import (
    Connection,
    Request,
    bus_address,
    first,
    to_bus,
)

PATIENCE = 5.0  # s
SETTINGS = "com.victronenergy.settings"


async def _ask(setting: str, *requests: Request) -> Any:  # noqa: ANN401
    """Return the answer to the last of the requests; raises `BusError`."""
    connection = await Connection.open(bus_address(setting))
    try:
        answer = None
        async with asyncio.timeout(PATIENCE):
            for request in requests:
                answer = await connection.call(request, first)
        return answer
    finally:
        await connection.close()


async def list_names(setting: str) -> list[str]:
    """Return all names on "system", "session" or an address; raises `BusError`."""
    names: list[str] = await _ask(setting, to_bus("ListNames"))
    return names


async def forget_settings(setting: str, prefix: str) -> int:
    """Have Victron's localsettings forget what begins with a prefix; return how many.

    The prefix is below /Settings, such as "Devices/mppdbus_". Raises `BusError`.
    """
    tree = await _ask(setting, Request(SETTINGS, "/Settings", "GetValue"))
    names = sorted(tree) if isinstance(tree, dict) else []
    paths = [f"/Settings/{name}" for name in names if name.startswith(prefix)]
    if paths:
        remove = Request(
            SETTINGS, "/", "RemoveSettings", "as", [paths], "com.victronenergy.Settings"
        )
        await _ask(setting, remove)
    return len(paths)

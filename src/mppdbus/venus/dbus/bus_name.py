"""Names on the bus: claims one, and finds the owner of a name."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from dbus_fast import NameFlag, RequestNameReply

from mppdbus.errors import BusError
from mppdbus.venus.dbus.connection import Connection, to_bus

_OURS = (RequestNameReply.PRIMARY_OWNER.value, RequestNameReply.ALREADY_OWNER.value)


async def claim_name(connection: Connection, name: str) -> None:
    """Claim a name; raises BusError with its owner, or with the reason."""
    try:
        verdict = await connection.call(
            to_bus("RequestName", "su", name, NameFlag.DO_NOT_QUEUE.value)
        )
    except BusError as error:
        raise BusError(
            f"{name}: the bus does not give us this name: {error}; on Debian install "
            "systemd/mppdbus-dbus.conf (see the README), then reload dbus"
        ) from error
    if verdict not in _OURS:
        raise BusError(await _taken(connection, name))


async def check_free(address: str, names: Iterable[str]) -> None:
    """Raise BusError if there is no bus, or, with the owner, if a name is taken."""
    connection = await Connection.open(address)
    try:
        for name in names:
            if await connection.call(to_bus("NameHasOwner", "s", name)):
                raise BusError(await _taken(connection, name))
    finally:
        await connection.close()


async def _taken(connection: Connection, name: str) -> str:
    """Return the owner of `name` in words, from the bus and /proc."""
    who = "another program"
    with suppress(BusError, OSError):
        who = str(await connection.call(to_bus("GetNameOwner", "s", name)))
        pid = int(await connection.call(to_bus("GetConnectionUnixProcessID", "s", who)))
        who = f"{who} (pid {pid})"
        command = await asyncio.to_thread(Path(f"/proc/{pid}/cmdline").read_bytes)
        words = command.replace(b"\0", b" ").decode(errors="replace").strip()
        who = f"{who.removesuffix(')')}: {words})"
    return (
        f"{name} is taken on this bus by {who}; stop that program, or choose another "
        "name"
    )

"""Names on the bus: claims one, and says why the bus does not give it."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path

from dbus_fast import NameFlag, RequestNameReply

from mppdbus.errors import BusError
from mppdbus.venus.dbus.connection import CallError, Connection, to_bus

DENIED = "org.freedesktop.DBus.Error.AccessDenied"
POLICY = "dbus-1/system.d/mppdbus.conf"

_OURS = (RequestNameReply.PRIMARY_OWNER.value, RequestNameReply.ALREADY_OWNER.value)


async def claim_name(connection: Connection, name: str) -> None:
    """Claim a name; raises BusError with its owner, or with the reason."""
    try:
        verdict = await connection.call(
            to_bus("RequestName", "su", name, NameFlag.DO_NOT_QUEUE.value)
        )
    except CallError as error:
        advice = error.text
        if error.name == DENIED:
            advice = await asyncio.to_thread(_advice, Path("/"), os.geteuid())
        raise BusError(f"the bus does not give us {name}: {advice}") from error
    except BusError as error:
        raise BusError(f"{name}: {error}") from error
    if verdict not in _OURS:
        raise BusError(await _taken(connection, name))


def _advice(root: Path, user: int) -> str:
    """Return what lets `user` (0: root) own a name that the policy denies."""
    places = (root / "etc" / POLICY, root / "usr/share" / POLICY)
    policy = next((place for place in places if place.exists()), None)
    if policy is None:
        return (
            "no policy allows it; on Debian and the like: sudo mppdbus install; else "
            f"copy systemd/mppdbus-dbus.conf to /etc/{POLICY}, and reload the bus"
        )
    if user:
        return (
            f"{policy} allows it to root and the user mppdbus; run it as one of "
            "them, or add a policy for your user there, then: systemctl reload dbus"
        )
    return (
        f"{policy} does not allow it, or is not read yet; add the name there, then: "
        "systemctl reload dbus"
    )


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

"""Tells systemd how the service does; a no-op where nothing listens, as on Venus OS.

The protocol is sd_notify(3): lines "NAME=value" in one datagram to $NOTIFY_SOCKET.
"""

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress

MICRO = 1_000_000


class ServiceManager:
    """The systemd that has started this process, by what `env` says of it.

    `watchdog` is within how many s it wants to hear `alive`; None if it does not watch.
    All methods return at once; a message that cannot be sent is dropped.
    """

    def __init__(self, env: Mapping[str, str], pid: int | None = None) -> None:
        self._address = _address(env.get("NOTIFY_SOCKET", ""))
        self.watchdog = _watchdog(env, os.getpid() if pid is None else pid)
        self._status = ""

    @property
    def listens(self) -> bool:
        """Whether anybody is there to be told."""
        return self._address is not None

    def ready(self) -> None:
        """Say that the service has started, or has reloaded its config."""
        self._send("READY=1")

    def reloading(self) -> None:
        """Say that the config is being reloaded; `ready` ends that."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Say that the service is about to end."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """Say that the service is not hung."""
        self._send("WATCHDOG=1")

    def status(self, words: str) -> None:
        """Show a line in `systemctl status`; only a changed one is sent."""
        if words != self._status:
            self._status = words
            self._send(f"STATUS={' '.join(words.split())}")

    def _send(self, message: str) -> None:
        if self._address is None:
            return
        flags = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        with suppress(OSError), socket.socket(socket.AF_UNIX, flags) as sender:
            sender.sendto(message.encode(), self._address)


def _address(named: str) -> str | None:
    """Return the address of the socket: a path, or "@name" as an abstract one."""
    if named.startswith("@"):
        return "\0" + named[1:]
    return named if named.startswith("/") else None


def _watchdog(env: Mapping[str, str], pid: int) -> float | None:
    """Return the s within which this process must show that it is alive."""
    limit, watched = env.get("WATCHDOG_USEC", ""), env.get("WATCHDOG_PID", "")
    if not limit.isdecimal() or int(limit) == 0 or watched not in ("", str(pid)):
        return None
    return int(limit) / MICRO

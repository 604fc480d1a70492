"""The socket at which systemd listens to a service."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

PATIENCE = 120.0  # s


class NotifySocket:
    """Keeps every datagram, split into its lines."""

    def __init__(self, address: str) -> None:
        self.address = address  # as in $NOTIFY_SOCKET
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address.replace("@", "\0", 1))
        self._socket.setblocking(False)
        self.messages: list[str] = []

    def close(self) -> None:
        self._socket.close()

    async def hear(self, line: str, seconds: float = PATIENCE) -> str:
        """Wait for the next message that has or begins with `line`; return it."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(seconds):
            while True:
                data = await loop.sock_recv(self._socket, 4096)
                self.messages.append(message := data.decode())
                if any(each.startswith(line) for each in message.splitlines()):
                    return message

    async def silence(self, line: str, seconds: float) -> None:
        """Wait until `line` has not come for so long; what was sent before passes."""
        with suppress(TimeoutError):
            while True:
                await self.hear(line, seconds)

    def drain(self) -> list[str]:
        """Return what is there already."""
        found = []
        while True:
            try:
                found.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                self.messages += found
                return found


@pytest.fixture
def notify_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[NotifySocket]:
    """Listen as systemd does; programs that a test starts know where."""
    listener = NotifySocket(str(tmp_path / "notify"))
    monkeypatch.setenv("NOTIFY_SOCKET", listener.address)
    monkeypatch.setenv("INVOCATION_ID", "0123456789abcdef")
    yield listener
    listener.close()

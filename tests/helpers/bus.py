"""A private D-Bus for a test, and a client that speaks BusItem as Venus programs do.

conftest.py makes the fixtures known to every test.
"""

# ruff: noqa: ANN401 - values on a bus are of any type

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
from collections import deque
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest
from blockbuster import blockbuster_ctx
from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.errors import DBusError

from mppdbus.venus.dbus.items import Item
from mppdbus.venus.dbus.service import Service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

ITEM = "com.victronenergy.BusItem"
INTROSPECTABLE = "org.freedesktop.DBus.Introspectable"

CONFIG = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>custom</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    {policy}
  </policy>
  {limits}
</busconfig>
"""


class PrivateBus:
    """A real dbus-daemon on a socket in `folder`; start, stop and start it again."""

    def __init__(self, folder: Path) -> None:
        self._config = folder / "bus.conf"
        self._socket = folder / "bus"
        self._daemon: subprocess.Popen[str] | None = None
        self.address = f"unix:path={self._socket}"

    def start(self, *, policy: str = "", **limits: int) -> None:
        """Start with further policy rules and limits; return once it listens."""
        rows = (f'<limit name="{name}">{most}</limit>' for name, most in limits.items())
        self._config.write_text(
            CONFIG.format(socket=self._socket, policy=policy, limits="".join(rows))
        )
        self._daemon = subprocess.Popen(
            [
                "dbus-daemon",
                f"--config-file={self._config}",
                "--nofork",
                "--nopidfile",
                "--print-address=1",
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._daemon.stdout is not None
        assert self._daemon.stdout.readline().startswith("unix:"), "no dbus-daemon"

    def freeze(self) -> None:
        """Let the daemon read nothing until it is thawed or stopped."""
        assert self._daemon is not None
        self._daemon.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Undo `freeze`."""
        assert self._daemon is not None
        self._daemon.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Kill the daemon as a crash would."""
        if self._daemon is not None:
            self._daemon.kill()
            self._daemon.communicate()
            self._daemon = None


@pytest.fixture
def never_blocking() -> Iterator[None]:
    """Fail where our code blocks the loop."""
    with blockbuster_ctx("mppdbus") as blockbuster:
        older_dbus_fast = {"_setup_socket", "connect"}  # connects while constructed
        for function in blockbuster.functions.values():
            function.can_block_in("message_bus.py", older_dbus_fast)
            # The compiled one shows none of its functions, but who called it.
            function.can_block_in("dbus/connection.py", {"__init__"})
        yield


@pytest.fixture
def private_bus(tmp_path: Path) -> Iterator[PrivateBus]:
    bus = PrivateBus(tmp_path)
    bus.start()
    yield bus
    bus.stop()


@pytest.fixture
def bus_address(private_bus: PrivateBus) -> str:
    return private_bus.address


def unwrap(value: Any) -> Any:
    """Return a value without variants; an empty array is None."""
    if isinstance(value, Variant):
        return unwrap(value.value)
    if isinstance(value, dict):
        return {key: unwrap(each) for key, each in value.items()}
    if isinstance(value, list):
        return [unwrap(each) for each in value] or None
    return value


class BusItemClient:
    """A client of one service. Errors are raised as DBusError, with their `type`."""

    def __init__(self, bus: MessageBus, service: str) -> None:
        self.bus = bus
        self.service = service
        self.changes: deque[dict[str, dict[str, Any]]] = deque()
        self._changed = asyncio.Event()

    @classmethod
    async def connect(cls, address: str, service: str) -> Self:
        return cls(await MessageBus(bus_address=address).connect(), service)

    def turn_deaf(self) -> None:
        """Read nothing any more."""
        asyncio.get_running_loop().remove_reader(self._socket.fileno())

    def vanish(self) -> None:
        """Close the socket, as a killed program does."""
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        assert self.bus._stream is not None
        self.bus._stream.close()
        self._socket.close()

    @property
    def _socket(self) -> socket.socket:
        assert self.bus._sock is not None
        return self.bus._sock

    async def close(self) -> None:
        self.bus.disconnect()
        with suppress(OSError, EOFError):
            await self.bus.wait_for_disconnect()  # type: ignore[no-untyped-call]

    async def call(
        self,
        path: str,
        member: str,
        signature: str = "",
        body: list[Any] | None = None,
        *,
        interface: str | None = ITEM,
        destination: str | None = None,
    ) -> Message:
        """Call and return the raw reply."""
        reply = await asyncio.wait_for(
            self.bus.call(
                Message(
                    destination=destination or self.service,
                    path=path,
                    interface=interface,
                    member=member,
                    signature=signature,
                    body=body or [],
                )
            ),
            timeout=120,
        )
        assert reply is not None
        if reply.message_type is MessageType.ERROR:
            raise DBusError(reply.error_name or "", str(reply.body[0]), reply)
        return reply

    async def get_items(self) -> dict[str, dict[str, Any]]:
        reply = await self.call("/", "GetItems")
        assert reply.signature == "a{sa{sv}}"
        return {path: unwrap(row) for path, row in reply.body[0].items()}

    async def get_value(self, path: str) -> Any:
        return unwrap((await self.call(path, "GetValue")).body[0])

    async def get_text(self, path: str) -> Any:
        return unwrap((await self.call(path, "GetText")).body[0])

    async def set_value(self, path: str, signature: str, value: Any) -> int:
        """Write `value` in a variant of `signature`; return the verdict."""
        body = [Variant(signature, value)]
        return int((await self.call(path, "SetValue", "v", body)).body[0])

    async def introspect(self, path: str) -> str:
        reply = await self.call(path, "Introspect", interface=INTROSPECTABLE)
        return str(reply.body[0])

    async def watch(self) -> None:
        """Collect the ItemsChanged of the service in `changes`, unwrapped."""
        self.bus.add_message_handler(self._collect)
        rule = f"type='signal',sender='{self.service}',member='ItemsChanged'"
        await self.call(
            "/org/freedesktop/DBus",
            "AddMatch",
            "s",
            [rule],
            interface="org.freedesktop.DBus",
            destination="org.freedesktop.DBus",
        )

    def _collect(self, message: Message) -> None:
        if message.member == "ItemsChanged":
            assert (message.path, message.signature) == ("/", "a{sa{sv}}")
            assert message.interface == ITEM
            rows = message.body[0].items()
            self.changes.append({path: unwrap(row) for path, row in rows})
            self._changed.set()

    async def next_change(self) -> dict[str, dict[str, Any]]:
        """Wait for the next ItemsChanged, oldest first."""
        async with asyncio.timeout(120):
            while not self.changes:
                self._changed.clear()
                await self._changed.wait()
        return self.changes.popleft()

    async def next_values(self) -> dict[str, Any]:
        """Wait for the next ItemsChanged and return its values alone."""
        return {path: row["Value"] for path, row in (await self.next_change()).items()}

    async def settled(self) -> None:
        """Return when all that the service sent before is here: a round trip."""
        await self.call("/", "Ping", interface="org.freedesktop.DBus.Peer")


async def soon(check: Callable[[], object]) -> None:
    """Wait until `check` is true."""
    async with asyncio.timeout(120):
        while not check():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def serving(
    address: str,
    items: Iterable[Item],
    *,
    name: str = "com.victronenergy.inverter.test",
    **options: Any,
) -> AsyncIterator[tuple[Service, BusItemClient]]:
    """A claimed service, and a client that watches it."""
    service = Service(name, items, address=address, **options)
    await service.start()
    client = await BusItemClient.connect(address, name)
    await client.watch()
    try:
        yield service, client
    finally:
        await client.close()
        await service.close()

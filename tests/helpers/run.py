"""The daemon as a process on a private bus; its inverters are simulated right here."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Self, TypeVar

from dbus_fast import Message, MessageType, Variant
from dbus_fast.errors import DBusError

from helpers.bus import BusItemClient, unwrap
from helpers.processes import MPPDBUS, Program, names
from mppdbus.simulator.line.simulator import Simulator, simulate
from mppdbus.simulator.line.speed import Pace
from mppdbus.simulator.ports.server import PtyPort, serve_pty

T = TypeVar("T")

MULTI = "com.victronenergy.multi.mppdbus_"
INVERTER = "com.victronenergy.inverter.mppdbus_"
SYSTEM = "com.victronenergy.acsystem.mppdbus"
BATTERY = "com.victronenergy.battery.mppdbus"
# A pty has no speed; time-outs are reckoned from the one in the config.
QUICK = "baud = 115200\ntimeout = 0.2\npoll = 0.5\n"
# Seconds that a test waits for what an idle machine does at once.
PATIENCE = 120.0
# Nobody has the name, or its owner leaves before it answers.
ABSENT = {
    f"org.freedesktop.DBus.Error.{what}" for what in ("ServiceUnknown", "NoReply")
}


async def eventually(check: Callable[[], T], seconds: float = PATIENCE) -> T:
    """Return the first true value of `check`."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not (result := check()):
        assert loop.time() < end, f"not within {seconds} s: {check}"
        await asyncio.sleep(0.02)
    return result


class Daemon(Program):
    """`mppdbus run`; `units` are the lines of one `[[inverter]]` each.

    `battery` and `control` are those of these sections, `program` is what `mppdbus` is.
    """

    def __init__(
        self,
        folder: Path,
        address: str,
        units: Iterable[str],
        name: str = "daemon",
        *,
        battery: str = "",
        control: str = "",
        program: Sequence[str] = MPPDBUS,
    ) -> None:
        config = folder / f"{name}.toml"
        tables = "".join(f"[[inverter]]\n{unit}\n" for unit in units)
        head = f'[dbus]\nbus = "{address}"\n[battery]\n{battery}\n'
        head += f"[control]\n{control}\n" if control else ""
        config.write_text(f"{head}{tables}")
        argv = [*program, "run", "--config", str(config)]
        env = {"MPPDBUS_STATE": str(folder / "state")}
        super().__init__(argv, folder / f"{name}.log", env=env)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    def warnings(self) -> list[str]:
        """Return the messages above INFO, without their times."""
        above = re.compile(r"^\S+ \S+ (?:WARNING|ERROR) +(.*)$", re.MULTILINE)
        return above.findall(self.said)

    async def says(self, text: str, seconds: float = PATIENCE) -> str:
        """Wait for a line with `text`; return it."""

        def line() -> str | None:
            said = self.said
            assert self.running or text in said, said
            return next((each for each in said.splitlines() if text in each), None)

        return await eventually(line, seconds) or ""

    async def ended(self, seconds: float = PATIENCE) -> int:
        """Wait for the end; return the exit code. Simulators go on meanwhile."""
        await eventually(lambda: not self.running, seconds)
        return self._process.returncode

    async def terminate(self) -> int:
        """Ask it to end as systemd does; return the exit code."""
        self._process.terminate()
        return await self.ended()


class Watcher:
    """Reads services as raw variants, and keeps every ItemsChanged of theirs."""

    def __init__(self, client: BusItemClient) -> None:
        self.client = client
        self.signals: list[tuple[str, dict[str, Variant]]] = []
        self._news = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def on(cls, address: str) -> AsyncIterator[Watcher]:
        """Watch everything on the bus."""
        watcher = cls(await BusItemClient.connect(address, ""))
        watcher.client.bus.add_message_handler(watcher._collect)
        await watcher.client.call(
            "/org/freedesktop/DBus",
            "AddMatch",
            "s",
            ["type='signal',member='ItemsChanged'"],
            interface="org.freedesktop.DBus",
            destination="org.freedesktop.DBus",
        )
        try:
            yield watcher
        finally:
            await watcher.client.close()

    def _collect(self, message: Message) -> None:
        if message.message_type is MessageType.SIGNAL and message.member == (
            "ItemsChanged"
        ):
            rows = {path: row["Value"] for path, row in message.body[0].items()}
            self.signals.append((message.sender or "", rows))
            self._news.set()

    async def news(self) -> None:
        """Wait for the next signal, or a moment: not all that changes is signalled."""
        self._news.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await self._news.wait()

    async def names(self) -> set[str]:
        return await names(self.client)

    async def owner(self, service: str) -> str:
        """Wait until somebody has the name; return the connection's own name."""
        end = asyncio.get_running_loop().time() + PATIENCE
        while service not in await self.names():
            assert asyncio.get_running_loop().time() < end, f"nobody has {service}"
            await asyncio.sleep(0.02)
        reply = await self.client.call(
            "/org/freedesktop/DBus",
            "GetNameOwner",
            "s",
            [service],
            interface="org.freedesktop.DBus",
            destination="org.freedesktop.DBus",
        )
        return str(reply.body[0])

    async def raw(self, service: str) -> dict[str, Variant]:
        """Return all values of a service at one moment, as they are on the wire."""
        reply = await self.client.call("/", "GetItems", destination=service)
        return {path: row["Value"] for path, row in reply.body[0].items()}

    async def values(self, service: str) -> dict[str, Any]:
        """Return all values of a service; {} while it is not there."""
        try:
            rows = await self.raw(service)
        except DBusError as error:
            if error.type not in ABSENT:
                raise
            return {}
        return {path: unwrap(value) for path, value in rows.items()}

    async def wait(
        self, service: str, wanted: Mapping[str, object], seconds: float = PATIENCE
    ) -> dict[str, Any]:
        """Wait until paths have values (`...` is any) and return all values."""
        end = asyncio.get_running_loop().time() + seconds
        while True:
            values = await self.values(service)
            if values and all(_is(values[p], value) for p, value in wanted.items()):
                return values
            seen = {path: values.get(path) for path in wanted}
            assert asyncio.get_running_loop().time() < end, f"{service}: {seen}"
            await self.news()


def _is(value: object, wanted: object) -> bool:
    return value is not None if wanted is ... else value == wanted


class Ports:
    """Simulated units on ptys in a folder, for as long as the context lasts."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self.ptys: dict[str, PtyPort] = {}

    @classmethod
    @asynccontextmanager
    async def below(cls, folder: Path) -> AsyncIterator[Ports]:
        async with AsyncExitStack() as stack:
            yield cls(folder, stack)

    async def add(
        self, name: str, simulator: Simulator | str = "axpert-5000", scene: str = ""
    ) -> Simulator:
        """Plug a unit in at `name`."""
        if isinstance(simulator, str):
            simulator = simulate(simulator, pace=Pace.instant(), scene=scene)
        port = serve_pty(simulator, self._folder / name)
        self.ptys[name] = await self._stack.enter_async_context(port)
        return simulator

    def unit(self, name: str, *lines: str) -> str:
        """Return the lines of the unit at `name`, which need not be there."""
        port = f'name = "{name}"\nport = "serial:{self._folder / name}"\n'
        return port + QUICK + "\n".join(lines)

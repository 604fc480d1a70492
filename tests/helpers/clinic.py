"""A machine with an inverter and a bus, into which troubles are put for the doctor."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from helpers.bus import PrivateBus
from helpers.machine import FakeMachine
from helpers.raw_port import Answer, raw_port
from helpers.scripted import ScriptedInverter
from mppdbus.doctor.causes import CAUSES
from mppdbus.doctor.examine import Place, Subject, examine
from mppdbus.doctor.findings import Finding, judge, merged
from mppdbus.simulator.line.simulator import Simulator, simulate
from mppdbus.simulator.line.speed import Pace
from mppdbus.simulator.ports.server import serve_pty, serve_tcp
from mppdbus.transport.port_url import PortUrl
from mppdbus.venus.dbus.items import Item, ItemType, Value
from mppdbus.venus.dbus.service import Service

KINDS = {int: ItemType.INT, float: ItemType.DOUBLE, str: ItemType.TEXT}
UNIT = "com.victronenergy.multi.mppdbus_1"
ACSYSTEM = "com.victronenergy.acsystem.mppdbus"
OURS: dict[str, Value] = {
    "/Mgmt/ProcessName": "mppdbus",
    "/Mgmt/Connection": "/dev/ttyUSB0",
    "/ProductName": "Axpert",
    "/DeviceInstance": 288,
    "/Connected": 1,
    "/Serial": "1",
    "/Mppdbus/Link/Quality": 99.0,
    "/Mppdbus/Dialect": "pi30",
    "/Mppdbus/Fault": "",
}


class Clinic:
    """What the doctor looks at; each method puts something there."""

    def __init__(self, folder: Path, bus: PrivateBus, stack: AsyncExitStack) -> None:
        self.folder = folder
        self.root = folder / "root"
        self.machine = FakeMachine(self.root)
        self.bus = bus
        self.subjects: list[Subject] = []
        state = folder / "state"
        state.mkdir()
        now = datetime(2026, 6, 1, tzinfo=UTC)
        self.root.mkdir()
        self.place = Place(None, state, None, self.root, now)
        self._stack = stack

    @classmethod
    @asynccontextmanager
    async def at(cls, folder: Path, bus: PrivateBus) -> AsyncIterator[Clinic]:
        async with AsyncExitStack() as stack:
            yield cls(folder, bus, stack)

    async def findings(self) -> list[Finding]:
        """Examine, and return what was found, the likeliest first."""
        facts, _ = await examine(self.subjects, self.place, lambda _: None)
        return merged(finding for one in facts for finding in judge(one, CAUSES))

    def change(self, **words: Any) -> None:  # noqa: ANN401
        """Change the subject."""
        self.subjects = [replace(one, **words) for one in self.subjects]

    def at_the_end(self, call: Callable[[], object]) -> None:
        """Call it when the test is over."""
        self._stack.callback(call)

    # -- the inverter -------------------------------------------------------------

    def subject(self, path: str, **words: Any) -> None:  # noqa: ANN401
        """Have the doctor examine a device, which need not be there."""
        url = PortUrl("serial", path)
        self.subjects.append(Subject(url, patience=0.3, **words))

    def plugged(self, path: Path, **words: Any) -> None:  # noqa: ANN401
        """Have the doctor examine a real pty, which the fake machine has, too."""
        copy = self.root / str(path).lstrip("/")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.symlink_to(os.path.realpath(path))
        self.subject(str(path), **words)

    async def inverter(
        self, profile: str = "axpert-5000", scene: str = "", pace: Pace | None = None
    ) -> Simulator:
        """Plug in a simulated inverter."""
        unit = simulate(profile, pace=pace or Pace.instant(), scene=scene)
        path = self.folder / f"tty{len(self.subjects)}"
        await self._stack.enter_async_context(serve_pty(unit, path))
        self.plugged(path, baud=2400 if pace else 115200)
        return unit

    async def tcp_inverter(self, profile: str = "axpert-5000") -> None:
        """Connect a simulated inverter by a serial server."""
        unit = simulate(profile, pace=Pace.instant())
        port = await self._stack.enter_async_context(serve_tcp(unit, "127.0.0.1", 0))
        self.at_tcp(port.port)

    def at_tcp(self, port: int, host: str = "127.0.0.1") -> None:
        self.subjects.append(Subject(PortUrl("tcp", host=host, port=port)))

    def listener(self) -> socket.socket:
        """Return a socket that listens, and whose queue is full."""
        server = self._stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(3):  # the kernel now drops further requests to connect
            client = self._stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        return server

    async def raw(self, answer: Answer) -> None:
        """Plug in something that answers as a function says."""
        path = self.folder / "raw"
        await self._stack.enter_async_context(raw_port(path, answer))
        self.plugged(path, baud=2400)

    async def scripted(self, script: Mapping[str, Any] | str) -> ScriptedInverter:
        """Plug in an inverter of a script, or of a field case."""
        if isinstance(script, str):
            unit = ScriptedInverter.of(script)
        else:
            unit = ScriptedInverter(dict(script))
        path = self.folder / "scripted"
        await self._stack.enter_async_context(unit.at(path))
        self.plugged(path, baud=115200)
        return unit

    # -- the machine ----------------------------------------------------------------

    def write(self, path: str, text: str = "") -> Path:
        """Put a file on the machine."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def config(self, text: str | None = None) -> str:
        """Write a config for the subjects; return its path."""
        units = "".join(f'[[inverter]]\nport = "{s.port}"\n' for s in self.subjects)
        path = self.folder / "config.toml"
        path.write_text(units if text is None else text)
        self.place = replace(self.place, config=path)
        return str(path)

    def daemon(self, pid: int = 77) -> None:
        """Let `mppdbus run` run, with this config."""
        self.machine.process(pid, "python", "-m", "mppdbus", "run", self.config())
        (self.root / f"proc/{pid}/cwd").symlink_to("/")

    def venus(self) -> None:
        """Make it a GX."""
        (self.root / "opt/victronenergy").mkdir(parents=True, exist_ok=True)

    def installed(self) -> None:
        """Install mppdbus on a GX as `mppdbus install` does."""
        self.venus()
        self.write("data/apps/available/mppdbus/version")
        (self.root / "data/apps/enabled").mkdir(parents=True)
        (self.root / "data/apps/enabled/mppdbus").symlink_to("../available/mppdbus")
        self.write("service/mppdbus/run")
        self.write(
            "data/rcS.local", "#!/bin/sh\n/data/apps/mppdbus/boot.sh # mppdbus\n"
        )

    # -- the bus --------------------------------------------------------------------

    def with_bus(self) -> None:
        self.place = replace(self.place, bus=self.bus.address)

    async def service(self, name: str, values: Mapping[str, Value]) -> None:
        """Put a service on the bus."""
        self.with_bus()
        items = [Item(path, KINDS[type(value)]) for path, value in values.items()]
        service = Service(name, items, address=self.bus.address)
        service.update(dict(values))
        self._stack.push_async_callback(service.close)
        await service.start()

    async def shown(self, **changes: Value) -> None:
        """Let the daemon show the inverter at /dev/ttyUSB0; `changes` by leaf."""
        self.machine.usb_serial("ttyUSB0", "1a86:7523")
        self.subject("/dev/ttyUSB0")
        values = OURS | {
            path: changes[leaf]
            for path in OURS
            if (leaf := path.split("/")[-1]) in changes
        }
        await self.service(UNIT, values)
        await self.service(ACSYSTEM, {"/DeviceInstance": 0, "/ProductName": "Axpert"})

    async def gx_shows(self, mapped: str = UNIT) -> None:
        """Let Victron's own programs be there, and use a service."""
        self.venus()
        await self.service("com.victronenergy.settings", {"/DeviceInstance": 0})
        values: dict[str, Value] = {
            "/ServiceMapping/com_victronenergy_multi_288": mapped
        }
        await self.service("com.victronenergy.system", values)

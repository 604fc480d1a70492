"""What a user sees of a scripted inverter: the bus of the daemon, and the commands."""

from __future__ import annotations

import asyncio
import io
import json
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import (
    AsyncExitStack,
    asynccontextmanager,
    redirect_stderr,
    redirect_stdout,
)
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.bus import PrivateBus, unwrap
from helpers.processes import DBUS, MPPDBUS, until
from helpers.run import Daemon, Watcher, eventually
from helpers.scripted import FIELD, ScriptedInverter
from helpers.settings import OwnService
from mppdbus.cli import main

LINES = "baud = 115200\ntimeout = 1.0\npoll = 0.5\n"  # a machine may be busy


@dataclass(frozen=True)
class Field:
    """A daemon on a private bus, and what watches it."""

    daemon: Daemon
    watcher: Watcher

    async def changes(self, service: str, *paths: str) -> dict[str, list[Any]]:
        """Return what a service has signalled of each path, oldest first."""
        client = self.watcher.client
        at = {"interface": DBUS, "destination": DBUS}
        path = "/org/freedesktop/DBus"
        owner = await client.call(path, "GetNameOwner", "s", [service], **at)
        told: dict[str, list[Any]] = {path: [] for path in paths}
        for sender, rows in self.watcher.signals:
            if sender == owner.body[0]:
                for path in paths:
                    if path in rows:
                        told[path].append(unwrap(rows[path]))
        return told

    async def shows(
        self, service: str, wanted: Mapping[str, object], seconds: float = 120
    ) -> dict[str, Any]:
        """Wait until a service shows values; return all of them.

        A path that is not there counts as one without a value.
        """
        seen: dict[str, object] = {}
        values: dict[str, Any] = {}

        async def shown() -> bool:
            values.update(await self.watcher.values(service))
            seen.update({path: values.get(path) for path in wanted})
            return bool(values) and seen == wanted

        await until(
            shown, lambda: f"{service}: {seen}\n{self.daemon.said}", seconds=seconds
        )
        return values


@asynccontextmanager
async def on_the_bus(
    folder: Path,
    *inverters: ScriptedInverter,
    lines: str = LINES,
    more: Sequence[str] = (),
    battery: str = "",
    settings: OwnService | None = None,
) -> AsyncIterator[Field]:
    """Run the daemon on inverters; each has `lines` below its `[[inverter]]`.

    `more` are further lines of each. `settings` is a localsettings on the same bus.
    """
    bus = PrivateBus(folder)
    bus.start()
    try:
        async with AsyncExitStack() as stack:
            if settings is not None:
                settings.address = bus.address
                await settings.start()
                stack.push_async_callback(settings.stop)
            units = []
            for number, inverter in enumerate(inverters):
                port = folder / f"tty{number}"
                await stack.enter_async_context(inverter.at(port))
                own = f'name = "unit{number}"\nport = "serial:{port}"\n{lines}'
                units.append("\n".join([own, *more[number : number + 1]]))
            watcher = await stack.enter_async_context(Watcher.on(bus.address))
            with Daemon(folder, bus.address, units, battery=battery) as daemon:
                # A busy machine starts slowly.
                await eventually(
                    lambda: all(unit.asked for unit in inverters) or not daemon.running,
                    120,
                )
                assert daemon.running, daemon.said
                yield Field(daemon, watcher)
    finally:
        bus.stop()


@dataclass(frozen=True)
class Done:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        """What it printed with --json."""
        return [json.loads(line) for line in self.out.splitlines()]


async def run_command(*words: str) -> Done:
    """Run the command line as a process while the inverters of this loop answer."""
    process = await asyncio.create_subprocess_exec(
        *MPPDBUS,
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), 60)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Done(process.returncode or 0, out.decode(), err.decode())


async def detected(inverter: ScriptedInverter, folder: Path) -> Done:
    """Run `detect --json` on an inverter."""
    port = folder / "inverter"
    async with inverter.at(port):
        return await run_command("detect", "--port", str(port), "--json")


def decoded(text: str | bytes) -> Done:
    """Run `decode --json` on a text, in this process."""
    data = text.encode() if isinstance(text, str) else text
    out, err = io.StringIO(), io.StringIO()
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        with redirect_stdout(out), redirect_stderr(err):
            code = main(["decode", "--json", file.name])
    return Done(code, out.getvalue(), err.getvalue())


def text_of(case: str) -> str:
    """Return tests/data/field/`case`.txt."""
    return (FIELD / f"{case}.txt").read_text("utf-8")


def decoded_case(case: str) -> Done:
    """Run `decode --json` on tests/data/field/`case`.txt."""
    return decoded(text_of(case))

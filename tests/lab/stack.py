"""Victron's own programs on a private bus: localsettings, systemcalc, dbus-acsystem."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from helpers.bus import BusItemClient, PrivateBus
from helpers.processes import Program, names, until

SOURCES = Path(os.environ.get("REALSTACK_SRC", "/nowhere"))
PYTHON = os.environ.get("REALSTACK_PYTHON", "")
PROGRAMS = {
    "localsettings": "localsettings/localsettings.py",
    "systemcalc": "dbus-systemcalc-py/dbus_systemcalc.py",
    "acsystem": "dbus-acsystem/dbus-acsystem.py",
}
LIBRARIES = ("velib_python/vedbus.py", "aiovelib/aiovelib/client.py")
REGISTERS = "dbus_modbustcp/attributes.csv"
SYSTEM = "com.victronenergy.system"


def missing() -> str:
    """Say what the lab lacks; nothing where it can run."""
    if not os.environ.get("REALSTACK_SRC") or not PYTHON:
        return "REALSTACK_SRC and REALSTACK_PYTHON are not set"
    wanted = [SOURCES / name for name in (*PROGRAMS.values(), *LIBRARIES, REGISTERS)]
    lacking = [str(p) for p in (*wanted, Path(PYTHON)) if not p.exists()]
    return f"there is no {', '.join(lacking)}" if lacking else ""


# What every module of the lab is marked with.
LAB = [
    pytest.mark.lab,
    pytest.mark.skipif(
        bool(missing()), reason=f"{missing()}: tests/lab/README.md says how to get it"
    ),
]


class Stack:
    """A bus with localsettings and systemcalc on it, and dbus-acsystem if wanted.

    Leaving it fails if one of them ended or wrote a traceback.
    """

    def __init__(self, folder: Path, *, acsystem: bool = False) -> None:
        self.folder = folder
        self.bus = PrivateBus(folder)
        self.address = self.bus.address
        self._acsystem = acsystem
        self._programs: dict[str, Program] = {}
        self._client: BusItemClient | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What puts a program of Victron's on this bus.

        Some take the session bus when there is one, others the system bus. The portal
        id is made of the address of a network interface, which "lo" always is.
        """
        return {
            "DBUS_SESSION_BUS_ADDRESS": self.address,
            "DBUS_SYSTEM_BUS_ADDRESS": self.address,
            "VRM_IFACE": "lo",
            "PYTHONUNBUFFERED": "1",
            "REALSTACK_SRC": str(SOURCES),
        }

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        trouble = self.trouble()
        await self._stop()
        if kind is None:
            assert not trouble, trouble

    def trouble(self) -> str:
        """Return what a program of Victron's complains of: it ended, or a traceback."""
        for name, program in self._programs.items():
            if not program.running:
                return f"{name} has ended:\n{program.said[-3000:]}"
            if (at := program.said.find("Traceback")) >= 0:
                return f"{name}:\n{program.said[at : at + 3000]}"
        return ""

    def said(self, name: str) -> str:
        """Return all that a program has written."""
        return self._programs[name].said

    async def names(self) -> set[str]:
        """Return the Victron services on the bus."""
        return await names(self.client)

    async def items(self, service: str) -> dict[str, Any]:
        """Return path → value of a service, by GetItems."""
        rows = await BusItemClient(self.client.bus, service).get_items()
        return {path: row["Value"] for path, row in rows.items()}

    async def system(self, paths: Iterable[str]) -> dict[str, Any]:
        """Return what systemcalc shows at `paths`; None is invalid, or not there."""
        items = await self.items(SYSTEM)
        return {path: items.get(path) for path in paths}

    async def wait_for_name(self, name: str) -> None:
        """Wait until a name is on the bus."""

        async def there() -> bool:
            assert not self.trouble(), self.trouble()
            return name in await self.names()

        await until(there, lambda: f"no {name}")

    @property
    def client(self) -> BusItemClient:
        """A client on this bus."""
        assert self._client is not None
        return self._client

    async def _start(self) -> None:
        # velib_reader.py imports every path, each with a rule of its own.
        self.bus.start(max_match_rules_per_connection=8192)
        self._client = await BusItemClient.connect(self.address, "")
        settings = self.folder / "settings"
        settings.mkdir()
        self._run("localsettings", f"--path={settings}", "--no-delay")
        await self.wait_for_name("com.victronenergy.settings")
        self._run("systemcalc", "--debug")
        await self.wait_for_name(SYSTEM)
        if self._acsystem:
            self._run("acsystem", "--dbus", "session", "--debug")

    def _run(self, name: str, *words: str) -> None:
        argv = [PYTHON, str(SOURCES / PROGRAMS[name]), *words]
        log = self.folder / f"{name}.log"
        self._programs[name] = Program(argv, log, env=self.environment)

    async def _stop(self) -> None:
        if self._client is not None:
            with suppress(ConnectionError):
                await self._client.close()
        for program in reversed(self._programs.values()):
            program.stop()
        self.bus.stop()

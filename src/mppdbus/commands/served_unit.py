"""An inverter whose port our own service holds: its settings, over D-Bus."""

import itertools
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from mppdbus.commands.target import Target
from mppdbus.control.journal import Journal, WrittenSetting
from mppdbus.control.settings import ShownSetting, settings_of
from mppdbus.control.unit_control import Tell
from mppdbus.control.write_check import ControlLevel, PlannedWrite, why_locked
from mppdbus.errors import BusError, ConfigError, MppdbusError, NotWritten
from mppdbus.inverter.detection import Answers
from mppdbus.protocol.dialects import FAMILIES
from mppdbus.protocol.identification import Identification
from mppdbus.protocol.queries import decode
from mppdbus.venus.dbus.connection import Request, bus_address
from mppdbus.venus.dbus.values import variant
from mppdbus.venus.dbus.watcher import Watcher
from mppdbus.venus.tables.control import LEVEL, REPLY, REQUEST

SERVICES = ("com.victronenergy.multi.", "com.victronenergy.inverter")
CONNECTION = "/Mgmt/Connection"
LONGEST = 90.0  # s that an answer may take: all settings on a slow line, or a write


class ServedUnit:
    """The inverter, as the service knows it; `answers` are as of a free port."""

    def __init__(self, watcher: Watcher, service: str) -> None:
        self.answers = Answers()
        self.found: Identification
        self.level = ControlLevel.READ_ONLY
        self.journal: Journal
        self._watcher, self._service = watcher, service
        self._numbers = itertools.count()

    async def ask(self) -> None:
        """Have the inverter asked for all its settings."""
        self._take(await self._request({}))

    def settings(self) -> list[ShownSetting]:
        """Return the settings as they were read last."""
        return settings_of(self.answers.readings, self.found)

    async def write(
        self,
        planned: PlannedWrite,
        *,
        by: str,
        plan: str = "",
        rest: Mapping[str, float] | None = None,
        undoes: str = "",
        tell: Tell,
    ) -> WrittenSetting:
        """Have it written, as `UnitControl.write` does; raises `NotWritten`."""
        name = planned.shown.name
        usual = replace(planned.permission, expert=False)
        if why_locked(self.settings(), self.found, planned.shown, usual):
            raise NotWritten(
                f"{name}: what needs --i-know-what-this-does is never written through "
                "the service; stop it, and write at the free port"
            )
        tell(f"writing {name}, and reading it back for some seconds")
        said = await self._request(
            {
                "setting": name,
                "value": planned.value,
                "confirmed": planned.permission.confirmed,
                "by": by,
                "plan": plan,
                "rest": dict(rest or {}),
                "undoes": undoes,
            }
        )
        self._take(said)
        return WrittenSetting(**said["write"])

    async def _request(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Send a request, wait until it is done, and return the answer to it."""
        number = f"{os.getpid()}-{next(self._numbers)}"
        text = variant(json.dumps({"id": number, **asked}))
        set_it = Request(self._service, REQUEST, "SetValue", "v", [text])
        verdict = await self._watcher.call(set_it, seconds=LONGEST)
        said = await self._watcher.call(Request(self._service, REPLY, "GetValue"))
        answer = json.loads(said) if isinstance(said, str) and said else {}
        if verdict == 0 and answer.get("id") == number:
            return dict(answer)
        error = answer.get("error", "the service does other work now; try again")
        if answer.get("kind") == "error":
            raise ConfigError(error)
        raise NotWritten(error)

    def _take(self, said: dict[str, Any]) -> None:
        """Read the replies as those of the family that the service has found."""
        family = FAMILIES[said["dialect"]]
        self.found = Identification(
            family.dialect,
            said["confidence"],
            (),
            said["family"],
            said["nominal_voltage"],
        )
        self.level = ControlLevel(said["level"])
        self.journal = Journal(Path(said["journal"]))
        answers = self.answers
        answers.readings.clear()
        for query, hexadecimal in said["replies"].items():
            payload = bytes.fromhex(hexadecimal)
            with suppress(MppdbusError):
                answers.payloads[query] = payload
                answers.readings[query] = decode(query, payload, family.dialect.queries)


@asynccontextmanager
async def served_unit(target: Target) -> AsyncIterator[ServedUnit | None]:
    """Yield the inverter at a port that our own service has; None: nobody has it."""
    watcher = Watcher(bus_address(target.bus))
    try:
        service = await _service_at(watcher, target)
        yield None if service is None else ServedUnit(watcher, service)
    finally:
        await watcher.close()


async def _service_at(watcher: Watcher, target: Target) -> str | None:
    """Return the service whose inverter is at this port."""
    try:
        await watcher.open()
    except BusError:
        return None
    for name in watcher.names():
        if not name.startswith(SERVICES):
            continue
        with suppress(BusError):
            port = await watcher.call(Request(name, CONNECTION, "GetValue"))
            level = await watcher.call(Request(name, LEVEL, "GetValue"))
            if isinstance(level, str) and str(port).strip() == target.port.label:
                return name
    return None

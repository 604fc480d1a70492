"""A simulated unit whose settings are written, without a port between."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from helpers.fast_time import run_fast
from helpers.line import linked
from mppdbus.commands.progress import Progress
from mppdbus.commands.setting_writer import UnitWriter
from mppdbus.commands.settings_reader import ConnectedUnit, UnitSettings
from mppdbus.commands.target import Target
from mppdbus.control.journal import Journal, WrittenSetting
from mppdbus.control.known_unit import InterviewedUnit
from mppdbus.control.plan import Wanted
from mppdbus.control.plan_run import PlanReport, PlanRun
from mppdbus.control.settings import QUERIES, ShownSetting, settings_of
from mppdbus.control.undo import find_undo
from mppdbus.control.unit_control import UnitControl
from mppdbus.control.write_check import ControlLevel, Permission
from mppdbus.inverter.detection import Interview
from mppdbus.inverter.link import Link
from mppdbus.protocol.identification import Identification
from mppdbus.simulator.line.simulator import Simulator, simulate
from mppdbus.transport.port_url import parse_port

ALLOWED = Permission(ControlLevel.FULL, confirmed=True, expert=True)
ARGUMENTS: Any = SimpleNamespace(level="full", yes=True, expert=True)
UNIT = "serial:/dev/none"
NAMING = ("QPI", "QMN", "QGMN", "QVFW", "QPIWS")
NOW = datetime(2026, 6, 1, 12).astimezone()


class Unit:
    """A simulated unit on a line without a port, and what writes to it."""

    def __init__(
        self, simulator: Simulator, folder: Path, link: Link | None = None
    ) -> None:
        self.simulator = simulator
        self.link = link or linked(simulator)
        self.interview = Interview(self.link)
        self.journal = Journal(folder)
        self.now = NOW

    async def learn(self) -> Unit:
        for query in (*NAMING, *QUERIES):
            await self.interview.try_read(query, attempts=2)
        return self

    @property
    def found(self) -> Identification:
        return self.interview.answers.identification

    @property
    def settings(self) -> dict[str, ShownSetting]:
        shown = settings_of(self.interview.answers.readings, self.found)
        return {each.name: each for each in shown}

    @property
    def sent(self) -> list[str]:
        """The setters that reached the unit, whether it obeyed or not."""
        return [
            command
            for command, count in self.simulator.scene.requests.items()
            for _ in range(count)
            if not command.startswith(("Q", "(", "VERFW"))
        ]

    async def write(self, name: str, value: str | float) -> WrittenSetting:
        return await self.control.set(
            name, value, by="a test", confirmed=True, expert=True
        )

    @property
    def control(self) -> UnitControl:
        """What may write to it."""
        unit = InterviewedUnit(UNIT, self.link, self.interview, self.found)
        return UnitControl(unit, self.journal, level=ControlLevel.FULL, now=self._time)

    async def run(
        self, wanted: Wanted, undoes: Mapping[str, str] | None = None
    ) -> PlanReport:
        """Run a plan as `mppdbus apply` does, or an undo."""
        run = PlanRun(self.writer, self._time().isoformat(), undoes=undoes)
        return await run.run(wanted)

    async def undo(self) -> PlanReport:
        writes = self.journal.writes()
        undo = find_undo(writes, self.writer.name, self.settings.values())
        return await self.run(undo.wanted, undo.undoes)

    @property
    def writer(self) -> UnitWriter:
        """What the commands write with."""
        answers = self.interview.answers
        unit = UnitSettings([], self.found, answers)
        target = Target(parse_port(UNIT), "garage")
        connected = ConnectedUnit(target, self.link, self.interview, unit, Progress())
        writer = UnitWriter(connected, ARGUMENTS)
        writer.journal = writer.control.journal = self.journal
        return writer

    @property
    def values(self) -> dict[str, float | None]:
        """What the settings are by what was read last."""
        return {name: each.value for name, each in self.settings.items()}

    def _time(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


def learnt(name: str) -> Unit:
    """Return a unit whose settings were read."""

    async def learn() -> Unit:
        unit = Unit(simulate(name), Path("/nonexistent"))
        return await unit.learn()

    return run_fast(learn())

"""What the commands that write share: what is allowed, who writes, the verdicts."""

import argparse
import os
import pwd
from datetime import datetime

from mppdbus.commands import settings_reader
from mppdbus.commands.output import DONE, SAID_NO, Output
from mppdbus.commands.settings_reader import ConnectedUnit, journal_of, unit_of
from mppdbus.control import plan, unit_control
from mppdbus.control.journal import WrittenSetting, described
from mppdbus.control.known_unit import InterviewedUnit
from mppdbus.control.plan import Wanted
from mppdbus.control.plan_run import PlanReport, PlanRun
from mppdbus.control.set_write import SetRun
from mppdbus.control.settings import ShownSetting
from mppdbus.control.unit_control import UnitControl
from mppdbus.control.write_check import (
    ControlLevel,
    Permission,
    PlannedWrite,
    checked_write,
    plan_write,
)
from mppdbus.errors import NotWritten

MIXED = "not all is as before; look: mppdbus settings, mppdbus writes"
AS_BEFORE = "all is as it was before"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what allows a write, and which inverter."""
    add = parser.add_argument
    add("--level", choices=[*ControlLevel], help="allow more than config.toml says")
    add("--yes", action="store_true", help='confirm the risk of what needs "full"')
    add(
        "--i-know-what-this-does",
        action="store_true",
        dest="expert",
        help="for what may harm the devices at the output",
    )
    add("--json", action="store_true", help="the verdict as one object")
    settings_reader.add_arguments(parser)


class UnitWriter:
    """Writes the settings of a connected inverter, as far as the arguments allow it.

    `dry`: nothing will be sent, so no risk has to be confirmed.
    """

    def __init__(
        self, connected: ConnectedUnit, args: argparse.Namespace, *, dry: bool = False
    ) -> None:
        self.name = unit_of(connected)
        self._connected = connected
        served = connected.served
        level = _level(connected, args)
        self.permission = Permission(
            level, confirmed=args.yes or dry, expert=args.expert
        )
        self._found = connected.unit.found
        unit = InterviewedUnit(
            self.name, connected.link, connected.interview, self._found
        )
        self.journal = journal_of(connected)
        self.control = UnitControl(unit, self.journal, level=level)
        self._writing = served or self.control

    @property
    def settings(self) -> list[ShownSetting]:
        """The settings as they were read last."""
        return self._writing.settings()

    def plan(self, wanted: Wanted, *, room: int = 1) -> list[PlannedWrite]:
        """Return the steps to these values; `room` writes of each must be left today.

        Raises `NotWritten` or `ConfigError`.
        """
        steps = plan.plan(self.settings, self._found, wanted, self.permission)
        for step in steps:
            self.journal.check_budget(self.name, step.shown.name, _now(), writes=room)
        return steps

    def check(self, name: str, value: float) -> None:
        """Return if a value could be written, whatever the others are."""
        checked_write(self.settings, self._found, name, value, self.permission)

    def planned(self, name: str, value: str | float) -> PlannedWrite:
        """Return the write of one setting; raises `NotWritten` or `ConfigError`."""
        return plan_write(self.settings, self._found, name, value, self.permission)

    async def write(
        self,
        step: PlannedWrite,
        *,
        plan: str = "",
        rest: dict[str, float] | None = None,
        undoes: str = "",
    ) -> WrittenSetting:
        """Write once and read back; the last three are for the journal."""
        try:
            return await self._writing.write(
                step,
                by=who(),
                plan=plan,
                rest=rest,
                undoes=undoes,
                tell=(lambda _: None) if plan else self._connected.progress.show,
            )
        finally:
            self._connected.progress.clear()


def need_the_port(connected: ConnectedUnit, what: str) -> None:
    """Raise `NotWritten` for what cannot be done through the service."""
    if connected.served:
        raise NotWritten(
            f"{what} at a free port only, and the service has this one; stop it first"
        )


def _level(connected: ConnectedUnit, args: argparse.Namespace) -> ControlLevel:
    """Return what is allowed; the service has the last word where it has the port."""
    if connected.served is None:
        return ControlLevel(args.level or connected.target.control)
    level = connected.served.level
    if args.level and args.level != level:
        raise NotWritten(
            f"--level {args.level} counts at a free port; the service has this one, "
            f"and its level is {level}: change [control] in its config.toml and let it "
            "read that again, or stop it"
        )
    return level


async def write(
    connected: ConnectedUnit, name: str, value: str | float, args: argparse.Namespace
) -> int:
    """Write a setting, print the verdict; return 0 if the inverter shows the value."""
    unit = UnitWriter(connected, args)
    planned = unit.planned(name, value)
    verdict = await unit.write(planned)
    output = Output(as_json=args.json)
    output.record(described(verdict), sentence(planned.shown, verdict))
    return DONE if verdict.done else SAID_NO


async def run_plan(
    connected: ConnectedUnit,
    wanted: Wanted,
    args: argparse.Namespace,
    *,
    title: str,
    undoes: dict[str, str] | None = None,
) -> int:
    """Run a plan and print its report; return 0 if the inverter shows all of it."""
    unit = UnitWriter(connected, args)
    begun = _now().isoformat(timespec="milliseconds")
    run = PlanRun(unit, begun, undoes=undoes, tell=connected.progress.show)
    report = await run.run(wanted)
    connected.progress.clear()
    shown = {each.name: each for each in unit.settings}
    Output(as_json=args.json).record(
        report.record(), "\n".join(report_lines(report, shown, title))
    )
    return DONE if report.done else SAID_NO


async def write_set(
    connected: ConnectedUnit,
    name: str,
    args: argparse.Namespace,
    *,
    value: str | None = None,
) -> int:
    """Write a value to all units of a set; None: what each had before the last one."""
    need_the_port(connected, "a parallel set is written")
    unit = UnitWriter(connected, args)
    tell = connected.progress.show
    run = SetRun(unit.control, name, unit.permission, by=who(), tell=tell)
    report = await (run.undo() if value is None else run.set_all(value))
    connected.progress.clear()
    lines = [f"unit {w.unit}: {sentence(run.shown, w)}" for w in report.writes]
    if report.done:
        lines.append(f"all units show it{'' if lines else ' already'}")
    else:
        lines.append(f"NOT DONE: {report.why}")
        back = report.put_back
        lines += [f"unit {w.unit}: put back: {sentence(run.shown, w)}" for w in back]
        lines += [f"unit {u}: NOT put back: {why}" for u, why in report.left.items()]
        lines.append(MIXED if report.left else AS_BEFORE)
    Output(as_json=args.json).record(report.record(), "\n".join(lines))
    return DONE if report.done else SAID_NO


def report_lines(
    report: PlanReport, shown: dict[str, ShownSetting], title: str
) -> list[str]:
    """Return how a plan ended, for people."""
    lines = [sentence(shown[w.setting], w) for w in report.writes]
    if report.done:
        return [*lines, f"{title}: all is so now"]
    lines.append(f"{title}: NOT DONE: {report.why}")
    lines += [f"put back: {sentence(shown[w.setting], w)}" for w in report.put_back]
    lines += [f"NOT put back: {name}: {why}" for name, why in report.left.items()]
    return [*lines, MIXED if report.left else AS_BEFORE]


def sentence(shown: ShownSetting, write: WrittenSetting) -> str:
    """Return a verdict for people."""
    mark = "done" if write.done else "NOT DONE"
    return f"{mark}: {unit_control.sentence(shown, write)}"


def _now() -> datetime:
    return datetime.now().astimezone()


def who() -> str:
    """Return who writes, for the journal; also behind sudo."""
    try:
        user = os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = f"user {os.getuid()}"
    return f"command line, {user}"

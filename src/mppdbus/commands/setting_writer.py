"""What `set` and `undo` have in common: what is allowed, who writes, the verdict."""

import argparse
import os
import pwd
from datetime import datetime

from mppdbus.commands import settings_reader
from mppdbus.commands.output import DONE, SAID_NO, Output
from mppdbus.commands.settings_reader import ConnectedUnit
from mppdbus.control.journal import Journal, WrittenSetting, described
from mppdbus.control.settings import ShownSetting
from mppdbus.control.write import SettingWriter
from mppdbus.control.write_check import (
    ControlLevel,
    Permission,
    PlannedWrite,
    plan_write,
)
from mppdbus.host.platform import on_venus, state_directory
from mppdbus.protocol.replies.settings import Firmware


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


def journal() -> Journal:
    """Return the journal of this machine."""
    return Journal(state_directory(os.environ, venus=on_venus()))


def unit_of(connected: ConnectedUnit) -> str:
    """Return what tells an inverter from others in the journal."""
    return connected.unit.answers.serial or str(connected.target.port)


async def write(
    connected: ConnectedUnit, name: str, value: str | float, args: argparse.Namespace
) -> int:
    """Write a setting, print the verdict; return 0 if the inverter shows the value."""
    unit = connected.unit
    level = ControlLevel(args.level or connected.target.control)
    permission = Permission(level, confirmed=args.yes, expert=args.expert)
    planned = plan_write(unit.shown, unit.found, name, value, permission)
    writer = SettingWriter(
        connected.link, connected.interview, unit.found, journal(), _now
    )
    try:
        verdict = await writer.write(
            planned, _origin(connected, planned), connected.progress.show
        )
    finally:
        connected.progress.clear()
    output = Output(as_json=args.json)
    output.record(described(verdict), sentence(planned.shown, verdict))
    return DONE if verdict.done else SAID_NO


def sentence(shown: ShownSetting, write: WrittenSetting) -> str:
    """Return a verdict for people."""
    mark = "done" if write.done else "NOT DONE"
    change = f"{shown.text(write.old)} → {shown.text(write.value)}"
    return f"{mark}: {write.setting}: {change}: {write.why}"


def _now() -> datetime:
    return datetime.now().astimezone()


def _origin(connected: ConnectedUnit, planned: PlannedWrite) -> WrittenSetting:
    answers = connected.unit.answers
    firmware = answers.readings.get("QVFW")
    return WrittenSetting(
        time="",
        unit=unit_of(connected),
        model=answers.model,
        firmware=firmware.firmware if isinstance(firmware, Firmware) else "",
        setting=planned.shown.name,
        command="",
        old=None,
        value=planned.value,
        by=f"command line, {_user()}",
    )


def _user() -> str:
    """Return who called, also behind sudo."""
    try:
        return os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"

"""`mppdbus plan`: shows what `apply` would change; nothing is sent."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mppdbus.commands import setting_writer
from mppdbus.commands.output import DONE, Output
from mppdbus.commands.setting_writer import UnitWriter
from mppdbus.commands.settings_reader import ConnectedUnit, connected_unit
from mppdbus.control.settings_file import read_file
from mppdbus.control.write_check import PlannedWrite
from mppdbus.errors import NotWritten


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("file", type=Path, metavar="FILE", help="as export writes it")
    setting_writer.add_arguments(parser)


async def run(args: argparse.Namespace) -> int:
    """Print the steps from what is set now to what the file says."""
    wanted = read_file(args.file)
    async with connected_unit(args) as connected:
        show_plan(connected, wanted, args)
    return DONE


def show_plan(
    connected: ConnectedUnit, wanted: dict[str, float | str], args: argparse.Namespace
) -> None:
    """Print the steps, each with what it does and what it can break."""
    output, unit = Output(as_json=args.json), UnitWriter(connected, args, dry=True)
    steps = unit.plan(wanted, room=2)
    if not steps:
        output.line(f"{args.file}: {len(wanted)} settings, all as in the inverter")
    for number, step in enumerate(steps, 1):
        _show_step(output, number, step, _no_way_back(unit, step))
    if steps:
        output.line(f"{_count(steps)}; nothing was sent. To do it: mppdbus apply")


def _show_step(output: Output, number: int, step: PlannedWrite, warning: str) -> None:
    shown, setting = step.shown, step.shown.setting
    change = f"{shown.text(shown.value)} → {shown.text(step.value)}"
    if not step.changes:
        change = f"{shown.text(step.value)}, if the battery type changes it"
    text = f"{number}. {shown.name}: {change}\n   {setting.about}"
    text += f"\n   risk: {setting.risk}" if setting.risk else ""
    text += f"\n   it cannot be put back: {warning}" if warning else ""
    record = {
        "step": number,
        "name": shown.name,
        "old": shown.word(shown.value),
        "value": shown.word(step.value),
        "command": step.command,
        "about": setting.about,
        "risk": setting.risk,
        "cannot_be_put_back": warning,
    }
    output.record(record, text)


def _no_way_back(unit: UnitWriter, step: PlannedWrite) -> str:
    """Return why the present value could not be written again, else ""."""
    if step.shown.value is None:
        return "the inverter does not tell what it is now"
    try:
        unit.check(step.shown.name, step.shown.value)
    except NotWritten as error:
        return str(error)
    return ""


def _count(steps: Sequence[PlannedWrite]) -> str:
    return f"{len(steps)} step{'s' if len(steps) > 1 else ''}"

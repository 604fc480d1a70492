"""`mppdbus undo`: takes back what was changed last; once more, the change before it."""

import argparse

from mppdbus.commands import setting_writer
from mppdbus.commands.output import Output
from mppdbus.commands.setting_writer import UnitWriter
from mppdbus.commands.settings_reader import connected_unit
from mppdbus.control.set_write import last_of_a_set
from mppdbus.control.undo import find_undo
from mppdbus.control.write_check import works_with_others


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    setting_writer.add_arguments(parser)


async def run(args: argparse.Namespace) -> int:
    """Write the old values of the last change, or of a whole plan; 1 if it failed."""
    async with connected_unit(args) as connected:
        unit = UnitWriter(connected, args)
        if works_with_others(connected.unit.shown):
            name = last_of_a_set(unit.journal.writes())
            return await setting_writer.write_set(connected, name, args)
        undo = find_undo(unit.journal.writes(), unit.name, unit.settings)
        first = undo.writes[0]
        title = f"undo of {first.time[:19]}, {first.by}"
        Output(as_json=args.json).line(f"{title}: {', '.join(undo.wanted)}")
        return await setting_writer.run_plan(
            connected, undo.wanted, args, title="undo", undoes=dict(undo.undoes)
        )

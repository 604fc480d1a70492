"""`mppdbus undo`: sets what was written last back to what it was."""

import argparse

from mppdbus.commands import setting_writer
from mppdbus.commands.settings_reader import connected_unit
from mppdbus.errors import NotWritten


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    setting_writer.add_arguments(parser)


async def run(args: argparse.Namespace) -> int:
    """Write the old value of this inverter's last change; a second undo does it again.

    Returns 1 if the inverter does not show it afterwards.
    """
    async with connected_unit(args) as connected:
        unit = setting_writer.unit_of(connected)
        writes = setting_writer.journal().writes()
        changed = [w for w in writes if w.unit == unit and w.observed != w.old]
        if not changed:
            raise NotWritten(f"nothing of {unit} was ever changed from here")
        last = changed[-1]
        if last.old is None:
            raise NotWritten(f"{last.setting}: what it was before is not known")
        return await setting_writer.write(connected, last.setting, last.old, args)

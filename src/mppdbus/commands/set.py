"""`mppdbus set`: changes one setting of an inverter, checked and read back."""

import argparse

from mppdbus.commands import setting_writer
from mppdbus.commands.settings_reader import connected_unit
from mppdbus.control.write_check import works_with_others


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("setting", metavar="NAME", help="see: mppdbus settings")
    parser.add_argument("value", metavar="VALUE", help='such as 56.4, SBU or "on"')
    setting_writer.add_arguments(parser)


async def run(args: argparse.Namespace) -> int:
    """Write it once; return 1 if the inverter does not show the value afterwards.

    In a parallel set it is written to all units, or to none.
    """
    async with connected_unit(args) as connected:
        if works_with_others(connected.unit.shown):
            return await setting_writer.write_set(
                connected, args.setting, args, value=args.value
            )
        return await setting_writer.write(connected, args.setting, args.value, args)

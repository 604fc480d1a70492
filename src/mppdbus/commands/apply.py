"""`mppdbus apply`: makes the settings of an inverter those of a file, or none."""

import argparse
from pathlib import Path

from mppdbus.commands import setting_writer
from mppdbus.commands.output import DONE, Output
from mppdbus.commands.plan import show_plan
from mppdbus.commands.settings_reader import connected_unit
from mppdbus.control.settings_file import differences, read_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("file", type=Path, metavar="FILE", help="as export writes it")
    parser.add_argument("--dry-run", action="store_true", help="as mppdbus plan")
    setting_writer.add_arguments(parser)


async def run(args: argparse.Namespace) -> int:
    """Write step by step; after a mismatch all is put back, and 1 returned."""
    wanted = read_file(args.file)
    async with connected_unit(args) as connected:
        if args.dry_run:
            show_plan(connected, wanted, args)
            return DONE
        if not list(differences(connected.unit.shown, wanted)):
            output = Output(as_json=args.json)
            output.line(f"{args.file}: {len(wanted)} settings, all as in the inverter")
            return DONE
        return await setting_writer.run_plan(
            connected, wanted, args, title=str(args.file)
        )

"""`mppdbus diff`: compares the settings of an inverter with a file."""

import argparse
from pathlib import Path

from mppdbus.commands import settings_reader
from mppdbus.commands.output import DONE, SAID_NO, Output
from mppdbus.control.settings_file import differences, read_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("file", type=Path, metavar="FILE", help="as export writes it")
    parser.add_argument("--json", action="store_true", help="one object a difference")
    settings_reader.add_arguments(parser)


async def run(args: argparse.Namespace) -> int:
    """Print what differs; return 1 if anything does."""
    output, path = Output(as_json=args.json), args.file
    wanted = read_file(path)
    unit = await settings_reader.read_settings(args)
    found = list(differences(unit.shown, wanted))
    width = max((len(shown.name) for shown, _ in found), default=0)
    for shown, value in found:
        inverter, file = shown.word(shown.value), value
        record = {"name": shown.name, "inverter": inverter, "file": file}
        text = f"{shown.name:<{width}}  {shown.text(shown.value)} in the inverter, "
        output.record(record, f"{text}{file} in {path}")
    if not found:
        output.line(f"{path}: {len(wanted)} settings, all as in the inverter")
    return SAID_NO if found else DONE

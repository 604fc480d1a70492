"""`mppdbus get`: prints the value of one setting, for scripts."""

import argparse

from mppdbus.commands import settings_reader
from mppdbus.commands.output import DONE, SAID_NO, Output
from mppdbus.control.settings import chosen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("setting", metavar="NAME", help="see: mppdbus settings")
    parser.add_argument("--json", action="store_true", help="all that is known of it")
    settings_reader.add_arguments(parser)


async def run(args: argparse.Namespace) -> int:
    """Print the value as in files; return 1 if the inverter does not tell it now."""
    unit = await settings_reader.read_settings(args)
    (shown,) = chosen(unit.shown, [args.setting])
    word = shown.word(shown.value)
    Output(as_json=args.json).record(shown.record(), "-" if word is None else str(word))
    return SAID_NO if word is None else DONE

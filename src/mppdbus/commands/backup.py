"""`mppdbus backup`: saves config, counters and history in one file."""

import argparse
from pathlib import Path

from mppdbus.commands.install_arguments import add_root_argument, target_of
from mppdbus.commands.output import DONE
from mppdbus.host.install.installer import data_folders
from mppdbus.host.install.saved_state import save


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("file", type=Path, help="the file to write, a .tar.gz")
    add_root_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Write the file; raises `InstallError` if there is nothing to save."""
    target = target_of(args)
    saved = save(target, data_folders(target), args.file)
    print(f"{args.file}: {', '.join(saved)}")  # noqa: T201 - the command line speaks
    return DONE

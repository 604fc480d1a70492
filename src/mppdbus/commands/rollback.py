"""`mppdbus rollback`: goes back to the release that ran before."""

import argparse

from mppdbus.commands.install_arguments import add_root_argument, installed_venus
from mppdbus.commands.output import DONE
from mppdbus.host.install.update import current, rollback


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add_root_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Go back; raises `InstallError`, and then what ran before still runs."""
    target = installed_venus(args)
    rollback(target, print)
    print(f"{current(target)} runs now")  # noqa: T201 - the command line speaks
    return DONE

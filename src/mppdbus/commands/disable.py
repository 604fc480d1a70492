"""`mppdbus disable`: switches the installed service off, also after the next boot."""

import argparse

from mppdbus.commands.install_arguments import add_root_argument, installed_venus
from mppdbus.commands.output import DONE
from mppdbus.host.install.venus import disable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add_root_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Switch it off; raises `InstallError`."""
    disable(installed_venus(args))
    print("switched off")  # noqa: T201 - the command line speaks
    return DONE

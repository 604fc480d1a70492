"""`mppdbus enable`: switches the installed service on."""

import argparse

from mppdbus.commands.install_arguments import add_root_argument, installed_venus
from mppdbus.commands.output import DONE
from mppdbus.host.install.venus import enable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add_root_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Switch it on; raises `InstallError`."""
    enable(installed_venus(args))
    print("switched on")  # noqa: T201 - the command line speaks
    return DONE

"""`mppdbus restart`: ends the service and starts it again."""

import argparse

from mppdbus.commands.install_arguments import add_root_argument, installed_venus
from mppdbus.commands.output import DONE
from mppdbus.errors import InstallError
from mppdbus.host.install import venus_paths, venus_service


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add_root_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Restart it; raises `InstallError` where it is switched off."""
    target = installed_venus(args)
    if not target.at(venus_paths.ENABLED).exists():
        raise InstallError(
            f"it is switched off; {venus_paths.LAUNCHER} enable switches it on"
        )
    if trouble := target.run(venus_paths.BOOT):
        raise InstallError(trouble)
    venus_service.start(target)
    print("restarted")  # noqa: T201 - the command line speaks
    return DONE

"""`mppdbus restore`: puts back what `mppdbus backup` saved."""

import argparse
from pathlib import Path

from mppdbus.commands.install_arguments import add_root_argument, target_of
from mppdbus.commands.output import DONE
from mppdbus.host.install import venus_service
from mppdbus.host.install.installer import data_folders, is_venus
from mppdbus.host.install.saved_state import restore
from mppdbus.host.install.systemd import ServiceRuns


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("file", type=Path, help="the file that backup wrote")
    add_root_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Restore with the service stopped; raises `InstallError` for a wrong file."""
    target = target_of(args)
    unit = ServiceRuns("start")
    stop, start, serving = unit.undo, unit.make, not unit.undone(target)
    if is_venus(target):
        stop, start = venus_service.stop, venus_service.start
        serving = venus_service.state_of(target) is not None
    if serving:
        stop(target)
    try:
        found = restore(target, data_folders(target), args.file)
    finally:
        if serving:
            start(target)
    print(f"restored: {', '.join(found)}")  # noqa: T201 - the command line speaks
    return DONE

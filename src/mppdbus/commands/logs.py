"""`mppdbus logs`: shows the log of the service, with local times."""

import argparse
import os
import shutil

from mppdbus.commands.install_arguments import add_root_argument, target_of
from mppdbus.commands.output import DONE
from mppdbus.errors import InstallError
from mppdbus.host.install.installer import is_venus
from mppdbus.host.install.service_log import follow, last_lines


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add = parser.add_argument
    add("-f", "--follow", action="store_true", help="go on with what comes")
    add("-n", "--lines", type=int, default=50, help="how many lines (default: 50)")
    add_root_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Print the last lines; with --follow until Ctrl-C."""
    target = target_of(args)
    if not is_venus(target):
        if (journal := shutil.which("journalctl")) is None:
            raise InstallError("there is no journalctl here, and this is not Venus OS")
        more = ["--follow"] if args.follow else []
        words = ["journalctl", "--unit=mppdbus", f"--lines={args.lines}", *more]
        os.execv(journal, words)  # noqa: S606 - the reader of systemd's log
    lines, size = last_lines(target, args.lines)
    if not lines and not args.follow:
        raise InstallError("the service has written no log yet")
    for line in lines:
        print(line, flush=True)  # noqa: T201 - the command line speaks
    if args.follow:
        for line in follow(target, size):
            print(line, flush=True)  # noqa: T201
    return DONE

"""The arguments that `install` and `uninstall` have in common."""

import argparse
from pathlib import Path

from mppdbus.host.install.changes import InstallTarget


def add_install_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --dry-run, --systemd and --root."""
    add = parser.add_argument
    add("--dry-run", action="store_true", help="only say what would be changed")
    add("--systemd", action="store_true", help="as a unit of systemd, not on Venus OS")
    add(
        "--root",
        type=Path,
        default=Path("/"),
        metavar="DIR",
        help="a directory that stands for / (default: /)",
    )


def target_of(args: argparse.Namespace) -> InstallTarget:
    """Return what to install on, as the arguments name it."""
    return InstallTarget(args.root.absolute())

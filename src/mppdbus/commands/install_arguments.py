"""The arguments that the commands about an installation have in common."""

import argparse
from pathlib import Path

from mppdbus.errors import InstallError
from mppdbus.host.install import venus_paths
from mppdbus.host.install.changes import InstallTarget
from mppdbus.host.install.installer import is_venus


def add_root_argument(parser: argparse.ArgumentParser) -> None:
    """Add --root."""
    parser.add_argument(
        "--root",
        type=Path,
        default=Path("/"),
        metavar="DIR",
        help="a directory that stands for / (default: /)",
    )


def add_install_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --dry-run, --systemd and --root."""
    add = parser.add_argument
    add("--dry-run", action="store_true", help="only say what would be changed")
    add("--systemd", action="store_true", help="as a unit of systemd, not on Venus OS")
    add_root_argument(parser)


def target_of(args: argparse.Namespace) -> InstallTarget:
    """Return what to install on, as the arguments name it."""
    return InstallTarget(args.root.absolute())


def installed_venus(args: argparse.Namespace) -> InstallTarget:
    """Return the machine that the arguments name, with an installation on Venus OS.

    Raises `InstallError` where there is none.
    """
    target = target_of(args)
    if not is_venus(target):
        raise InstallError(
            "this is for Venus OS; a unit of systemd is handled with systemctl and "
            "journalctl: systemctl restart mppdbus"
        )
    if not target.at(venus_paths.CURRENT).is_dir():
        raise InstallError("mppdbus is not installed here; see: mppdbus install --help")
    return target

"""`mppdbus uninstall`: takes it off this machine, and says what remains."""

import argparse

from mppdbus.commands.install_arguments import add_install_arguments, target_of
from mppdbus.commands.output import DONE
from mppdbus.host.install.installer import installer_for


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add_install_arguments(parser)
    parser.add_argument(
        "--purge", action="store_true", help="also the config, all counters and logs"
    )


def run(args: argparse.Namespace) -> int:
    """Uninstall and say each change; raises `InstallError`."""
    target = target_of(args)
    installer = installer_for(target, systemd=args.systemd)
    installer.uninstall(target, print, purge=args.purge, dry_run=args.dry_run)
    return DONE

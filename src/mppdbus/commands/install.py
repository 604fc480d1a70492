"""`mppdbus install`: makes it a service of this machine; again: repairs or updates.

It must run before any dependency can be imported, so it imports none.
"""

import argparse

from mppdbus.commands.install_arguments import add_install_arguments, target_of
from mppdbus.commands.output import DONE
from mppdbus.host.install.installer import installer_for


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add_install_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Install and say each change; raises `InstallError`."""
    target = target_of(args)
    installer = installer_for(target, systemd=args.systemd)
    installer.install(target, print, dry_run=args.dry_run)
    return DONE

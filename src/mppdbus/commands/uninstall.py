"""`mppdbus uninstall`: takes it off this machine, and says what remains."""

import argparse
import asyncio
from pathlib import Path

from mppdbus.commands.install_arguments import add_install_arguments, target_of
from mppdbus.commands.output import DONE
from mppdbus.errors import MppdbusError
from mppdbus.host.install.installer import installer_for, is_venus


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
    if args.purge and not args.dry_run and target.root == Path("/"):
        _forget_settings(venus=is_venus(target))
    installer.uninstall(target, print, purge=args.purge, dry_run=args.dry_run)
    return DONE


def _forget_settings(*, venus: bool) -> None:
    """Have Victron's localsettings forget names, instances and alarm levels of ours.

    Elsewhere than on Venus OS it is mostly not there, and then nothing is said.
    """
    try:
        from mppdbus.venus.dbus.names import forget_settings  # noqa: PLC0415

        count = asyncio.run(forget_settings("system", "Devices/mppdbus_"))
    except (ImportError, MppdbusError, OSError, TimeoutError) as error:
        if venus:
            print(f"note: settings in localsettings stay: {error}")  # noqa: T201
    else:
        if count:
            print(f"remove {count} settings of ours in localsettings")  # noqa: T201

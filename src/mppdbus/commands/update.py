"""`mppdbus update`: installs a bundle, or asks whether there is a newer release.

`--check` is the only command that uses the network by itself.
"""

import argparse
from pathlib import Path

from mppdbus import __version__
from mppdbus.commands.install_arguments import add_root_argument, installed_venus
from mppdbus.commands.output import DONE, Output
from mppdbus.errors import ConfigError
from mppdbus.host.install.bundle_file import install_bundle
from mppdbus.host.install.release_index import INDEX, newest
from mppdbus.host.install.update import version_key


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add = parser.add_argument
    add("bundle", type=Path, nargs="?", help="a bundle: mppdbus-…-venus-….tar.gz")
    add("--check", action="store_true", help="only ask if there is a newer release")
    add("--url", default=INDEX, help="where to ask (default: %(default)s)")
    add("--json", action="store_true", help="the answer as JSON")
    add_root_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Ask, or install; raises `InstallError`."""
    if bool(args.bundle) == args.check:
        raise ConfigError("name a bundle to install, or say --check")
    if not args.check:
        install_bundle(installed_venus(args), args.bundle, print)
        return DONE
    found = newest(args.url)
    newer = version_key(found) > version_key(__version__)
    if newer:
        text = f"there is a newer release: {found} (this is {__version__})"
    else:
        text = f"this is the newest release: {__version__}"
    answer = {"installed": __version__, "newest": found, "newer": newer}
    Output(as_json=args.json).record(answer, text)
    return DONE

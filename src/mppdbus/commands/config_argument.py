"""The argument of the commands that work on a whole configuration."""

import argparse
from pathlib import Path

from mppdbus.errors import ConfigError

DEFAULT_CONFIG = Path("config.toml")


def add_config_argument(parser: argparse.ArgumentParser) -> None:
    """Add FILE, which may also be written as --config FILE."""
    add = parser.add_argument
    add("file", type=Path, nargs="?", metavar="FILE", help=f"default: {DEFAULT_CONFIG}")
    add("--config", type=Path, metavar="FILE", help="the same")


def config_path(args: argparse.Namespace) -> Path:
    """Return the configuration to use; raises `ConfigError` if two are named."""
    if args.file and args.config:
        raise ConfigError(f"{args.file} and --config {args.config}: name only one")
    path: Path = args.file or args.config or DEFAULT_CONFIG
    return path

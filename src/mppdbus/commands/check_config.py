"""`mppdbus check-config`: checks config.toml and shows what would run."""

import argparse

from mppdbus.commands.config_argument import add_config_argument, config_path
from mppdbus.commands.output import Output
from mppdbus.config.models import describe, load


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add_config_argument(parser)
    parser.add_argument("--json", action="store_true", help="the whole config as JSON")


def run(args: argparse.Namespace) -> int:
    """Print what would run; problems raise `ConfigError`. Ports are not opened."""
    path = config_path(args)
    config = load(path)
    text = "\n".join([f"{path}: no problem found", *describe(config)])
    Output(as_json=args.json).record(config.model_dump(mode="json"), text)
    return 0

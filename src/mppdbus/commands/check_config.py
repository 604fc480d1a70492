"""`mppdbus check-config`: checks config.toml and shows what would run."""

import argparse
import asyncio
from pathlib import Path

from mppdbus.commands.output import Output
from mppdbus.config.models import describe, load


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("config", type=Path, nargs="?", default=Path("config.toml"))
    parser.add_argument("--json", action="store_true", help="the whole config as JSON")


async def run(args: argparse.Namespace) -> int:
    """Print what would run; problems raise `ConfigError`. Ports are not opened."""
    config = await asyncio.to_thread(load, args.config)
    text = "\n".join([f"{args.config}: no problem found", *describe(config)])
    Output(as_json=args.json).record(config.model_dump(mode="json"), text)
    return 0

"""`mppdbus run`: the daemon in the foreground."""

import argparse
import asyncio
import logging
from pathlib import Path

from mppdbus.config.models import load
from mppdbus.daemon.main import run as serve


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument(
        "--config",
        type=Path,
        default=Path("config.toml"),
        metavar="FILE",
        help="the configuration (default: %(default)s)",
    )


async def run(args: argparse.Namespace) -> int:
    """Serve until a signal; return 0."""
    config = await asyncio.to_thread(load, args.config)
    logging.getLogger().setLevel(args.log_level or config.log.level)
    await serve(config)
    return 0

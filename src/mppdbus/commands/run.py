"""`mppdbus run`: the daemon in the foreground."""

import argparse
import asyncio
import logging

from mppdbus.commands.config_argument import add_config_argument, config_path
from mppdbus.config.models import load
from mppdbus.daemon.main import run as serve


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add_config_argument(parser)


async def run(args: argparse.Namespace) -> int:
    """Serve until a signal; return 0."""
    config = await asyncio.to_thread(load, config_path(args))
    logging.getLogger().setLevel(args.log_level or config.log.level)
    await serve(config)
    return 0

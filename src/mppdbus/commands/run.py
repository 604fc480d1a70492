"""`mppdbus run`: the daemon in the foreground."""

import argparse
import asyncio
import logging

from mppdbus.commands.config_argument import add_config_argument, config_path
from mppdbus.config.models import Config, load
from mppdbus.daemon.main import run as serve


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add_config_argument(parser)


async def run(args: argparse.Namespace) -> int:
    """Serve until a signal; return 0."""

    def read() -> Config:
        config = load(config_path(args))
        if args.log_level is None:
            return config
        log = config.log.model_copy(update={"level": args.log_level})
        return config.model_copy(update={"log": log})

    config = await asyncio.to_thread(read)
    logging.getLogger().setLevel(config.log.level)
    await serve(config, read)
    return 0

"""The command line: the table of commands, exit codes, errors as one line each.

Exit codes: 0 done, 1 the device said no, 2 usage or config, 3 no device.
"""

import argparse
import asyncio
import importlib
import io
import logging
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Protocol, cast

from mppdbus import __version__
from mppdbus.commands.output import DONE, NO_DEVICE, SAID_NO, USAGE
from mppdbus.errors import BusError, ConfigError, LinkError, MppdbusError

# Command → what it does. Its module has the same name, and is loaded when it is called.
COMMANDS = {
    "run": "serve the inverters of config.toml on D-Bus",
    "demo": "watch a simulated inverter on a real D-Bus",
    "monitor": "watch an inverter live in the terminal",
    "detect": "find ports with a PI30 inverter",
    "query": "ask an inverter, decoded, with units",
    "decode": "decode recorded replies",
    "record": "ask all that can be asked, into a file",
    "replay": "be the inverter of a recording",
    "simulate": "be a PI30 inverter on a pty or TCP",
    "check-config": "check config.toml",
    "import-config": "turn an old ini into TOML",
    "test-connection": "the standalone connection test",
}


class Command(Protocol):
    """A module of `mppdbus.commands`: its arguments, and how it runs."""

    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], Awaitable[int]]


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = sys.argv[1:] if argv is None else argv
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal may lack a character
            stream.reconfigure(errors="backslashreplace")
    try:
        args = _parser(words).parse_args(words)
        logging.basicConfig(
            level=args.log_level or "WARNING",
            format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
            stream=sys.stderr,
        )
        return asyncio.run(_run(args))
    except KeyboardInterrupt:
        return DONE
    except BrokenPipeError:  # the reader of our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except MppdbusError as error:
        print(f"mppdbus: {error}", file=sys.stderr)  # noqa: T201
        return exit_code(error)


async def _run(args: argparse.Namespace) -> int:
    return await _load(args.command).run(args)


def exit_code(error: MppdbusError) -> int:
    """Return the exit code that belongs to an error."""
    if isinstance(error, (ConfigError, BusError)):
        return USAGE
    return NO_DEVICE if isinstance(error, LinkError) else SAID_NO


def _load(name: str) -> Command:
    module = f"mppdbus.commands.{name.replace('-', '_')}"
    return cast("Command", importlib.import_module(module))


def _parser(words: list[str]) -> argparse.ArgumentParser:
    """Build the parser; only the command that is called gets its options."""
    parser = argparse.ArgumentParser(
        prog="mppdbus",
        description="PI30 hybrid inverters as Victron devices on Venus OS.",
        epilog="Exit codes: 0 done, 1 the device said no, 2 usage or config, "
        "3 no device.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    called = next((word for word in words if word in COMMANDS), None)
    for name, purpose in COMMANDS.items():
        command = commands.add_parser(name, help=purpose, description=purpose)
        if name == called:
            command.add_argument(
                "--log-level",
                choices=("DEBUG", "INFO", "WARNING", "ERROR"),
                type=str.upper,
                help="how much to log to stderr",
            )
            _load(name).add_arguments(command)
    return parser

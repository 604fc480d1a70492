"""The command line: the table of commands, exit codes, errors as one line each.

Exit codes: 0 done, 1 the device said no, 2 usage or config, 3 no device, 4 a device
that gives no live values, 130 ended by Ctrl-C.
"""

import argparse
import asyncio
import errno
import importlib
import io
import logging
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn, Protocol, cast

from mppdbus import __version__
from mppdbus.commands.output import DONE, INTERRUPTED, NO_DEVICE, SAID_NO, USAGE
from mppdbus.config.messages import closest
from mppdbus.errors import BusError, ConfigError, LinkError, MppdbusError

# Command → what it does. Its module has the same name, and is loaded when it is called.
COMMANDS = {
    "run": "serve the inverters of config.toml on D-Bus",
    "setup": "find the inverter, and write config.toml",
    "doctor": "say what is wrong, and what helps",
    "support-bundle": "collect what a bug report needs, masked",
    "demo": "watch a simulated inverter on a real D-Bus",
    "monitor": "watch an inverter live in the terminal",
    "detect": "find ports with a PI30 inverter",
    "query": "ask an inverter, decoded, with units",
    "settings": "the settings of an inverter, by name",
    "get": "the value of one setting",
    "set": "change one setting, checked and read back",
    "plan": "what apply would change, and nothing sent",
    "apply": "make the settings those of a file, or none",
    "undo": "take the last change back",
    "clock": "how far the inverter's clock is off; set it",
    "writes": "all that was ever changed",
    "export": "write the settings to a file",
    "diff": "compare the settings with a file",
    "rules": "the rules of config.toml, and a rehearsal of them",
    "decode": "decode recorded or pasted replies",
    "record": "ask all that can be asked, into a file",
    "replay": "be the inverter of a recording",
    "simulate": "be a PI30 inverter on a pty or TCP",
    "check-config": "check config.toml",
    "import-config": "turn an old ini into TOML",
    "install": "make it a service of this machine",
    "uninstall": "take it off this machine",
    "status": "is the service up, and what is on the bus",
    "logs": "show the log of the service",
    "restart": "end the service and start it again",
    "enable": "switch the installed service on",
    "disable": "switch the installed service off",
    "update": "install another release, or ask if there is one",
    "rollback": "go back to the release before",
    "backup": "save config, counters and history in a file",
    "restore": "put back what backup has saved",
    "test-connection": "the standalone connection test",
}
WITHOUT_OUTPUT = ("run", "simulate")  # their stdout may be closed
# What writing gives where a disk is full, or a terminal has gone.
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
EXIT_CODES = (
    "Exit codes: 0 done, 1 the device said no, 2 usage or config, 3 no device, "
    "4 an inverter that gives no live values (detect), 130 ended by Ctrl-C."
)


class Command(Protocol):
    """A module of `mppdbus.commands`: its arguments, and how it runs.

    `run` returns the exit code, or a coroutine that does.
    """

    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int | Coroutine[Any, Any, int]]


class OneLineParser(argparse.ArgumentParser):
    """Says what is wrong with the arguments in one line, without all of the usage."""

    def error(self, message: str) -> NoReturn:
        """Print the message and where to read more; exit with 2."""
        self.exit(USAGE, f"mppdbus: {message}; see: {self.prog} --help\n")


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = sys.argv[1:] if argv is None else argv
    closed = _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal may lack a character
            stream.reconfigure(errors="lookalike")
    try:
        if closed and not set(words) & set(WITHOUT_OUTPUT):
            raise ConfigError("the output is closed; send it to /dev/null instead")
        try:
            return _run(words)
        finally:
            sys.stdout.flush()  # --help and --version end in SystemExit
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone
        _drop_output()
        return DONE
    except MppdbusError as error:
        _complain(str(error))
        return exit_code(error)
    except OSError as error:
        return _unusable(error)


def _run(words: list[str]) -> int:
    if not words:
        _parser(words).print_help()
        return DONE
    if words[0] not in COMMANDS and not words[0].startswith("-"):
        meant = closest(words[0], COMMANDS)
        hint = f"did you mean {meant}?" if meant else "mppdbus --help lists all"
        raise ConfigError(f"there is no command {words[0]!r}; {hint}")
    args = _parser(words).parse_args(words)
    logging.basicConfig(
        level=args.log_level or "WARNING",
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    done = _load(args.command).run(args)
    return done if isinstance(done, int) else asyncio.run(done)


def exit_code(error: MppdbusError) -> int:
    """Return the exit code that belongs to an error."""
    if isinstance(error, (ConfigError, BusError)):
        return USAGE
    return NO_DEVICE if isinstance(error, LinkError) else SAID_NO


def _open_closed_streams() -> bool:
    """Put /dev/null where a standard stream is closed; return whether stdout was.

    Else the next file that is opened would get its number, and our output.
    """
    closed = sys.stdout is None
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
            setattr(sys, name, open(number, "r" if number == 0 else "w"))  # noqa: PTH123, SIM115
    return closed


def _drop_output() -> None:
    """Drop the rest of the output, or Python would try again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _unusable(error: OSError) -> int:
    """Say in one line that a file, or the output, cannot be used."""
    reason = error.strerror or error
    if error.filename is not None:
        _complain(f"{error.filename} cannot be used: {reason}")
        return USAGE
    if error.errno not in UNWRITABLE:
        raise error
    _drop_output()
    _complain(f"the output cannot be written: {reason}")
    return USAGE


def _complain(text: str) -> None:
    print(f"mppdbus: {text}", file=sys.stderr)  # noqa: T201


def _load(name: str) -> Command:
    module = f"mppdbus.commands.{name.replace('-', '_')}"
    return cast("Command", importlib.import_module(module))


def _parser(words: list[str]) -> argparse.ArgumentParser:
    """Build the parser; only the command that is called gets its options."""
    parser = OneLineParser(
        prog="mppdbus",
        description="PI30 hybrid inverters as Victron devices on Venus OS.",
        epilog=EXIT_CODES,
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    called = next((word for word in words if word in COMMANDS), None)
    for name, purpose in COMMANDS.items():
        command = commands.add_parser(
            name, help=purpose, description=purpose, epilog=EXIT_CODES
        )
        if name == called:
            command.add_argument(
                "--log-level",
                choices=("DEBUG", "INFO", "WARNING", "ERROR"),
                type=str.upper,
                help="how much to log to stderr",
            )
            _load(name).add_arguments(command)
    return parser

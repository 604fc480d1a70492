"""`mppdbus import-config`: converts the ini of an earlier driver to TOML."""

import argparse
import sys
from pathlib import Path

from mppdbus.config.models import parse
from mppdbus.config.old_ini import convert
from mppdbus.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("ini", type=Path, help="the old config.ini")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="write here instead of to the terminal; never over an existing file",
    )


def run(args: argparse.Namespace) -> int:
    """Convert, check that the result is valid, and write it."""
    text = _converted(args.ini, str(args.output or "config.toml"))
    if args.output is None:
        sys.stdout.write(text)
    else:
        _write(args.output, text)
    return 0


def _converted(ini: Path, output: str) -> str:
    try:
        text = convert(ini.read_text("utf-8-sig"), str(ini))
    except UnicodeDecodeError as error:
        where = f"byte {error.start + 1} is not UTF-8"
        raise ConfigError(f"{ini}: {where}; save the file as UTF-8 text") from error
    except OSError as error:
        raise ConfigError(f"{ini}: {error.strerror or error}") from error
    parse(text, output)
    return text


def _write(output: Path, text: str) -> None:
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise ConfigError(f"{output}: exists already; name another file") from error
    except OSError as error:
        raise ConfigError(f"{output}: {error.strerror or error}") from error

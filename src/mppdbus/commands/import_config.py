"""`mppdbus import-config`: converts the ini of an earlier driver to TOML."""

import argparse
import asyncio
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


async def run(args: argparse.Namespace) -> int:
    """Convert, check that the result is valid, and write it."""
    await asyncio.to_thread(_convert, args.ini, args.output)
    return 0


def _convert(ini: Path, output: Path | None) -> None:
    try:
        text = convert(ini.read_text("utf-8-sig"), str(ini))
        parse(text, str(output or "config.toml"))
        if output is None:
            sys.stdout.write(text)
            return
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise ConfigError(f"{output}: exists already; name another file") from error
    except OSError as error:
        raise ConfigError(f"{error.filename}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{ini}: {error}") from error

"""`mppdbus export`: writes the settings of an inverter to a TOML file."""

import argparse
from datetime import datetime
from pathlib import Path

from mppdbus.commands import settings_reader
from mppdbus.commands.output import DONE, Output
from mppdbus.control.settings_file import to_toml
from mppdbus.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a new file, or -")
    settings_reader.add_arguments(parser)


async def run(args: argparse.Namespace) -> int:
    """Write all settings; a file that is there already raises `ConfigError`."""
    output, path = Output(as_json=False), args.file
    to_stdout = str(path) == "-"
    if path.exists() and not to_stdout:
        raise ConfigError(f"{path} is there already; choose another name, or remove it")
    unit = await settings_reader.read_settings(args)
    today = f"{datetime.now().astimezone():%Y-%m-%d %H:%M}"
    text = to_toml(unit.shown, f"{unit.heading}, read {today}")
    if to_stdout:
        output.line(text.rstrip("\n"))
        return DONE
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error
    output.line(f"{path}: {len(unit.shown)} settings of {unit.heading}")
    return DONE

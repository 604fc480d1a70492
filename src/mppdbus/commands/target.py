"""Which inverter a command is about, and a connection to it."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from mppdbus.config.models import BAUDS, Config, InverterConfig, load
from mppdbus.errors import ConfigError
from mppdbus.host.ports import Verdict, candidates
from mppdbus.inverter.device import Inverter
from mppdbus.inverter.link import Link
from mppdbus.inverter.timing import PATIENCE
from mppdbus.protocol.dialects import DIALECTS
from mppdbus.transport import open_transport
from mppdbus.transport.port_url import PortUrl, parse_port

DEFAULT_CONFIG = Path("config.toml")
DEFAULT_BAUD = 2400


@dataclass(frozen=True, slots=True)
class Target:
    """An inverter to talk to; `patience` is how many s it may think."""

    port: PortUrl
    name: str = "inverter"
    baud: int = DEFAULT_BAUD
    patience: float = 1.0
    dialect: str = "auto"
    poll: float | None = 2.0  # s; None: as fast as the line allows
    config: InverterConfig | None = None


def add_port_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which inverter."""
    add = parser.add_argument
    add("--port", metavar="URL", help="/dev/ttyUSB0, hidraw:/dev/hidraw0, tcp://h:8899")
    add("--config", type=Path, metavar="FILE", help="take the port from there")
    add("--name", metavar="INVERTER", help="which one of the configuration")


def add_line_arguments(parser: argparse.ArgumentParser) -> None:
    """Say how it is spoken to."""
    add = parser.add_argument
    add("--baud", type=int, choices=BAUDS, help=f"default: {DEFAULT_BAUD}")
    add("--timeout", type=_patience, metavar="S", help="an answer may be late by S")
    add("--dialect", default=None, choices=("auto", *DIALECTS), help="default: auto")


def seconds(text: str, least: float, most: float) -> float:
    """Read an argument in s, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"use {least:g} to {most:g} seconds")
    return value


def _patience(text: str) -> float:
    return seconds(text, 0.05, 60)


async def choose(args: argparse.Namespace) -> Target:
    """Return the inverter that the arguments mean; raises `ConfigError`.

    That is the one of --port; else the one of --config, or of ./config.toml; else the
    only port of this machine that is likely to have an inverter.
    """
    target = await asyncio.to_thread(_find, args)
    baud = getattr(args, "baud", None) or target.baud
    if baud != DEFAULT_BAUD and target.port.scheme != "serial":
        raise ConfigError(f"--baud: {target.port} has no speed to set")
    return Target(
        port=target.port,
        name=target.name,
        baud=baud,
        patience=getattr(args, "timeout", None) or target.patience,
        dialect=getattr(args, "dialect", None) or target.dialect,
        poll=target.poll,
        config=target.config,
    )


def _find(args: argparse.Namespace) -> Target:
    if args.port:
        if args.config or args.name:
            raise ConfigError("use either --port or a configuration, not both")
        return at_port(args.port)
    if args.config or args.name or DEFAULT_CONFIG.is_file():
        path = args.config or DEFAULT_CONFIG
        return _of_config(load(path), path, args.name)
    return _only_port()


def at_port(text: str) -> Target:
    """Return the inverter at a port as people write it; raises `ConfigError`."""
    try:
        port = parse_port(text)
    except ValueError as error:
        raise ConfigError(f"--port: {error}") from error
    name = Path(port.path).name or port.label
    return Target(port, name=name, patience=PATIENCE[port.scheme])


def _of_config(config: Config, path: Path, name: str | None) -> Target:
    units = config.inverter
    if name is not None:
        units = tuple(unit for unit in units if unit.name == name)
    if len(units) != 1:
        names = ", ".join(f'"{unit.name}"' for unit in config.inverter)
        what = "has several inverters" if name is None else f'has no "{name}"'
        raise ConfigError(f"{path} {what}; say --name with one of {names}")
    unit = units[0]
    return Target(
        port=unit.port,
        name=unit.name,
        baud=unit.baud,
        patience=unit.timeout or PATIENCE[unit.port.scheme],
        dialect=unit.dialect,
        poll=None if unit.poll == "fast" else unit.poll,
        config=unit,
    )


def _only_port() -> Target:
    ports = candidates()
    likely = [port for port in ports if port.verdict is Verdict.PLAUSIBLE]
    if len(likely) == 1:
        return at_port(f"{likely[0].kind}:{likely[0].path}")
    usable = [port for port in ports if port.verdict is not Verdict.FOREIGN]
    choices = "; ".join(f"{port.path} ({port.reason})" for port in usable)
    what = "several ports may have" if likely else "no port is known to have"
    raise ConfigError(
        f"{what} an inverter; say which with --port, or write {DEFAULT_CONFIG}. "
        f"Here: {choices or 'no serial adapter and no inverter on USB'}"
    )


@asynccontextmanager
async def connected(target: Target) -> AsyncIterator[Inverter]:
    """Open the port for as long as the context lasts; raises `PortError`."""
    link = Link(target.name, patience=target.patience)
    clock = asyncio.get_running_loop().time
    inverter = Inverter(target.name, link, clock, dialect=target.dialect)
    try:
        link.attach(await open_transport(target.port, link, baud=target.baud))
        yield inverter
    finally:
        await link.close()

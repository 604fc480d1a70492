"""Finds the inverter that a command is for, and connects to it."""

import argparse
import asyncio
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from mppdbus.commands.config_argument import DEFAULT_CONFIG
from mppdbus.config.models import BAUDS, load
from mppdbus.errors import ConfigError
from mppdbus.host.ports import Candidate, PortVerdict, candidates
from mppdbus.inverter.detection import BAUD, connected, name_of
from mppdbus.inverter.device import Inverter
from mppdbus.inverter.timing import PATIENCE
from mppdbus.protocol.dialects import DIALECTS
from mppdbus.recording.recording_link import RecordingLink, recording_link
from mppdbus.transport.port_url import PortUrl, parse_port


@dataclass(frozen=True, slots=True)
class Target:
    """An inverter to talk to, and how.

    `timeout` is the s that it may think; None: the default of the kind of port.
    `poll` is the time between two polls in s, None: as short as the line allows.
    `control` is what the user allows to be written to it. `bus` is where a service of
    ours may serve it.
    """

    port: PortUrl
    name: str
    baud: int = BAUD
    timeout: float | None = None
    dialect: str = "auto"
    poll: float | None = 2.0
    control: str = "read-only"
    bus: str = "system"

    @property
    def patience(self) -> float:
        """The s that the inverter may think before it answers."""
        return self.timeout or PATIENCE[self.port.scheme]

    def connected(self) -> AbstractAsyncContextManager[Inverter]:
        """Open the port for as long as the context lasts; raises `PortError`."""
        return connected(
            self.port,
            name=self.name,
            baud=self.baud,
            patience=self.patience,
            dialect=self.dialect,
        )

    def recording_link(
        self, *, patience: float | None = None
    ) -> AbstractAsyncContextManager[RecordingLink]:
        """Open the port to record; `patience` in s replaces our own."""
        return recording_link(
            self.port,
            name=self.name,
            baud=self.baud,
            patience=patience or self.patience,
        )


def add_port_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --port, --config and --name: which inverter."""
    add = parser.add_argument
    add("--port", metavar="URL", help="/dev/ttyUSB0, hidraw:/dev/hidraw0, tcp://h:8899")
    add("--config", type=Path, metavar="FILE", help="take the port from there")
    add("--name", metavar="INVERTER", help="which one of the configuration")


def add_line_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --baud, --timeout and --dialect: how to talk to it."""
    add = parser.add_argument
    add("--baud", type=int, choices=BAUDS, help=f"default: {BAUD}")
    patience = partial(seconds, least=0.05, most=60)
    add("--timeout", type=patience, metavar="S", help="an answer may be late by S")
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


async def choose_target(args: argparse.Namespace) -> Target:
    """Return the inverter that the arguments select; raises `ConfigError`.

    It is the one of --port; else that of --config, or of ./config.toml; else the only
    port of this machine that is likely to have an inverter.
    """
    target = await asyncio.to_thread(_find, args)
    baud = args.baud or target.baud
    if baud != BAUD and target.port.scheme != "serial":
        raise ConfigError(f"--baud: {target.port} has no speed to set")
    return replace(
        target,
        baud=baud,
        timeout=args.timeout or target.timeout,
        dialect=args.dialect or target.dialect,
    )


def _find(args: argparse.Namespace) -> Target:
    if args.port:
        if args.config or args.name:
            raise ConfigError("use either --port or a configuration, not both")
        port = port_of(args.port)
        return Target(port, name_of(port))
    if args.config or args.name or DEFAULT_CONFIG.is_file():
        return _of_config(args.config or DEFAULT_CONFIG, args.name)
    return _only_port()


def port_of(text: str) -> PortUrl:
    """Return a port as people write it after --port; raises `ConfigError`."""
    try:
        return parse_port(text)
    except ValueError as error:
        raise ConfigError(f"--port: {error}") from error


def _of_config(path: Path, name: str | None) -> Target:
    config = load(path)
    known = config.inverter
    units = [unit for unit in known if name in (None, unit.name)]
    if len(units) != 1:
        names = ", ".join(f'"{unit.name}"' for unit in known)
        what = "has several inverters" if name is None else f'has no "{name}"'
        raise ConfigError(f"{path} {what}; say --name with one of {names}")
    unit = units[0]
    return Target(
        port=unit.port,
        name=unit.name,
        baud=unit.baud,
        timeout=unit.timeout,
        dialect=unit.dialect,
        poll=None if unit.poll == "fast" else unit.poll,
        control=unit.control or config.control.level,
        bus=config.dbus.bus,
    )


def likely_ports(ports: Iterable[Candidate]) -> list[PortUrl]:
    """Return the ports to ask when the user has named none."""
    likely = (port for port in ports if port.verdict is PortVerdict.PLAUSIBLE)
    return [parse_port(f"{port.kind}:{port.path}") for port in likely]


def _only_port() -> Target:
    ports = candidates()
    likely = likely_ports(ports)
    if len(likely) == 1:
        return Target(likely[0], name_of(likely[0]))
    usable = (port for port in ports if port.verdict is not PortVerdict.FOREIGN)
    choices = "; ".join(f"{port.path} ({port.reason})" for port in usable)
    what = "several ports may have" if likely else "no port is known to have"
    raise ConfigError(
        f"{what} an inverter; say which with --port, or write {DEFAULT_CONFIG}. "
        f"Here: {choices or 'no serial adapter and no inverter on USB'}"
    )

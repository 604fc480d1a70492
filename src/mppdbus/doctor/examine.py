"""Gathers all facts of some inverters, each step bounded in time."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from mppdbus.config.models import InverterConfig
from mppdbus.doctor.bus_facts import BusPicture, line_of_unit, look_at_bus
from mppdbus.doctor.facts import Facts, HostFacts, LineFacts, PortFacts, PortTrouble
from mppdbus.doctor.host_facts import look_at_host
from mppdbus.doctor.line_facts import DEADLINE, Tell, ask
from mppdbus.doctor.port_facts import look_at_port, with_error
from mppdbus.errors import MppdbusError, PortError
from mppdbus.transport.port_url import PortUrl

HOST_SECONDS = 10.0  # for files and /proc; a dead network disk may take for ever


@dataclass(frozen=True, slots=True)
class Subject:
    """An inverter to examine: its port, and what the config says of it."""

    port: PortUrl
    baud: int = 2400
    patience: float | None = None  # s
    serial: str = ""
    dialect: str = ""
    bus_name: str = ""

    @classmethod
    def of(cls, unit: InverterConfig) -> "Subject":
        """Return the subject of a section of the config."""
        return cls(
            unit.port,
            unit.baud,
            unit.timeout or None,
            unit.serial,
            unit.dialect,
            unit.bus_name,
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Where to look: a config (None: none is wanted), the state, the bus, a root."""

    config: Path | None
    state: Path
    bus: str | None = "system"  # None: leave the bus out
    root: Path = Path("/")
    now: datetime | None = None


async def examine(
    subjects: Sequence[Subject], place: Place, tell: Tell
) -> tuple[list[Facts], BusPicture]:
    """Return the facts of each subject, or of the machine alone if there is none.

    `tell` gets a line before each step. A port that the daemon or another program has
    is left alone.
    """
    tell("looking at this machine")
    host = await _host(place)
    picture = BusPicture()
    if place.bus is not None:
        tell("looking at D-Bus")
        names = [one.bus_name for one in subjects if one.bus_name]
        picture = await look_at_bus(place.bus, venus=host.venus, wanted=names)
    common = Facts(host=host, bus=picture.bus, venus=picture.venus)
    found = [
        await _examine(one, place, picture, tell, serving=bool(host.daemons))
        for one in subjects
    ]
    facts = [replace(common, port=port, line=line) for port, line in found]
    return facts or [common], picture


async def _host(place: Place) -> HostFacts:
    work = asyncio.to_thread(
        look_at_host, place.config, place.state, place.root, place.now
    )
    try:
        return await asyncio.wait_for(work, HOST_SECONDS)
    except TimeoutError:
        return HostFacts()


async def _examine(
    subject: Subject, place: Place, picture: BusPicture, tell: Tell, *, serving: bool
) -> tuple[PortFacts, LineFacts]:
    label = subject.port.label
    tell(f"{label}: looking at the port")
    port = await asyncio.to_thread(look_at_port, subject.port, place.root)
    if serving and subject.port.scheme == "tcp":
        # Many serial servers drop their client for a second one.
        port = replace(port, ours=True)
    shown = picture.unit_at(label)
    if shown is not None or port.ours:
        line = line_of_unit(shown[1]) if shown is not None else LineFacts()
        if port.trouble is PortTrouble.HELD and shown is not None:
            port = replace(port, trouble=PortTrouble.NONE)
        return replace(port, ours=True), _as_wanted(line, subject)
    if port.trouble is not PortTrouble.NONE:
        return port, LineFacts()
    try:
        async with asyncio.timeout(DEADLINE):
            line = await ask(
                subject.port,
                subject.baud,
                subject.patience,
                lambda step: tell(f"{label}: {step}"),
            )
    except PortError as error:
        return with_error(port, error), LineFacts()
    except (MppdbusError, TimeoutError) as error:
        return port, LineFacts(said=str(error))
    return port, _as_wanted(line, subject)


def _as_wanted(line: LineFacts, subject: Subject) -> LineFacts:
    """Add what the config says."""
    chosen = subject.dialect not in ("", "auto")
    return replace(
        line,
        wanted_serial=subject.serial,
        dialect=subject.dialect if chosen else line.dialect,
    )

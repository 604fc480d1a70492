"""Asks an inverter for its settings, for the commands about settings."""

import argparse
import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from mppdbus.commands.progress import Progress
from mppdbus.commands.served_unit import ServedUnit, served_unit
from mppdbus.commands.target import (
    Target,
    add_line_arguments,
    add_port_arguments,
    choose_target,
)
from mppdbus.control.journal import Journal
from mppdbus.control.settings import NAMING, QUERIES, ShownSetting, settings_of
from mppdbus.control.undo import interrupted
from mppdbus.errors import NoReply, NotWritten
from mppdbus.host.platform import on_venus, state_directory
from mppdbus.inverter.detection import Answers, Interview, linked
from mppdbus.inverter.link import Link
from mppdbus.protocol.dialects import DIALECTS
from mppdbus.protocol.identification import Identification

PROVING = ("QPIGS", "QPIGS2")  # show the family of units that have no name


@dataclass(frozen=True, slots=True)
class UnitSettings:
    """The settings of the inverter at a port, and who it is."""

    shown: list[ShownSetting]
    found: Identification
    answers: Answers

    @property
    def heading(self) -> str:
        """The model, the serial number and the family, for people."""
        who = f"{self.answers.model} {self.answers.serial or ''}".rstrip()
        return f"{who} ({self.found.dialect.name}: {self.found.dialect.title})"

    @property
    def firmware(self) -> str:
        """Its firmware, as the journal knows it; "" while unknown."""
        return getattr(self.answers.readings.get("QVFW"), "firmware", "")

    def now(self) -> list[ShownSetting]:
        """Return the settings as they were read last, also after a write."""
        answers = self.answers
        return settings_of(
            {k: v for k, v in answers.readings.items() if k not in answers.strange},
            self.found,
        )


@dataclass(frozen=True, slots=True)
class ConnectedUnit:
    """An inverter at an open port, with its settings as they were a moment ago.

    Where our own service has the port, it is `served`, and the link is closed.
    """

    target: Target
    link: Link
    interview: Interview
    unit: UnitSettings
    progress: Progress
    served: ServedUnit | None = None  # our own service has the port


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --port, --config, --baud and the like."""
    add_port_arguments(parser)
    add_line_arguments(parser)


@asynccontextmanager
async def connected_unit(args: argparse.Namespace) -> AsyncIterator["ConnectedUnit"]:
    """Connect, and ask for all settings; raises `LinkError` if QPIRI is not answered.

    The port stays open for as long as the context lasts.
    """
    target = await choose_target(args)
    with Progress() as progress:
        async with served_unit(target) as served:
            if served is not None:
                progress.show("asking through the service")
                await served.ask()
                progress.clear()
                yield await _through_service(target, served, progress)
                return
        progress.show(f"opening {target.port}")
        async with linked(
            target.port, name=target.name, baud=target.baud, patience=target.patience
        ) as link:
            interview = Interview(link)
            wanted = (*NAMING, *QUERIES)
            await interview.hello()
            for query in wanted[1:]:
                progress.show(f"asking {query}")
                await interview.try_read(query, attempts=1)
            await interview.ask_again(wanted, attempts=1)
            if not interview.answers.identification.codes_proven:
                await interview.ask_again(PROVING, attempts=1)
                await _ask_board(interview)
            unit = _made(interview.answers, target.dialect)
            progress.clear()
            connected = ConnectedUnit(target, link, interview, unit, progress)
            await asyncio.to_thread(_look_back, connected)
            yield connected


async def _ask_board(interview: Interview) -> None:
    """Ask a clone for its board: the same must come twice, with or without checksum."""
    answers = interview.answers
    if answers.identification.dialect.documents:
        return
    said = [await interview.try_read("QPRTL", attempts=2) for _ in range(2)]
    if said[0] != said[1]:
        answers.readings.pop("QPRTL", None)


async def read_settings(args: argparse.Namespace) -> UnitSettings:
    """Ask for all settings and close the port; raises as `connected_unit` does."""
    async with connected_unit(args) as connected:
        return connected.unit


async def _through_service(
    target: Target, served: ServedUnit, progress: Progress
) -> ConnectedUnit:
    """Return an inverter that our own service has."""
    if "QPIRI" not in served.answers.readings:
        raise NoReply("the inverter does not answer QPIRI, the query for its settings")
    unit = UnitSettings(served.settings(), served.found, served.answers)
    link = Link(target.name)
    connected = ConnectedUnit(target, link, Interview(link), unit, progress, served)
    await asyncio.to_thread(_look_back, connected)
    return connected


def journal_of(connected: ConnectedUnit) -> Journal:
    """Return the journal in which the writes to an inverter are."""
    return connected.served.journal if connected.served else journal()


def journal() -> Journal:
    """Return the journal of this machine."""
    return Journal(state_directory(os.environ, venus=on_venus()))


def unit_of(connected: ConnectedUnit) -> str:
    """Return what tells an inverter from others in the journal."""
    return connected.unit.answers.serial or str(connected.target.port)


def _look_back(connected: ConnectedUnit) -> None:
    """Settle writes whose end is not known, and tell of a plan that did not end."""
    shown, unit, written = (
        connected.unit.shown,
        unit_of(connected),
        journal_of(connected),
    )
    try:
        if not connected.served:  # else the service does it, and a write may be on
            written.settle(unit, {each.name: each.value for each in shown})
        if text := interrupted(written.writes(), unit, shown):
            print(f"mppdbus: {text}", file=sys.stderr)  # noqa: T201
    except NotWritten:
        pass  # who may only read may not see the journal either


def _made(answers: Answers, dialect: str) -> UnitSettings:
    if "QPIRI" not in answers.readings:
        raise NoReply("the inverter does not answer QPIRI, the query for its settings")
    found = answers.identification
    if dialect in DIALECTS:
        found = Identification(
            DIALECTS[dialect], 1.0, (), found.family, found.nominal_voltage
        )
    unit = UnitSettings([], found, answers)
    return replace(unit, shown=unit.now())

"""`mppdbus doctor`: says why an inverter is not shown, and the command that helps."""

import argparse
import asyncio
import os
from dataclasses import asdict
from pathlib import Path

from mppdbus.commands.output import DONE, SAID_NO, Output
from mppdbus.commands.progress import Progress
from mppdbus.commands.target import likely_ports, port_of
from mppdbus.config.models import BAUDS, Config, load
from mppdbus.doctor.causes import CAUSES
from mppdbus.doctor.examine import Place, Subject, examine
from mppdbus.doctor.facts import Facts, Heard
from mppdbus.doctor.findings import Finding, judge, merged, troubles
from mppdbus.doctor.host_facts import find_config
from mppdbus.errors import BusError, ConfigError
from mppdbus.host.platform import on_venus, state_directory
from mppdbus.host.ports import candidates
from mppdbus.venus.dbus.connection import bus_address


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add = parser.add_argument
    add("--port", metavar="URL", help="examine this port; without the configuration")
    add("--baud", type=int, choices=BAUDS, default=2400, help="default: %(default)s")
    add("--config", type=Path, metavar="FILE", help="default: the one that is in use")
    add("--bus", metavar="ADDRESS", help="system, session or another D-Bus")
    add("--no-bus", action="store_true", help="leave D-Bus out")
    add("--root", type=Path, default=Path("/"), help=argparse.SUPPRESS)
    add("-v", "--verbose", action="store_true", help="all facts, too")
    add("--json", action="store_true", help="one object")


async def run(args: argparse.Namespace) -> int:
    """Examine, and print what is wrong; return 0 if all is well, else 1."""
    output = Output(as_json=args.json)
    with Progress() as progress:
        subjects, place = await asyncio.to_thread(plan, args)
        facts, _ = await examine(subjects, place, progress.show)
    found = findings_of(facts)
    output.record(record(facts, found), "\n".join(report(facts, found)))
    if args.verbose and not args.json:
        output.line("\n".join(["", *all_facts(facts)]))
    return SAID_NO if troubles(found) else DONE


def plan(args: argparse.Namespace) -> tuple[list[Subject], Place]:
    """Return what to examine, by the arguments; blocks for a moment."""
    state = state_directory(os.environ, venus=on_venus())
    bus = None if args.no_bus else args.bus or "system"
    if args.port:
        if args.config:
            raise ConfigError("use either --port or a configuration, not both")
        bus = None if args.bus is None else bus
        where = Place(None, state, _address(bus), args.root)
        return [Subject(port_of(args.port), args.baud)], where
    path = args.config or find_config(args.root)
    config = _config(path)
    if config is None:
        subjects = [Subject(port) for port in likely_ports(candidates(args.root))]
    else:
        subjects = [Subject.of(unit) for unit in config.inverter]
        bus = None if args.no_bus else args.bus or config.dbus.bus
    return subjects, Place(path, state, _address(bus), args.root)


def _config(path: Path) -> Config | None:
    try:
        return load(path)
    except ConfigError:
        return None  # told by the facts of the host


def _address(bus: str | None) -> str | None:
    """Return the address of a bus; an impossible one is told by its facts."""
    try:
        return None if bus is None else bus_address(bus)
    except BusError:
        return bus


def findings_of(facts: list[Facts]) -> list[Finding]:
    """Return what the facts of all inverters speak for."""
    return merged(finding for one in facts for finding in judge(one, CAUSES))


def report(facts: list[Facts], found: list[Finding]) -> list[str]:
    """Return the report for people."""
    wrong = troubles(found)
    lines = [line for one in facts if (line := _subject(one))]
    if not wrong:
        lines.append("All is well.")
    for number, one in enumerate(wrong, 1):
        lines += ["", f"{number}. {one.what}."]
        lines += [f"   - {each}" for each in one.evidence]
        lines.append(f"   What helps: {one.help}")
    remarks = [one for one in found if one.remark]
    if remarks:
        lines += ["", "Worth knowing:"]
    for one in remarks:
        lines.append(f"   - {one.what}: {'; '.join(one.evidence)}. {one.help}")
    return lines


def _subject(facts: Facts) -> str:
    """Return a line on an inverter: where, what it is, and how well it answers."""
    port, line = facts.port, facts.line
    if not port.label:
        return ""
    said = [port.label]
    if port.ours:
        said.append("served by mppdbus")
    if line.heard is Heard.PI30:
        said.append(line.model or "a PI30 inverter")
        said.append(f"serial {line.serial}" if line.serial else "no serial number")
    if line.attempts:
        good = 100 - (line.damaged or 0) - (line.missing or 0)
        said.append(f"{good:.0f} % of {line.attempts} replies good")
    elif line.quality is not None:
        said.append(f"{line.quality:.1f} % good replies in the last hour")
    return ", ".join(said)


def all_facts(facts: list[Facts]) -> list[str]:
    """Return all that was found out, a line a fact; what is not known is left out."""
    lines = []
    for one in facts:
        for group, values in asdict(one).items():
            for name, value in values.items():
                if value not in (None, "", (), False):
                    lines.append(f"{group}.{name}: {value}")
    return list(dict.fromkeys(lines))


def record(facts: list[Facts], found: list[Finding]) -> dict[str, object]:
    """Return the report for scripts."""
    return {
        "well": not troubles(found),
        "findings": [one.record() for one in found],
        "facts": [asdict(one) for one in facts],
    }

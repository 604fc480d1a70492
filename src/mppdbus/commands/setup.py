"""`mppdbus setup`: finds the inverters, asks for the battery, writes config.toml."""

import argparse
import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, count
from pathlib import Path
from typing import Any

from mppdbus import __version__
from mppdbus.commands import doctor
from mppdbus.commands.detect import inverter_table, stable_port
from mppdbus.commands.monitor import follow
from mppdbus.commands.output import DONE, NO_DEVICE, Output, how_called
from mppdbus.commands.progress import Progress
from mppdbus.commands.questions import Questions
from mppdbus.commands.target import Target, likely_ports, port_of, seconds
from mppdbus.commands.view.screen import display
from mppdbus.commands.view.sources import LineSource
from mppdbus.config.models import parse
from mppdbus.config.new_config import CONTROL, NewBattery, NewUnit, config_text
from mppdbus.doctor.examine import Place, Subject, examine
from mppdbus.doctor.facts import PortTrouble
from mppdbus.doctor.findings import Finding
from mppdbus.doctor.line_facts import find_speed
from mppdbus.doctor.port_facts import look_at_port
from mppdbus.errors import ConfigError, InstallError, MppdbusError
from mppdbus.host.install.changes import InstallTarget
from mppdbus.host.install.installer import installer_for
from mppdbus.host.install.systemd import CONFIG as DEBIAN
from mppdbus.host.install.venus_paths import CONFIG as VENUS
from mppdbus.host.platform import on_venus, state_directory
from mppdbus.host.ports import Candidate, candidates
from mppdbus.inverter.detection import BAUD, Detection, Interview, detect, linked
from mppdbus.model.battery.chemistries import CELLS, Chemistry
from mppdbus.model.battery.settings_guess import capacity, chemistry, nominal_voltage
from mppdbus.protocol.replies.settings import Ratings, RatingsRevo
from mppdbus.protocol.replies.status import GeneralStatus
from mppdbus.storage.atomic_file import write_file
from mppdbus.transport.port_url import PortUrl

AUTO = "auto"
SHORT = {"lead": "lead-agm", "lfp": "lithium-lfp", "nmc": "lithium-nmc"}
BATTERIES = (*map(str, Chemistry), AUTO)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add = parser.add_argument
    add(
        "--port",
        nargs="+",
        action="extend",
        metavar="URL",
        help="ask at these ports, instead of at those that look like an inverter's",
    )
    add("--battery", choices=(*SHORT, *BATTERIES), help="what it is made of")
    most = partial(seconds, least=0, most=100_000)
    add("--capacity", type=most, metavar="AH", help="of the whole bank; 0: not known")
    add("--cells", type=int, metavar="N", help="in series; 0: by the voltages")
    add("--control", choices=CONTROL, help="what may be written; default: read-only")
    add("--bus", default="system", metavar="ADDRESS", help="default: %(default)s")
    add("--output", type=Path, metavar="FILE", help="default: config.toml, and for a "
        "service where that reads it")  # fmt: skip
    add("--yes", action="store_true", help="take all proposals, and ask nothing")
    add("--replace", action="store_true", help="replace FILE; a copy of it is kept")
    add("--install", action="store_true", help="make it a service afterwards")
    add("--root", type=Path, default=Path("/"), help=argparse.SUPPRESS)
    add("--json", action="store_true", help="the result as one object; with --yes")


def _place(args: argparse.Namespace) -> Path:
    """Return where the config belongs; a service reads it in one place only."""
    venus = on_venus()
    service = InstallTarget(args.root.absolute()).at(VENUS if venus else DEBIAN)
    if args.install and args.output not in (None, service):
        raise ConfigError(f"a service reads {service}: leave --output out")
    return args.output or (service if venus or args.install else Path("config.toml"))


@dataclass(frozen=True, slots=True)
class Search:
    """What was found: inverters with the speed of their port, and why not elsewhere."""

    found: list[tuple[Detection, int]]
    ports: list[Candidate]
    findings: list[Finding]
    served: list[str]  # ports that mppdbus uses already


def run(args: argparse.Namespace) -> int:
    """Set up; return 3 if no inverter is found."""
    if args.json and not args.yes:
        raise ConfigError("--json belongs to --yes: a script cannot answer")
    path = _place(args)
    if args.yes and not args.replace and path.exists():
        raise _left_alone(path)
    output = Output(as_json=args.json)
    with Progress() as progress:
        search = asyncio.run(_search(args, progress))
    if not search.found:
        return _nothing(search, output)
    output.line(
        "\n".join(inverter_table([one for one, _ in search.found], verbose=False))
    )
    for one, _ in search.found:
        if said := first_values(one):
            output.line(f"  {one.port.label}: {said}")
    output.line()
    questions = Questions(yes=args.yes)
    battery = choose_battery(args, [one for one, _ in search.found], questions)
    units = new_units(search)
    level = choose_control(args, questions)
    by = f"mppdbus setup {__version__}"
    text = config_text(units, battery, control=level, bus=args.bus, by=by)
    parse(text, str(path))
    kept = write_config(path, text, args, questions)
    output.line(f"Written to {path}." + (f" The old one is {kept}." if kept else ""))
    output.line(f"Control: {level}: {CONTROL[level]}.")
    record = {"config": str(path), "kept": kept and str(kept), "control": level}
    output.record(record | {"inverters": [_record(*one) for one in search.found]})
    if not args.json:
        _show_first(search.found[0])
        _install(args, questions, output, path)
    return DONE


# -- searching -----------------------------------------------------------------------


async def _search(args: argparse.Namespace, progress: Progress) -> Search:
    """Ask at all ports that nobody has, all at once; if in vain, look further."""
    progress.show("looking at the ports")
    ports = await asyncio.to_thread(candidates, args.root)
    named = [port_of(text) for text in dict.fromkeys(args.port or ())]
    free, served = [], []
    for url in named or likely_ports(ports):
        facts = await asyncio.to_thread(look_at_port, url, args.root)
        if facts.ours:
            served.append(url.label)
        elif facts.trouble is PortTrouble.NONE:
            free.append(url)
    if free:
        progress.show(f"asking at {', '.join(url.label for url in free)}")
    results = await asyncio.gather(*map(detect, free))
    found = [(one, BAUD) for one in results if one.found]
    if not found:
        found = [hit for url in free if (hit := await _at_other_speed(url, progress))]
    for one, baud in found:
        await _ask_ratings(one, baud)
    findings: list[Finding] = []
    if not found:
        findings = await _why_not(args, named or _all_ports(ports), progress)
    return Search(found, ports, findings, served)


def _all_ports(ports: Sequence[Candidate]) -> list[PortUrl]:
    """Return the ports that may lead to an inverter, also those that are held."""
    return [
        PortUrl(port.kind, port.path)
        for port in ports
        if port.verdict.value in ("plausible", "held")
    ]


async def _at_other_speed(
    url: PortUrl, progress: Progress
) -> tuple[Detection, int] | None:
    """Return an inverter that answers at another speed, and the speed."""
    if url.scheme != "serial":
        return None
    with suppress(MppdbusError):
        if (baud := await find_speed(url, BAUD, progress.show)) is not None:
            found = await detect(url, baud=baud)
            return (found, baud) if found.found else None
    return None


async def _ask_ratings(found: Detection, baud: int) -> None:
    """Ask what the battery is set to, unless that is known."""
    if "QPIRI" not in found.readings:
        with suppress(MppdbusError):
            async with linked(found.port, baud=baud) as link:
                await Interview(link, found).try_read("QPIRI")


async def _why_not(
    args: argparse.Namespace, urls: Sequence[PortUrl], progress: Progress
) -> list[Finding]:
    """Return the doctor's findings at the ports."""
    state = state_directory(os.environ, venus=on_venus())
    place = Place(None, state, None, args.root)
    facts, _ = await examine([Subject(url) for url in urls], place, progress.show)
    return doctor.findings_of(facts)


def _nothing(search: Search, output: Output) -> int:
    """Say that no inverter was found, and why."""
    lines = ["No inverter was found."]
    lines += [f"{label} is served by mppdbus already." for label in search.served]
    for one in search.findings:
        if not one.remark:
            lines += ["", f"{one.what}.", *(f"   - {each}" for each in one.evidence)]
            lines.append(f"   What helps: {one.help}")
    lines += ["", f"{how_called()} doctor tells more."]
    findings = [one.record() for one in search.findings]
    record = {"inverters": [], "served": search.served, "findings": findings}
    output.record(record, "\n".join(lines))
    return NO_DEVICE


def first_values(found: Detection) -> str:
    """Return the firmware and the live values of an inverter, in one line."""
    said = []
    if (firmware := getattr(found.readings.get("QVFW"), "firmware", None)) is not None:
        said.append(f"firmware {firmware}")
    status = found.readings.get("QPIGS")
    if isinstance(status, GeneralStatus):
        values = (
            ("mains", status.grid_voltage, "V"),
            ("load", status.ac_output_active_power, "W"),
            ("battery", status.battery_voltage, "V"),
        )
        said += [f"{name} {v:g} {unit}" for name, v, unit in values if v is not None]
    return ", ".join(said)


# -- choosing ------------------------------------------------------------------------


def choose_battery(
    args: argparse.Namespace, found: Sequence[Detection], questions: Questions
) -> NewBattery:
    """Ask for the battery; what the inverter is set to is proposed."""
    ratings = found[0].readings.get("QPIRI")
    kind, amp_hours, nominal = AUTO, 0.0, None
    if isinstance(ratings, Ratings | RatingsRevo):
        nominal = nominal_voltage(ratings)
        if nominal is not None:
            dialect = found[0].identification.dialect.name
            kind = str(chemistry(ratings, dialect, nominal))
            amp_hours = capacity(ratings, kind, len(found))
    chosen = SHORT.get(args.battery, args.battery)
    if chosen is None:
        chosen = questions.choice("What is the battery made of?", BATTERIES, kind)
    if args.capacity is None and args.yes:
        amp_hours = 0.0  # a guess is no answer: mppdbus guesses by itself, and says so
    elif args.capacity is None:
        ask = "Capacity of the whole bank in Ah (0: not known)"
        amp_hours = questions.number(ask, amp_hours, least=0, most=100_000)
    else:
        amp_hours = args.capacity
    if 0 < amp_hours < 1:
        raise ConfigError(f"--capacity: {amp_hours:g} Ah is too little for a bank")
    return NewBattery(chosen, amp_hours, _cells(args, chosen, nominal, questions))


def _cells(
    args: argparse.Namespace, kind: str, nominal: float | None, questions: Questions
) -> int:
    """Ask for the cells where the voltage leaves a choice, such as 15 or 16."""
    if args.cells is not None:
        return int(args.cells)
    if kind == AUTO or nominal is None:
        return 0
    counts = CELLS[Chemistry(kind)].counts.get(round(nominal), ())
    if len(counts) < 2 or args.yes:
        return 0
    ask = f"Cells in series at {nominal:g} V: {' or '.join(map(str, counts))} (0: auto)"
    return round(questions.number(ask, 0, least=0, most=400))


def choose_control(args: argparse.Namespace, questions: Questions) -> str:
    """Ask what may be written to the inverter; nothing, unless its owner says so."""
    if args.control is not None:
        return str(args.control)
    said = ", ".join(f"{level}: {what}" for level, what in CONTROL.items())
    ask = f"What may be written to the inverter? {said}"
    return questions.choice(ask, tuple(CONTROL), "read-only")


def new_units(search: Search) -> list[NewUnit]:
    """Return the sections of what was found."""
    by_path = {port.path: port for port in search.ports}
    several = len(search.found) > 1
    return [
        NewUnit(
            name=f"inverter {number}" if several else "inverter",
            port=stable_port(one.port, by_path.get(one.port.path)),
            serial=one.serial or "",
            baud=baud if one.port.scheme == "serial" else BAUD,
            about=one.model,
        )
        for number, (one, baud) in enumerate(search.found, 1)
    ]


# -- writing -------------------------------------------------------------------------


def write_config(
    path: Path, text: str, args: argparse.Namespace, questions: Questions
) -> Path | None:
    """Write the file; return the copy of the one that was there, if there was one."""
    kept = None
    try:
        if path.exists():
            ask = f"{path} exists. Replace it? A copy is kept"
            if not args.replace and not questions.yes(ask, proposal=False):
                raise _left_alone(path)
            names = (f"{path.name}.old{x}" for x in chain([""], count(2)))
            kept = next(p for p in map(path.with_name, names) if not p.exists())
            write_file(kept, path.read_bytes())
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.new")
        write_file(new, text.encode())
        new.replace(path)
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(f"{path} cannot be written: {reason}") from error
    return kept


def _left_alone(path: Path) -> ConfigError:
    what = f"{path} exists and was left as it is"
    return ConfigError(f"{what}; name another --output, or say --replace")


def _record(found: Detection, baud: int) -> dict[str, Any]:
    return {
        "port": str(found.port),
        "baud": baud,
        "model": found.model,
        "serial": found.serial,
        "dialect": found.identification.dialect.name,
    }


def _show_first(found: tuple[Detection, int]) -> None:
    """Show the picture of the monitor, once; trouble is told in one line."""
    one, baud = found
    target = replace(Target(one.port, one.model, baud), poll=None)

    async def show() -> None:
        await follow(
            LineSource(target, once=True), display(as_json=False, once=True), once=True
        )

    try:
        asyncio.run(show())
    except MppdbusError as error:
        print(f"No first picture: {error}")  # noqa: T201 - the command line speaks


def _install(
    args: argparse.Namespace, questions: Questions, output: Output, path: Path
) -> None:
    """Install as a service if that is wanted, or say how it is started."""
    start = f"{how_called()} run {path}"
    venus = on_venus()
    wanted = args.install
    if venus and not args.yes and not wanted:
        wanted = questions.yes(
            "Make it a service that starts by itself?", proposal=True
        )
    if not wanted:
        output.line(f"Start it with: {start}")
        return
    try:
        target = InstallTarget(args.root.absolute())
        installer_for(target, systemd=not venus).install(target, print, dry_run=False)
    except InstallError as error:
        output.line(f"It was not installed: {error}\nStart it with: {start}")

"""`mppdbus detect`: finds the ports with an inverter, and tells which one it is."""

import argparse
import asyncio
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from mppdbus.commands.output import DONE, NO_DEVICE, NO_LIVE_VALUES, Output
from mppdbus.commands.progress import Progress
from mppdbus.commands.target import likely_ports, port_of
from mppdbus.config.toml_writer import toml_value
from mppdbus.errors import NoReply, OtherProtocol, Refused
from mppdbus.host.ports import Candidate, PortVerdict, candidates
from mppdbus.inverter.detection import Detection, detect
from mppdbus.protocol.optional_queries import Outcome
from mppdbus.protocol.replies.settings import SerialNumber
from mppdbus.transport.port_url import PortUrl, parse_port


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument(
        "--port",
        nargs="+",
        action="extend",
        metavar="URL",
        help="ask at these ports, instead of at those that look like an inverter's",
    )
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="every port, and all reasons"
    )
    parser.add_argument("--json", action="store_true", help="one object a port")


async def run(args: argparse.Namespace) -> int:
    """Ask all likely ports at once; return 3 if no inverter is found, 4 if one is mute.

    A mute one tells who it is, but gives no live values.
    """
    output = Output(as_json=args.json)
    with Progress() as progress:
        if args.port:
            ports: list[Candidate] = []
            urls = [port_of(text) for text in dict.fromkeys(args.port)]
        else:
            progress.show("looking at the ports")
            ports = await asyncio.to_thread(candidates)
            urls = likely_ports(ports)
        if urls:
            progress.show(f"asking at {', '.join(url.label for url in urls)}")
        asking = (detect(url, thorough=args.verbose) for url in urls)
        results = await asyncio.gather(*asking)
    report(output, ports, results, verbose=args.verbose)
    found = [one for one in results if one.found]
    if any(one.mute for one in found):
        return NO_LIVE_VALUES
    return DONE if found else NO_DEVICE


def report(
    output: Output, ports: list[Candidate], results: list[Detection], *, verbose: bool
) -> None:
    """Print the inverters that were found, the other ports, and what to do next."""
    found = [one for one in results if one.found]
    by_path = {port.path: port for port in ports}
    if found:
        output.line("\n".join(inverter_table(found, verbose=verbose)))
    for one in results:
        telling = verbose or isinstance(one.error, OtherProtocol)
        if found and not one.found and telling:
            output.line(_why_not(one))
        if one.found and one.mute:
            output.line(f"\n{mute_line(one)}")
        output.record(_verdict_record(by_path.get(one.port.path)) | record(one))
    if verbose:
        for port in ports:
            if port.verdict is not PortVerdict.PLAUSIBLE:
                text = f"{port.path}: {port.reason}"
                output.record({"port": port.path} | _verdict_record(port), text)
    if found:
        sections = toml_sections(found, by_path)
        output.line("\n".join(["\nFor config.toml:\n", *sections]))
    else:
        output.line(advice(ports, results))


def _verdict_record(port: Candidate | None) -> dict[str, str]:
    return {"verdict": port.verdict.value, "reason": port.reason} if port else {}


def inverter_table(found: list[Detection], *, verbose: bool) -> list[str]:
    """Return a line for each inverter, aligned; with the reasons if `verbose`."""
    rows = [("PORT", "MODEL", "SERIAL", "DIALECT", "ANSWERS IN")]
    for one in found:
        dialect = one.identification.dialect.name
        took = f"{(one.answered_after or 0) * 1000:.0f} ms"
        rows.append((one.port.label, one.model, one.serial or "-", dialect, took))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    shown: list[str] = []
    for row, unit in zip(rows, (None, *found), strict=True):
        shown.append("  ".join(map(str.ljust, row, widths)).rstrip())
        if unit is not None and verbose:
            identified = unit.identification
            sure = f"{identified.confidence:.0%}"
            shown.append(f"  {identified.dialect.name}, {sure}: {identified.family}")
            shown += [f"  - {reason}" for reason in evidence(unit)]
            shown += [f"  {line}" for line in answers(unit)]
    return shown


def mute_line(found: Detection) -> str:
    """Return why an inverter that was found cannot be used yet, and what to do."""
    why: dict[type, str] = {NoReply: "does not answer QPIGS", Refused: "refuses QPIGS"}
    what = why.get(type(found.mute), "answers QPIGS with damaged replies")
    return (
        f"{found.port.label}: the inverter was found, but it {what}, the query for its "
        f"live values:\n  {found.mute}\n  mppdbus cannot show it like this. Restart "
        "the inverter, check the cable, and make sure that no other program asks it."
    )


def evidence(found: Detection) -> Iterator[str]:
    """Yield the reasons for the family that was found."""
    said = found.readings.get("QID")
    if found.serial is None and isinstance(said, SerialNumber):
        yield f"QID {said.serial}: a number that many units give"
    yield from found.identification.reasons


def answers(found: Detection) -> list[str]:
    """Return lines with the optional queries of each outcome."""
    by: dict[Outcome, list[str]] = defaultdict(list)
    for query, what in found.capabilities.outcomes.items():
        by[what].append(query)
    return [f"{what}: {' '.join(queries)}" for what, queries in by.items()]


def record(one: Detection) -> dict[str, Any]:
    """Return a detection for scripts."""
    if one.error is not None:
        return {"port": str(one.port), "error": f"{one.error.kind}: {one.error}"}
    identified, outcomes = one.identification, one.capabilities.outcomes
    found: dict[str, Any] = {
        "port": str(one.port),
        "model": one.model,
        "serial": one.serial,
        "dialect": identified.dialect.name,
        "confidence": identified.confidence,
        "family": identified.family,
        "ms": round((one.answered_after or 0.0) * 1000),
        "evidence": list(evidence(one)),
    }
    if one.mute is not None:
        found["no_live_values"] = f"{one.mute.kind}: {one.mute}"
    if outcomes:
        found["capabilities"] = {query: str(what) for query, what in outcomes.items()}
    return found


def toml_sections(found: list[Detection], ports: dict[str, Candidate]) -> list[str]:
    """Return the sections of config.toml for what was found."""
    lines: list[str] = []
    for number, one in enumerate(found, 1):
        lines += ["", "[[inverter]]"]
        if len(found) > 1:
            lines.append(f"name = {toml_value(f'inverter {number}')}")
        candidate = ports.get(one.port.path)
        lines.append(f"port = {toml_value(stable_port(one.port, candidate))}")
        if one.serial:
            lines.append(f"serial = {toml_value(one.serial)}")
    return lines[1:]


def stable_port(port: PortUrl, candidate: Candidate | None) -> str:
    """Return the port under a name that stays the same after a restart."""
    if candidate is not None and candidate.by_id:
        return candidate.by_id
    if port.path and parse_port(port.path) == port:
        return port.path
    return str(port)


def _why_not(one: Detection) -> str:
    """Return the error at a port; most messages begin with its name already."""
    said = str(one.error)
    return said if said.startswith(one.port.label) else f"{one.port.label}: {said}"


def advice(ports: list[Candidate], results: list[Detection]) -> str:
    """Return what to do when no inverter was found."""
    if results:
        lines = ["No PI30 inverter answers."]
        lines += map(_why_not, results)
        silent = (one.error for one in results if one.silent)
        if not all(isinstance(error, OtherProtocol) for error in silent):
            lines.append(
                "Is the inverter switched on? Is it the cable that came with it?"
            )
        return "\n".join(lines)
    held = [f"{p.path}: {p.reason}" for p in ports if p.verdict is PortVerdict.HELD]
    unnamed = [p.path for p in ports if p.verdict is PortVerdict.UNNAMED]
    lines = ["No port looks like an inverter's.", *held]
    if unnamed:
        lines.append(f"Others can be tried by name: --port {' '.join(unnamed)}")
    elif not held:
        lines.append("Is the cable plugged in?")
    return "\n".join(lines)

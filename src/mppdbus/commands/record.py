"""`mppdbus record`: writes all that an inverter answers into a file."""

import argparse
import asyncio
import os
import re
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import chain, count
from pathlib import Path
from textwrap import wrap
from typing import Any

from mppdbus import __version__
from mppdbus.commands import settings_reader
from mppdbus.commands.output import DONE, INTERRUPTED, SAID_NO, Output, how_called
from mppdbus.commands.progress import Progress
from mppdbus.commands.target import (
    Target,
    add_line_arguments,
    add_port_arguments,
    choose_target,
    seconds,
)
from mppdbus.control.evidence import evidence_of, for_recording
from mppdbus.errors import ConfigError, NotWritten, OtherProtocol, PortLost
from mppdbus.host.signals import until_signal
from mppdbus.inverter.timing import PATIENCE_RECORDING
from mppdbus.protocol.dialects import DIALECTS
from mppdbus.protocol.identification import Identification
from mppdbus.recording.journal import Entry, write
from mppdbus.recording.journal_entries import RecordedUnit, entries_of, with_evidence
from mppdbus.recording.recorder import Recorder
from mppdbus.recording.reply_quality import Quality

CYCLES = 5
TOLD_TO_END = "it was told to end"
ISSUES = "https://github.com/mppdbus/mppdbus/issues"
# Outcome of an exchange by its quality; every other quality is damaged.
OUTCOMES = {"good": "answered", "ack": "answered", "nak": "NAK", "silent": "silent"}
ORDER = ("answered", "unknown layout", "damaged", "NAK", "silent")
ANSWERS = ORDER[:2]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add = parser.add_argument
    add_port_arguments(parser)
    add_line_arguments(parser)
    add("--output", type=Path, metavar="FILE", help="default: model and date, here")
    add("--label", metavar="TEXT", help="what stands on the inverter's name plate")
    how_long = parser.add_mutually_exclusive_group()
    length = partial(seconds, least=0, most=86400)
    how_long.add_argument(
        "--seconds", type=length, metavar="N", help="of live values at the end"
    )
    how_long.add_argument(
        "--cycles", type=int, default=CYCLES, metavar="N", help="default: %(default)s"
    )
    add("--raw-all", action="store_true", help="keep repeated attempts and noise, too")
    add("--no-mask", action="store_true", help="leave serial numbers in the file")
    add("--json", action="store_true", help="the summary as one object")


async def run(args: argparse.Namespace) -> int:
    """Record; return 1 if it ends early, 130 if told to, 3 without an inverter."""
    code = await until_signal(_record(args))
    return INTERRUPTED if code is None else code


async def _record(args: argparse.Namespace) -> int:
    if args.output is not None:
        await asyncio.to_thread(_check_writable, args.output)
    target = await choose_target(args)
    now = datetime.now().astimezone()
    patience = target.timeout or PATIENCE_RECORDING[target.port.scheme]
    output = Output(as_json=args.json)
    with Progress() as progress:
        progress.show(f"opening {target.port}")
        async with target.recording_link(patience=patience) as link:

            def tell(query: str) -> None:
                progress.show(f"{len(link.exchanges)} exchanges; asking {query}")

            recorder = Recorder(link, tell)
            ended = await _interview(recorder, args, now)
    summary = await asyncio.to_thread(_save, args, target, recorder, ended, now)
    output.record(summary.record(), "\n".join(summary.lines()))
    if ended == TOLD_TO_END:
        return INTERRUPTED
    return DONE if ended is None else SAID_NO


async def _interview(
    recorder: Recorder, args: argparse.Namespace, now: datetime
) -> str | None:
    """Ask all queries; return why it ended early. The exchanges until then are kept."""
    clock = asyncio.get_running_loop().time
    cycles: int = args.cycles
    try:
        await recorder.ask_all(now)
        end = clock() + (args.seconds or 0.0)
        if args.seconds is None:
            await recorder.ask_live(lambda cycle: cycle >= cycles)
        else:
            await recorder.ask_live(lambda _: clock() >= end)
    except (PortLost, asyncio.CancelledError) as error:
        if not recorder.answers.readings:
            raise
        return str(error) if isinstance(error, PortLost) else TOLD_TO_END
    return None


def _check_writable(path: Path) -> None:
    """Raise `ConfigError` if the file cannot be written, before recording starts."""
    try:
        if path.exists():
            raise ConfigError(f"{path} exists; choose another name")
        if not path.parent.is_dir():
            raise ConfigError(f"{path}: there is no directory {path.parent}")
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(f"{path} cannot be written: {reason}") from error
    if not os.access(path.parent, os.W_OK):
        raise ConfigError(f"{path}: you may not write to {path.parent}")


def _save(
    args: argparse.Namespace,
    target: Target,
    recorder: Recorder,
    ended: str | None,
    now: datetime,
) -> "RecordingSummary":
    """Write the file and return its summary; `ended` is why it ended early."""
    model, found = recorder.answers.model, recorder.answers.identification
    if named := DIALECTS.get(target.dialect):  # a family that the user has set
        found = replace(found, dialect=named)
    origin = RecordedUnit(
        model=f"{args.label} ({model})" if args.label else model,
        variant=found.dialect.name,
        source=f"mppdbus {__version__} record, {now:%Y-%m-%d}",
    )
    exchanges = recorder.link.exchanges
    if not args.raw_all:
        exchanges = [one for one in exchanges if one.final]
    entries = entries_of(exchanges, origin, mask=not args.no_mask)
    if not any(_outcome(entry) in ANSWERS for entry in entries):
        raise OtherProtocol(
            f"{target.port.label}: nothing but NAK and silence: "
            "this is no PI30 inverter; nothing was written"
        )
    proofs = _evidence(model, recorder)
    path = args.output or _free_path(model, now)
    write(path, with_evidence(entries, proofs))
    return RecordingSummary(path, origin, found, entries, ended, not args.no_mask)


def _evidence(model: str, recorder: Recorder) -> dict[str, str]:
    """Return what writes to this model and firmware from here have proven."""
    firmware = getattr(recorder.answers.readings.get("QVFW"), "firmware", "")
    try:
        writes = settings_reader.journal().writes()
    except NotWritten:
        return {}  # who may only read may not see the journal
    return for_recording(evidence_of(writes, model, firmware))


def _free_path(model: str, now: datetime) -> Path:
    """Return an unused file name: model, date, and a number if needed."""
    stem = re.sub(r"[^A-Za-z0-9.+-]+", "-", model).strip("-") or "inverter"
    stem = f"{stem}-{now:%Y%m%d}"
    names = chain([stem], (f"{stem}-{number}" for number in count(2)))
    paths = (Path(f"{name}.jsonl") for name in names)
    return next(path for path in paths if not path.exists())


@dataclass(frozen=True, slots=True)
class RecordingSummary:
    """The summary of a recording, in numbers and words."""

    path: Path
    origin: RecordedUnit
    identification: Identification
    entries: list[Entry]
    ended: str | None
    mask: bool

    def outcomes(self) -> dict[str, list[str]]:
        """Return the commands of each outcome; a command counts by its last reply."""
        last = {entry.command: _outcome(entry) for entry in self.entries}
        return {
            outcome: [command for command, own in last.items() if own == outcome]
            for outcome in ORDER
        }

    def strange(self) -> dict[str, str]:
        """Return the notes on intact replies, by command."""
        judged = (e for e in self.entries if e.quality != Quality.SUPERSEDED)
        return {entry.command: entry.note for entry in judged if entry.note}

    def record(self) -> dict[str, Any]:
        """Return the summary for scripts."""
        return {
            "file": str(self.path),
            "model": self.origin.model,
            "dialect": self.origin.variant,
            "confidence": self.identification.confidence,
            "exchanges": len(self.entries),
            "masked": sum(1 for entry in self.entries if entry.masked),
            "outcomes": self.outcomes(),
            "notes": self.strange(),
            "ended_early": self.ended,
        }

    def lines(self) -> list[str]:
        """Return the summary for people."""
        found = self.identification
        who = f"{self.origin.model}: {found.dialect.name}, {found.confidence:.0%} sure"
        lines = [f"{who}; {len(self.entries)} exchanges", ""]
        for outcome, commands in self.outcomes().items():
            if commands:
                head = f"{outcome:<14}  {len(commands):>3}  "
                left = " " * len(head)
                lines += wrap(f"{head}{' '.join(commands)}", 79, subsequent_indent=left)
        lines += [f"  {command}: {note}" for command, note in self.strange().items()]
        if self.ended is not None:
            lines += ["", f"It ended early: {self.ended}. What came is kept."]
        return [*lines, "", *self._advice()]

    def _advice(self) -> list[str]:
        if any(entry.masked for entry in self.entries):
            masked = "serial numbers are masked"
        elif self.mask:
            masked = "there was no serial number to mask"
        else:
            masked = "serial numbers were left in"
        return [
            f"Written to {self.path}; {masked}.",
            f"  look at it       {how_called()} decode {self.path}",
            f"  play it back     {how_called()} replay {self.path}",
            "  not recognised, or a value is wrong?  Attach the file to an issue:",
            f"                   {ISSUES}",
        ]


def _outcome(entry: Entry) -> str:
    if entry.quality == "good" and entry.note:
        return "unknown layout"
    return OUTCOMES.get(entry.quality, "damaged")

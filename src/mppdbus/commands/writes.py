"""`mppdbus writes`: shows all that was ever written, from the journal."""

import argparse

from mppdbus.commands import settings_reader
from mppdbus.commands.output import DONE, Output
from mppdbus.control.journal import described


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("--json", action="store_true", help="one object a write")


def run(args: argparse.Namespace) -> int:
    """Print the writes, the oldest first."""
    output, journal = Output(as_json=args.json), settings_reader.journal()
    writes = journal.writes()
    for write in writes:
        old = "?" if write.old is None else f"{write.old:g}"
        text = (
            f"{write.time[:19]}  {write.unit}  {write.setting} {old} → {write.value:g}"
            f"  {write.command}  {write.by}: {write.why}"
        )
        output.record(described(write), text)
    if not writes:
        output.line(f"nothing was written from here ({journal.path})")
    return DONE

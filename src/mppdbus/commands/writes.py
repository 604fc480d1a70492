"""`mppdbus writes`: shows all that was ever written, from the journal."""

import argparse

from mppdbus.commands import settings_reader
from mppdbus.commands.output import DONE, Output
from mppdbus.control.clock import clock_time
from mppdbus.control.journal import WrittenSetting, described
from mppdbus.protocol.settings.meanings import CLOCK


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add = parser.add_argument
    add("--json", action="store_true", help="one object a write")
    # For those who type it everywhere: the journal is that of the machine.
    add("--config", metavar="FILE", help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    """Print the writes, the oldest first."""
    output, journal = Output(as_json=args.json), settings_reader.journal()
    writes = journal.writes()
    for write in writes:
        text = (
            f"{write.time[:19]}  {write.unit}  {write.setting} {_change(write)}"
            f"  {write.command}  {write.by}: {write.why}"
        )
        output.record(described(write), text)
    if not writes:
        output.line(f"nothing was written from here ({journal.path})")
    return DONE


def _change(write: WrittenSetting) -> str:
    """Return the old and the new value: codes, numbers, or two times."""
    old, new = write.old, write.value
    if write.setting == CLOCK.name:
        return f"{clock_time(old or 0)} → {clock_time(new)}"
    return f"{'?' if old is None else f'{old:g}'} → {new:g}"

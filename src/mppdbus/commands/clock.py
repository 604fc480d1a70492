"""`mppdbus clock`: shows how far the inverter's clock is off, or sets it."""

import argparse

from mppdbus.commands import setting_writer
from mppdbus.commands.output import DONE, SAID_NO, Output
from mppdbus.commands.setting_writer import UnitWriter, need_the_port, who
from mppdbus.commands.settings_reader import connected_unit
from mppdbus.control.clock import ClockReading, InverterClock, clock_time
from mppdbus.control.journal import WrittenSetting, described
from mppdbus.errors import ProtocolError
from mppdbus.host.clock import local_now


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("action", choices=("show", "sync"), help="look, or set it")
    setting_writer.add_arguments(parser)


async def run(args: argparse.Namespace) -> int:
    """Print both clocks, or set the inverter's to ours; 1 if it does not show that."""
    output = Output(as_json=args.json)
    async with connected_unit(args) as connected:
        need_the_port(connected, "the clock is read and set")
        unit = UnitWriter(connected, args)
        clock = InverterClock(unit.control, local_now)
        if args.action == "show":
            reading = await clock.read()
            if reading is None:
                raise ProtocolError("the inverter does not tell its time (QT)")
            output.record(record(reading), str(reading))
            return DONE
        connected.progress.show("setting the clock")
        verdict = await clock.set(unit.permission, who())
        connected.progress.clear()
    output.record(described(verdict), sentence(verdict))
    return DONE if verdict.done else SAID_NO


def record(reading: ClockReading) -> dict[str, object]:
    """Return both clocks for scripts; `drift` in s, positive: the inverter is ahead."""
    return {
        "inverter": str(reading.inverter),
        "here": f"{reading.here:%Y-%m-%d %H:%M:%S}",
        "drift": round(reading.drift, 1),
    }


def sentence(write: WrittenSetting) -> str:
    """Return a verdict for people."""
    mark = "done" if write.done else "NOT DONE"
    old, new = clock_time(write.old or 0), clock_time(write.value)
    return f"{mark}: clock: {old} → {new}: {write.why}"

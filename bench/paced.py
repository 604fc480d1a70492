"""The inverter of the benchmark: a pty at true speed, and a log of what went over it.

    paced.py PTY LOG [--think SECONDS] [--jitter SECONDS] [--day]

What it says changes with every reply; with --day it lives through the day of the demo
instead: sun, load and mains change every few seconds. Every exchange is a line in LOG:
when the request was there, when the last byte of the reply was written
(CLOCK_MONOTONIC, "-" without a reply), the command, the reply's length. SIGUSR1 makes
the inverter mute, SIGUSR2 lets it speak again; neither works with --day.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tty
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from mppdbus.commands.demo_day import BEGIN, DAY, DAY_LENGTH, PLANT_SPEED, PROFILE
from mppdbus.protocol.framing import encode_reply
from mppdbus.simulator.line.line import Line
from mppdbus.simulator.line.simulator import Responder, simulate
from mppdbus.simulator.line.speed import Pace
from mppdbus.simulator.scene.control import Scene


class Restless:
    """Like `source`, but each QPIGS differs from the last in every live value."""

    def __init__(self, source: Responder) -> None:
        self.mute = False
        self._source = source
        self._count = 0

    def reply(self, command: str) -> bytes | None:
        """Return the bytes of the reply; None is silence."""
        if self.mute:
            return None
        return (
            encode_reply(self._status())
            if command == "QPIGS"
            else (self._source.reply(command))
        )

    def _status(self) -> str:
        self._count += 1
        n = self._count * 5 % 13  # never the same twice in a row
        volts, hertz, tenths = 230 + n / 10, 49.9 + n / 10, n / 10
        return (
            f"{volts:05.1f} {hertz:04.1f} {volts + 1:05.1f} {hertz:04.1f} "
            f"{600 + n:04} {500 + n:04} {10 + n:03} {380 + n:03} {51 + tenths:05.2f} "
            f"{20 + n:03} {60 + n:03} {35 + n:04} {5 + tenths:04.1f} "
            f"{120 + tenths:05.1f} {51 + tenths:05.2f} 00000 00010110 00 00 "
            f"{300 + n:05} 010"
        )


class Log:
    """Notes each exchange once it is over."""

    def __init__(self, file: TextIO, clock: Callable[[], float]) -> None:
        self._file = file
        self._clock = clock
        self._asked: tuple[float, str] | None = None
        self._length = 0

    def request(self, data: bytes) -> None:
        """Take what was asked just now."""
        self._write("-")
        self._asked = (self._clock(), data[:-3].decode("ascii", "replace"))
        self._length = 0

    def reply(self, data: bytes, *, over: bool) -> None:
        """Take bytes that were written just now."""
        self._length += len(data)
        if over:
            self._write(f"{self._clock():.6f}")

    def _write(self, ended: str) -> None:
        if self._asked is not None:
            at, command = self._asked
            self._file.write(f"{at:.6f} {ended} {command} {self._length}\n")
            self._asked = None


async def serve(args: argparse.Namespace) -> None:
    """Answer at the pty until SIGTERM."""
    loop = asyncio.get_running_loop()
    master, slave = (
        os.openpty()
    )  # our own slave keeps the pty while clients come and go
    tty.setraw(slave)
    os.set_blocking(master, False)
    pace = Pace(think=args.think, jitter=args.jitter)
    simulator = simulate(PROFILE, pace=pace) if args.day else simulate(pace=pace)
    source = Restless(simulator.source)
    if args.day:
        simulator.scene.apply_script(f"speed {PLANT_SPEED}; {BEGIN}")
        day = loop.create_task(live(simulator.scene))
    else:
        simulator.source = source
    ended = asyncio.Event()
    for number, act in (
        (signal.SIGUSR1, lambda: setattr(source, "mute", True)),
        (signal.SIGUSR2, lambda: setattr(source, "mute", False)),
        (signal.SIGTERM, ended.set),
    ):
        loop.add_signal_handler(number, act)
    with args.log.open("w", buffering=1) as file:
        log = Log(file, loop.time)

        def send(data: bytes) -> None:
            os.write(master, data)
            log.reply(data, over=not line.busy)

        def readable() -> None:
            data = os.read(master, 4096)
            log.request(data)
            line.feed(data)

        line = Line(simulator, send, lambda _: None)
        loop.add_reader(master, readable)
        args.pty.symlink_to(os.ttyname(slave))
        await ended.wait()
    if args.day:
        day.cancel()


async def live(scene: Scene) -> None:
    """Play the day over and over."""
    loop = asyncio.get_running_loop()
    begin = loop.time()
    while True:
        for at, line in DAY:
            await asyncio.sleep(begin + at - loop.time())
            scene.apply_script(line)
        begin += DAY_LENGTH


def main() -> int:
    """Run until told to end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pty", type=Path)
    parser.add_argument("log", type=Path)
    parser.add_argument("--think", type=float, default=0.06, metavar="SECONDS")
    parser.add_argument("--jitter", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--day", action="store_true")
    asyncio.run(serve(parser.parse_args()))
    return 0


if __name__ == "__main__":
    sys.exit(main())

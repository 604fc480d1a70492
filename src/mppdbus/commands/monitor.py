"""`mppdbus monitor`: shows an inverter live, from its line or from D-Bus."""

import argparse
import asyncio
from contextlib import suppress
from dataclasses import replace

from mppdbus.commands.output import DONE
from mppdbus.commands.target import (
    add_line_arguments,
    add_port_arguments,
    choose_target,
    seconds,
)
from mppdbus.commands.view.screen import Display, display
from mppdbus.commands.view.sources import BusSource, LineSource, Source
from mppdbus.errors import ConfigError, NoReply
from mppdbus.host.signals import until_signal
from mppdbus.venus.dbus.client import BusClient

TICK = 1.0  # s between redrawings when nothing new comes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add = parser.add_argument
    add_port_arguments(parser)
    add_line_arguments(parser)
    add("--interval", type=_interval, metavar="S|fast", help="between two polls")
    add("--bus", metavar="ADDRESS", help="watch system, session or another D-Bus")
    add("--service", metavar="NAME", help="with --bus: a service, or its beginning")
    add("--once", action="store_true", help="show one picture and end")
    add("--json", action="store_true", help="one object a poll")


def _interval(text: str) -> float:
    return 0.0 if text == "fast" else seconds(text, 0.5, 60)


async def run(args: argparse.Namespace) -> int:
    """Show until a signal ends it; return 0."""
    return await until_signal(_watch(args)) or DONE


async def _watch(args: argparse.Namespace) -> int:
    shown = display(as_json=args.json, once=args.once)
    if args.bus is not None:
        if args.port or args.config or args.name:
            raise ConfigError("use either --bus or a port, not both")
        watcher = await BusClient.open(args.bus)
        try:
            source = BusSource(watcher, args.service)
            return await follow(source, shown, once=args.once)
        finally:
            await watcher.close()
    if args.service is not None:
        raise ConfigError("--service belongs to --bus")
    target = await choose_target(args)
    if args.interval is not None:
        target = replace(target, poll=args.interval or None)
    if args.once:
        target = replace(target, poll=None)  # poll as fast as possible
    return await follow(LineSource(target, once=args.once), shown, once=args.once)


async def follow(source: Source, shown: Display, *, once: bool = False) -> int:
    """Show the pictures of a source: new ones at once, their age every second."""
    task = asyncio.create_task(source.run())
    task.add_done_callback(lambda _: source.changed.set())
    try:
        if once:
            await _completed(source, task)
            with shown:
                shown.show(source.pictures(), news=True)
            return DONE
        with shown:
            shown.show(source.pictures(), news=False)
            while not task.done():
                news = await _within(TICK, source.changed)
                source.changed.clear()
                if not task.done():
                    shown.show(source.pictures(), news=news)
        await task
        return DONE
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _within(seconds: float, event: asyncio.Event) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()


async def _completed(source: Source, task: asyncio.Task[None]) -> None:
    """Wait for a complete picture, at most as long as the patience of the source.

    Raises what the source raises, and `NoReply` if there is no picture at all.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + source.patience
    while not source.complete and loop.time() < end:
        await _within(end - loop.time(), source.changed)
        source.changed.clear()
        if task.done():
            await task
    if not any(picture.live for picture in source.pictures()):
        raise NoReply(f"{source.nothing} (waited {source.patience:g} s)")

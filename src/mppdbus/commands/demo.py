"""`mppdbus demo`: runs a simulated inverter, the driver and a D-Bus of their own.

Needs no hardware and leaves nothing behind.
"""

import argparse
import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any

from mppdbus.commands.child_processes import Child, running
from mppdbus.commands.demo_day import BEGIN, DAY, DAY_LENGTH, PLANT_SPEED, PROFILE
from mppdbus.commands.monitor import follow
from mppdbus.commands.output import DONE, Output, how_called
from mppdbus.commands.progress import Progress
from mppdbus.commands.view.screen import display
from mppdbus.commands.view.sources import BusSource
from mppdbus.config.toml_writer import toml_value
from mppdbus.errors import ConfigError, NoReply
from mppdbus.host.signals import until_signal
from mppdbus.venus.dbus.client import BusClient

READY = 10.0  # s that a program may take to start
FIRST_VALUE = 15.0  # s until the first value must be on the bus
DEATH_IS_KNOWN = 0.5  # s until the end of a program is known for sure
LONGEST_PLACE = 68  # characters of a folder below which a Unix socket fits

BUS = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>custom</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""
# The simulated hours are minutes, so the state of charge is the inverter's own.
CONFIG = """\
[dbus]
bus = {bus}

[battery]
soc = "inverter"

[[inverter]]
name = "demo"
port = {port}
poll = "fast"
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add = parser.add_argument
    add("--seconds", type=float, metavar="N", help="end after N s (default: Ctrl-C)")
    add("--once", action="store_true", help="show the first whole picture and end")
    add("--speed", type=float, default=1.0, metavar="N", help="of the day; default 1")
    add("--json", action="store_true", help="where it runs, then an object a change")


async def run(args: argparse.Namespace) -> int:
    """Run until a signal, or for --seconds; return 0, or 1 if a program dies."""
    if not 0.01 <= args.speed <= 1000:
        raise ConfigError("--speed: use 0.01 to 1000")
    if args.seconds is not None and not args.seconds >= 0:
        raise ConfigError("--seconds: use 0 or more")
    return await until_signal(_for_a_time(args)) or DONE


async def _for_a_time(args: argparse.Namespace) -> int:
    try:
        async with asyncio.timeout(args.seconds) as limit:
            return await _demo(args)
    except TimeoutError:
        if limit.expired():
            return DONE
        raise  # NoReply is one, too


@dataclass(frozen=True, slots=True)
class RunningDemo:
    """The programs of a demo, and where they are reached."""

    port: Path
    bus: str
    simulator: Child
    children: tuple[Child, ...]
    driver_began: float  # loop time


async def _demo(args: argparse.Namespace) -> int:
    async with AsyncExitStack() as stack:
        progress = stack.enter_context(Progress())
        demo = await stack.enter_async_context(_running_demo(progress, args.speed))
        progress.show("waiting for the first value on the bus")
        watcher = await BusClient.open(demo.bus)
        stack.push_async_callback(watcher.close)
        source = BusSource(watcher, None)
        show = display(as_json=args.json, once=args.once)
        tell = Output(as_json=args.json)

        async def watch() -> int:
            took = await _first_value(source, demo)
            progress.clear()
            _introduce(tell, demo, watcher.services(), took)
            return await follow(source, show, once=args.once)

        return await _until_death(watch(), demo, args.speed)


async def _until_death(
    watching: Coroutine[Any, Any, int], demo: RunningDemo, speed: float
) -> int:
    """Return what `watching` returns; raises `ChildDied` if a program dies before."""
    watch = asyncio.create_task(watching)
    death: asyncio.Future[Any] = asyncio.gather(*(c.watch() for c in demo.children))
    scene = asyncio.create_task(_play_day(demo.simulator, speed))
    try:
        await asyncio.wait([watch, death], return_when=asyncio.FIRST_COMPLETED)
        if not death.done() and watch.exception() is not None:
            # The connection breaks a moment before the end of the bus is known.
            await asyncio.wait([death], timeout=DEATH_IS_KNOWN)
        if death.done():
            death.result()
        return await watch
    finally:
        for task in (watch, death, scene):
            task.cancel()
        await asyncio.gather(watch, death, scene, return_exceptions=True)


@asynccontextmanager
async def _running_demo(progress: Progress, speed: float) -> AsyncIterator[RunningDemo]:
    """Start the bus, the inverter and the driver; end them and delete their files."""
    if (dbus_daemon := shutil.which("dbus-daemon")) is None:
        raise ConfigError("dbus-daemon is not here; install the package dbus")
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(_temporary_directory()))
        port, socket = folder / "inverter", folder / "bus"
        bus = f"unix:path={socket}"
        (folder / "bus.conf").write_text(BUS.format(socket=socket))
        (folder / "config.toml").write_text(
            CONFIG.format(bus=toml_value(bus), port=toml_value(f"serial:{port}"))
        )

        async def start(name: str, *command: str, **environment: str) -> Child:
            log = folder / f"{name.replace(' ', '-')}.log"
            child = running(name, log, *command, **environment)
            return await stack.enter_async_context(child)

        progress.show("starting a D-Bus and a simulated inverter")
        options = (f"--config-file={folder / 'bus.conf'}", "--nofork", "--nopidfile")
        broker = await start("dbus-daemon", dbus_daemon, *options)
        mppdbus = (sys.executable, "-m", "mppdbus")
        words = ("simulate", "--pty", str(port), "--profile", PROFILE)
        scene = ("--scene", BEGIN, "--speed", f"{PLANT_SPEED * speed:g}")
        simulator = await start("mppdbus simulate", *mppdbus, *words, *scene)
        await broker.makes(socket, READY)
        await simulator.makes(port, READY)
        began = asyncio.get_running_loop().time()
        state = str(folder / "state")
        words = ("run", "--config", str(folder / "config.toml"), "--log-level", "INFO")
        driver = await start("mppdbus run", *mppdbus, *words, MPPDBUS_STATE=state)
        yield RunningDemo(port, bus, simulator, (broker, simulator, driver), began)


def _temporary_directory() -> TemporaryDirectory[str]:
    if len(gettempdir()) > LONGEST_PLACE:
        return TemporaryDirectory(prefix="mppdbus-demo-", dir="/tmp")
    return TemporaryDirectory(prefix="mppdbus-demo-")


async def _play_day(simulator: Child, speed: float) -> None:
    """Play the day over and over."""
    loop = asyncio.get_running_loop()
    begin = loop.time()
    while True:
        for at, line in DAY:
            await asyncio.sleep(begin + at / speed - loop.time())
            await simulator.tell(line)
        begin += DAY_LENGTH / speed


async def _first_value(source: BusSource, demo: RunningDemo) -> float:
    """Return the s from the start of the driver to its first value on the bus."""
    following = asyncio.create_task(source.run())
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(FIRST_VALUE):
            while not source.live:
                source.changed.clear()
                await source.changed.wait()
    except TimeoutError as error:
        said = demo.children[-1].last_words()  # of the driver
        raise NoReply(f"no value on the bus within {FIRST_VALUE:g} s{said}") from error
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    return loop.time() - demo.driver_began


def _introduce(
    tell: Output, demo: RunningDemo, services: list[str], took: float
) -> None:
    """Print where everything is, so that other programs can look at it."""
    service = next((name for name in services if ".multi." in name), services[0])
    where = {"bus": demo.bus, "port": str(demo.port), "services": services}
    tell.record(
        {**where, "first_value_s": round(took, 3)},
        "A simulated inverter, the real driver, and a D-Bus of their own:\n"
        f"  inverter  {demo.port}  (a pty at 2400 baud)\n"
        f"  D-Bus     {demo.bus}\n"
        f"  first live value on the bus {took:.2f} s after the start of the driver\n"
        "Its day is short: an hour of sun and battery passes in a minute.\n"
        "From another terminal, while this runs:\n"
        f"  busctl --address={demo.bus} list\n"
        f"  dbus-send --bus={demo.bus} --print-reply \\\n"
        f"    --dest={service} \\\n"
        "    /Dc/0/Voltage com.victronenergy.BusItem.GetText\n"
        f"  {how_called()} monitor --bus {demo.bus}\n"
        "Ctrl-C ends it all.\n",
    )

"""`mppdbus simulate`: simulates inverters on a pty, on HID or on TCP."""

import argparse
import asyncio
import random
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

from mppdbus.commands.output import USAGE
from mppdbus.errors import ConfigError
from mppdbus.host.signals import on_signals
from mppdbus.simulator.line.faults import Faults
from mppdbus.simulator.line.simulator import Simulator, simulate
from mppdbus.simulator.line.speed import Pace
from mppdbus.simulator.ports.server import serve_pty, serve_tcp
from mppdbus.simulator.scene.control import Scene
from mppdbus.simulator.scene.control_server import (
    ControlledScene,
    listen_on_stdin,
    parse_address,
    serve_control,
)
from mppdbus.simulator.scene.sets import SimulatedSet, parse_set, simulate_set
from mppdbus.simulator.unit.bugs import BUGS
from mppdbus.simulator.unit.profile import UnitProfile
from mppdbus.simulator.unit.profiles import DEFAULT_PROFILE, PROFILES
from mppdbus.simulator.unit.recording import load

THINK_S = 0.06


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add = parser.add_argument
    add("--pty", metavar="PATH", help="appear as a serial port, linked at PATH")
    add("--tcp", metavar="[HOST:]PORT", help="listen on TCP (port 0: a free one)")
    add("--hid", metavar="PATH", help="as --pty, in 8-byte reports like a hidraw")
    add(
        "--profile",
        default=DEFAULT_PROFILE,
        metavar="NAME",
        help="which inverter; see --list-profiles (default: %(default)s)",
    )
    add("--list-profiles", action="store_true", help="show the profiles and end")
    add("--set", metavar="N|L1,L2,L3", help="several units on one battery")
    add("--bug", action="append", default=[], metavar="NAME", help="of its firmware")
    add("--list-bugs", action="store_true", help="show the bugs and end")
    add("--recording", metavar="FILE", help="answer what a real inverter said")
    add("--model", metavar="NAME", help="which model of the recording")
    add("--quality", choices=("good", "all"), default="good", help="of recorded bytes")
    add(
        "--unrecorded",
        choices=("nak", "silence"),
        default="nak",
        help="answer to what the recording lacks (default: %(default)s)",
    )
    add(
        "--control",
        metavar="unix:PATH|HOST:PORT",
        help='lines such as "help", "fault 7"; "fault 0" clears',
    )
    add("--scene", default="", metavar="LINES", help='"grid off; pv 800; load 500"')
    add("--speed", type=float, default=1.0, help="of the plant's time (default 1)")
    add("--think", type=float, metavar="SECONDS", help=f"default {THINK_S}")
    add("--jitter", type=float, default=0.0, metavar="SECONDS", help="of --think")
    add("--baud", type=float, default=2400, help="default: %(default)s")
    add("--chunk", type=int, default=1, help="bytes handed over at a time (default 1)")
    add("--unpaced", action="store_true", help="replies at once and whole")
    add("--seed", type=int, default=0, help="of everything that is left to chance")


async def run(args: argparse.Namespace) -> int:
    """Simulate until a signal or "quit"; return 0, or 2 for unusable arguments."""
    if args.list_profiles:
        print("\n".join(map(profile_lines, PROFILES.values())))  # noqa: T201
        return 0
    if args.list_bugs:
        for bug in BUGS.values():
            print(f"{bug.name:<18} {bug.about}\n{'':<18} from {bug.source}")  # noqa: T201
        return 0
    try:
        _check_place(args)
        if args.set:
            fleet = build_set(args)
            await _serve(args, fleet.name, fleet.simulators, fleet.scene)
        else:
            simulator = build_simulator(args)
            await _serve(args, simulator.name, (simulator,), simulator.scene)
    except ConfigError as error:
        print(f"mppdbus simulate: {error}", file=sys.stderr)  # noqa: T201
        return USAGE
    return 0


def _check_place(args: argparse.Namespace) -> None:
    if not (args.pty or args.tcp or args.hid):
        raise ConfigError("say where: --pty PATH, --tcp [HOST:]PORT or --hid PATH")


def profile_lines(profile: UnitProfile) -> str:
    """Return two lines: what a profile is, and its sources."""
    parts = [part.strip() for part in profile.basis.split(";")]
    if not parts[0].startswith("f"):
        parts[0] = f"documents {parts[0]}"
    sources = f"{'':<14} from {'; '.join(parts)}"
    return f"{profile.name:<14} {profile.about}\n{sources}"


def build_set(args: argparse.Namespace) -> SimulatedSet:
    """Return the set that the arguments describe, or raise `ConfigError`."""
    if args.recording:
        raise ConfigError("--set belongs to --profile: a recording is one unit")
    labels = parse_set(args.set)
    fleet = simulate_set(args.profile, labels, pace=_pace(args), seed=args.seed)
    for member in fleet.scene.plants.members:
        member.clock = _clock_now()
    fleet.scene.apply_script(_script(args))
    return fleet


def _clock_now() -> datetime:
    return datetime.now().astimezone().replace(tzinfo=UTC)


def _script(args: argparse.Namespace) -> str:
    bugs = "".join(f"bug {name} on; " for name in args.bug)
    return f"speed {args.speed}; {bugs}{args.scene}"


def build_simulator(args: argparse.Namespace) -> Simulator:
    """Return the simulator that the arguments describe, or raise `ConfigError`."""
    pace = _pace(args)
    if args.recording:
        if args.bug:
            raise ConfigError("--bug belongs to --profile: a recording has what it has")
        recording = load(Path(args.recording), args.model, quality=args.quality)
        if args.unrecorded == "silence":
            recording.unrecorded = None
        rng = random.Random(args.seed)  # noqa: S311 - damage, not secrets
        scene = Scene(None, Faults(rng), pace)
        scene.apply_script(args.scene)
        return Simulator(recording, scene, name=f"recording of {recording.model}")
    if args.model:
        raise ConfigError("--model belongs to --recording; take --profile otherwise")
    simulator = simulate(args.profile, pace=pace, seed=args.seed)
    scene = simulator.scene
    scene.physics.clock = _clock_now()
    scene.physics.settle()
    scene.apply_script(_script(args))
    return simulator


def _pace(args: argparse.Namespace) -> Pace:
    think = args.think
    if think is None:
        think = 0.0 if args.unpaced else THINK_S
    for name, value, least in (
        ("--baud", args.baud, 1),
        ("--think", think, 0),
        ("--jitter", args.jitter, 0),
        ("--chunk", args.chunk, 1),
    ):
        if not least <= value < 1e9:
            raise ConfigError(f"{name} {value:g} makes no sense: at least {least}")
    return Pace(args.baud, think, args.jitter, not args.unpaced, args.chunk)


async def _serve(
    args: argparse.Namespace,
    name: str,
    simulators: Sequence[Simulator],
    scene: ControlledScene,
) -> None:
    stop = asyncio.Event()
    async with AsyncExitStack() as stack:
        where = []
        for place, simulator in enumerate(simulators):
            where += await _open_ports(args, stack, simulator, place)
        if args.control:
            control = serve_control(scene, args.control, stop.set)
            await stack.enter_async_context(control)
        stack.enter_context(on_signals(stop.set))
        stack.callback(listen_on_stdin(scene, stop.set))
        print(  # noqa: T201 - whoever starts this waits for the line
            f"simulating {name} on {', '.join(where)} ({simulators[0].scene.pace})",
            file=sys.stderr,
            flush=True,
        )
        await stop.wait()


async def _open_ports(
    args: argparse.Namespace, stack: AsyncExitStack, simulator: Simulator, place: int
) -> list[str]:
    """Serve a unit; from the second on, paths and ports get a number."""
    where = []
    suffix = f".{place + 1}" if place else ""
    if args.pty:
        where.append(f"{args.pty}{suffix}")
        await stack.enter_async_context(serve_pty(simulator, where[-1]))
    if args.hid:
        path = f"{args.hid}{suffix}"
        where.append(f"{path} (HID)")
        await stack.enter_async_context(serve_pty(simulator, path, hid=True))
    if args.tcp:
        host, port = parse_address(args.tcp)
        server = serve_tcp(simulator, host, port + place if port else 0)
        served = await stack.enter_async_context(server)
        where.append(f"tcp://{served.host}:{served.port}")
    return where

"""`mppdbus replay`: answers like the inverter of a recording."""

import argparse
import asyncio
import tarfile
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from mppdbus.commands.output import DONE, Output
from mppdbus.errors import ConfigError
from mppdbus.host.signals import until_signal
from mppdbus.recording.journal import read
from mppdbus.recording.reply_quality import Quality
from mppdbus.simulator.line.simulator import Simulator
from mppdbus.simulator.line.speed import Pace
from mppdbus.simulator.ports.server import serve_pty, serve_tcp
from mppdbus.simulator.scene.control import Scene
from mppdbus.simulator.scene.control_server import parse_address
from mppdbus.simulator.unit.recording import Recording
from mppdbus.simulator.unit.recording import load as load_recording

PLAYED = (Quality.GOOD, Quality.ACK, Quality.NAK, Quality.SILENT)
NAMELESS = "unknown"  # the simulator's name for a model that is null


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add = parser.add_argument
    add(
        "file",
        type=Path,
        metavar="FILE",
        help="what `mppdbus record` or support-bundle wrote",
    )
    add("--model", metavar="NAME", help="which inverter of a file that has several")
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--pty", type=Path, metavar="PATH", help="be a serial port there"
    )
    where.add_argument(
        "--tcp", metavar="[HOST:]PORT", help="listen there (0: free one)"
    )
    add("--unpaced", action="store_true", help="answer at once, not at 2400 baud")
    add("--json", action="store_true", help="say as one object where it is")


async def run(args: argparse.Namespace) -> int:
    """Answer until a signal ends it; return 0."""
    recording = await asyncio.to_thread(_load, args.file, args.model)
    pace = Pace.instant() if args.unpaced else Pace()
    simulator = Simulator(recording, Scene(None, pace=pace), name=recording.model)
    await until_signal(_serve(simulator, args))
    return DONE


async def _serve(simulator: Simulator, args: argparse.Namespace) -> None:
    output = Output(as_json=args.json)
    async with AsyncExitStack() as stack:
        if args.tcp:
            address = parse_address(args.tcp)
            port = await stack.enter_async_context(serve_tcp(simulator, *address))
            where = f"tcp://{port.host}:{port.port}"
        else:
            path = args.pty
            if path is None:
                folder = stack.enter_context(TemporaryDirectory("-mppdbus"))
                path = Path(folder) / "inverter"
            await stack.enter_async_context(serve_pty(simulator, path))
            where = f"serial:{path}"
        text = f"{simulator.name} answers at {where}; Ctrl-C ends it"
        output.record({"model": simulator.name, "port": where}, text)
        await asyncio.Event().wait()


def _load(path: Path, model: str | None) -> Recording:
    """Load a recording, or the one in a bundle; raises `ConfigError`."""
    try:
        if not path.is_file() or not tarfile.is_tarfile(path):
            return load_replies(path, model)
        with tarfile.open(path) as bundle, TemporaryDirectory("-mppdbus") as folder:
            members = bundle.getmembers()
            inside = next(
                (m for m in members if m.name.endswith("/recording.jsonl")), None
            )
            body = bundle.extractfile(inside) if inside is not None else None
            if body is None:
                raise ConfigError(f"{path}: there is no recording in this bundle")
            unpacked = Path(folder) / path.name
            unpacked.write_bytes(body.read())
            return load_replies(unpacked, model)
    except (OSError, EOFError, tarfile.TarError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error


def load_replies(path: Path, model: str | None = None) -> Recording:
    """Return the replies of one inverter of a recording, NAK and silence included.

    Raises `ConfigError` as `recording.read` does, and when the model must be chosen.
    """
    entries = read(path)
    chosen = load_recording(path, model).model
    replies: dict[str, list[bytes]] = {}
    for entry in entries:
        if (entry.model or NAMELESS) == chosen and entry.quality in PLAYED:
            replies.setdefault(entry.command, []).append(entry.response)
    return Recording(chosen, replies)

"""What a measurement needs, each a process of its own: bus, inverter, service.

Everything runs from compiled modules, as it does where it is installed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mppdbus.commands.demo import BUS

HERE = Path(__file__).parent
PATIENCE = 20.0  # s; the machine may be busy

_CONFIG = """\
[dbus]
bus = "{address}"
[log]
level = "WARNING"
[[inverter]]
port = "serial:{pty}"
poll = {poll}
"""
Poll = float | str  # seconds, or "fast"


@dataclass(frozen=True, slots=True)
class Exchange:
    """A line of the inverter's log; `ended` is None without a reply."""

    asked: float
    ended: float | None
    command: str
    length: int


@dataclass(frozen=True, slots=True)
class Inverter:
    """A running inverter."""

    process: subprocess.Popen[bytes]
    pty: Path
    log: Path

    def mute(self) -> None:
        """Let it answer no more."""
        self.process.send_signal(signal.SIGUSR1)

    def exchanges(self) -> list[Exchange]:
        """Return what went over the line so far, oldest first."""
        rows = (line.split() for line in self.log.read_text().splitlines())
        return [
            Exchange(float(at), None if end == "-" else float(end), command, int(size))
            for at, end, command, size in (row for row in rows if len(row) == 4)
        ]


def compile_modules(folder: Path) -> None:
    """Let the start of a service not be the start after its installation."""
    names = "mppdbus.cli, mppdbus.commands.run, mppdbus.daemon.main"
    command = [sys.executable, "-c", f"import {names}"]
    subprocess.run(command, check=True, env=_environment(folder))


@contextmanager
def private_bus(folder: Path) -> Iterator[str]:
    """Run a bus of our own; yields its address."""
    socket, config = folder / "bus", folder / "bus.conf"
    config.write_text(BUS.format(socket=socket))
    command = ["dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile"]
    with _running(command, folder):
        _await(socket)
        yield f"unix:path={socket}"


@contextmanager
def inverter(
    folder: Path, jitter: float = 0.0, *, day: bool = False
) -> Iterator[Inverter]:
    """Run an inverter at 2400 baud that thinks for 60 ms, give or take `jitter`.

    Every value changes all the time, or, with `day`, as they do in a house.
    """
    pty, log = folder / "inverter", folder / "exchanges"
    pty.unlink(missing_ok=True)
    script, jitter_said = str(HERE / "paced.py"), f"--jitter={jitter}"
    command = [sys.executable, script, str(pty), str(log), jitter_said]
    command += ["--day"] * day
    with _running(command, folder) as it:
        _await(pty)
        yield Inverter(it, pty, log)
    pty.unlink(missing_ok=True)


@contextmanager
def service(
    kind: str, folder: Path, address: str, pty: Path, poll: Poll, *, more: str = ""
) -> Iterator[subprocess.Popen[bytes]]:
    """Run the daemon (kind "mppdbus") or the baseline (kind "proto").

    `more` are further lines of the daemon's inverter.
    """
    if kind == "proto":
        script = str(HERE / "proto.py")
        command = [sys.executable, script, address, str(pty), str(poll)]
    else:
        config = folder / "config.toml"
        said = f'"{poll}"' if isinstance(poll, str) else poll
        text = _CONFIG.format(address=address, pty=pty, poll=said)
        config.write_text(f"{text}{more}\n")
        command = [sys.executable, "-m", "mppdbus", "run", "--config", str(config)]
    with _running(command, folder) as it:
        yield it


@contextmanager
def echoes(folder: Path, address: str, services: Iterable[str]) -> Iterator[None]:
    """Run the publishers that say what `services` say, in other ways."""
    command = [sys.executable, str(HERE / "perpath.py"), address, *services]
    with _running(command, folder):
        yield


@contextmanager
def _running(command: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, env=_environment(folder)
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _environment(folder: Path) -> dict[str, str]:
    """Return ours, with places for compiled modules and for what the daemon keeps."""
    own = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "pyc")}
    return {**os.environ, **own, "MPPDBUS_STATE": str(folder / "state")}


def _await(path: Path) -> None:
    """Wait until `path` is there."""
    end = time.monotonic() + PATIENCE
    while not path.exists():
        if time.monotonic() > end:
            raise TimeoutError(f"{path.name} did not come up")
        time.sleep(0.01)

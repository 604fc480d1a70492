"""Who else has a port: read from /proc and from lock files, without opening it."""

# A scan reads thousands of links; with pathlib it takes three times as long.
# ruff: noqa: PTH115, PTH116, PTH119, PTH208

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

COMMAND_LENGTH = 120  # characters of a command line that a message shows


@dataclass(frozen=True, slots=True, order=True)
class Holder:
    """A process that has a port open or locked; `command` is one line."""

    pid: int
    command: str

    def __str__(self) -> str:
        return f"pid {self.pid} ({self.command})"


def holders(path: str, root: Path = Path("/")) -> list[Holder]:
    """Return the other processes that have the port at `path` open or locked.

    Scans /proc, so call it in a thread. Never raises: what may not be seen (processes
    of other users, unless we are root) is left out.
    """
    return all_holders([path], root)[path]


def all_holders(
    paths: Iterable[str], root: Path = Path("/")
) -> dict[str, list[Holder]]:
    """Return `holders` of each path, from a single scan of /proc."""
    real = {path: _resolve(path, root) for path in paths}
    pids: dict[str, set[int]] = {
        device: set(_lockers(device, root)) for device in real.values()
    }
    for pid in _other_processes(root):
        process = f"{root}/proc/{pid}"
        for device in _open_devices(process, pids.keys()):
            if not _serves(process, device):
                pids[device].add(pid)
    return {path: _described(pids[device], root) for path, device in real.items()}


def process(pid: int, root: Path = Path("/")) -> Holder:
    """Return a process by its number, with what was started."""
    return Holder(pid, _command(root / f"proc/{pid}") or "gone")


def held_by_us(path: str) -> bool:
    """Tell whether this very process has the device open."""
    device = os.path.realpath(path)
    return device in set(_open_devices("/proc/self", {device}))


def _described(pids: Iterable[int], root: Path) -> list[Holder]:
    found = ((pid, _command(root / f"proc/{pid}")) for pid in sorted(pids))
    return [Holder(pid, command) for pid, command in found if command]


def _resolve(path: str, root: Path) -> str:
    real = os.path.realpath(root / path.lstrip("/"))
    return "/" + os.path.relpath(real, os.path.realpath(root))


def _other_processes(root: Path) -> Iterator[int]:
    with suppress(OSError):
        for name in os.listdir(root / "proc"):
            if name.isdigit() and int(name) != os.getpid():
                yield int(name)


def _open_devices(process: str, wanted: Iterable[str]) -> Iterator[str]:
    """Yield those of the `wanted` devices that the process uses."""
    try:
        numbers = os.listdir(f"{process}/fd")
    except OSError:
        return
    for number in numbers:
        with suppress(OSError):
            device = os.readlink(f"{process}/fd/{number}")
            if device in wanted and _is_ours(f"{process}/fd/{number}", device):
                yield device


def _is_ours(opened: str, device: str) -> bool:
    """Tell whether an open file is our device, not one of that name in a container."""
    try:
        return os.path.samestat(os.stat(opened), os.stat(device))
    except OSError:
        return True  # it cannot be checked: better to warn


def _serves(process: str, device: str) -> bool:
    """Tell whether the process is the other end of a pseudo-terminal.

    A simulator keeps both ends open, so that clients may come and go.
    """
    if not device.startswith("/dev/pts/"):
        return False
    index = f"tty-index:\t{device.removeprefix('/dev/pts/')}\n"
    with suppress(OSError):
        for info in Path(f"{process}/fdinfo").iterdir():
            if index in info.read_text():  # only the controlling end has this line
                return True
    return False


def _lockers(device: str, root: Path) -> Iterator[int]:
    """Yield the living owners of the lock files of a device."""
    name = os.path.basename(device)
    claims = []
    with suppress(OSError):  # Venus OS: a link whose target is the pid
        claims.append(os.readlink(root / "var/lock/serial-starter" / name))
    for folder in ("var/lock", "run/lock"):
        with suppress(OSError):
            text = (root / folder / f"LCK..{name}").read_bytes()
            claims.append(text.decode("ascii", "replace"))
    for claim in claims:
        pid = next(iter(claim.split()), "")
        # A start script may have locked the port for us.
        if pid.isdigit() and int(pid) not in (os.getpid(), os.getppid()):
            yield int(pid)


def _command(process: Path) -> str:
    """Return the command line on one line; "" for a process that is no more."""
    with suppress(OSError):
        line = (process / "cmdline").read_bytes().decode("utf-8", "replace")
        words = " ".join(line.replace("\0", " ").split())
        if len(words) > COMMAND_LENGTH:
            words = words[: COMMAND_LENGTH - 1] + "…"
        return words or f"[{(process / 'comm').read_text().strip()}]"
    return ""

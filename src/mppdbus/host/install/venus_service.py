"""The service on Venus OS: is it up, start it, stop it, is it on the bus."""

import json
import os
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from mppdbus.errors import InstallError
from mppdbus.host.install import venus_paths as paths
from mppdbus.host.install.changes import InstallTarget, PlannedChange

FOUND_WITHIN = 15.0  # s; svscan looks every 5 s
PROVEN = 60.0  # s that a new release has to get on the bus
STEADY = 12.0  # s that it must have been up where it has no inverter to show
ENDLESS = 3  # processes of the service, one after the other, show that it fails
_UP = re.compile(r": up \(pid (\d+)\) (\d+) seconds")


@dataclass(frozen=True, slots=True)
class ServiceState:
    """What daemontools say: `pid` 0 if it is down, `seconds` since it is so."""

    pid: int = 0
    seconds: int = 0


def state_of(target: InstallTarget) -> ServiceState | None:
    """Return the state of the service, None if nobody supervises it."""
    with suppress(InstallError):
        said = target.read("svstat", str(target.at(paths.SERVICE)))
        if found := _UP.search(said):
            return ServiceState(int(found[1]), int(found[2]))
        if ": down" in said:
            return ServiceState()
    return None


def names_on_bus(target: InstallTarget, launcher: str) -> set[str] | None:
    """Return our names on the D-Bus, as a release sees them; None if it cannot."""
    with suppress(InstallError, ValueError, KeyError, TypeError):
        said = target.read(launcher, "status", "--json", "--bus-only", seconds=20)
        return set(json.loads(said.splitlines()[-1])["names"])
    return None


def start(target: InstallTarget) -> None:
    """Have the service run, anew if it ran; waits until svscan has found it."""
    service = str(target.at(paths.SERVICE))
    if target.find("svc") is None or not Path(service).is_dir():
        return
    if state_of(target) is None:  # it starts by itself
        wait_for(lambda: state_of(target) is not None, FOUND_WITHIN)
        return
    target.at(paths.STARTED).unlink(missing_ok=True)  # no pause before this start
    target.run("svc", "-t", service)
    target.run("svc", "-u", service)


def stop(target: InstallTarget) -> None:
    """Have the service end, and wait until it has."""
    service = str(target.at(paths.SERVICE))
    if state_of(target) is not None:
        target.run("svc", "-d", service)
        wait_for(lambda: not (state_of(target) or ServiceState()).pid, FOUND_WITHIN)


def wait_for(check: Callable[[], bool], seconds: float, pause: float = 0.2) -> bool:
    """Wait until `check` is true; return whether it was in time."""
    end = time.monotonic() + seconds
    while not check():
        if time.monotonic() > end:
            return False
        time.sleep(pause)
    return True


def proven(target: InstallTarget, launcher: str, wanted: set[str], old_pid: int) -> str:
    """Wait until a new release works; return "" or in words why it does not.

    `old_pid` is the process of the release before, which may take a moment to end. It
    works when all names that were on the bus before are there again; without any,
    when the service stays up.
    """
    seen = set[int]()  # the processes that it was so far

    def works() -> bool:
        state = state_of(target)
        if state is None or state.pid in (0, old_pid):
            return False
        seen.add(state.pid)
        if not wanted:
            return state.seconds >= STEADY
        names = names_on_bus(target, launcher)
        return names is not None and wanted <= names

    wait_for(lambda: works() or len(seen) >= ENDLESS, PROVEN, pause=1.0)
    if len(seen) >= ENDLESS:
        return "the service of the new release ends again and again"
    if works():
        return ""
    if wanted:
        missing = ", ".join(sorted(wanted))
        return f"{missing} did not come back on the D-Bus within {PROVEN:g} s"
    return f"the service did not stay up for {STEADY:g} s within {PROVEN:g} s"


@dataclass(frozen=True)
class RunningService(PlannedChange):
    """What an installation has in RAM; boot.sh puts it there, an uninstall removes it.

    `ttys` are the serial ports that go back to Venus OS, such as ttyUSB0.
    """

    ttys: list[str] = field(default_factory=list)

    def sentence(self) -> str:
        """Return "": boot.sh does it."""
        return ""

    def done(self, target: InstallTarget) -> bool:  # noqa: ARG002
        """Return True: boot.sh does it."""
        return True

    def make(self, target: InstallTarget) -> None:
        """Do nothing."""

    def undo_sentence(self) -> str:
        """Return what an uninstall does about it."""
        back = f", give {', '.join(self.ttys)} back to Venus OS" if self.ttys else ""
        return f"stop the service and remove {paths.SERVICE}{back}"

    def undone(self, target: InstallTarget) -> bool:
        """Tell whether nothing of it is there."""
        places = (paths.SERVICE, paths.RULES, paths.STARTED)
        return not any(os.path.lexists(target.at(path)) for path in places)

    def undo(self, target: InstallTarget) -> None:
        """Stop it, remove it, and give the serial ports back."""
        place = target.at(paths.SERVICE)
        if place.is_dir():
            # svscan no longer sees what begins with a dot; supervise goes on in it.
            gone = place.with_name(".mppdbus-gone")
            place.rename(gone)
            if target.find("svc"):
                target.run("svc", "-dx", str(gone))
                target.run("svc", "-dx", str(gone / "log"))
                wait_for(lambda: not _supervised(target, gone), FOUND_WITHIN)
            target.remove(f"{paths.SERVICE.rpartition('/')[0]}/.mppdbus-gone")
        target.remove(paths.STARTED)
        target.remove(paths.RULES)
        if target.find("udevadm"):
            target.run("udevadm", "control", "--reload")
        for tty in self.ttys:
            give_back(target, tty)


def _supervised(target: InstallTarget, place: Path) -> bool:
    return any(target.run("svok", str(p)) is None for p in (place, place / "log"))


def give_back(target: InstallTarget, tty: str) -> None:
    """Give a serial port back to Venus OS, if its lock is ours or of nobody alive."""
    lock = target.at(f"{paths.TTY_LOCKS}/{tty}")
    with suppress(OSError):
        owner = lock.readlink().name
        if target.at(f"/proc/{owner}").exists() and target.root == Path("/"):
            return
        lock.unlink()
    if target.find("udevadm"):
        words = ("trigger", "--action=add", f"--sysname-match={tty}")
        target.run("udevadm", *words)
    if target.find(paths.START_TTY):
        target.run(paths.START_TTY, tty, seconds=10)


def ports_of(target: InstallTarget) -> list[str]:
    """Return the ttys that the saved udev rules name."""
    with suppress(OSError):
        rules = target.at(paths.SAVED_RULES).read_text(encoding="utf-8")
        return re.findall(r"^# (tty\w+)", rules, re.MULTILINE)
    return []

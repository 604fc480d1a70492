"""mppdbus as a unit of systemd, on Debian, Raspberry Pi OS and the like."""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mppdbus.errors import InstallError
from mppdbus.host.install.changes import (
    InstallTarget,
    MakeLink,
    Plan,
    PlannedChange,
    RunProgram,
    Tell,
    WriteFile,
)

FILES = Path(__file__).parents[1] / "systemd"  # what is put on the machine
UNIT = "mppdbus.service"
USER = "mppdbus"
UNIT_FILE = f"/etc/systemd/system/{UNIT}"
DROP_IN = f"/etc/systemd/system/{UNIT}.d/install.conf"
WANTED = f"/etc/systemd/system/multi-user.target.wants/{UNIT}"
SYSUSERS = "/etc/sysusers.d/mppdbus.conf"
POLICY = "/etc/dbus-1/system.d/mppdbus.conf"
UDEV_RULE = "/etc/udev/rules.d/70-mppdbus.rules"
CONFIG = "/etc/mppdbus/config.toml"
STATE = "/var/lib/mppdbus"
RECORD = "/etc/mppdbus/made-by-install.json"
RUNNING = "/run/systemd/system"  # is there while systemd runs
START_S = 300.0  # s that a start may take, as in the unit
NEW_PLACE = (
    "sudo python3 -m venv /opt/mppdbus && sudo /opt/mppdbus/bin/pip install . && "
    "sudo /opt/mppdbus/bin/mppdbus install --systemd"
)
HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108 - no file
NETWORK_PORT = re.compile(r"""^[^#]*["'](tcp|rfc2217|socket)(://|:)""", re.MULTILINE)

NETWORK = """
# A port or the bus of the config is on the network.
PrivateNetwork=no
RestrictAddressFamilies=AF_INET AF_INET6
"""


@dataclass(frozen=True)
class SystemdInstaller:
    """Installs the unit for `python`, the interpreter that has mppdbus."""

    python: str = sys.executable

    def install(self, target: InstallTarget, tell: Tell, *, dry_run: bool) -> None:
        """Install, update or repair; raises `InstallError`."""
        if reason := why_hidden(self.python):
            raise InstallError(reason)
        _check_root(target, dry_run=dry_run)
        config = _read(target, CONFIG)
        count = self._plan(target, config).apply(target, tell, dry_run=dry_run)
        if not count:
            tell("all is as it should be")
        if config is None:
            tell(
                f"there is no {CONFIG} yet, and the service waits for it: "
                f"{self._command()} setup --install finds the inverter, writes it and "
                "starts the service"
            )
        if not _systemd_runs(target):
            tell("systemd does not run here: the service begins at the next boot")
        elif config is not None:
            tell("its log: journalctl -u mppdbus -f; how it does: systemctl status")

    def uninstall(
        self, target: InstallTarget, tell: Tell, *, purge: bool, dry_run: bool
    ) -> None:
        """Remove all; with `purge` also config and state; say what remains."""
        _check_root(target, dry_run=dry_run)
        self._plan(target, None).undo(target, tell, dry_run=dry_run)
        folders = [os.path.dirname(CONFIG), STATE]  # noqa: PTH120
        left = [path for path in folders if target.at(path).exists()]
        for path in left if purge else ():
            tell(f"remove {path}")
            if not dry_run:
                target.remove(path)
        known = f"{USER}:" in (_read(target, "/etc/passwd") or "")
        if purge and known and _systemd_runs(target):
            tell(f"run userdel {USER}")
            trouble = None if dry_run else target.run("userdel", USER)
            known = trouble is not None
        remains = [] if purge else left
        remains += [f"the user {USER} (userdel {USER})"] if known else []
        remains.append(f"the program itself, in {sys.prefix}")
        tell(f"what remains: {', '.join(remains)}")

    def _command(self) -> str:
        """Return what to type for `mppdbus`: it is beside its interpreter."""
        beside = Path(self.python).with_name("mppdbus")
        return str(beside) if beside.exists() else "mppdbus"

    def _plan(self, target: InstallTarget, config: str | None) -> Plan:
        """Return all changes, in their order; some are undone before others."""
        runs = _systemd_runs(target)
        files = [
            *_sourced(SYSUSERS, "mppdbus-sysusers.conf", "the user of the service"),
            *_sourced(POLICY, "mppdbus-dbus.conf", "what it may own on the D-Bus"),
            *_sourced(UDEV_RULE, "mppdbus-udev.rules", "inverters at USB-HID"),
            *_sourced(UNIT_FILE, UNIT, "the service"),
            WriteFile(DROP_IN, self._drop_in(config or ""), "what differs here"),
            MakeLink(WANTED, UNIT_FILE, "so that it starts at each boot"),
        ]
        changed = not all(change.done(target) for change in files)
        before = [RunProgram(words, "", undo_words=undo) for words, undo in _AFTER_UNDO]
        after = [RunProgram(words, why, needed=needed) for words, why, needed in _MAKE]
        how = "restart" if changed else "start"
        service = ServiceRuns(how if config is not None else "")
        changes: list[PlannedChange] = [*files]
        if runs:
            changes = [*before, *files, *after, service]
        return Plan(changes, RECORD)

    def _drop_in(self, config: str) -> bytes:
        words = [self.python, "-I", "-X", "faulthandler", "-m", "mppdbus"]
        words += ["run", "--config", CONFIG]
        lines = [
            "# Written by `mppdbus install`, which is to be run again when the program",
            "# is elsewhere, or when the config gets its first port on the network.",
            "[Service]",
            "ExecStart=",
            f"ExecStart={' '.join(map(_quoted, words))}",
        ]
        text = "\n".join(lines) + "\n"
        return (text + (NETWORK if NETWORK_PORT.search(config) else "")).encode()


@dataclass(frozen=True)
class ServiceRuns(PlannedChange):
    """The service runs; `how` is "start", "restart" for what is new, "" for not yet."""

    how: str

    def sentence(self) -> str:
        """Return what it does, for people."""
        return f"run systemctl {self.how} {UNIT}"

    def done(self, target: InstallTarget) -> bool:
        """Tell whether it runs, as it is now."""
        return not self.how or (self.how == "start" and self._active(target))

    def make(self, target: InstallTarget) -> None:
        """Start it; raises `InstallError` if it does not stay."""
        if trouble := target.run("systemctl", self.how, UNIT, seconds=START_S):
            raise InstallError(
                f"{trouble}; it is installed, but does not run: see journalctl -u "
                f"mppdbus -n 20, and check the config: mppdbus check-config {CONFIG}"
            )

    def undo_sentence(self) -> str:
        """Return what an uninstall does about it."""
        return f"run systemctl stop {UNIT}"

    def undone(self, target: InstallTarget) -> bool:
        """Tell whether it does not run."""
        return not self._active(target)

    def undo(self, target: InstallTarget) -> None:
        """Stop it; raises `InstallError` if it goes on."""
        if trouble := target.run("systemctl", "stop", UNIT, seconds=60):
            raise InstallError(trouble)

    @staticmethod
    def _active(target: InstallTarget) -> bool:
        return target.run("systemctl", "is-active", "--quiet", UNIT) is None


def unit_state(target: InstallTarget) -> dict[str, Any]:
    """Return what systemd says of the unit, for `mppdbus status`.

    `state` is a word of systemd such as "active", "" where it cannot be asked; `says`
    what each inverter does; `pid` is 0 while it does not run.
    """
    names = ("ActiveState", "StatusText", "MainPID", "NRestarts", "UnitFileState")
    said = dict[str, str]()
    with suppress(InstallError):
        words = ("systemctl", "show", UNIT, f"--property={','.join(names)}")
        pairs = (line.partition("=") for line in target.read(*words).splitlines())
        said = {name: value for name, _, value in pairs}
    return {
        "state": said.get("ActiveState", ""),
        "says": said.get("StatusText", ""),
        "pid": int(said.get("MainPID") or 0),
        "restarts": int(said.get("NRestarts") or 0),
        "at_boot": said.get("UnitFileState", "") == "enabled",
        "config": CONFIG if target.at(CONFIG).exists() else None,
    }


# Programs that make the files known: what is run, why, and whether it must work.
_MAKE = (
    (("systemd-sysusers", SYSUSERS), f"creates the user {USER}", True),
    (("systemctl", "reload", "dbus"), "it reads the policy, with that user", False),
    (("udevadm", "control", "--reload"), "it reads the rule", False),
    (("udevadm", "trigger", "--subsystem-match=hidraw"), "the rule is applied", False),
    (("systemctl", "daemon-reload"), "systemd reads the unit", False),
)
# The same after an uninstall, the last one first.
_AFTER_UNDO: tuple[tuple[Sequence[str], Sequence[str]], ...] = (
    ((), ("systemctl", "reload", "dbus")),
    ((), ("udevadm", "control", "--reload")),
    ((), ("systemctl", "daemon-reload")),
)


def why_hidden(python: str) -> str:
    """Return why a service cannot use this interpreter; "" if it can.

    The service has a user of its own, and sees neither the homes nor our /tmp.
    """
    package = Path(__file__).parents[2]
    places = [Path(python), Path(python).resolve(), Path(sys.base_prefix), package]
    for place in places:
        for folder in (place, *place.parents):
            if str(folder) in HIDDEN or not _open_to_all(folder):
                return (
                    f"{place} is in {folder}, which a service does not see; install "
                    f"mppdbus elsewhere, from its source: {NEW_PLACE}"
                )
    return ""


def _open_to_all(folder: Path) -> bool:
    return not folder.is_dir() or bool(folder.stat().st_mode & 0o001)


def _check_root(target: InstallTarget, *, dry_run: bool) -> None:
    if os.geteuid() != 0 and not dry_run and target.root == Path("/"):
        raise InstallError("only root may do that: write sudo before the command")


def _systemd_runs(target: InstallTarget) -> bool:
    """Tell whether systemd runs here, and not only in what is to be booted later."""
    return target.at(RUNNING).is_dir()


def _sourced(path: str, source: str, why: str) -> Iterator[WriteFile]:
    """Yield the change that puts one of `FILES` in its place."""
    yield WriteFile(path, (FILES / source).read_bytes(), why)


def _read(target: InstallTarget, path: str) -> str | None:
    try:
        return target.at(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def _quoted(word: str) -> str:
    """Return a word as systemd reads it in ExecStart=."""
    escaped = word.replace("%", "%%")
    return f'"{escaped}"' if " " in word else escaped

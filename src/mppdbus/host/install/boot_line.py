"""Our one line in /data/rcS.local, which Venus OS runs at each boot.

All other bytes stay as they are. The line comes first, so that neither a script that
fails nor an `exit` before it can keep it from running; it runs in the background, so
that it cannot hold up the others.
"""

import os
from dataclasses import dataclass

from mppdbus.errors import InstallError
from mppdbus.host.install.changes import InstallTarget, PlannedChange
from mppdbus.host.install.venus_paths import BOOT, BOOT_SCRIPT, LATE_BOOT_SCRIPT

MARK = b"# added by mppdbus"
MADE = b", which made this file"
LINE = f"[ -x {BOOT} ] && {BOOT} boot >/dev/null 2>&1 & ".encode() + MARK
NEW_FILE = b"#!/bin/sh\n" + LINE + MADE + b"\n"


def with_line(script: bytes) -> bytes:
    """Return a script with our line, after the line that says which shell runs it."""
    script = without_line(script)
    if not script.startswith(b"#!"):
        return LINE + b"\n" + script
    first, newline, rest = script.partition(b"\n")
    return first + b"\n" + LINE + (newline + rest if newline else b"")


def without_line(script: bytes) -> bytes:
    """Return a script as it was without us."""
    lines = script.split(b"\n")
    kept = [line for line in lines if MARK not in line]
    return b"\n".join(kept)


def usable(target: InstallTarget, path: str) -> bool:
    """Tell whether Venus OS runs a script, and as a shell would: or it is not there."""
    place = target.at(path)
    if not os.path.lexists(place):
        return True
    if place.is_symlink():
        return False  # it belongs to somebody who expects it to stay one
    try:
        first = place.read_bytes().split(b"\n")[0]
    except OSError:
        return False
    runs = bool(place.stat().st_mode & 0o111)
    return runs and (not first.startswith(b"#!") or b"sh" in first)


@dataclass(frozen=True)
class BootLine(PlannedChange):
    """The line in the first of the two start-up scripts that can be used."""

    def sentence(self) -> str:
        """Return what it does, for people."""
        return f"add a line to {BOOT_SCRIPT}: the service comes back at each boot"

    def _path(self, target: InstallTarget) -> str:
        for path in (BOOT_SCRIPT, LATE_BOOT_SCRIPT):
            if usable(target, path):
                return path
        raise InstallError(
            f"{BOOT_SCRIPT} and {LATE_BOOT_SCRIPT} are there, but Venus OS cannot run "
            f"them as shell scripts; make one executable: chmod +x {BOOT_SCRIPT}"
        )

    def done(self, target: InstallTarget) -> bool:
        """Tell whether the line is there, as it is today."""
        path = self._path(target)
        return LINE in _read(target, path)

    def make(self, target: InstallTarget) -> None:
        """Add the line; the mode of a script that is there stays."""
        path = self._path(target)
        place = target.at(path)
        if not place.exists():
            target.write(path, NEW_FILE, 0o755)
            return
        status = place.stat()
        script = place.read_bytes()
        made = script == _old_new_file(script)
        target.write(
            path, NEW_FILE if made else with_line(script), status.st_mode & 0o7777
        )
        os.chown(place, status.st_uid, status.st_gid)

    def undo_sentence(self) -> str:
        """Return what an uninstall does about it."""
        return f"remove our line from {BOOT_SCRIPT}"

    def undone(self, target: InstallTarget) -> bool:
        """Tell whether the line is gone from both scripts."""
        return not any(
            MARK in _read(target, p) for p in (BOOT_SCRIPT, LATE_BOOT_SCRIPT)
        )

    def undo(self, target: InstallTarget) -> None:
        """Remove the line, and a file that holds nothing but what we put there."""
        for path in (BOOT_SCRIPT, LATE_BOOT_SCRIPT):
            script = _read(target, path)
            if MARK not in script:
                continue
            if script == _old_new_file(script):
                target.remove(path)
                continue
            status = target.at(path).stat()
            target.write(path, without_line(script), status.st_mode & 0o7777)
            os.chown(target.at(path), status.st_uid, status.st_gid)


def _old_new_file(script: bytes) -> bytes:
    """Return the script if it is one that we made, of whatever version; else b""."""
    lines = script.split(b"\n")
    ours = (
        len(lines) == 3
        and lines[0] == b"#!/bin/sh"
        and lines[1].endswith(MARK + MADE)
        and not lines[2]
    )
    return script if ours else b""


def _read(target: InstallTarget, path: str) -> bytes:
    try:
        return target.at(path).read_bytes()
    except OSError:
        return b""

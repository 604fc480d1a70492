"""Venus OS's serial-starter: keeps it off the serial ports of our inverters.

serial-starter probes each adapter with one program after the other, at other speeds.
We use what it offers: the udev property VE_SERVICE="ignore" for exactly our adapters,
its script stop-tty.sh, and its lock, a link to the process that has the port. All of
this blocks for seconds at most: call it in a thread. Where there is no serial-starter,
nothing is done.
"""

import logging
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from mppdbus.host.install import venus_paths as paths

LONGEST = 5.0  # s that stop-tty.sh may take; the image has no `timeout`
PATIENCE = 3.0  # s that the holder of a lock has to end
BY_SERIAL = ("ID_VENDOR_ID", "ID_MODEL_ID", "ID_SERIAL_SHORT", "ID_USB_INTERFACE_NUM")
_TTY = re.compile(r"tty[A-Za-z]+\d+")
_ENTRY = re.compile(r"# (tty\w+) (\S+)\n(.*)\n")

log = logging.getLogger("mppdbus.serial_starter")


def claim(path: str, root: Path = Path("/")) -> None:
    """Take a serial port from serial-starter and keep it; never raises."""
    stop = _at(root, paths.STOP_TTY)
    tty = _tty_of(path)
    if not tty or not stop.exists():
        return
    lock = _at(root, paths.TTY_LOCKS) / tty
    if _owner(lock) == os.getpid():
        return
    try:
        _remember(root, path, tty)
        _stop(stop, tty)
        (_at(root, paths.STARTER_LINKS) / tty).unlink(missing_ok=True)
        lock.parent.mkdir(parents=True, exist_ok=True)
        _take(lock, root)
    except OSError as error:
        log.warning("%s cannot be taken from serial-starter: %s", tty, error)


def forget_all_but(configured: Iterable[str], root: Path = Path("/")) -> None:
    """Drop the rules of adapters that the config no longer names; never raises."""
    entries = _entries(root)
    kept = {path: entries[path] for path in entries if path in set(configured)}
    if kept != entries:
        with suppress(OSError):
            _write(root, kept)


def _at(root: Path, path: str) -> Path:
    return root / path.lstrip("/")


def _tty_of(path: str) -> str:
    """Return the tty that a port leads to, "" for what serial-starter never has."""
    names = (Path(path).name, Path(os.path.realpath(path)).name)
    return next((name for name in names if _TTY.fullmatch(name)), "")


def _owner(lock: Path) -> int:
    with suppress(OSError):
        name = lock.readlink().name
        return int(name) if name.isdigit() else 0
    return 0


def _stop(script: Path, tty: str) -> None:
    """Run stop-tty.sh for this port alone; end it when it takes too long."""
    running = subprocess.Popen(  # noqa: S603 - Venus OS's own
        [script, tty],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        running.wait(LONGEST)
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        log.warning("stop-tty.sh %s did not end within %g s", tty, LONGEST)


def _take(lock: Path, root: Path) -> None:
    """Make the lock ours, unless a living process keeps it."""
    end = time.monotonic() + PATIENCE
    while (owner := _owner(lock)) and (root / f"proc/{owner}").exists():
        if time.monotonic() > end:
            log.warning("%s is locked by process %d", lock.name, owner)
            return
        time.sleep(0.1)
    lock.unlink(missing_ok=True)
    lock.symlink_to(str(os.getpid()))
    log.info("%s is ours, not serial-starter's", lock.name)


def _remember(root: Path, path: str, tty: str) -> None:
    """Keep the rule of this adapter for the next boot, and make it known now."""
    rule = _rule(root, path)
    entries = _entries(root)
    if not rule or entries.get(path) == (tty, rule):
        return
    _write(root, {**entries, path: (tty, rule)})


def _write(root: Path, entries: dict[str, tuple[str, str]]) -> None:
    text = "".join(f"# {tty} {path}\n{rule}\n" for path, (tty, rule) in entries.items())
    for name in (paths.SAVED_RULES, paths.RULES):
        place = _at(root, name)
        place.parent.mkdir(parents=True, exist_ok=True)
        new = place.with_name(place.name + ".mppdbus-new")
        new.write_text(text, encoding="utf-8")
        new.replace(place)
    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(["udevadm", "control", "--reload"], check=False, timeout=LONGEST)  # noqa: S607


def _entries(root: Path) -> dict[str, tuple[str, str]]:
    """Return what is kept: path in the config → its tty then, and its rule."""
    with suppress(OSError, ValueError):
        text = _at(root, paths.SAVED_RULES).read_text(encoding="utf-8")
        return {path: (tty, rule) for tty, path, rule in _ENTRY.findall(text)}
    return {}


def _rule(root: Path, path: str) -> str:
    """Return the udev rule for exactly this adapter, "" where udev knows nothing.

    A serial number is the adapter's own; without one, its socket names it.
    """
    try:
        number = _at(root, path).stat().st_rdev
        name = f"run/udev/data/c{os.major(number)}:{os.minor(number)}"
        lines = (root / name).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    known = dict(line[2:].split("=", 1) for line in lines if line.startswith("E:"))
    by_serial = (
        "ID_VENDOR_ID",
        "ID_MODEL_ID",
        "ID_SERIAL_SHORT",
        "ID_USB_INTERFACE_NUM",
    )
    names = by_serial if known.get("ID_SERIAL_SHORT") else ("ID_PATH",)
    matches = [f'ENV{{{name}}}=="{known[name]}"' for name in names if known.get(name)]
    if not matches or '"' in "".join(known.get(name, "") for name in names):
        return ""
    start = ['ACTION!="remove"', 'SUBSYSTEM=="tty"']
    return ", ".join([*start, *matches, 'ENV{VE_SERVICE}="ignore"'])

"""Gathers facts of the machine from files below `root`: programs, disk, start scripts.

All functions block for some milliseconds: call them in a thread. They never raise.
"""

import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from mppdbus.config.models import load
from mppdbus.control.journal import MOST_A_DAY, Journal
from mppdbus.doctor.facts import HostFacts
from mppdbus.errors import ConfigError, NotWritten
from mppdbus.host.ports import PortVerdict, candidates
from mppdbus.host.usb_adapters import GENERIC_ADAPTERS

# At the start: the sudo or the shell that waits for a daemon is no second one.
OUR_RUN = re.compile(
    r"(\S*python\S* (\S+ ){0,8}?)?(\S*/)?mppdbus(\s|/__main__\.py\s)(.*\s)?run\b"
)
# The program, its script or its module; not what stands behind these.
DRIVERS = re.compile(
    r"(\S+ ){0,2}(\S*/)?(start-)?"
    r"(dbus-mppsolar|dbus_mppsolar|mpp-solar|mppsolar|inverter_poller|solpiplog)"
)
PLACES = (
    *("data/dbus-mppsolar*", "data/etc/dbus-mppsolar*", "opt/victronenergy/*mppsolar*"),
    *("opt/victronenergy/service/*mppsolar*", "data/apps/enabled/*mppsolar*"),
    *(
        "opt/victronenergy/service-templates/*mppsolar*",
        "etc/systemd/system/*mpp*solar*",
    ),
)
BRLTTY = ("usr/bin/brltty", "bin/brltty", "sbin/brltty", "usr/sbin/brltty")
APP = "data/apps/available/mppdbus"
ENABLED = "data/apps/enabled/mppdbus"
SERVICE = "service/mppdbus"
UNITS = ("etc/systemd/system/mppdbus.service", "lib/systemd/system/mppdbus.service")
HOOKS = ("data/rcS.local", "data/rc.local")
CONFIGS = ("data/conf/mppdbus/config.toml", "etc/mppdbus/config.toml")


def find_config(root: Path = Path("/")) -> Path:
    """Return the config of this folder, of Venus OS or of Debian; the first there is.

    Without any, the place where it belongs.
    """
    here = Path("config.toml")
    places = [here, *(root / place for place in CONFIGS)]
    found = next((place for place in places if _exists(place)), None)
    return found or (places[1] if _exists(root / "opt/victronenergy") else here)


def look_at_host(
    config: Path | None,
    state: Path,
    root: Path = Path("/"),
    now: datetime | None = None,
) -> HostFacts:
    """Return the facts; `config` None: none is wanted. `now` is for tests."""
    venus = _exists(root / "opt/victronenergy")
    facts = HostFacts(venus=venus, year=(now or datetime.now().astimezone()).year)
    facts = replace(facts, **_config(config), **_programs(config, root))
    facts = replace(facts, **_service(root), **_usb(root), **_disk(state))
    facts = replace(facts, used_up=_used_up(state, now or datetime.now().astimezone()))
    with suppress(IndexError, ValueError):
        facts = replace(facts, load=float(_text(root / "proc/loadavg").split()[1]))
    return facts


# -- config --------------------------------------------------------------------------


def _config(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    if not _exists(path):
        return {"config": str(path), "config_missing": True}
    try:
        load(path)
    except ConfigError as error:
        lines = str(error).replace(f"{path}: ", "").splitlines()
        return {"config": str(path), "config_errors": tuple(lines[:3])}
    return {"config": str(path)}


# -- programs ------------------------------------------------------------------------


def _programs(config: Path | None, root: Path) -> dict[str, Any]:
    """Find the processes of ours with this config, and those of other drivers."""
    ours, others = [], []
    for pid, line in _processes(root):
        if OUR_RUN.match(line):
            if config and _config_of(pid, line, root) == _real(config):
                ours.append(pid)
        elif DRIVERS.match(line):
            others.append(f"pid {pid} ({line[:80]})")
    found = sorted(path for place in PLACES for path in _glob(root, place))
    installed = tuple(f"/{os.path.relpath(path, root)}" for path in found)
    return {
        "daemons": tuple(sorted(ours)),
        "drivers": tuple(others),
        "installed": installed,
    }


def _processes(root: Path) -> Iterator[tuple[int, str]]:
    """Yield each other process with its command line."""
    with suppress(OSError):
        for entry in (root / "proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                with suppress(OSError):
                    line = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
                    yield int(entry.name), line.decode("utf-8", "replace").strip()


def _config_of(pid: int, line: str, root: Path) -> str:
    """Return the config that a process of ours has, from its arguments."""
    words = line.partition(" run")[2].split()
    files = [word for word in words if word.endswith(".toml")]
    with suppress(OSError):
        folder = (root / f"proc/{pid}/cwd").readlink()
        return _real(folder / (files[0] if files else "config.toml"))
    return files[0] if files else ""


def _real(path: Path) -> str:
    return os.path.realpath(path)


# -- how it is started ---------------------------------------------------------------


def _service(root: Path) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    if any(_exists(root / unit) for unit in UNITS):
        facts["unit"] = "systemd"
    if _exists(root / SERVICE):
        facts["unit"] = "daemontools"
        if _exists(root / SERVICE / "down"):
            facts["switched_off"] = f"/{SERVICE}/down is there"
    if not _exists(root / APP):
        return facts
    if not os.path.lexists(root / ENABLED):
        return facts | {"switched_off": f"/{ENABLED} was removed"}
    texts = {hook: _text(root / hook) for hook in HOOKS}
    disabled = [f"{hook}.disabled" for hook in HOOKS]
    if not any("mppdbus" in text for text in texts.values()):
        ours = (one for one in disabled if "mppdbus" in _text(root / one))
        if found := next(ours, ""):
            facts["hook_disabled"] = f"/{found}"
        else:
            facts["hook_missing"] = True
    return facts


# -- USB, disk -----------------------------------------------------------------------


def _usb(root: Path) -> dict[str, Any]:
    """Find serial adapters that got no port, and whether there is any port at all."""
    without = []
    with suppress(OSError):
        for device in sorted((root / "sys/bus/usb/devices").iterdir()):
            vendor, product = (_text(device / f"id{x}") for x in ("Vendor", "Product"))
            chip = GENERIC_ADAPTERS.get(f"{vendor.strip()}:{product.strip()}")
            if chip and not _glob(device, "*/tty*"):
                without.append(f"{chip} {vendor.strip()}:{product.strip()}")
    ports = [one for one in candidates(root) if one.verdict is not PortVerdict.FOREIGN]
    rules = _glob(root, "usr/lib/udev/rules.d/*brltty*")
    return {
        "adapters": tuple(without),
        "brltty": bool(rules) or any(_exists(root / place) for place in BRLTTY),
        "no_ports": not any(port.usb_id for port in ports),
    }


def _disk(state: Path) -> dict[str, Any]:
    there = next((one for one in (state, *state.parents) if _exists(one)), state)
    facts: dict[str, Any] = {"disk": str(there)}
    with suppress(OSError):
        usage = shutil.disk_usage(there)
        facts["free_mb"] = usage.free / 1e6 if usage.total else None
    if not os.access(there, os.W_OK):
        facts["unwritable"] = f"{there} cannot be written by this user"
    return facts


def _used_up(state: Path, now: datetime) -> tuple[str, ...]:
    """Return the settings of which the journal has as many writes as a day allows."""
    today = now.date().isoformat()
    counts = Counter[tuple[str, str]]()
    with suppress(NotWritten):
        counts.update(
            (write.setting, write.unit)
            for write in Journal(state).writes()
            if write.time.startswith(today)
        )
    return tuple(
        f"{setting} of {unit}: {count} writes today, {MOST_A_DAY} is the most"
        for (setting, unit), count in sorted(counts.items())
        if count >= MOST_A_DAY
    )


def _glob(folder: Path, pattern: str) -> list[Path]:
    with suppress(OSError):
        return list(folder.glob(pattern))
    return []


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _text(file: Path) -> str:
    with suppress(OSError):
        return file.read_bytes().decode("utf-8", "replace")
    return ""

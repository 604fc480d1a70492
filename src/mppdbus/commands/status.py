"""`mppdbus status`: is the service up, since when, and what of it is on the bus."""

import argparse
import asyncio
from contextlib import suppress
from typing import Any

from mppdbus import __version__
from mppdbus.commands.install_arguments import add_root_argument, target_of
from mppdbus.commands.output import DONE, SAID_NO, Output
from mppdbus.errors import MppdbusError
from mppdbus.host.install import venus_paths as paths
from mppdbus.host.install import venus_service
from mppdbus.host.install.changes import InstallTarget
from mppdbus.host.install.installer import is_venus
from mppdbus.host.install.systemd import CONFIG, UNIT_FILE, unit_state
from mppdbus.host.install.update import current, previous


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add = parser.add_argument
    add("--json", action="store_true", help="as one line of JSON")
    add("--bus-only", action="store_true", help="only our names on the D-Bus")
    add_root_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Print the status; return 1 unless the service is up and on the bus."""
    target = target_of(args)
    names = asyncio.run(_names(_bus_of(target)))
    out = Output(as_json=args.json)
    if args.bus_only:
        out.record({"names": names}, "\n".join(names or ["(nothing)"]))
        return DONE
    facts: dict[str, Any] = {"version": __version__}
    if is_venus(target):
        facts |= _facts(target)
    elif target.at(UNIT_FILE).exists():
        facts |= unit_state(target)
    facts["names"] = names
    out.record(facts, "\n".join(_lines(facts)))
    return DONE if names and facts.get("pid", 1) else SAID_NO


def _facts(target: InstallTarget) -> dict[str, Any]:
    state = venus_service.state_of(target)
    disabled = (f"{path}.disabled" for path in (paths.BOOT_SCRIPT, "/data/rc.local"))
    return {
        "release": current(target),
        "previous": previous(target),
        "enabled": target.at(paths.ENABLED).exists(),
        "supervised": state is not None,
        "pid": state.pid if state else 0,
        "seconds": state.seconds if state else 0,
        "config": paths.CONFIG if target.at(paths.CONFIG).exists() else None,
        "scripts_disabled": [path for path in disabled if target.at(path).exists()],
    }


def _lines(facts: dict[str, Any]) -> list[str]:
    """Return the status in words."""
    lines = [f"mppdbus {facts['version']}"]
    if "state" in facts:
        lines.append(_unit_line(facts))
    if "enabled" in facts:
        lines.append(_service_line(facts))
        if facts["previous"]:
            lines.append(f"before: {facts['previous']} (mppdbus rollback)")
        if not facts["config"]:
            lines.append("no config yet: mppdbus setup writes it")
        lines += [
            f"{path}: the start-up scripts were switched off in the GUI"
            for path in facts["scripts_disabled"]
        ]
    names = facts["names"]
    if names is None:
        lines.append("the D-Bus cannot be reached: mppdbus doctor says why")
    else:
        lines.append(f"on the D-Bus: {', '.join(names) or 'nothing'}")
    return lines


def _unit_line(facts: dict[str, Any]) -> str:
    if not facts["config"]:
        return f"the service waits for {CONFIG}: mppdbus setup --install writes it"
    state = facts["state"] or "not known to systemd here"
    says = f": {facts['says']}" if facts["says"] else ""
    return f"the service is {state}{says}"


def _service_line(facts: dict[str, Any]) -> str:
    if not facts["release"]:
        return "not installed: mppdbus install does it"
    if not facts["enabled"]:
        return f"{facts['release']} is switched off: mppdbus enable switches it on"
    if facts["pid"]:
        return f"{facts['release']} is up since {facts['seconds']} s"
    if facts["supervised"]:
        return f"{facts['release']} is down: mppdbus restart, mppdbus logs"
    return f"{facts['release']} is not started: mppdbus restart"


def _bus_of(target: InstallTarget) -> str:
    """Return the bus of the installed config, else the system's."""
    try:
        from mppdbus.config.models import load  # noqa: PLC0415 - may not be importable

        config = paths.CONFIG if is_venus(target) else CONFIG
        return load(target.at(config)).dbus.bus
    except (ImportError, MppdbusError, OSError):
        return "system"


async def _names(bus: str) -> list[str] | None:
    """Return our names on the bus, None where it cannot be asked."""
    with suppress(ImportError, MppdbusError, OSError, TimeoutError):
        from mppdbus.venus.dbus.names import list_names  # noqa: PLC0415

        names = await list_names(bus)
        ours = (n for n in names if n.startswith("com.victronenergy."))
        return sorted(name for name in ours if "mppdbus" in name)
    return None

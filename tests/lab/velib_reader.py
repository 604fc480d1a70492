"""Reads services as Victron's Python programs do; runs under REALSTACK_PYTHON.

    velib_reader.py SERVICE …

Prints "ready", follows the services until a line comes on stdin, and prints as JSON
what each client then holds: `monitor` (DbusMonitor), `import` (VeDbusItemImport).
"""

# ruff: noqa: E402 - the libraries lie where REALSTACK_SRC says
# mypy: ignore-errors

import json
import os
import sys
from pathlib import Path

sys.path.insert(1, str(Path(os.environ["REALSTACK_SRC"]) / "velib_python"))

import dbus
from dbus.mainloop.glib import DBusGMainLoop
from gi.repository import GLib

DBusGMainLoop(set_as_default=True)

from dbusmonitor import DbusMonitor
from ve_utils import unwrap_dbus_value
from vedbus import VeDbusItemImport

WATCHED = {"code": None, "whenToLog": "configChange", "accessLevel": None}


def main() -> None:
    """Follow the services until told to say what is held."""
    services = sys.argv[1:]
    bus = dbus.SessionBus()
    paths = {service: list_paths(bus, service) for service in services}
    changes = dict.fromkeys(services, 0)

    def changed(service: str, *_rest: object) -> None:
        changes[service] += 1

    tree = {kind(s): dict.fromkeys(found, WATCHED) for s, found in paths.items()}
    monitor = DbusMonitor(tree, valueChangedCallback=changed)
    items = {
        service: {path: VeDbusItemImport(bus, service, path) for path in found}
        for service, found in paths.items()
    }
    loop = GLib.MainLoop()
    GLib.io_add_watch(sys.stdin.fileno(), GLib.IO_IN, lambda *_: loop.quit())
    print("ready", flush=True)
    loop.run()
    held = {
        service: {
            "changes": changes[service],
            "monitor": {p: monitor.get_value(service, p) for p in found},
            "import": {p: item.get_value() for p, item in items[service].items()},
            "text": {p: item.get_text() for p, item in items[service].items()},
        }
        for service, found in paths.items()
    }
    print(json.dumps(held), flush=True)


def kind(service: str) -> str:
    """Return com.victronenergy.multi of com.victronenergy.multi.anything."""
    return ".".join(service.split(".")[:3])


def list_paths(bus: dbus.Bus, service: str) -> list[str]:
    """Return the paths of a service."""
    items = bus.call_blocking(
        service, "/", "com.victronenergy.BusItem", "GetItems", "", []
    )
    return [unwrap_dbus_value(path) for path in items]


main()

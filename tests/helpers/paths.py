"""What Victron's programs read of a service, as far as their sources tell."""

from __future__ import annotations

import csv
import re

from helpers.places import TESTS

TABLE = (TESTS / "data/venus_paths.csv").read_text()
NEEDS = list(csv.DictReader(TABLE.splitlines()))
BY_PATH = {(row["service"], row["path"]): row for row in NEEDS}
OWN = "/Mppdbus/"
_PATTERNS = (
    (re.compile(r"^/(GenericInput|SwitchableOutput)/\w+/"), r"/\1/{id}/"),
    (re.compile(r"^/Devices/\d+/"), "/Devices/{n}/"),
)
READERS = {
    "gui-v2": "gui-v2",
    "systemcalc": "systemcalc",
    "modbus": "Modbus TCP",
    "platform": "venus-platform",
    "generator": "generator start/stop",
    "node-red": "Node-RED",
    "velib": "velib",
}


def pattern(path: str) -> str:
    """Return a path with what is free in it as `{id}` or `{n}`."""
    for free, name in _PATTERNS:
        path = free.sub(name, path)
    return path


def known(service: str, path: str) -> dict[str, str] | None:
    """Return what is known of a path of ours: its type, need and readers."""
    return BY_PATH.get((service, pattern(path.replace("{phase}", "L1"))))


def readers(service: str, path: str) -> str:
    """Return who reads a path, in words."""
    row = known(service, path)
    if path.startswith(OWN):
        return "you: diagnostics"
    words = row["readers"].split() if row else []
    return ", ".join(READERS[word] for word in words) or "no program of Victron's"

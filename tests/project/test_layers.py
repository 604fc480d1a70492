"""Imports point one way; the codec and the pure modules stay pure."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from helpers.places import ROOT

PACKAGE = ROOT / "src" / "mppdbus"
FILES = sorted(PACKAGE.rglob("*.py"))

# Unit → the units it may import. A unit is a module or a sub-package.
CODEC = {"errors", "protocol"}
PURE = CODEC | {"snapshot", "legs", "power", "victron", "alarms", "charge"}
LINE = CODEC | {"transport", "porturl", "pace", "host"}
ALLOWED: dict[str, set[str]] = {
    "__init__": set(),
    "__main__": {"cli"},
    "errors": set(),
    "porturl": set(),
    "pace": set(),
    "protocol": {"errors"},
    "snapshot": {"protocol"},
    "legs": {"protocol", "snapshot"},
    "power": {"protocol", "snapshot", "legs"},
    "victron": {"protocol", "snapshot", "power"},
    "alarms": {"protocol", "snapshot"},
    "recording": CODEC,
    "probing": CODEC,
    "config_words": set(),
    "config": {"errors", "porturl", "config_words"},
    "legacy_config": {"errors", "porturl", "config", "config_words"},
    "charge": {"protocol", "snapshot"},
    "soc": PURE,
    "bank": PURE | {"soc"},
    "bankfile": {"errors", "soc", "atomicfile", "bank"},
    "energy": PURE | {"losses"},
    "atomicfile": {"errors"},
    "statefile": {"errors", "energy", "atomicfile"},
    "localsetting": set(),
    "settingsfile": {"errors", "atomicfile", "localsetting"},
    "host": {"errors", "porturl"},
    "transport": {"errors", "porturl", "host"},
    "link": LINE,
    "inverter": LINE | {"link", "snapshot", "parallel", "crew"},
    "stranger": LINE | {"inverter", "link"},
    "members": LINE | {"inverter", "link", "snapshot", "parallel", "crew"},
    "doubt": CODEC | {"inverter"},
    "plan": set(),
    "poller": LINE
    | {"inverter", "link", "members", "meters", "snapshot", "power", "doubt", "plan"},
    "venus": PURE | {"__init__", "localsetting", "settingsfile", "energy", "soc"},
    "losses": PURE,
    "parallel": CODEC | {"snapshot"},
    "crew": CODEC | {"snapshot", "parallel"},
    "site": PURE | {"bank", "energy", "losses", "venus"},
    "simulator": {"errors", "protocol", "cli", "porturl"},
    "installation": PURE
    | {"venus", "site", "statefile", "energy", "localsetting", "bank", "bankfile"},
    "meters": LINE | {"inverter", "link", "energy"},
    "others": PURE | {"installation", "venus"},
    "daemon": PURE
    | LINE
    | {"config", "inverter", "link", "plan", "poller", "stranger", "venus"}
    | {"installation"}
    | {"bank", "others", "meters"}
    | {"statefile"},
    "cli": {"errors", "__init__"},
    "commands": PURE
    | LINE
    | {"cli", "config", "legacy_config", "daemon", "inverter", "link", "plan"}
    | {"poller", "venus", "simulator", "recording", "probing", "stranger", "__init__"},
}
IO_MODULES = {"asyncio", "logging", "os", "time", "socket", "subprocess", "threading"}
MUST_BE_PURE = {
    *CODEC,
    *("snapshot", "power", "victron", "alarms", "pace", "energy", "soc"),
    *("charge", "bank", "legs", "parallel", "crew", "plan"),
}
# What Venus OS leaves out of its standard library.
NOT_ON_VENUS = {
    *("tomllib", "statistics", "zoneinfo", "sqlite3", "multiprocessing", "unittest"),
    *("difflib", "getpass", "venv", "pty", "tty", "curses", "doctest", "pdb"),
    *("ensurepip", "zipapp", "xmlrpc", "syslog"),
}


def unit(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def imports(path: Path, text: str | None = None) -> set[str]:
    """Return absolute module names that a file imports, at any depth."""
    package = ("mppdbus", *path.relative_to(PACKAGE).parts[:-1])
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text() if text is None else text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *([node.module] if node.module else [])))
            found.add(module)
            if module == "mppdbus" or (node.level and not node.module):
                found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


def own(name: str) -> str | None:
    """Return the unit of a module of ours."""
    parts = name.split(".")
    if parts[0] != "mppdbus" or len(parts) == 1:
        return None
    return "__init__" if parts[1] == "__version__" else parts[1]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_follow_the_layers(path: Path) -> None:
    here = unit(path)
    used = {u for name in imports(path) if (u := own(name)) is not None} - {here}
    assert used <= ALLOWED[here], f"{here} must not import {used - ALLOWED[here]}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_nothing_that_venus_os_lacks(path: Path) -> None:
    assert {name.split(".")[0] for name in imports(path)} & NOT_ON_VENUS == set()


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_the_victron_side_speaks_d_bus(path: Path) -> None:
    used = {name.split(".")[0] for name in imports(path)}
    assert unit(path) == "venus" or "dbus_fast" not in used


@pytest.mark.parametrize(
    "path",
    [p for p in FILES if unit(p) in MUST_BE_PURE],
    ids=lambda p: str(p.relative_to(PACKAGE)),
)
def test_pure_code_has_no_clock_and_no_io(path: Path) -> None:
    assert {name.split(".")[0] for name in imports(path)} & IO_MODULES == set()


def test_every_unit_is_in_the_table() -> None:
    assert {unit(path) for path in FILES} <= set(ALLOWED)


def test_a_wrong_import_would_be_found() -> None:
    probe = PACKAGE / "protocol" / "fields.py"
    text = "import asyncio\nif 1:\n from ..link import Link\n from .. import cli\n"
    assert imports(probe, text) == {
        "asyncio",
        "mppdbus.link",
        "mppdbus",
        "mppdbus.cli",
    }
    assert {own(name) for name in imports(probe, text)} == {"link", "cli", None}

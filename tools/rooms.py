"""The rooms of the house, floor by floor, and who imports whom."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "src" / "mppdbus"
FILES = sorted(PACKAGE.rglob("*.py"))

# From the ground up. A room imports only from floors below its own.
FLOORS = (
    ("errors",),
    ("protocol", "storage", "host"),
    ("transport", "model"),
    ("config", "inverter", "simulator", "venus.dbus"),
    ("control", "recording", "venus.settings", "venus.tables"),
    ("doctor", "venus"),
    ("daemon",),
    ("commands",),
)
FRONT = {"cli", "__main__"}  # count as commands
FLOOR_OF = {room: n for n, rooms in enumerate(FLOORS) for room in rooms}


def module_of(path: Path) -> str:
    """Return the dotted name of a file, without "mppdbus."."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


MODULES = {module_of(path): path for path in FILES}


def room_of(module: str) -> str:
    """Return the room that a module is in."""
    inner = ".".join(module.split(".")[:2])
    if module in FRONT:
        return "commands"
    return inner if inner in FLOOR_OF else module.split(".", maxsplit=1)[0]


def imports(path: Path) -> set[str]:
    """Return what a file imports, at any depth, also for the type checker alone."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"{path}: imports are absolute here")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def own_imports(path: Path) -> set[str]:
    """Return the modules of ours that a file imports."""
    found: set[str] = set()
    for name in imports(path):
        inner = name.removeprefix("mppdbus.")
        if inner not in (name, "__version__"):
            found.add(inner if inner in MODULES else inner.rpartition(".")[0])
    return found


def foreign_imports(path: Path) -> set[str]:
    """Return the first words of what a file imports from elsewhere."""
    return {name.split(".")[0] for name in imports(path)} - {"mppdbus", "__future__"}


def rooms_imported() -> dict[str, set[str]]:
    """Return the rooms that each room imports."""
    edges: dict[str, set[str]] = {}
    for module, path in MODULES.items():
        here = room_of(module)
        edges.setdefault(here, set()).update(map(room_of, own_imports(path)))
    return {room: used - {room} for room, used in edges.items()}


def in_order() -> list[str]:
    """Return all modules, none before what it imports; raises CycleError."""
    graph = {module: own_imports(path) for module, path in MODULES.items()}
    return list(TopologicalSorter(graph).static_order())

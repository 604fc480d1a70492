"""Rows as a table for the terminal and for docs/performance.md."""

from __future__ import annotations

import math
import os
import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from decoding import Speed
from measure import Life
from results import LIMIT, Row, Scene, speed_ratio

DOCS = Path(__file__).parents[1] / "docs" / "performance.md"
BEGIN = "<!-- measured: written by bench/run.py, do not edit -->"
END = "<!-- end of measured -->"
TRAFFIC = "<!-- traffic: written by bench/traffic.py, do not edit -->"
HEAD = ("", "mppdbus", "baseline", "ratio", "target", "met")
MET = {True: "yes", False: "**no**", None: ""}


def table(sections: dict[str, list[Row]], speeds: dict[str, Speed]) -> str:
    """Return all results as Markdown."""
    parts = []
    for title, rows in sections.items():
        parts += [f"**{title}**", markdown([HEAD, *map(_cells, rows)])]
    head = ("reply", "mppdbus", "mppsolar", "ratio")
    cells = [
        (name, f"{s.ours:,.0f}/s", f"{s.theirs:,.0f}/s", f"{speed_ratio(s):.0f} ×")
        for name, s in speeds.items()
    ]
    parts += ["**bytes → values, one core**", markdown([head, *cells])]
    return "\n\n".join(parts)


def about(rounds: int, seconds: float, loads: list[float]) -> str:
    """Say on what and how long was measured."""
    names = ("dbus-fast", "pydantic", "mppsolar")
    packages = ", ".join(f"{name} {version(name)}" for name in names)
    load = f"{min(loads):.1f} to {max(loads):.1f}"
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), "
        f"Python {platform.python_version()}, {packages}; {rounds} rounds of "
        f"{seconds:g} s, the load of the machine {load} meanwhile. "
        f"Limit of the line for QPIGS: {LIMIT:.4f} s."
    )


def everything(
    about: str,
    sections: dict[str, list[Row]],
    speeds: dict[str, Speed],
    lives: dict[tuple[str, Scene], list[Life]],
) -> dict[str, object]:
    """Return all that was measured, for scripts."""
    return {
        "about": about,
        "rows": {
            title: [asdict(row) for row in rows] for title, rows in sections.items()
        },
        "decode": {name: asdict(speed) for name, speed in speeds.items()},
        "lives": [
            {"service": kind, "scene": scene.title} | asdict(life)
            for (kind, scene), some in lives.items()
            for life in some
        ],
    }


def write(path: Path, text: str, begin: str = BEGIN) -> None:
    """Replace what is between the markers of a document."""
    before, _, rest = path.read_text().partition(begin)
    _, found, after = rest.partition(END)
    if not found:
        raise SystemExit(f"{path.name} has no place for the results: {begin} … {END}")
    path.write_text(f"{before}{begin}\n\n{text}\n\n{END}{after}")


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.name,
        _number(row.ours, row.digits, row.unit),
        _number(row.proto, row.digits, row.unit),
        _number(row.ratio, 2, ""),
        "" if row.target is None else f"< {_number(row.target, row.digits, row.unit)}",
        MET[row.met],
    )


def _number(value: float, digits: int, unit: str) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f} {unit}".rstrip()


def markdown(rows: list[tuple[str, ...]]) -> str:
    """Return a table; the first row is its head."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    first, *others = widths
    rule = [":" + "-" * (first - 1), *("-" * (width - 1) + ":" for width in others)]
    lines = [
        [row[0].ljust(first)]
        + [cell.rjust(width) for cell, width in zip(row[1:], others, strict=True)]
        for row in rows
    ]
    lines.insert(1, rule)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

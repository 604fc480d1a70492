"""The table of operating points as Markdown: what is true, and what is shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from helpers.points import Outcome, Row

HEAD = """\
# Operating points

What Victron's overview shows of a system beside what is true of it. Made by the lab (`tests/lab/README.md`), not by hand:

```sh
MPPDBUS_POINTS=docs/operating-points.md pytest tests/lab/test_points.py
```

An inverter is simulated with its battery, sun, mains and loads (`mppdbus simulate`); its own sums are the truth. The daemon
reads it over a serial line, and Victron's dbus-systemcalc-py and localsettings run beside it on a private D-Bus. **Shown** is what
their `com.victronenergy.system` then says. A cell reads *true → shown (error)*, phase by phase; `–` is invalid: nothing is shown.
Every error must be within 30 W or 3 %, the larger of them, and 3 points of the state of charge, which is set here to be the one that
the inverter tells. None of Victron's programs may end or write a traceback, and a client of our own, which stands in for systemcalc
where the lab is not at hand, must show the same at every point.

What cannot be better than the protocol:

- Battery currents are whole amperes: up to half an ampere an inverter, 29 W at 57 V, in the battery's watts and in what is derived
  from them, the watts of the mains. With learned losses a few watts more can come on top.
- Bulk and absorption are not told apart: within 1 V of the bulk voltage either of them counts as right.
- QPGSn, by which one unit tells of the others, has whole amperes of the sun too on most models: 160 W a unit at 320 V while they are
  on mains. The units *in parallel, one cable* are of a model that tells tenths.
- `inverter` is the profile of that name. It is only looked at off grid, because systemcalc reads no AC input of such a service.
- Where a unit is *lost*, it may still run, but nothing is known, so nothing may be shown three polls later.
"""  # noqa: E501 - Markdown
COLUMNS = ("PV W", "load W", "AC in W", "battery W", "SoC %", "state", "source")
RULER = "|---|---|" + "---|" * len(COLUMNS)
STATES = {
    0: "off",
    1: "low power",
    2: "fault",
    3: "bulk",
    4: "absorption",
    5: "float",
    8: "passthru",
    9: "inverting",
}
SOURCES = {1: "grid", 2: "generator", 240: "none"}


@dataclass(slots=True)
class Days:
    """What came of the long run."""

    about: str
    outcomes: list[Outcome] = field(default_factory=list)
    modes: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Book:
    """All outcomes of a run of the lab."""

    points: list[Outcome] = field(default_factory=list)
    days: Days | None = None

    def __str__(self) -> str:
        parts = [HEAD, _summary("points", self.points)]
        for name in dict.fromkeys(one.point.setup for one in self.points):
            rows = [_line(one) for one in self.points if one.point.setup == name]
            titles = f"| point | turned | {' | '.join(COLUMNS)} |"
            parts.append("\n".join([f"## {name}\n", titles, RULER, *rows, ""]))
        if self.days is not None:
            modes = ", ".join(f"{n} × {m}" for m, n in self.days.modes.most_common())
            parts.append(f"## {self.days.about}\n")
            parts.append(f"Modes at the moments of comparison: {modes}.\n")
            parts.append(_summary("moments", self.days.outcomes))
        return "\n".join(parts)


def _summary(what: str, outcomes: list[Outcome]) -> str:
    wrong = sum(bool(outcome.wrong) for outcome in outcomes)
    rows = [row for outcome in outcomes for row in outcome.rows]
    lines = [
        f"**{len(outcomes)} {what}, {wrong} beyond the bounds.** The largest errors:",
        "",
        "| | error | where the truth is |",
        "|---|---|---|",
    ]
    for name, ends in (
        ("PV", "/Dc/Pv/Power"),
        ("load", "/Ac/Consumption/"),
        ("AC in", ("/Ac/Grid/", "/Ac/Genset/")),
        ("battery", "/Dc/Battery/Power"),
        ("SoC", "/Dc/Battery/Soc"),
    ):
        errors = [(r.error, r) for r in rows if r.path.startswith(ends)]
        known = [(error, row) for error, row in errors if error is not None]
        if known:
            error, row = max(known, key=lambda one: abs(one[0]))
            unit = "points" if name == "SoC" else "W"
            lines.append(f"| {name} | {error:+.1f} {unit} | {row.true:.0f} |")
    return "\n".join([*lines, ""])


def _line(outcome: Outcome) -> str:
    by_path = {row.path: row for row in outcome.rows}
    cells = [
        _numbers([by_path["/Dc/Pv/Power"]]),
        _numbers(_phases(outcome, "/Ac/Consumption/")),
        _numbers(_phases(outcome, "/Ac/Grid/", "/Ac/Genset/")),
        _numbers([by_path["/Dc/Battery/Power"]]),
        _numbers([by_path["/Dc/Battery/Soc"]], digits=1),
        _names(by_path["/SystemState/State"], STATES),
        _names(by_path["/Ac/ActiveIn/Source"], SOURCES),
    ]
    flag = " **wrong**" if outcome.wrong else ""
    name = f"{outcome.point.name}{' (lost)' if outcome.point.lost else ''}{flag}"
    turned = f"`{outcome.point.turn}`" if outcome.point.turn else ""
    return f"| {name} | {turned} | {' | '.join(cells)} |"


def _phases(outcome: Outcome, *begins: str) -> list[Row]:
    """Return the rows of these paths that have anything, else the first."""
    rows = [row for row in outcome.rows if row.path.startswith(begins)]
    return [r for r in rows if r.true is not None or r.shown is not None] or rows[:1]


def _numbers(rows: Iterable[Row], digits: int = 0) -> str:
    cells = []
    for row in rows:
        cell = f"{_number(row.true, digits)} → {_number(row.shown, digits)}"
        if row.error is not None:
            cell += f" ({row.error:+.{max(digits, 1)}f})"
        cells.append(cell)
    return "<br>".join(cells)


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _names(row: Row, names: dict[int, str]) -> str:
    true = row.true if isinstance(row.true, frozenset) else {row.true}
    said = "/".join(_name(value, names) for value in sorted(true, key=str))
    return f"{said} → {_name(row.shown, names)}"


def _name(value: int | None, names: dict[int, str]) -> str:
    return "–" if value is None else names.get(value, str(value))

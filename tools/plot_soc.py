"""Writes the plots and the table of docs/state-of-charge.md from simulated weeks."""

# ruff: noqa: T201 - tools speak

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from helpers.soc import (  # noqa: E402 - the path comes first
    CASES,
    DAY_S,
    DULL_DAYS,
    RESTARTS,
    Meter,
    Result,
    by_volts,
    errors_by_part,
    follow,
    model,
    naive,
    truth,
)

PAGE = ROOT / "docs" / "state-of-charge.md"
PLOTS = {"LFP": -1.0, "lossy lead": 1.0}
BEGIN, END = "<!-- table -->", "<!-- end of table -->"
HEAD = """\
| battery | meter reads | before the first full charge | clear days after it | \
week without a full charge | margin, clear | margin, dull | \
plain counting | by voltage |
|---|---|---|---|---|---|---|---|---|
"""
WIDTH, HEIGHT, LEFT, TOP = 960, 300, 40, 24
EVERY = 60  # samples between two points
SVG, FONT = "http://www.w3.org/2000/svg", 'font-family="sans-serif" font-size="11"'
INK, TRUTH, BAND, SHADE = "#222", "#d33", "#bdf", "#eee"


def main() -> None:
    """Follow each battery, and write what came of it."""
    rows = [row(name, offset) for name in CASES for offset in (1.0, -1.0)]
    for name, offset in PLOTS.items():
        path = PAGE.with_name(f"soc-{name.replace(' ', '-').lower()}.svg")
        path.write_text(svg(run(name, offset), f"{name}, the meter {offset:+.0f} A"))
        print(path.relative_to(ROOT))
    text = PAGE.read_text()
    start, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    table = HEAD + "".join(rows)
    PAGE.write_text(f"{text[:start]}\n{table}{text[end:]}")
    print(PAGE.relative_to(ROOT))


def run(name: str, offset: float) -> Result:
    """Follow one battery for thirty days."""
    case = CASES[name]
    samples = truth(case.scene)
    meter = Meter(offset=offset)
    return follow(samples, model(case.chemistry), meter, restarts=RESTARTS)


def row(name: str, offset: float) -> str:
    """Return the line of the table for one run."""
    result, samples = run(name, offset), truth(CASES[name].scene)
    full, (dull, bright) = result.first_full or 0.0, DULL_DAYS
    cells = [
        *(f"{error:.1f}" for error in errors_by_part(result)),
        f"±{margin(result, full, dull):.0f}",
        f"±{margin(result, dull, bright):.0f}",
        f"{naive(samples, Meter(offset=offset)).worst(full):.0f}",
        f"{by_volts(samples).worst(full):.0f}",
    ]
    return f"| {name} | {offset:+.0f} A | {' | '.join(cells)} |\n"


def margin(result: Result, since: float, until: float) -> float:
    """Return the widest margin of some time."""
    pairs = zip(result.times, result.margins, strict=True)
    return max(wide for time, wide in pairs if since <= time < until)


def svg(result: Result, title: str) -> str:
    """Draw estimate, margin and truth over the days."""
    times = result.times[::EVERY]
    shown, margins = result.shown[::EVERY], result.margins[::EVERY]
    pairs = list(zip(times, shown, margins, strict=True))
    upper = [point(t, s + m) for t, s, m in pairs]
    lower = [point(t, s - m) for t, s, m in pairs]
    true = [point(t, s) for t, s in zip(times, result.truth[::EVERY], strict=True)]
    lines = [
        f'<svg xmlns="{SVG}" viewBox="0 0 {WIDTH} {HEIGHT}" {FONT}>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        *grid(title),
        f'<polygon points="{" ".join(upper + lower[::-1])}" fill="{BAND}"/>',
        curve(true, TRUTH),
        curve((point(t, s) for t, s, _ in pairs), INK),
        "</svg>\n",
    ]
    return "\n".join(lines)


def grid(title: str) -> Iterable[str]:
    """Draw what stands behind the curves: axes, dull days, restarts, legend."""
    since, until = (x(time) for time in DULL_DAYS)
    bottom = y(0)
    yield (
        f'<rect x="{since:.0f}" y="{TOP}" width="{until - since:.0f}"'
        f' height="{bottom - TOP:.0f}" fill="{SHADE}"/>'
    )
    for percent in range(0, 101, 20):
        yield (
            f'<path d="M{LEFT} {y(percent):.0f}H{WIDTH - 10}" stroke="#ccc"/>'
            f'<text x="4" y="{y(percent) + 4:.0f}">{percent} %</text>'
        )
    for day in range(0, 31, 5):
        yield f'<text x="{x(day * DAY_S):.0f}" y="{HEIGHT - 6}">day {day}</text>'
    for restart in RESTARTS:
        yield f'<path d="M{x(restart.at):.0f} {bottom:.0f}v-6" stroke="{INK}"/>'
    yield (
        f'<text x="{LEFT}" y="14">{title}. <tspan fill="{TRUTH}">truth</tspan>,'
        " estimate and its margin; grey: dull days; ticks: restarts</text>"
    )


def curve(points: Iterable[str], colour: str) -> str:
    """Draw a line through points."""
    return f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}"/>'


def point(time: float, soc: float) -> str:
    """Return a place on the plot, as SVG writes it."""
    return f"{x(time):.0f},{y(min(max(soc, 0.0), 100.0)):.0f}"


def x(time: float) -> float:
    """Return the place of a time."""
    return LEFT + (WIDTH - LEFT - 10) * time / (30 * DAY_S)


def y(percent: float) -> float:
    """Return the place of a state of charge."""
    return HEIGHT - 24 - (HEIGHT - 24 - TOP) * percent / 100


if __name__ == "__main__":
    main()

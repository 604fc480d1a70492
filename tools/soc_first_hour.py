"""Prints how good the state of charge is in the first hour of 200 random starts.

`docs/state-of-charge.md` has the table; `tests/model/battery/test_first_hour.py` holds
its limits.
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import mean, median

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from helpers.first_hour import Shown, Start, follow, starts

Run = tuple[Start, list[Shown]]


def row(name: str, runs: list[Run]) -> str:
    """Return a line of the table."""
    hours = [hour for _, hour in runs]
    first = [hour[0].error for hour in hours]
    whole = [shown for hour in hours for shown in hour]
    astray = sum(hour[0].astray > 15 for hour in hours)
    inside = mean(shown.error <= shown.margin for shown in whole)
    cells = [
        *(name, str(len(runs)), f"{median(first):.1f}", f"{max(first):.0f}"),
        *(f"{mean(shown.error for shown in whole):.1f}", str(astray)),
        *(f"±{mean(hour[0].margin for hour in hours):.0f}", f"{100 * inside:.0f} %"),
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    runs = [(start, follow(start)) for start in starts(200)]
    print(row("all", runs))  # noqa: T201
    for chemistry in ("lead", "lfp"):
        for configured in (True, False):
            some = [
                run
                for run in runs
                if (run[0].chemistry, run[0].configured) == (chemistry, configured)
            ]
            name = f"{chemistry}, with{'' if configured else 'out'} `[battery]`"
            print(row(name, some))  # noqa: T201


if __name__ == "__main__":
    main()

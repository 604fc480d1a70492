"""What the benchmark makes of what it has seen; the measuring itself takes minutes."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mppdbus.simulator.simulator import simulate

BENCH = Path(__file__).parents[1] / "bench"


@pytest.fixture(autouse=True)
def bench(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCH)


@pytest.fixture
def measure() -> ModuleType:
    import measure

    return measure


@dataclass
class Seen:
    at: float


def exchanges(measure: ModuleType) -> list[Any]:
    """Two QPIGS in a row, QMOD, a third, and one that nobody answers."""
    rows = [
        (0.0, 0.55, "QPIGS"),
        (0.552, 1.102, "QPIGS"),
        (1.104, 1.214, "QMOD"),
        (1.216, 1.766, "QPIGS"),
        (1.768, None, "QPIGS"),
    ]
    return [measure.Exchange(at, end, command, 110) for at, end, command in rows]


def test_an_interval_is_alone_only_with_nothing_between(measure: ModuleType) -> None:
    life = measure.Life(1.0)
    measure._intervals(life, exchanges(measure))
    assert life.intervals == pytest.approx([0.552, 0.664, 0.552])
    assert life.alone == pytest.approx([0.552, 0.552])
    assert life.turns == pytest.approx([0.002, 0.002])


def test_the_mean_is_over_whole_cycles(measure: ModuleType) -> None:
    asked = ["QPIGS"] * 2 + (["QMOD"] + ["QPIGS"] * 3) * 2 + ["QMOD", "QPIGS", "QPIGS"]
    window = [
        measure.Exchange(float(at), at + 0.9, command, 110)
        for at, command in enumerate(asked)
    ]
    life = measure.Life(1.0)
    measure._intervals(life, window)
    assert life.intervals == [1.0, 1.0, 2.0, 1.0, 1.0, 2.0]


def test_a_signal_belongs_to_the_reply_before_it(measure: ModuleType) -> None:
    life = measure.Life(1.0)
    signals = [Seen(0.551), Seen(0.552), Seen(1.105), Seen(1.2)]
    measure._delays(life, exchanges(measure), signals)
    assert life.signal_after == pytest.approx([0.001, 0.003])
    assert life.last_signal_after == pytest.approx([0.002, 0.098])


def test_the_inverter_of_the_benchmark_changes_with_every_reply() -> None:
    import paced

    source = paced.Restless(simulate().source)
    replies = [source._status().split() for _ in range(40)]
    assert {len(" ".join(words)) for words in replies} == {106}
    for one, other in itertools.pairwise(replies):
        assert sum(a != b for a, b in zip(one, other, strict=True)) >= 15


def test_the_results_take_the_place_of_the_last_ones(tmp_path: Path) -> None:
    import report

    document = tmp_path / "performance.md"
    document.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    report.write(document, "new")
    text = document.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "new" in text
    assert "old" not in text

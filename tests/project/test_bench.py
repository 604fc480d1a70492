"""What the benchmark makes of what it has seen; the measuring itself takes minutes."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from helpers.places import ROOT
from mppdbus.simulator.line.simulator import simulate

BENCH = ROOT / "bench"


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


def test_a_document_has_a_place_for_each_bench(tmp_path: Path) -> None:
    import report

    document = tmp_path / "performance.md"
    places = f"{report.BEGIN}\nold\n{report.END}\n{report.TRAFFIC}\n{report.END}\nafter"
    document.write_text(places)
    report.write(document, "of the bus", report.TRAFFIC)
    text = document.read_text()
    assert "old" in text
    assert text.index(report.TRAFFIC) < text.index("of the bus") < text.index("after")


def test_what_is_said_twice_is_found(measure: ModuleType) -> None:
    import monitor
    import traffic

    times = [0.551, 1.103, 1.215, 1.767, 1.769]  # the third after QMOD, the last alone
    changes = [monitor.Change(at, ":1.2", ("/P",), ()) for at in times]
    tally = monitor.Tally()
    seen = traffic.Traffic(60.0, {}, tally, 3, changes, {":1.2": "unit"})
    traffic.judge(seen, [e for e in exchanges(measure) if e.ended is not None])
    assert (seen.most, seen.crowded, seen.excused) == (2, 2, 1)
    assert not traffic.clean(seen)


def test_a_value_that_did_not_change_is_found() -> None:
    from dbus_fast import Variant

    import monitor

    def row(value: float) -> dict[str, Variant]:
        return {"Value": Variant("d", value)}

    shown = monitor.Shown()
    shown.read(":1.2", {"/P": row(1.0), "/V": row(2.0)})
    change = shown.change(0.0, ":1.2", {"/P": row(1.0), "/V": row(2.5), "/I": row(3.0)})
    assert change.same == ("/P",)
    assert shown.change(0.0, ":1.2", {"/V": row(2.5)}).same == ("/V",)

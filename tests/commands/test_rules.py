"""Rules of a config, shown and rehearsed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from helpers.commands import Simulated, command

Capture = pytest.CaptureFixture[str]
INVERTER = '[control]\nlevel = "safe"\n[[inverter]]\nport = "/dev/null-inverter"\n'
SUN = """
[[rule]]
name = "sun"
setting = "output_source_priority"
value = "SBU"
soc_above = 60
[[rule]]
name = "empty"
setting = "output_source_priority"
value = "Utility first"
soc_below = 30
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(INVERTER + SUN)
    return path


def test_the_rules_are_shown_in_words(capsys: Capture, config: Path) -> None:
    said = command(capsys, "rules", "--config", str(config))
    assert said.code == 0
    assert said.out == (
        "sun: output_source_priority → SBU: charge above 60 %\n"
        "empty: output_source_priority → Utility first: charge below 30 %\n"
    )


def test_a_simulated_inverter_obeys_the_rules(capsys: Capture, config: Path) -> None:
    line = ("--config", str(config), "--days", "1", "--json")
    said = command(capsys, "rules", "rehearse", *line)
    *switches, sums = map(json.loads, said.out.splitlines())
    assert said.code == 0
    # Mains charge it at night; in the evening it is empty, and is charged again.
    assert [(s["rule"], s["command"]) for s in switches] == [
        ("sun", "POP02"),
        ("empty", "POP00"),
        ("sun", "POP02"),
    ]
    assert sums["writes"] == 3
    assert sums["kwh"]["mains"] < sums["without"]["mains"]


def test_what_the_level_forbids_is_said(capsys: Capture, config: Path) -> None:
    config.write_text(config.read_text().replace('"safe"', '"read-only"'))
    line = ("--config", str(config), "--days", "1")
    said = command(capsys, "rules", "rehearse", *line)
    assert "NOT SBU: output_source_priority: control is off (read-only)" in said.out
    assert "0 writes in 1.0 days" in said.out


def test_a_recording_is_looked_at(
    capsys: Capture, config: Path, inverter: Simulated, tmp_path: Path
) -> None:
    rule = SUN.replace('"sun"', '"always"').replace("soc_above = 60", "grid = true")
    config.write_text(INVERTER + rule.replace("[[rule]]", "[[rule]]\nminutes = 1", 1))
    inverter.tell("speed 1")
    file = tmp_path / "day.jsonl"
    recorded = ("--port", inverter.path, "--output", str(file), "--cycles", "3")
    assert command(capsys, "record", *recorded).code == 0
    stretched = []  # as if there had been a minute between two cycles
    for number, text in enumerate(file.read_text().splitlines()):
        entry = json.loads(text)
        stretched.append(json.dumps(entry | {"t_ms": 10_000 * number}))
    file.write_text("\n".join(stretched))
    line = ("rehearse", str(file), "--config", str(config), "--json")
    *switches, sums = map(json.loads, command(capsys, "rules", *line).out.splitlines())
    assert [switch["command"] for switch in switches] == ["POP02"]
    assert sums["writes"] == 1
    assert sums["kwh"]["load"] > 0


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("output_source", "outputsource", "no setting for a rule; did you mean"),
        ("soc_above", "soc_abov", 'unknown key "soc_abov"; did you mean "soc_above"'),
        ("60", "160", "160 is more than 100"),
        ("60", "nan", "nan is not a finite number"),
        ("soc_above = 60", 'begin = "25:00"', '"25:00" is no time'),
        ("soc_above = 60", 'begin = "05:00"', '"begin" and "end" stand together'),
        ("soc_above = 60", 'inverter = "barn"', 'no inverter is called "barn"'),
        ("soc_above = 60", "minutes = 0", "0 is less than 1"),
        ('value = "SBU"', "", "rule[1].value: is missing"),
        (
            "[[rule]]",
            "[rule]",
            "each of them has two brackets: [[…]]; here it is: [rule]",
        ),
    ],
)
def test_a_wrong_rule_is_explained(
    capsys: Capture, config: Path, old: str, new: str, said: str
) -> None:
    config.write_text(INVERTER + SUN.replace(old, new))
    outcome = command(capsys, "rules", "--config", str(config))
    assert outcome.code == 2
    assert said in outcome.err


def test_without_rules_there_is_nothing_to_rehearse(
    capsys: Capture, config: Path
) -> None:
    config.write_text(INVERTER)
    said = command(capsys, "rules", "rehearse", "--config", str(config))
    assert (said.code, said.out) == (2, "")
    assert "there is no [[rule]] in it" in said.err

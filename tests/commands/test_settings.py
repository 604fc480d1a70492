"""The commands about settings against a simulated inverter on a pty."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from helpers.commands import Simulated, command, simulated
from mppdbus.recording.journal import read

Capture = pytest.CaptureFixture[str]


def test_settings_have_values_units_and_what_they_may_be(
    capsys: Capture, inverter: Simulated
) -> None:
    said = command(capsys, "settings", "--port", inverter.path)
    assert said.code == 0
    assert "battery_bulk_voltage " in said.out
    one = command(
        capsys, "settings", "max_ac_charging_current", "--port", inverter.path
    )
    assert "may be      2 A, 10 A" in one.out
    assert "overloads a weak grid" in one.out
    word = command(capsys, "get", "buzzer", "--port", inverter.path)
    assert (word.code, word.out) == (0, "on\n")
    sent = inverter.tell("requests").split()
    assert not [one for one in sent if one.startswith(("P", "M"))]  # nothing is written


def test_a_change_at_the_panel_differs_from_the_file(
    capsys: Capture, inverter: Simulated, tmp_path: Path
) -> None:
    file = tmp_path / "house.toml"
    line = (str(file), "--port", inverter.path)
    assert command(capsys, "export", *line).code == 0
    assert command(capsys, "export", *line).code == 2  # nothing is overwritten
    assert command(capsys, "diff", *line).code == 0
    inverter.tell("panel PBFT53.2")
    said = command(capsys, "diff", *line)
    assert said.code == 1
    assert said.out.split()[:2] == ["battery_float_voltage", "53.2"]


@pytest.fixture
def briefly(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Read back without the long pause; keep the journal apart."""
    monkeypatch.setattr("mppdbus.control.write.LATER", 0.0)
    monkeypatch.setenv("MPPDBUS_STATE", str(tmp_path / "state"))


@pytest.mark.usefixtures("briefly")
def test_a_setting_is_set_read_back_undone_and_in_the_journal(
    capsys: Capture, inverter: Simulated
) -> None:
    line = ("--port", inverter.path, "--level", "safe")
    said = command(capsys, "set", "output_source_priority", "sbu", *line)
    assert said.code == 0
    assert said.out == (
        "done: output_source_priority: Utility first → SBU: accepted, and the inverter "
        "shows it\n"
    )
    assert command(capsys, "get", "output_source_priority", *line[:2]).out == "SBU\n"
    assert command(capsys, "undo", *line).code == 0
    assert inverter.tell("requests").count("POP0") == 2
    writes = command(capsys, "writes", "--json").records
    assert [one["command"] for one in writes] == ["POP02", "POP00"]
    assert [one["done"] for one in writes] == [True, True]


@pytest.mark.usefixtures("briefly")
def test_nothing_is_sent_unless_control_is_on(
    capsys: Capture, inverter: Simulated, tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    section = f'[[inverter]]\nport = "serial:{inverter.path}"\n'
    line = ("set", "buzzer", "off", "--config", str(config))
    config.write_text(section)
    said = command(capsys, *line)
    assert (said.code, said.out) == (1, "")
    assert "control is off (read-only)" in said.err
    config.write_text(f'[control]\nlevel = "safe"\n{section}control = "read-only"\n')
    assert command(capsys, *line).code == 1  # the inverter's own level counts
    config.write_text(f'[control]\nlevel = "safe"\n{section}')
    assert "PDa" not in inverter.tell("requests")
    assert command(capsys, *line).code == 0
    assert '"PDa": 1' in inverter.tell("requests")


LEVEL = ("--level", "safe")


@pytest.mark.usefixtures("briefly")
def test_a_file_is_planned_applied_and_undone(
    capsys: Capture, inverter: Simulated, tmp_path: Path
) -> None:
    file = tmp_path / "night.toml"
    file.write_text('buzzer = "off"\nmax_charging_current = 20\n')
    line = (str(file), "--port", inverter.path)
    plan = command(capsys, "plan", *line, *LEVEL)
    assert plan.code == 0
    assert "1. max_charging_current: 60 A → 20 A\n" in plan.out
    assert "risk: too much harms a small battery" in plan.out
    assert "2. buzzer: on → off" in plan.out
    assert command(capsys, "apply", *line, *LEVEL, "--dry-run").out == plan.out
    assert command(capsys, "plan", *line).code == 1  # read-only
    assert "MNCHGC0020" not in inverter.tell("requests")
    said = command(capsys, "apply", *line, *LEVEL)
    assert said.code == 0
    assert said.out.splitlines()[-1] == f"{file}: all is so now"
    assert "settings, all as in" in command(capsys, "plan", *line, *LEVEL).out
    undone = command(capsys, "undo", *line[1:], *LEVEL)
    assert undone.out.splitlines()[-1] == "undo: all is so now"
    assert command(capsys, "diff", *line).code == 1
    again = command(capsys, "undo", *line[1:], *LEVEL)
    assert (again.code, again.out) == (1, "")
    assert "nothing that was changed from here is left to undo" in again.err


@pytest.mark.usefixtures("briefly")
def test_a_step_that_fails_is_told_and_the_rest_put_back(
    capsys: Capture, inverter: Simulated, tmp_path: Path
) -> None:
    file = tmp_path / "night.toml"
    file.write_text('buzzer = "off"\nmax_charging_current = 20\n')
    inverter.tell("fault nak PDa")
    line = ("apply", str(file), "--port", inverter.path, *LEVEL)
    said = command(capsys, *line)
    assert said.code == 1
    assert said.out.splitlines()[-1] == "all is as it was before"
    assert "NOT DONE: buzzer: refused (NAK)" in said.out
    assert "put back: done: max_charging_current: 20 A → 60 A" in said.out
    inverter.tell("fault nak PDa")
    (report,) = command(capsys, *line, "--json").records
    assert (report["done"], report["left"]) == (False, {})
    assert [write["command"] for write in report["writes"]] == ["MNCHGC0020", "PDa"]
    assert [write["command"] for write in report["put_back"]] == ["MNCHGC0060"]


@pytest.mark.parametrize(
    "case",
    [
        ("buzzer = ", 2, "line 1"),
        ("\x00\xff", 2, "bad.toml"),
        ("buzzer = true", 2, "buzzer: true is no number and no text"),
        ("[buzzer]\nvalue = 1", 2, "is no number and no text"),
        ("buzer = 1", 2, '"buzer" is no setting; did you mean buzzer?'),
        ("buzzer = 1\nbuzzer = 0", 2, "bad.toml"),
        ("recharge_capacity = 20", 2, "does not show a setting recharge_capacity"),
        ("max_charging_current = nan", 1, "that is no value of it"),
        ("max_charging_current = inf", 1, "that is no value of it; it may be 10 A"),
        ("max_charging_current = -1e999", 1, "that is no value of it"),
        ("max_charging_current = 55", 1, "55 A is not allowed; it may be 10 A, 20 A"),
        ('output_source_priority = "SBX"', 1, "it may be Utility first, Solar first"),
        ("battery_float_voltage = 54.1", 1, 'needs level = "full"'),
        ('output_mode = "parallel"', 1, "needs --i-know-what-this-does"),
        ('buzzer = "off"\nmax_charging_current = 1', 1, "1 A is not allowed"),
    ],
)
def test_a_bad_file_is_refused_with_the_reason_and_nothing_is_sent(
    case: tuple[str, int, str], capsys: Capture, inverter: Simulated, tmp_path: Path
) -> None:
    text, code, why = case
    file = tmp_path / "bad.toml"
    file.write_bytes(text.encode("latin-1"))
    for name in ("plan", "apply"):
        said = command(capsys, name, str(file), "--port", inverter.path, *LEVEL)
        assert (said.code, said.out) == (code, ""), said
        assert why in said.err
        assert said.err.count("\n") == 1
    sent = inverter.tell("requests")
    assert not [each for each in ("PD", "PE", "MNCHGC", "POP") if each in sent]


@pytest.mark.usefixtures("briefly")
def test_the_clock_is_shown_and_set(capsys: Capture, inverter: Simulated) -> None:
    line = ("--port", inverter.path)
    inverter.tell("panel DAT260101120000")
    shown = command(capsys, "clock", "show", *line, "--json")
    assert shown.code == 0
    (reading,) = shown.records
    assert abs(reading["drift"]) > 60
    assert command(capsys, "clock", "sync", *line).code == 1  # read-only
    assert "DAT" not in inverter.tell("requests")
    said = command(capsys, "clock", "sync", *line, *LEVEL)
    assert (said.code, said.out[:12]) == (0, "done: clock:")
    assert "clock 2026-01-01 12:00:" in command(capsys, "writes").out
    again = command(capsys, "clock", "show", *line)
    assert again.out.rstrip().endswith("right")
    inverter.tell("fault nak forever QT")
    unknown = command(capsys, "clock", "show", *line)
    assert (unknown.code, unknown.out) == (1, "")
    assert "does not tell its time (QT)" in unknown.err


@pytest.mark.usefixtures("briefly")
def test_a_parallel_set_is_written_as_a_whole_or_refused(
    capsys: Capture, tmp_path: Path
) -> None:
    with simulated(tmp_path, "--profile", "max-8000", "--set", "2") as both:
        line = ("--port", f"{both.path}.2", *LEVEL)
        said = command(capsys, "set", "max_charging_current", "20", *line)
        assert said.code == 0, said
        assert said.out.count("done: max_charging_current: 60 A → 20 A") == 2
        assert said.out.endswith("all units show it\n")
        undone = command(capsys, "undo", *line)
        assert undone.out.count("done: max_charging_current: 20 A → 60 A") == 2
        refused = command(capsys, "set", "output_source_priority", "SBU", *line)
        assert (refused.code, refused.out) == (1, "")
        assert "no document says whether a command reaches one unit" in refused.err
        file = tmp_path / "night.toml"
        file.write_text('buzzer = "off"\n')
        refused = command(capsys, "apply", str(file), *line)
        assert (refused.code, refused.out) == (1, "")
        assert "works with others (parallel)" in refused.err
        sent = both.tell("requests")
        assert sent.count("MNCHGC") == 4
        assert "PDa" not in sent


def setters(inverter: Simulated) -> list[str]:
    """Return what came to the inverter and is no query."""
    asked = json.loads(inverter.tell("requests").removeprefix("ok "))
    return [each for each in asked if not each.startswith(("Q", "("))]


BAD_WORDS = {
    "set buzzer loud": "buzzer: that is no value of it; it may be off, on",
    "set buzzer 7": "buzzer: that is no value of it",
    "set buzer on": '"buzer" is no setting; did you mean buzzer?',
    "set max_charging_current nan": "that is no value of it; it may be 10 A",
    "set max_charging_current inf": "that is no value of it; it may be 10 A",
    "set max_charging_current 1e1": "that is no value of it; it may be 10 A",
    "set max_charging_current 55": "55 A is not allowed; it may be 10 A, 20 A",
    "set max_charging_current 498": "498 A is not allowed",
    "set battery_float_voltage 54.1": 'needs level = "full"',
    "set recharge_capacity 20": "does not show a setting recharge_capacity",
    "set equalization on": 'needs level = "full"',
    "set output_mode parallel": "it needs --i-know-what-this-does",
    "set output_frequency 60": "it needs --i-know-what-this-does",
    "get buzer": "did you mean buzzer?",
    "get recharge_capacity": "does not show a setting recharge_capacity",
    "undo": "nothing that was changed from here is left to undo",
    "diff nofile.toml": "nofile.toml: No such file",
    "plan nofile.toml": "nofile.toml: No such file",
    "apply nofile.toml": "nofile.toml: No such file",
    "apply .": ".: Is a directory",
}


def test_bad_words_are_refused_in_one_line_and_nothing_is_sent(
    capsys: Capture, inverter: Simulated
) -> None:
    for words, why in BAD_WORDS.items():
        level = () if words.startswith(("get", "diff")) else LEVEL
        said = command(capsys, *words.split(), "--port", inverter.path, *level)
        assert (said.code in (1, 2), said.out) == (True, ""), words
        assert why in said.err, words
        assert said.err.count("\n") == 1, words
    assert not setters(inverter)


def test_a_level_of_read_only_refuses_each_command_that_writes(
    capsys: Capture, inverter: Simulated, tmp_path: Path
) -> None:
    file = tmp_path / "night.toml"
    file.write_text('buzzer = "off"\n')
    for words in (
        ("set", "buzzer", "off"),
        ("plan", str(file)),
        ("apply", str(file)),
        ("apply", str(file), "--dry-run"),
        ("clock", "sync"),
    ):
        said = command(capsys, *words, "--port", inverter.path)
        assert (said.code, said.out) == (1, ""), words
        assert "control is off (read-only)" in said.err, words
    assert not setters(inverter)


@pytest.mark.usefixtures("briefly")
def test_evidence_is_collected_and_goes_into_a_recording(
    capsys: Capture, inverter: Simulated, tmp_path: Path
) -> None:
    line = ("--port", inverter.path)
    assert command(capsys, "set", "buzzer", "off", *line, *LEVEL).code == 0
    inverter.tell("bug ack-only on")
    assert command(capsys, "set", "lcd_backlight", "off", *line, *LEVEL).code == 1
    inverter.tell("bug ack-only off")
    inverter.tell("fault nak 2 PGR01")
    assert command(capsys, "set", "input_voltage_range", "UPS", *line, *LEVEL).code == 1
    said = command(capsys, "settings", "--evidence", *line).out
    rows = {row.split()[0]: row for row in said.splitlines()}
    assert "read back, 1 write" in rows["buzzer"]
    assert "ACK only, 1 write" in rows["lcd_backlight"]
    assert "NAK, 1 write" in rows["input_voltage_range"]
    assert rows["battery_bulk_voltage"].split()[1:] == ["untested"]
    file = tmp_path / "unit.jsonl"
    recorded = command(capsys, "record", *line, "--cycles", "0", "--output", str(file))
    assert recorded.code == 0
    (entry,) = [each for each in read(file) if "evidence" in (each.model_extra or {})]
    assert entry.command == "QPIRI"
    assert (entry.model_extra or {})["evidence"] == {
        "buzzer": "read back, 1 write",
        "input_voltage_range": "NAK, 1 write",
        "lcd_backlight": "ACK only, 1 write",
    }

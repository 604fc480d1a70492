"""The commands about settings against a simulated inverter on a pty."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.commands import Simulated, command

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

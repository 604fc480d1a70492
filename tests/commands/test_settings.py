"""settings, get, export and diff against a simulated inverter on a pty."""

from __future__ import annotations

from pathlib import Path

import pytest
import serial

from helpers.commands import Simulated, command
from mppdbus.protocol.framing import encode_request

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
    with serial.Serial(inverter.path, timeout=5) as panel:
        panel.write(encode_request("PBFT53.2"))
        assert panel.read_until(b"\r").startswith(b"(ACK")
    said = command(capsys, "diff", *line)
    assert said.code == 1
    assert said.out.split()[:2] == ["battery_float_voltage", "53.2"]

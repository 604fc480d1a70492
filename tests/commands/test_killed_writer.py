"""A command that is killed in the middle of a write: a real process, and SIGKILL."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

from helpers.commands import MPPDBUS, Simulated, command
from mppdbus.control.journal import INTERRUPTED

Capture = pytest.CaptureFixture[str]
LEVEL = ("--level", "safe")


def asked(inverter: Simulated, request: str) -> int:
    said = inverter.tell("requests").removeprefix("ok ")
    return int(json.loads(said).get(request, 0))


def kill_when_sent(inverter: Simulated, request: str, *words: str) -> None:
    """Kill a command when the inverter has got `request`, before it answers."""
    inverter.tell(f"fault lost 1 {request}")
    with subprocess.Popen([*MPPDBUS, *words, "--port", inverter.path]) as process:
        end = time.monotonic() + 90
        while not asked(inverter, request):
            assert process.poll() is None, "it has ended by itself"
            assert time.monotonic() < end, f"{request} was not sent"
            time.sleep(0.05)
        process.kill()


@pytest.fixture
def briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read back without the long pause."""
    monkeypatch.setattr("mppdbus.control.write.LATER", 0.0)


@pytest.mark.usefixtures("briefly")
def test_a_write_is_settled_by_reading_and_can_be_undone(
    capsys: Capture, inverter: Simulated
) -> None:
    words = ("set", "output_source_priority", "SBU", *LEVEL)
    kill_when_sent(inverter, "POP02", *words)
    (write,) = command(capsys, "writes", "--json").records
    assert (write["observed"], write["why"]) == (None, INTERRUPTED)
    line = ("--port", inverter.path)
    assert command(capsys, "get", "output_source_priority", *line).out == "SBU\n"
    (write,) = command(capsys, "writes", "--json").records
    assert (write["done"], write["why"]) == (True, "read later: it was written")
    assert asked(inverter, "POP02") == 1  # and not again
    assert command(capsys, "undo", *line, *LEVEL).code == 0
    said = command(capsys, "get", "output_source_priority", *line).out
    assert said == "Utility first\n"


@pytest.mark.usefixtures("briefly")
@pytest.mark.parametrize("way", ["undo", "apply"])
def test_a_plan_is_told_of_and_taken_back_or_ended(
    way: str, capsys: Capture, inverter: Simulated, tmp_path: Path
) -> None:
    file = tmp_path / "night.toml"
    file.write_text(
        'buzzer = "off"\nmax_charging_current = 20\noutput_source_priority = "SBU"\n'
    )
    line = ("--port", inverter.path)
    before = command(capsys, "export", "-", *line).out.splitlines()[1:]
    kill_when_sent(inverter, "PDa", "apply", str(file), *LEVEL)
    told = command(capsys, "get", "buzzer", *line)
    assert told.out == "off\n"
    assert "did not end: still to do output_source_priority (SBU)" in told.err
    words = ("undo",) if way == "undo" else ("apply", str(file))
    assert command(capsys, *words, *line, *LEVEL).code == 0
    after = command(capsys, "export", "-", *line)
    assert after.err == ""
    if way == "apply":
        assert asked(inverter, "POP02") == 1
        assert command(capsys, "diff", str(file), *line).code == 0
        for _ in range(2):  # what was left, then what was done before the kill
            assert command(capsys, "undo", *line, *LEVEL).code == 0
        after = command(capsys, "export", "-", *line)
    assert after.out.splitlines()[1:] == before
    assert [asked(inverter, each) for each in ("PDa", "MNCHGC0020")] == [1, 1]

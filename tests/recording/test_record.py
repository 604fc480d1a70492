"""`mppdbus record`: what it writes and says, also when it fails or ends early."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from helpers.commands import HASTE, MPPDBUS, Simulated, command, simulated
from helpers.frames import known_counts
from mppdbus.protocol.framing import encode_reply
from mppdbus.recording.journal import Entry, read

Capture = pytest.CaptureFixture[str]
SERIAL = "92932105100123"  # of the simulated axpert-5000


@pytest.fixture(scope="module")
def inverter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulated]:
    with simulated(tmp_path_factory.mktemp("shared")) as unit:
        yield unit


@pytest.fixture
def fresh_inverter(tmp_path: Path) -> Iterator[Simulated]:
    with simulated(tmp_path) as unit:
        yield unit


def test_a_recording_says_what_is_in_it_and_what_to_do_with_it(
    capsys: Capture, inverter: Simulated, tmp_path: Path
) -> None:
    path = tmp_path / "unit.jsonl"
    line = ("record", "--port", inverter.path, *HASTE, "--output", str(path))
    said = command(capsys, *line)
    assert said.code == 0
    assert re.match(r"VMIII-5000: pi30vm3, \d\d% sure; \d+ exchanges\n\n", said.out)
    assert re.search(
        r"^answered +\d+  QPI QID QVFW QPIRI QFLAG ", said.out, re.MULTILINE
    )
    assert re.search(r"^NAK +\d+  QVFW2 ", said.out, re.MULTILINE)
    assert f"Written to {path}; serial numbers are masked." in said.out
    assert f" replay {path}" in said.out
    assert max(map(len, said.out.splitlines())) <= max(80, len(str(path)) + 45)

    entries = read(path)
    assert len(entries) == len({entry.id for entry in entries})
    assert {entry.model for entry in entries} == {"VMIII-5000"}
    assert {entry.variant for entry in entries} == {"pi30vm3"}
    assert {e.crc for e in entries if not e.masked} == {"recorded"}
    assert {e.quality for e in entries} == {"good", "nak"}
    assert [e.note for e in entries if e.note] == []
    assert SERIAL not in path.read_text()
    assert SERIAL.encode().hex() not in path.read_text()
    assert sum(entry.command == "QPIGS" for entry in entries) == 1 + 5


def test_a_recording_decodes(
    capsys: Capture, inverter: Simulated, tmp_path: Path
) -> None:
    path = tmp_path / "unit.jsonl"
    command(capsys, "record", "--port", inverter.path, *HASTE, "--output", str(path))
    records = command(capsys, "decode", "--json", str(path)).records
    assert len(records) == len(read(path))
    assert not [r for r in records if "error" in r]


def test_options(capsys: Capture, inverter: Simulated, tmp_path: Path) -> None:
    path = tmp_path / "unit.jsonl"
    said = command(
        capsys, "record", "--port", inverter.path, *HASTE, "--output", str(path),
        "--label", "EASUN 5 kW", "--cycles", "0", "--no-mask", "--json",
    )  # fmt: skip
    (summary,) = said.records
    entries = read(path)
    assert summary["file"] == str(path)
    assert summary["model"] == entries[0].model == "EASUN 5 kW (VMIII-5000)"
    assert (summary["dialect"], summary["masked"]) == ("pi30vm3", 0)
    assert summary["exchanges"] == len(entries)
    assert "QPIGS2" in summary["outcomes"]["NAK"]
    assert SERIAL in path.read_text()
    assert sum(entry.command == "QPIGS" for entry in entries) == 1


def test_live_values_for_some_time(
    capsys: Capture, inverter: Simulated, tmp_path: Path
) -> None:
    path = tmp_path / "unit.jsonl"
    line = ("record", "--port", inverter.path, *HASTE, "--output", str(path))
    assert command(capsys, *line, "--seconds", "1.5").code == 0
    assert sum(entry.command == "QPIGS" for entry in read(path)) > 2


def test_all_attempts_are_kept_on_demand(
    capsys: Capture, inverter: Simulated, tmp_path: Path
) -> None:
    line = ("record", "--port", inverter.path, *HASTE, "--cycles", "0", "--output")
    attempts: dict[str, list[Entry]] = {}
    for name, more in (("less", ()), ("all", ("--raw-all",))):
        inverter.tell("fault corrupt QPIRI")
        path = tmp_path / f"{name}.jsonl"
        assert command(capsys, *line, str(path), *more).code == 0
        attempts[name] = [entry for entry in read(path) if entry.command == "QPIRI"]
    assert [entry.quality for entry in attempts["less"]] == ["good"]
    assert [entry.quality for entry in attempts["all"]] == ["corrupt", "good"]


def test_what_is_not_known_is_commented(capsys: Capture, tmp_path: Path) -> None:
    journal = tmp_path / "odd.jsonl"
    odd = encode_reply("1 2 3").hex()
    rows = [("QPI", encode_reply("PI30").hex()), ("QBEQI", odd)]
    lines = (f'{{"command": "{q}", "response_hex": "{reply}"}}\n' for q, reply in rows)
    journal.write_text("".join(lines))
    path = tmp_path / "again.jsonl"
    with simulated(tmp_path, "--recording", str(journal)) as unit:
        line = ("record", "--port", unit.path, *HASTE, "--cycles", "0")
        said = command(capsys, *line, "--output", str(path))
    note = f"unknown layout: 3 fields where {known_counts('QBEQI')}"
    assert re.search(r"^unknown layout +1  QBEQI$", said.out, re.MULTILINE)
    assert f"  QBEQI: {note}\n" in said.out
    assert [e.note for e in read(path) if e.command == "QBEQI"] == [note]


def test_without_a_name_the_file_is_called_after_the_inverter(
    capsys: Capture,
    inverter: Simulated,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    today = datetime.now().astimezone().strftime("%Y%m%d")
    taken = tmp_path / f"VMIII-5000-{today}.jsonl"
    taken.touch()
    monkeypatch.chdir(tmp_path)
    line = ("record", "--port", inverter.path, *HASTE, "--cycles", "0", "--json")
    (summary,) = command(capsys, *line).records
    assert summary["file"] == f"VMIII-5000-{today}-2.jsonl"
    assert read(tmp_path / summary["file"])
    assert taken.read_bytes() == b""


def test_nothing_but_nak_is_no_inverter_of_ours(
    capsys: Capture, tmp_path: Path
) -> None:
    journal, path = tmp_path / "nak.jsonl", tmp_path / "unit.jsonl"
    reply = encode_reply("NAK").hex()
    journal.write_text(f'{{"command": "QPI", "response_hex": "{reply}"}}\n')
    with simulated(tmp_path, "--recording", str(journal)) as unit:
        line = ("record", "--port", unit.path, *HASTE, "--output", str(path))
        said = command(capsys, *line)
    assert said.code == 1
    assert "this is no PI30 inverter; nothing was written" in said.err
    assert not path.exists()


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("there.jsonl", "exists; choose another name"),
        ("none/unit.jsonl", "there is no directory"),
    ],
)
def test_a_place_that_cannot_be_written_is_told_before_anything_is_asked(
    capsys: Capture, fresh_inverter: Simulated, tmp_path: Path, name: str, problem: str
) -> None:
    inverter = fresh_inverter
    (tmp_path / "there.jsonl").write_text("kept")
    line = ("record", "--port", inverter.path, "--output", str(tmp_path / name))
    said = command(capsys, *line)
    assert (said.code, problem in said.err) == (2, True)
    assert (tmp_path / "there.jsonl").read_text() == "kept"
    assert inverter.tell("requests") == "ok {}"


def test_a_port_that_somebody_has_is_refused_by_name(
    capsys: Capture, inverter: Simulated, tmp_path: Path
) -> None:
    hold = "import os,sys; os.open(sys.argv[1], os.O_RDWR); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, inverter.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        path = tmp_path / "unit.jsonl"
        said = command(capsys, "record", "--port", inverter.path, "--output", str(path))
        other.communicate(b"\n")
    assert said.code == 3
    assert re.search(rf"is in use by pid {other.pid} .*stop it", said.err)
    assert not path.exists()


def test_what_came_before_it_was_told_to_end_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "unit.jsonl"
    with simulated(tmp_path, "--baud", "9600") as unit:
        argv = [*MPPDBUS, "record", "--port", unit.path, "--output", str(path)]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as recording:
            while "QFLAG" not in unit.tell("requests"):
                assert recording.poll() is None, "it ended by itself"
            recording.send_signal(signal.SIGINT)
            out, _ = recording.communicate(timeout=60)
    assert recording.returncode == 130
    assert "It ended early: it was told to end. What came is kept." in out
    commands = [entry.command for entry in read(path)]
    assert commands[:4] == ["QPI", "QID", "QVFW", "QPIRI"]
    assert len(commands) < 30


def test_what_came_before_the_port_was_lost_is_kept(
    capsys: Capture, fresh_inverter: Simulated, tmp_path: Path
) -> None:
    inverter = fresh_inverter
    path = tmp_path / "unit.jsonl"
    inverter.tell("fault disconnect QMN")
    line = ("record", "--port", inverter.path, *HASTE, "--output", str(path))
    said = command(capsys, *line)
    assert said.code == 1
    assert re.search(r"It ended early: .* was lost .*What came is kept", said.out)
    assert "QPIGS" in [entry.command for entry in read(path)]

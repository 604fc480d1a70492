"""Output that cannot be written, closed streams, Ctrl-C, terminals that know little."""

from __future__ import annotations

import asyncio
import os
import pty
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.commands import MPPDBUS, Simulated, cli
from helpers.places import ROOT

CONFIG = str(ROOT / "config.example.toml")
REPLY = b"QMOD (B\n"
LONG = 60  # s that a command may take on a busy machine


def in_shell(line: str, *, unbuffered: str = "") -> subprocess.CompletedProcess[str]:
    """Run a line of bash, in which $M is the command line; REPLY is its input."""
    return subprocess.run(
        ["bash", "-c", line],
        input=REPLY.decode(),
        capture_output=True,
        text=True,
        timeout=LONG,
        check=False,
        env={**os.environ, "M": " ".join(MPPDBUS), "PYTHONUNBUFFERED": unbuffered},
    )


@pytest.mark.parametrize(
    ("words", "unbuffered"),
    [
        ("decode", ""),
        ("decode --json", "1"),
        (f"check-config {CONFIG}", ""),
        ("--help", ""),
        ("simulate --list-bugs", "1"),
    ],
)
def test_a_full_disk(words: str, unbuffered: str) -> None:
    done = in_shell(f"$M {words} >/dev/full", unbuffered=unbuffered)
    assert done.returncode == 2
    said = "mppdbus: the output cannot be written: No space left on device\n"
    assert done.stderr == said


@pytest.mark.parametrize("words", ["--help", "simulate --list-profiles", "decode"])
def test_a_reader_that_has_gone(words: str) -> None:
    done = in_shell(f"$M {words} | true; exit ${{PIPESTATUS[0]}}")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("words", ["decode", "demo --once", f"check-config {CONFIG}"])
def test_a_closed_output(words: str) -> None:
    done = in_shell(f"$M {words} >&-")
    assert done.returncode == 2
    assert done.stderr == (
        "mppdbus: the output is closed; send it to /dev/null instead\n"
    )


def test_closed_errors_and_input() -> None:
    assert "battery" in in_shell("$M decode 2>&-").stdout
    assert in_shell(f"$M check-config {CONFIG} <&- 2>&-").returncode == 0


def interrupted(
    ready: str,
    *words: str,
    stdin: int | None = None,
    command: tuple[str, ...] = MPPDBUS,
) -> tuple[int, str]:
    """Press Ctrl-C when stderr says `ready`; return the exit code and the rest."""
    process = subprocess.Popen(
        [*command, *words],
        stdin=stdin,
        stderr=subprocess.PIPE,
        text=True,
        # A job in the background of a script ignores it, and so would this one.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    try:
        assert process.stderr is not None
        assert any(ready in line for line in process.stderr)
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=LONG)[1]
    finally:
        process.kill()
        process.wait()
    return process.returncode, rest


def test_the_first_control_c_ends_a_question(inverter: Simulated) -> None:
    inverter.tell("fault silence forever")
    words = ("query", "QPI", "QMOD", "--port", inverter.path, "--log-level", "debug")
    code, rest = interrupted("inverter > QPI", *words)
    assert code == 130
    assert "Traceback" not in rest


def test_the_first_control_c_ends_the_pasting() -> None:
    ours, theirs = pty.openpty()
    try:
        assert interrupted("Ctrl-D ends", "decode", stdin=theirs) == (130, "")
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize("module", ["asyncio", "argparse", "mppdbus.errors"])
def test_control_c_while_the_program_is_loaded(module: str) -> None:
    command = (sys.executable, "-X", "importtime", "-m", "mppdbus")
    ours, theirs = os.pipe()  # without an end, so that it waits for one
    try:
        done = interrupted(f" {module}\n", "decode", stdin=ours, command=command)
    finally:
        os.close(ours)
        os.close(theirs)
    code, rest = done
    assert "Traceback" not in rest
    # Python ends by the signal where it came into an `eval`; shells say 130 of both.
    assert code in (130, -signal.SIGINT)


@pytest.mark.parametrize("encoding", ["iso-8859-1", "ascii"])
def test_a_terminal_without_boxes(inverter: Simulated, encoding: str) -> None:
    done = subprocess.run(
        [*MPPDBUS, "monitor", "--once", "--port", inverter.path],
        capture_output=True,
        timeout=LONG,
        check=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )
    lines = done.stdout.decode(encoding).splitlines()
    assert not any("\\" in line for line in lines)
    boxes = [line for line in lines if line.startswith(("+-", "|"))]
    assert len(boxes) >= 6
    assert len({len(line.rstrip()) for line in boxes}) == 1  # their edges are straight


async def test_a_dumb_terminal_gets_lines(inverter: Simulated) -> None:
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(*MPPDBUS, "monitor", "--port", inverter.path),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "dumb"},
    )
    os.close(theirs)
    said = b""
    async with asyncio.timeout(LONG):
        while b"alarms: none" not in said:
            said += await asyncio.to_thread(os.read, ours, 4096)
        process.terminate()
        assert await process.wait() == 0
    os.close(ours)
    assert b"\x1b" not in said


# -- places that cannot be used ----------------------------------------------------


def as_a_user(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user who is not above all permissions."""
    drop: tuple[str, ...] = ()
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root needs setpriv to give up its rights")
        rights = "-dac_override,-dac_read_search"
        drop = ("setpriv", "--bounding-set", rights, "--inh-caps", rights)
    return subprocess.run(
        [*drop, *MPPDBUS, *words],
        capture_output=True,
        text=True,
        timeout=LONG,
        check=False,
    )


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """A folder that its user may not enter."""
    folder = tmp_path / "closed"
    folder.mkdir(mode=0)
    return folder


EVERYWHERE = (
    "query QPI --port {}",
    "check-config {}",
    "decode {}",
    "simulate --pty {}",
    "record --output {} --port /dev/ttyNO",
)
FORBIDDEN = (
    "detect --port {}",
    "monitor --port {}",
    "record --port {}",
    "test-connection --port {}",
    "query QPI --config {}",
    "run {}",
    "replay {}",
    "import-config {}",
    "simulate --hid {}",
    "simulate --recording {} --pty /tmp/x",
    "simulate --control unix:{} --tcp 0",
)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        *((words, "x") for words in (*EVERYWHERE, *FORBIDDEN)),
        *((words, 260 * "x") for words in EVERYWHERE),
    ],
)
def test_a_place_that_cannot_be_used(closed: Path, words: str, name: str) -> None:
    place = str(closed / name)
    done = as_a_user(*words.format(place).split())
    said = done.stdout + done.stderr
    assert done.returncode in (2, 3), said
    assert "Traceback" not in said
    assert " ERROR " not in said
    assert "unplug" not in said
    assert place in said.splitlines()[-1]
    reasons = ("denied", "may not look", "too long")
    assert sum(said.count(reason) for reason in reasons) == 1, said


def test_a_second_simulator_does_not_take_the_place_of_the_first(
    inverter: Simulated,
) -> None:
    second = cli("simulate", "--pty", inverter.path)
    assert second.returncode == 2
    assert f"{inverter.path} is the port of another simulator" in second.stderr
    assert cli("query", "QPI", "--port", inverter.path).returncode == 0


def test_the_log_of_the_line_has_a_line_a_frame_as_text(inverter: Simulated) -> None:
    done = cli("query", "QMOD", "--port", inverter.path, "--log-level", "debug")
    lines = [line for line in done.stderr.splitlines() if "mppdbus.wire" in line]
    assert len(lines) == 2
    assert lines[0].endswith(r"inverter > QMODI\xc1\r")
    assert "inverter < (L" in lines[1]

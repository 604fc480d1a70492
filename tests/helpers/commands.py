"""The real command line, and a real simulator on a pty for it to talk to."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from helpers import processes
from helpers.places import TESTS
from mppdbus.cli import main

MPPDBUS = processes.MPPDBUS
HASTE = ("--timeout", "0.3", "--baud", "115200")  # for a simulator that is unpaced
FRAMES = TESTS / "frames" / "frames.jsonl"


@dataclass(frozen=True)
class Simulated:
    """A simulator process; `tell` obeys its control language."""

    path: str
    process: subprocess.Popen[str]

    def tell(self, line: str) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        assert answer.startswith("ok"), answer
        return answer


@contextmanager
def simulated(folder: Path, *options: str) -> Iterator[Simulated]:
    """An inverter on a pty in `folder`; unpaced unless the options say how fast."""
    path = str(folder / "inverter")
    pace = () if "--baud" in options else ("--unpaced",)
    process = subprocess.Popen(
        [*MPPDBUS, "simulate", "--pty", path, *pace, *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith("simulating"), line
        yield Simulated(path, process)
    finally:
        process.terminate()
        process.communicate(timeout=60)


def cli(
    *words: str,
    stdin: bytes = b"",
    cwd: Path | None = None,
    timeout: float = 90,
    env: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run the command line as a process of its own."""
    done = subprocess.run(
        [*MPPDBUS, *words],
        input=stdin,
        capture_output=True,
        cwd=cwd,
        timeout=timeout,
        env={**os.environ, **(env or {})},
        check=False,
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


@dataclass(frozen=True)
class Said:
    """What a command did within this process."""

    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


def command(capsys: pytest.CaptureFixture[str], *words: str) -> Said:
    """Run a command in this process, which is quicker and counts as covered."""
    capsys.readouterr()
    code = main(list(words))
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return Said(code, out, err)

"""`./dev` says how it is used without setting anything up."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from helpers.places import ROOT

DEV = ROOT / "dev"


@pytest.mark.parametrize("words", ["-h", "--help", "help", "test -h", "test --help"])
def test_help_is_all_that_help_does(tmp_path: Path, words: str) -> None:
    """From another folder, in a project where nothing is installed."""
    shutil.copy(DEV, tmp_path / "dev")
    done = subprocess.run(
        [tmp_path / "dev", *words.split()],
        check=False,
        capture_output=True,
        text=True,
        timeout=10,
        cwd="/",
    )
    assert (done.returncode, done.stderr) == (0, "")
    first, *rest = done.stdout.splitlines()
    assert first.startswith("Sets up whatever is missing")
    assert [line.split()[:2] for line in rest if line.startswith("  ./dev test")] == [
        ["./dev", "test"],
        ["./dev", "test"],
    ]
    assert not any("#" in line or "set -eu" in line for line in rest)
    assert [path.name for path in tmp_path.iterdir()] == ["dev"]

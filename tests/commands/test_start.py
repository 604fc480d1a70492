"""A command loads what it uses, and nothing of the daemon's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.commands import cli
from helpers.places import ROOT

RUN = """
import json, sys
from mppdbus.cli import main
code = main(sys.argv[1:])
print(json.dumps([code, *sys.modules]), file=sys.stderr)
"""
DAEMONS_OWN = (
    *("dbus_fast", "mppdbus.venus", "mppdbus.daemon", "mppdbus.simulator"),
    *("mppdbus.model.energy", "mppdbus.model.battery"),
)
CONFIG = str(ROOT / "config.example.toml")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("query", "QPIGS", "--port", "/dev/nobody"), 3),
        (("detect", "--port", "/dev/nobody"), 3),
        (("decode", "/dev/null"), 2),
        (("check-config", CONFIG), 0),
    ],
)
def test_what_a_command_does_not_load(words: tuple[str, ...], code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN, *words], capture_output=True, text=True, check=True
    )
    ended, *loaded = json.loads(done.stderr.splitlines()[-1])
    assert ended == code, done.stderr
    assert [m for m in loaded if m.startswith(DAEMONS_OWN)] == []


@pytest.mark.parametrize(
    ("word", "hint"),
    [("stauts", "did you mean status?"), ("frobnicate", "mppdbus --help lists all")],
)
def test_a_command_that_does_not_exist(word: str, hint: str) -> None:
    done = cli(word, "--json")
    assert done.returncode == 2
    assert done.stderr == f"mppdbus: there is no command '{word}'; {hint}\n"


def test_the_journal_takes_a_config_as_all_others_do(tmp_path: Path) -> None:
    done = cli("writes", "--config", "x.toml", env={"MPPDBUS_STATE": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert "nothing was written from here" in done.stdout

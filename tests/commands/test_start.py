"""A command loads what it uses, and nothing of the daemon's."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

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

"""Which processes of the machine are a daemon of ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from mppdbus.doctor.host_facts import look_at_host

OURS = [
    "/opt/mppdbus/bin/python3 -I -X faulthandler -m mppdbus run CONFIG",
    "/home/anna/mppdbus/.venv/bin/python .venv/bin/mppdbus run CONFIG",
    "python3 /data/lib/mppdbus/__main__.py --log-level INFO run CONFIG",
    "mppdbus run CONFIG",
]
WAITS = ["sudo ", "timeout 60 ", "sh -c cd /srv; "]


@pytest.mark.parametrize("line", OURS)
def test_who_waits_for_a_daemon_is_no_second_one(tmp_path: Path, line: str) -> None:
    config = tmp_path / "config.toml"
    for pid, before in enumerate(["", *WAITS], 77):
        process = tmp_path / f"proc/{pid}"
        process.mkdir(parents=True)
        words = (before + line).replace("CONFIG", str(config)).split(" ")
        (process / "cmdline").write_text("\0".join(words))
        (process / "cwd").symlink_to("/")
    facts = look_at_host(config, tmp_path / "state", tmp_path)
    assert facts.daemons == (77,)

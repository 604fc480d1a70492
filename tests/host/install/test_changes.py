"""A plan: made once, undone without a trace, whole whenever the power fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.tree import tree
from mppdbus.errors import InstallError
from mppdbus.host.install.changes import (
    InstallTarget,
    MakeLink,
    OnUninstall,
    Plan,
    Remove,
    RunProgram,
    WriteFile,
)

RECORD = "/data/apps/ours/made.json"


def plan(*more: WriteFile | MakeLink | RunProgram) -> Plan:
    changes = [
        WriteFile("/data/apps/ours/run", b"#!/bin/sh\n", "the service", mode=0o755),
        WriteFile("/data/conf/ours.toml", b"a = 1\n", "an example", keep=True),
        MakeLink("/data/apps/current", "ours", "what runs"),
        Remove("/data/old", "of an earlier version"),
        OnUninstall("/data/apps/cache"),
        *more,
    ]
    return Plan(changes, RECORD)


def machine(tmp_path: Path) -> InstallTarget:
    (tmp_path / "data/conf").mkdir(parents=True)
    (tmp_path / "data/empty").mkdir()
    return InstallTarget(tmp_path)


def stub(root: Path, name: str, line: str) -> None:
    (root / "usr/bin").mkdir(parents=True, exist_ok=True)
    (root / "usr/bin" / name).write_text(f"#!/bin/sh\n{line}\n")
    (root / "usr/bin" / name).chmod(0o755)


def test_made_twice_it_changes_nothing_and_undone_nothing_is_left(
    tmp_path: Path,
) -> None:
    here, said = machine(tmp_path), list[str]()
    before = tree(tmp_path)
    assert plan().apply(here, said.append) == 3
    assert said[0] == "write /data/apps/ours/run: the service"
    after = tree(tmp_path)
    assert os.access(tmp_path / "data/apps/ours/run", os.X_OK)
    assert plan().apply(here, said.append) == 0
    assert tree(tmp_path) == after
    (tmp_path / "data/apps/cache").mkdir()
    assert plan().undo(InstallTarget(tmp_path), said.append) == 3
    assert (tmp_path / "data/conf/ours.toml").read_text() == "a = 1\n"
    (tmp_path / "data/conf/ours.toml").unlink()
    assert tree(tmp_path) == before


def test_a_dry_run_says_all_and_changes_nothing(tmp_path: Path) -> None:
    here, dry, real = machine(tmp_path), list[str](), list[str]()
    before = tree(tmp_path)
    plan().apply(here, dry.append, dry_run=True)
    assert tree(tmp_path) == before
    plan().apply(here, real.append)
    assert dry == real


def test_what_the_owner_has_changed_is_put_right_or_kept(tmp_path: Path) -> None:
    here, said = machine(tmp_path), list[str]()
    plan().apply(here, said.append)
    (tmp_path / "data/apps/ours/run").chmod(0o600)
    (tmp_path / "data/conf/ours.toml").write_text("a = 2\n")
    (tmp_path / "data/old").touch()
    said.clear()
    plan().apply(here, said.append)
    assert [words.split(":")[0] for words in said] == [
        "write /data/apps/ours/run",
        "remove /data/old",
    ]
    assert (tmp_path / "data/conf/ours.toml").read_text() == "a = 2\n"


def test_programs_run_only_after_a_change(tmp_path: Path) -> None:
    here, log = machine(tmp_path), tmp_path / "log"
    stub(tmp_path, "reload", f'echo "$@" >>{log}')
    reload = RunProgram(["reload", "in"], "tell it", undo_words=["reload", "out"])
    for _ in range(2):
        plan(reload).apply(here, print)
    assert log.read_text() == "in\n"


def test_a_program_that_fails_is_said_or_ends_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = machine(tmp_path)
    stub(tmp_path, "reload", "echo no such thing; exit 3")
    plan(RunProgram(["reload"], "tell it"), RunProgram(["absent"], "tell it")).apply(
        here, print
    )
    said = capsys.readouterr().err
    assert "mppdbus: reload ended with 3: no such thing\n" in said
    assert "mppdbus: there is no absent here\n" in said
    with pytest.raises(InstallError, match="ended with 3"):
        plan(RunProgram(["reload"], "", always=True, needed=True)).apply(here, print)


def test_a_program_that_hangs_is_ended(tmp_path: Path) -> None:
    stub(tmp_path, "hang", "exec sleep 60")
    assert InstallTarget(tmp_path).run("hang", seconds=0.2) == (
        "hang has not ended after 0.2 s"
    )


def test_the_commands_need_no_dependency() -> None:
    names = ("install", "uninstall")
    code = (
        "import sys, mppdbus.cli\n"
        f"for name in {names}: mppdbus.cli._load(name)\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "mppdbus" in loaded
    assert not loaded & {"pydantic", "dbus_fast", "serial", "crcmod", "tomli"}

"""A small file is replaced as a whole, whenever the program dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mppdbus.errors import StateError
from mppdbus.storage.atomic_file import LARGEST, AtomicFile

# Dies before the call number `step` of what touches the disk; a write is cut in half.
WRITER = """
import os, signal, sys
from pathlib import Path
from mppdbus.storage.atomic_file import AtomicFile

step, left = int(sys.argv[2]), [int(sys.argv[2])]

def deadly(name, real):
    def call(*args, **options):
        left[0] -= 1
        if left[0] == 0:
            if name == "write":
                real(args[0], args[1][: len(args[1]) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **options)
    return call

for name in ("open", "write", "fsync", "close", "rename", "mkdir"):
    setattr(os, name, deadly(name, getattr(os, name)))
AtomicFile(Path(sys.argv[1])).save(sys.argv[3].encode() * 1000)
"""


def whole(data: bytes) -> str:
    """Return the word that a file repeats; raises ValueError for half a file."""
    word = data[:4].decode()
    if data != word.encode() * 1000:
        raise ValueError("half a file")
    return word


def killed_at(step: int, path: Path, word: str) -> bool:
    """Save in a process that is killed at a step; tell whether it lived as long."""
    argv = [sys.executable, "-c", WRITER, str(path), str(step), word]
    done = subprocess.run(argv, check=False)
    assert done.returncode in (0, -signal.SIGKILL)
    return done.returncode != 0


@pytest.mark.parametrize("generations", [1, 2])
def test_killed_at_every_step_the_old_or_the_new_is_there(
    tmp_path: Path, generations: int
) -> None:
    outcomes: list[str] = []
    step = 1
    while True:
        path = tmp_path / str(step) / "state.json"
        file = AtomicFile(path)
        for number in range(generations):
            file.save(f"old{number}".encode() * 1000)
        old = f"old{generations - 1}"
        killed = killed_at(step, path, "new!")
        outcomes.append(AtomicFile(path).read(whole) or "nothing")
        assert outcomes[-1] in (old, "new!")
        AtomicFile(path).save(b"next" * 1000)  # whatever the dead one left behind
        assert AtomicFile(path).read(whole) == "next"
        assert not list(path.parent.glob("*unreadable*"))
        if not killed:
            break
        step += 1
    assert step >= 8
    assert outcomes == sorted(outcomes, reverse=True)  # once new, it stays new
    assert {old, "new!"} == set(outcomes)


def test_what_is_renamed_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = AtomicFile(tmp_path / "state.json")
    file.save(b"old!" * 1000)
    calls: list[str] = []
    for name in ("write", "fsync", "rename"):
        monkeypatch.setattr(os, name, noted(calls, name, getattr(os, name)))
    file.save(b"new!" * 1000)
    assert calls == ["write", "fsync", "rename", "rename", "fsync"]


def noted(calls: list[str], name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: object) -> object:
        calls.append(name)
        return real(*args)

    return call


def test_killed_before_there_was_anything(tmp_path: Path) -> None:
    path = tmp_path / "state" / "state.json"
    for step in range(1, 5):
        assert killed_at(step, path, "new!")
        assert AtomicFile(path).read(whole) is None


def test_a_damaged_file_gives_way_to_the_one_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = AtomicFile(tmp_path / "state.json")
    for word in ("one.", "two."):
        file.save(word.encode() * 1000)
    file.path.write_bytes(b"two." * 999)
    assert file.read(whole) == "one."
    assert "half a file; set aside as state.json.unreadable-1" in caplog.text
    file.save(b"four" * 1000)
    assert (tmp_path / "state.json.unreadable-1").read_bytes() == b"two." * 999


def test_nothing_set_aside_is_ever_overwritten(tmp_path: Path) -> None:
    file = AtomicFile(tmp_path / "state.json")
    for number in range(3):
        file.path.write_bytes(b"damage %d" % number)
        assert file.read(whole) is None
    kept = sorted(tmp_path.glob("*unreadable*"))
    assert [each.read_bytes() for each in kept] == [
        b"damage 0",
        b"damage 1",
        b"damage 2",
    ]


def test_what_cannot_be_set_aside_is_not_overwritten(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "state").write_text("a file where a folder belongs")
    file = AtomicFile(tmp_path / "state" / "state.json")
    assert file.read(whole) is None
    assert "state.json: not stored: Not a directory" in caplog.text
    with pytest.raises(StateError, match="move it away"):
        file.save(b"new!" * 1000)
    (tmp_path / "state").unlink()
    file.save(b"new!" * 1000)
    assert file.read(whole) == "new!"


def test_a_failed_save_leaves_what_was_there(tmp_path: Path) -> None:
    file = AtomicFile(tmp_path / "state.json")
    file.save(b"old!" * 1000)
    (tmp_path / "state.json.new").mkdir()
    with pytest.raises(OSError, match=r"state\.json\.new"):
        file.save(b"new!" * 1000)
    assert file.read(whole) == "old!"


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    file = AtomicFile(tmp_path / "state.json")
    file.path.write_bytes(b"x" * (LARGEST + 1))
    assert file.read(len) is None
    assert (tmp_path / "state.json.unreadable-1").stat().st_size == LARGEST + 1

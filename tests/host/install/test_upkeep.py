"""An installed service: its log, backup and restore, is there a newer release."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from mppdbus import __version__
from mppdbus.host.install.service_log import readable


def mppdbus(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mppdbus", *words],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("data/conf/mppdbus", "data/mppdbus/x", "data/log/mppdbus", "opt"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "opt/victronenergy").mkdir()
    (tmp_path / "opt/victronenergy/version").write_text("v3.81\n")
    (tmp_path / "data/conf/mppdbus/config.toml").write_text("mine")
    (tmp_path / "data/mppdbus/x/energy.json").write_text("{}")
    return tmp_path


class Index(BaseHTTPRequestHandler):
    """An index of releases: each path is an answer."""

    ANSWERS: ClassVar = {
        "/newer": '{"tag_name": "v99.1.0"}',
        "/same": json.dumps({"version": __version__}),
        "/odd": '{"tag_name": "latest; rm"}',
        "/text": "<html>",
        "/list": "[]",
    }

    def do_GET(self) -> None:
        answer = self.ANSWERS.get(self.path)
        self.send_response(200 if answer else 404)
        self.end_headers()
        self.wfile.write((answer or "").encode())

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def index() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Index) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_is_there_a_newer_release(index: str) -> None:
    found = mppdbus("update", "--check", "--url", f"{index}/newer", "--json")
    assert json.loads(found.stdout) == {
        "installed": __version__,
        "newest": "99.1.0",
        "newer": True,
    }
    same = mppdbus("update", "--check", "--url", f"{index}/same")
    assert same.stdout == f"this is the newest release: {__version__}\n"


@pytest.mark.parametrize(
    ("place", "why"),
    [("odd", "names no version"), ("text", "gives no answer"), ("none", "says 404")],
)
def test_an_index_that_makes_no_sense(index: str, place: str, why: str) -> None:
    done = mppdbus("update", "--check", "--url", f"{index}/{place}")
    assert done.returncode == 1
    assert why in done.stderr
    assert done.stderr.count("\n") == 1


def test_what_cannot_be_asked() -> None:
    refused = mppdbus("update", "--check", "--url", "http://127.0.0.1:1/")
    assert refused.returncode == 1
    assert "gives no answer" in refused.stderr
    assert mppdbus("update", "--check", "--url", "file:///etc").returncode == 2
    assert mppdbus("update").returncode == 2


def test_a_backup_comes_back(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "saved.tar.gz"
    assert mppdbus("backup", file, "--root", root).returncode == 0
    assert file.stat().st_mode & 0o777 == 0o600
    (root / "data/conf/mppdbus/config.toml").write_text("spoilt")
    (root / "data/mppdbus/x/energy.json").unlink()
    (root / "data/mppdbus/later").touch()
    done = mppdbus("restore", file, "--root", root)
    assert done.stdout == "restored: /data/conf/mppdbus, /data/mppdbus\n"
    assert (root / "data/conf/mppdbus/config.toml").read_text() == "mine"
    assert (root / "data/mppdbus/x/energy.json").read_text() == "{}"
    assert not (root / "data/mppdbus/later").exists()
    assert {path.name for path in (root / "data").iterdir()} == {
        *("conf", "mppdbus", "log")
    }


@pytest.mark.parametrize("name", ["etc/passwd", "data/mppdbus/../../x", "half"])
def test_what_is_no_backup_changes_nothing(
    name: str, root: Path, tmp_path: Path
) -> None:
    file = tmp_path / "odd.tar.gz"
    if name == "half":
        mppdbus("backup", file, "--root", root)
        file.write_bytes(file.read_bytes()[:100])
    else:
        with tarfile.open(file, "w:gz") as archive:
            archive.add(root / "data/mppdbus", "data/mppdbus")
            archive.add(root / "opt/victronenergy/version", name)
    done = mppdbus("restore", file, "--root", root)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert (root / "data/conf/mppdbus/config.toml").read_text() == "mine"
    assert (root / "data/mppdbus/x/energy.json").read_text() == "{}"


def test_the_log_has_times_that_people_read(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamp = "@40000000386d43ff00000000"
    folder = root / "data/log/mppdbus"
    (folder / "@40000000386d43ff00000001.s").write_text(f"{stamp} older\n")
    (folder / "current").write_text(f"{stamp} newer\nwithout\n")
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    done = mppdbus("logs", "-n", "3", "--root", root)
    theirs = subprocess.run(
        ["tai64nlocal"],
        input=f"{stamp} older\n{stamp} newer\nwithout\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == theirs.stdout.replace(".000000000", "")
    assert readable("@zz40000000386d43ff0000000 x").startswith("@zz")


def test_the_log_is_followed_into_the_next_file(root: Path) -> None:
    current = root / "data/log/mppdbus/current"
    current.write_text("one\n")
    words = [sys.executable, "-m", "mppdbus", "logs", "-f", "--root", str(root)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "one\n"
        with current.open("a") as file:
            file.write("two\n")
        assert running.stdout.readline() == "two\n"
        current.rename(current.with_name("@40000000386d43ff00000001.s"))
        current.write_text("three\n")
        assert running.stdout.readline() == "three\n"
        running.terminate()


def test_what_is_not_installed_says_so(root: Path) -> None:
    for command in ("enable", "disable", "restart", "rollback"):
        done = mppdbus(command, "--root", root)
        assert done.returncode == 1
        assert "not installed here" in done.stderr
    said = mppdbus("status", "--root", root)
    assert said.returncode == 1
    assert "not installed: mppdbus install does it" in said.stdout

"""Venus OS, as a directory: what is installed there, and that nothing of it stays."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.tree import tree
from mppdbus import __version__
from mppdbus.errors import InstallError
from mppdbus.host.install import release
from mppdbus.host.install import venus_paths as paths
from mppdbus.host.install.boot_line import LINE, NEW_FILE, with_line, without_line
from mppdbus.host.install.changes import InstallTarget

APP = "data/apps/available/mppdbus"


def gx(root: Path) -> Path:
    """Make what an image has, as far as an installation looks at it."""
    for folder in ("data/conf", "data/log", "service", "run", "opt/victronenergy"):
        (root / folder).mkdir(parents=True)
    (root / "opt/victronenergy/version").write_text("v3.81\n")
    return root


def mppdbus(root: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mppdbus", *words, "--root", str(root)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **env},
    )


SCRIPTS = {
    "none": None,
    "plain": b"#!/bin/bash\necho hello\nexit 0\n",
    "odd bytes": b"#!/bin/sh\n\x00\xff\r\n# \xc3\xa4\nexit 0\n\n\n",
    "no end of line": b"#!/bin/sh\n/data/other/boot.sh --boot",
    "one line": b"#!/bin/sh",
    "no shell named": b"/data/other &\n",
    "empty": b"",
}


@pytest.mark.parametrize("script", [s for s in SCRIPTS.values() if s is not None])
def test_the_line_leaves_all_other_bytes_alone(script: bytes) -> None:
    with_it = with_line(script)
    assert LINE in with_it.split(b"\n")
    assert with_line(with_it) == with_it
    assert without_line(with_it) == script
    assert not script.startswith(b"#!") or with_it.startswith(script[:9])


def test_installed_twice_and_removed_nothing_is_left(tmp_path: Path) -> None:
    root = gx(tmp_path)
    script = root / "data/rcS.local"
    script.write_bytes(SCRIPTS["odd bytes"] or b"")
    script.chmod(0o750)
    (root / "data/apps/available").mkdir(parents=True)
    before = tree(root)

    dry = mppdbus(root, "install", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert tree(root) == before
    done = mppdbus(root, "install")
    assert done.returncode == 0, done.stderr
    assert dry.stdout.splitlines()[:-1] == done.stdout.splitlines()[:-1]
    assert "mppdbus setup" in done.stdout
    assert f"mppdbus {__version__} is installed" in done.stdout

    assert script.stat().st_mode & 0o777 == 0o750
    assert str((root / APP / "current").readlink()) == f"releases/{__version__}"
    assert (root / paths.GUI.lstrip("/") / "mppdbus.json").is_file()
    assert (root / "data/apps/enabled/mppdbus/current/boot.sh").is_file()
    assert os.access(root / "service/mppdbus/run", os.X_OK)
    assert os.access(root / "service/mppdbus/log/run", os.X_OK)

    after = tree(root)
    again = mppdbus(root, "install")
    assert "nothing to change" in again.stdout
    assert tree(root) == after

    launcher = root / APP / "current/bin/mppdbus"
    said = subprocess.run(
        [launcher, "--version"], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == __version__

    gone = mppdbus(root, "uninstall")
    assert gone.returncode == 0, gone.stderr
    assert "nothing of mppdbus remains" in gone.stdout
    assert tree(root) == before


def test_a_repair_mends_what_is_damaged_and_leaves_what_the_owner_wants(
    tmp_path: Path,
) -> None:
    root = gx(tmp_path)
    assert mppdbus(root, "install").returncode == 0
    damaged = root / APP / "current/site/mppdbus/cli.py"
    whole = damaged.read_bytes()
    damaged.write_bytes(b"\0" * 100)
    (root / "data/rcS.local").write_text("#!/bin/sh\nexit 0\n")
    (root / "data/rcS.local").chmod(0o755)
    (root / "data/apps/enabled/mppdbus").unlink()
    (root / "data/conf/mppdbus").mkdir()
    (root / "data/conf/mppdbus/config.toml").write_text("mine")
    done = mppdbus(root, "install")
    assert done.returncode == 0, done.stderr
    assert damaged.read_bytes() == whole
    assert LINE in (root / "data/rcS.local").read_bytes()
    assert not (root / "data/apps/enabled/mppdbus").exists()
    assert "it is switched off" in done.stdout
    assert (root / "data/conf/mppdbus/config.toml").read_text() == "mine"
    gone = mppdbus(root, "uninstall")
    assert "what remains: /data/conf/mppdbus" in gone.stdout
    purged = mppdbus(root, "uninstall", "--purge")
    assert "nothing of mppdbus remains" in purged.stdout
    assert not (root / "data/conf/mppdbus").exists()


def test_a_script_that_venus_does_not_run_is_not_used(tmp_path: Path) -> None:
    root = gx(tmp_path)
    script = root / "data/rcS.local"
    script.write_text("#!/usr/bin/python3\n")
    script.chmod(0o755)
    (root / "data/rcS.local.disabled").touch()
    before = tree(root)
    done = mppdbus(root, "install")
    assert done.returncode == 0, done.stderr
    assert "rcS.local.disabled" in done.stdout
    assert (root / "data/rc.local").read_bytes() == NEW_FILE
    assert script.read_text() == "#!/usr/bin/python3\n"
    (root / "data/rc.local").chmod(0o644)
    refused = mppdbus(root, "install")
    assert refused.returncode == 1
    assert "chmod +x /data/rcS.local" in refused.stderr
    (root / "data/rc.local").chmod(0o755)
    assert mppdbus(root, "uninstall").returncode == 0
    assert tree(root) == before


def a_release(folder: Path) -> Path:
    """Make a release that has nothing in it but what is looked at."""
    (folder / "site/mppdbus").mkdir(parents=True)
    (folder / f"site-{release.python_tag()}").mkdir()
    init = folder / "site/mppdbus/__init__.py"
    init.write_text(f'__version__ = "{__version__}"\n')
    release.complete(folder, __version__, release.architecture())
    return folder


def test_a_release_is_refused_where_it_does_not_fit(tmp_path: Path) -> None:
    good = a_release(tmp_path / "good")
    release.check(good)

    (good / "boot.sh").write_text("cut")
    with pytest.raises(InstallError, match="damaged"):
        release.check(good)

    other = a_release(tmp_path / "other")
    release.complete(other, "9.9", release.architecture())
    with pytest.raises(InstallError, match=r"says that it is 9\.9"):
        release.check(other)

    foreign = a_release(tmp_path / "foreign")
    release.complete(foreign, __version__, "armv7")
    with pytest.raises(InstallError, match="is for armv7"):
        release.check(foreign)

    python = a_release(tmp_path / "python")
    (python / f"site-{release.python_tag()}").rename(python / "site-cp399")
    with pytest.raises(InstallError, match="is for Python cp399"):
        release.check(python)
    run = subprocess.run(
        [sys.executable, python / "bin/start.py", "run"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1
    assert "is for Python 3.99: install a newer release" in run.stderr


def test_elsewhere_it_says_what_to_do(tmp_path: Path) -> None:
    done = mppdbus(tmp_path, "install")
    assert done.returncode == 1
    assert "add --systemd" in done.stderr


def test_a_full_disk_is_told_before_anything_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mppdbus.host.install import venus

    root = gx(tmp_path)
    before = tree(root)
    monkeypatch.setattr(venus, "LEAST_SPACE", 10**9)
    with pytest.raises(InstallError, match=r"/data has \d+ MB left"):
        venus.install(InstallTarget(root), print, dry_run=False)
    assert tree(root) == before

"""Fifty power cuts in installations and updates: each boot has a working version."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import make_bundle
from mppdbus import __version__
from mppdbus.host.install.boot_line import LINE
from mppdbus.host.install.release import PACKAGE, architecture, complete, python_tag

APP = "data/apps/available/mppdbus"
NEW = "8.0.0"
NEEDED = (
    *("*.py", "host/__init__.py", "host/install/*.py", "host/install/files/*"),
    *("host/gui-v2/*", "commands/__init__.py", "commands/install*.py"),
    *("commands/output.py", "commands/status.py"),
    *("config/__init__.py", "config/messages.py"),
)
# A process that dies at its n-th access to the disk; n from the environment.
DRIVER = """
import os, signal, sys
events = {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.symlink",
          "shutil.rmtree", "subprocess.Popen", "os.chmod", "shutil.copyfile"}
place, left = os.environ["PLACE"], [int(os.environ["CUT"])]
def hook(event, args):
    ours = event == "subprocess.Popen" or place in str(args)
    if event in events and ours and "site/" not in str(args[0]):
        left[0] -= 1
        if left[0] == 0:
            os.killpg(0, signal.SIGKILL)
sys.addaudithook(hook)
from mppdbus.cli import main
code = main(sys.argv[1:])
print("LEFT", left[0])
sys.exit(code)
"""


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Make two releases without packages, which are enough for --version."""
    made = {}
    for version in (__version__, NEW):
        folder = tmp_path_factory.mktemp("release") / f"mppdbus-{version}"
        (folder / f"site-{python_tag()}").mkdir(parents=True)
        for pattern in NEEDED:
            for path in PACKAGE.glob(pattern):
                name = str(path.relative_to(PACKAGE.parent))
                make_bundle.put(folder / "site", name, path.read_bytes())
        init = folder / "site/mppdbus/__init__.py"
        init.write_text(init.read_text().replace(__version__, version))
        complete(folder, version, architecture())
        made[version] = folder
    return made


def gx(root: Path) -> Path:
    for folder in ("data/conf", "service/x", "run", "opt/victronenergy", "usr/bin"):
        (root / folder).mkdir(parents=True)
    (root / "opt/victronenergy/version").write_text("v3.81\n")
    # A service that is always up, so that an update waits for it.
    stubs = {"svstat": 'echo "$1: up (pid $$) 20 seconds"', "svc": "exit 0"}
    for name, line in stubs.items():
        (root / "usr/bin" / name).write_text(f"#!/bin/sh\n{line}\n")
        (root / "usr/bin" / name).chmod(0o755)
    return root


def install(
    release: Path, root: Path, cut: int = 0
) -> subprocess.CompletedProcess[str]:
    """Install a release; the power fails at access `cut` to the disk, 0: never."""
    return driven(release / "site", root, cut, "install")


def driven(
    site: Path, root: Path, cut: int, *words: str
) -> subprocess.CompletedProcess[str]:
    """Run a command of ours; the power fails at access `cut` to /data, 0: never."""
    return subprocess.run(
        [sys.executable, "-c", DRIVER, *words, "--root", str(root)],
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
        env={
            **os.environ,
            "PYTHONPATH": str(site),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PLACE": f"{root}/data",
            "CUT": str(cut),
        },
    )


def boot(root: Path) -> str:
    """Boot: the RAM is empty, rcS.local runs; return the version, "" for none."""
    for folder in ("service", "run"):
        shutil.rmtree(root / folder)
        (root / folder).mkdir()
    script = root / "data/rcS.local"
    if script.exists():
        assert LINE in script.read_bytes()
        assert script.stat().st_mode & 0o100
        env = {**os.environ, "MPPDBUS_ROOT": str(root)}
        begin = root / APP / "current/boot.sh"
        if begin.exists():
            subprocess.run(["busybox", "sh", begin, "boot"], check=True, env=env)
    launcher = root / APP / "current/bin/mppdbus"
    if not launcher.exists():
        assert not (root / "service/mppdbus").exists()
        return ""
    said = subprocess.run(
        [launcher, "--version"], capture_output=True, text=True, check=True
    )
    return said.stdout.strip()


def accesses(done: subprocess.CompletedProcess[str]) -> int:
    assert done.returncode == 0, done.stderr
    return -int(done.stdout.rsplit("LEFT ", 1)[1])


def test_a_cut_while_it_is_installed(releases: dict[str, Path], tmp_path: Path) -> None:
    root = gx(tmp_path / "all")
    most = accesses(install(releases[__version__], root))
    places = random.Random(7).sample(range(1, most), 20)
    versions = set()
    for number, cut in enumerate(places):
        root = gx(tmp_path / str(cut))
        done = install(releases[__version__], root, cut)
        assert done.returncode == -signal.SIGKILL, cut
        versions.add(boot(root))
        if number % 3 == 0:  # it is mended by doing it again
            assert accesses(install(releases[__version__], root)) >= 0
            assert boot(root) == __version__
            assert (root / "service/mppdbus/run").exists()
        shutil.rmtree(root)
    assert versions == {"", __version__}


def test_a_cut_while_it_is_updated(releases: dict[str, Path], tmp_path: Path) -> None:
    old = gx(tmp_path / "old")
    install(releases[__version__], old)
    whole = tmp_path / "whole"
    shutil.copytree(old, whole, symlinks=True)
    most = accesses(install(releases[NEW], whole))
    assert boot(whole) == NEW
    versions = []
    for number, cut in enumerate(random.Random(11).sample(range(1, most), 30)):
        root = tmp_path / str(cut)
        shutil.copytree(old, root, symlinks=True)
        done = install(releases[NEW], root, cut)
        assert done.returncode == -signal.SIGKILL, cut
        versions.append(boot(root))
        assert (root / "service/mppdbus/run").exists(), cut
        assert not (root / APP / "trial").exists()
        if number % 3 == 0:
            assert accesses(install(releases[NEW], root)) >= 0
            assert boot(root) == NEW
        shutil.rmtree(root)
    assert set(versions) <= {__version__, NEW}
    assert __version__ in versions


def test_a_cut_while_a_backup_is_restored(tmp_path: Path) -> None:
    """Config and counters are there at each moment, as they were or were saved."""
    made = tmp_path / "whole"
    files = ("data/conf/mppdbus/config.toml", "data/mppdbus/energy.json")
    (made / "opt/victronenergy").mkdir(parents=True)
    (made / "opt/victronenergy/version").touch()
    saved = tmp_path / "saved.tar.gz"

    def write(root: Path, text: str) -> None:
        for file in files:
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            (root / file).write_text(text)

    def restore(root: Path, cut: int) -> subprocess.CompletedProcess[str]:
        return driven(PACKAGE.parent, root, cut, "restore", str(saved))

    write(made, "saved")
    driven(PACKAGE.parent, made, 0, "backup", str(saved))
    write(made, "later")
    most = accesses(restore(made, 0))
    assert {(made / file).read_text() for file in files} == {"saved"}
    assert {path.name for path in (made / "data").iterdir()} == {"conf", "mppdbus"}
    seen = set()
    for cut in range(1, most):
        root = tmp_path / str(cut)
        write(root, "later")
        shutil.copytree(made / "opt", root / "opt")
        assert restore(root, cut).returncode == -signal.SIGKILL, cut
        seen.add(tuple((root / file).read_text() for file in files))
    assert {("later", "later"), ("saved", "saved")} <= seen
    assert ("later", "saved") not in seen
    assert accesses(restore(root, 0)) > 0  # done again, it is whole and clean
    assert {path.name for path in (root / "data").iterdir()} == {"conf", "mppdbus"}

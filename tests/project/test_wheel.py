"""The wheel: all of the package is in it, and it works where there is nothing else."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from helpers.places import ROOT
from helpers.processes import Program, until
from mppdbus import __version__

# What builds it; ./dev test installs this.
OLD = tuple(int(n) for n in version("setuptools").split(".")[:1]) < (77,)
_HIDDEN = {"__pycache__", ".mypy_cache", ".ruff_cache"}
NOT_SHIPPED = shutil.ignore_patterns(*_HIDDEN, "*.egg-info")

pytestmark = [
    pytest.mark.skipif(OLD, reason="setuptools is older than 77: pip install -U"),
    pytest.mark.xdist_group("wheel"),  # it is built once
]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build it from a copy, with nothing from the network."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    shutil.copytree(ROOT / "src", source / "src", ignore=NOT_SHIPPED)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip("wheel", "--no-deps", "--no-build-isolation", "-w", folder, source)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install it into a folder of its own; the dependencies are those of the tests."""
    folder = tmp_path_factory.mktemp("installed")
    pip("install", "--no-deps", "--target", folder, wheel)
    return folder


def pip(command: str, *words: str | Path) -> None:
    argv = [sys.executable, "-m", "pip", command, "-q", "--no-index", *map(str, words)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def mppdbus(installed: Path, *words: str) -> str:
    """Run its command far from the source; return what it prints."""
    done = subprocess.run(
        [sys.executable, str(installed / "bin/mppdbus"), *words],
        env={**os.environ, "PYTHONPATH": str(installed)},
        cwd=installed,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_all_of_the_package_is_in_it(wheel: Path) -> None:
    package = ROOT / "src"
    files = {
        str(path.relative_to(package))
        for path in (package / "mppdbus").rglob("*")
        if path.is_file() and not _HIDDEN & set(path.parts)
    }
    with zipfile.ZipFile(wheel) as archive:
        shipped = {n for n in archive.namelist() if ".dist-info/" not in n}
    assert shipped == files
    assert re.match(rf"mppdbus-{re.escape(__version__)}-py3-none-any", wheel.name)


async def test_it_works(installed: Path, tmp_path: Path) -> None:
    assert mppdbus(installed, "--version").strip() == __version__
    where = "import mppdbus; print(mppdbus.__file__)"
    found = subprocess.check_output(
        [sys.executable, "-c", where],
        env={**os.environ, "PYTHONPATH": str(installed)},
        cwd=tmp_path,
        text=True,
    )
    assert Path(found.strip()).is_relative_to(installed)

    port, config = tmp_path / "tty", tmp_path / "config.toml"
    config.write_text(f'[[inverter]]\nport = "serial:{port}"\n')
    assert "every 2 s" in mppdbus(installed, "check-config", str(config))
    command = str(installed / "bin/mppdbus")
    argv = [sys.executable, command, "simulate", "--pty", str(port)]
    env = {"PYTHONPATH": str(installed)}
    simulator = Program(argv, tmp_path / "simulator.log", env=env)
    try:

        async def there() -> bool:
            assert simulator.running, simulator.said
            return port.exists()

        await until(there, lambda: simulator.said)
        said = mppdbus(installed, "query", "QPI", "QMOD", "--port", str(port))
        assert "PI30" in said
        assert "mode" in said
    finally:
        simulator.stop()


def test_what_is_installed_as_a_service_is_in_it(
    installed: Path, tmp_path: Path
) -> None:
    """Where a service can see it; the tests may run from a home, which says why not."""
    argv = [sys.executable, str(installed / "bin/mppdbus"), "install", "--systemd"]
    done = subprocess.run(
        [*argv, "--dry-run", "--root", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert "the service" in said or "which a service does not see" in said
    for name in (ROOT / "systemd").iterdir():
        shipped = installed / "mppdbus/host/systemd" / name.name
        assert shipped.read_bytes() == name.read_bytes()

"""`./dev` says how it is used, and sets up what is missing or broken."""

from __future__ import annotations

import os
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
        timeout=60,
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


def test_a_broken_environment_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was not finished, and one that another Python has left."""
    shutil.copy(DEV, tmp_path / "dev")
    # A Python that puts no pip into what it makes, which takes seconds each time.
    python = tmp_path / "bin" / "python3"
    python.parent.mkdir()
    real = shutil.which("python3")
    python.write_text(
        f'#!/bin/sh\n[ "$2" != venv ] || set -- "$@" --without-pip\nexec {real} "$@"\n'
    )
    python.chmod(0o755)
    monkeypatch.setenv("PATH", f"{python.parent}:{os.environ['PATH']}")
    venv = tmp_path / "venv"
    assert "making" in set_up(tmp_path, venv)
    for damage in (".made", "bin/python"):
        assert "making" not in set_up(tmp_path, venv)
        (venv / damage).unlink()
        assert "making" in set_up(tmp_path, venv), damage


def test_a_machine_without_python_gets_one_or_is_told(tmp_path: Path) -> None:
    """As a bare Debian; apt-get is played, and its Python is none."""
    shutil.copy(DEV, tmp_path / "dev")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "dirname", "mktemp", "cat", "rm", "env"):
        (programs / name).symlink_to(shutil.which(name) or name)
    script(programs / "id", "echo 0")

    def said() -> str:
        return subprocess.run(
            [tmp_path / "dev", "detect"],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
            env={"PATH": str(programs)},
        ).stderr

    assert said() == "dev: please install: python3 python3-venv\n"
    script(programs / "apt-get", f'echo "$@" >>{tmp_path}/apt')
    assert said().startswith("dev: installing python3 python3-venv\n")
    assert (tmp_path / "apt").read_text().split()[-2:] == ["python3", "python3-venv"]


def script(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    shutil.copy(DEV, tmp_path / "dev")
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv/letter").write_text("dear")
    assert "is no Python environment" in set_up(tmp_path, tmp_path / "venv")
    assert (tmp_path / "venv/letter").read_text() == "dear"


@pytest.mark.parametrize(
    ("fails", "code"),
    [
        ("nothing", 0),
        ("-m ruff check .", 1),
        ("-m ruff format --check .", 1),
        ("-m mypy", 1),
        ("-m mypy --python-version 3.13 src", 1),
        ("-m pytest -m not slow and not long and not vm and not arm -n 8", 1),
        ("-m pytest -m slow and not long and not vm and not arm -n 1", 1),
    ],
)
def test_each_part_of_the_tests_counts(tmp_path: Path, fails: str, code: int) -> None:
    for file in (DEV, ROOT / "pyproject.toml"):
        shutil.copy(file, tmp_path)
    python = tmp_path / "venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\n[ "$*" != "{fails}" ]\n')
    python.chmod(0o755)
    version = subprocess.check_output(
        ["python3", "-c", "import sys; print(sys.version)"]
    )
    (tmp_path / "venv/.made").write_bytes(version)
    (tmp_path / "venv/.installed[test]").touch()
    done = subprocess.run(
        [tmp_path / "dev", "test"],
        check=False,
        capture_output=True,
        env=os.environ | {"MPPDBUS_VENV": str(tmp_path / "venv")},
    )
    assert done.returncode == code


def test_the_oldest_dependencies_have_an_environment_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is installed there, and what runs: with all that Venus OS leaves out."""
    for file in (DEV, ROOT / "pyproject.toml"):
        shutil.copy(file, tmp_path)
    said, python = tmp_path / "said", tmp_path / "venv-oldest/bin/python"
    says = f'#!/bin/sh\necho "$PIP_CONSTRAINT $MPPDBUS_VENUS $*" >>{said}\n'
    no_other = tmp_path / "bin/python3.12"  # so that the environment is of python3
    for path, text in ((python, says), (no_other, "#!/bin/sh\nexit 1\n")):
        path.parent.mkdir(parents=True)
        path.write_text(text)
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{no_other.parent}:{os.environ['PATH']}")
    version = subprocess.check_output(
        ["python3", "-c", "import sys; print(sys.version)"]
    )
    (tmp_path / "venv-oldest/.made").write_bytes(version)
    subprocess.run(
        [tmp_path / "dev", "oldest", "tests/config"],
        check=True,
        capture_output=True,
        env=os.environ | {"MPPDBUS_VENV": str(tmp_path / "venv")},
    )
    installed, ran = said.read_text().splitlines()[-2:]
    assert installed.startswith("tests/oldest.txt  -m pip install ")
    assert installed.endswith(" -e .[test]")
    assert ran.startswith("tests/oldest.txt ccgx -m pytest ")
    assert ran.endswith(" tests/config")


def set_up(project: Path, venv: Path) -> str:
    """Return what `./dev` says until pip finds nothing to install."""
    done = subprocess.run(
        [project / "dev", "decode"],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"MPPDBUS_VENV": str(venv)},
    )
    assert done.returncode == 1
    return done.stderr


@pytest.mark.xdist_group("together")
def test_tests_of_a_group_stay_together(request: pytest.FixtureRequest) -> None:
    """Or each worker starts what a whole file shares, such as fifty inverters."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        assert request.node.nodeid.endswith("@together"), "install pytest<9.2"

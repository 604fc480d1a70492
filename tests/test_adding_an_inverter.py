"""docs/adding-an-inverter.md, followed to the letter in a copy of the project."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mppdbus.cli import COMMANDS
from mppdbus.protocol.framing import encode_reply, encode_request
from mppdbus.recording import Exchange, Origin, make, write
from mppdbus.simulator.simulator import simulate
from support_simulator import inverter_of

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "adding-an-inverter.md").read_text(encoding="utf-8")
MODEL, LAYOUTS, ROW = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
OLD_LAYOUTS = '    "QPIGS": (_layout(m.GeneralStatus, 17, 21, 24, 25),),\n'
TOLD = ("QPI", "QID", "QVFW", "QPIRI", "QFLAG", "QPIGS", "QMOD", "QPIWS", "QMN")

ONLY = ("-q", "-p", "no:cacheprovider", "-k", "journal_holds or is_current")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("src", "tools", "docs", "pyproject.toml"):
        source = ROOT / name
        if source.is_dir():
            skipped = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(source, tmp_path / name, ignore=skipped)
        else:
            shutil.copy(source, tmp_path / name)
    tests = tmp_path / "tests"
    tests.mkdir()
    shutil.copytree(ROOT / "tests" / "frames", tests / "frames")
    for path in [*ROOT.glob("tests/support_*.py"), ROOT / "tests/test_recordings.py"]:
        shutil.copy(path, tests / path.name)
    return tmp_path


def record(path: Path, family: str, scene: str) -> None:
    """What `mppdbus record` writes of a SunX, which nobody has ever seen."""
    inverter = inverter_of(simulate("axpert-5000", scene=scene))
    said = {query: inverter.answer(query) or "" for query in TOLD}
    said |= {"QMN": "SUNX-5000", "QVFW": "VERFW:00090.01"}
    said["QPIGS"] += " 0 00 0000 01.2 25"
    exchanges = [
        Exchange(query, encode_request(query), encode_reply(payload))
        for query, payload in said.items()
    ]
    write(path, make(exchanges, Origin("SunX 5 kW", family, "a test")))


def run(project: Path, *words: str) -> str:
    env = os.environ | {"PYTHONPATH": str(project / "src")}
    done = subprocess.run(
        [sys.executable, *words],
        cwd=project,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def edit(path: Path, before: str, text: str) -> None:
    """Put `text` before a line that has to be there."""
    old = path.read_text(encoding="utf-8")
    assert old.count(before) == 1, f"{path.name} has no single {before!r} any more"
    path.write_text(old.replace(before, text + before), encoding="utf-8")


def cell(place: str) -> str:
    """What the table of step 6 says to add to `place`."""
    row = next(line for line in GUIDE.splitlines() if line.startswith(f"| `{place}`"))
    return row.split("| `" if " | `" in row else "|")[2].split("`")[0]


def test_the_guide_adds_an_inverter(project: Path) -> None:
    code = project / "src" / "mppdbus"
    journals = [project / "tests/frames/sunx-sun.jsonl"]
    journals += [project / "tests/frames/sunx-battery.jsonl"]
    for path, scene in zip(journals, ("scene mains+pv", "scene bat"), strict=True):
        record(path, "pi30sunx", scene)

    protocol = code / "protocol"
    edit(protocol / "models.py", "class SecondTracker(Reading):\n", f"{MODEL}\n\n")
    commands = protocol / "commands.py"
    assert OLD_LAYOUTS in commands.read_text()
    commands.write_text(commands.read_text().replace(OLD_LAYOUTS, LAYOUTS))
    last = '    replace(\n        _PI30,\n        name="revo",\n'
    edit(protocol / "dialect_table.py", last, ROW)
    clue = cell("protocol/identification.py")
    edit(protocol / "identification.py", '    (r"VMII-NXPW"', f"    {clue}\n")
    name = cell("config.py")
    edit(code / "config.py", '    "revo",\n', f"    {name}\n")
    setters = protocol / "setters.py"
    kept_out = cell("protocol/setters.py")
    assert '- {"revo"}' in setters.read_text()
    setters.write_text(setters.read_text().replace('- {"revo"}', kept_out))

    assert run(project, "tools/make_inverters_md.py") == ""
    page = (project / "docs" / "inverters.md").read_text(encoding="utf-8")
    assert "| [pi30sunx](#pi30sunx) | SunX, 5 kW | 2 | 18 | ●" in page
    said = run(project, "-m", "pytest", "tests/test_recordings.py", *ONLY)
    assert re.search(r"\d+ passed", said), said
    assert "failed" not in said


def test_before_it_is_followed_the_tests_say_what_to_do(project: Path) -> None:
    record(project / "tests/frames/sunx-sun.jsonl", "pi30sunx", "scene mains+pv")
    said = run(project, "-m", "pytest", "tests/test_recordings.py", *ONLY)
    assert "unknown layout: 26 fields where 17, 21, 24, 25 are known" in said
    assert "SunX 5 kW is pi30sunx, but is taken for " in said
    assert "docs/inverters.md is not current" in said


def test_every_command_and_file_that_it_names_is_there() -> None:
    for name in re.findall(r"\./dev ([a-z-]+)", GUIDE):
        assert name in {*COMMANDS, "test"}
    for path in re.findall(r"`((?:src|tests|docs|tools)/[\w/.-]+)`", GUIDE):
        assert (ROOT / path).exists(), path

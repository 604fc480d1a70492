"""docs/adding-an-inverter.md, followed to the letter in a copy of the project.

Its invented inverter gets a name and a number of words that nobody will take, so that
the tables may grow by whatever people add as the guide says.
"""

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
from support_frames import known_counts
from support_simulator import inverter_of

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "adding-an-inverter.md").read_text(encoding="utf-8")
WORDS = 40  # of its QPIGS
UNNAMED = "".join(f"    unknown_{n}: Code = None\n" for n in range(26, WORDS))
TOLD = ("QPI", "QID", "QVFW", "QPIRI", "QFLAG", "QPIGS", "QMOD", "QPIWS", "QMN")

CHECKS = (
    "tests/test_recordings.py",
    "tests/test_dialects.py",
    "tests/test_setters.py",
)
ONLY = ("-q", "-p", "no:cacheprovider", "-k", "journal_holds or is_current")


def invented(text: str) -> str:
    """Put a name that nobody has in place of the one of the guide."""
    for case in (str.lower, str.title, str.upper):
        text = text.replace(case("sunx"), case("invented"))
    return text.replace("SunX", "Invented").replace("d, 26)", f"d, {WORDS})")


MODEL, LAYOUTS, ROW = map(
    invented, re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
)


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
    for path in [*ROOT.glob("tests/support_*.py"), *(ROOT / name for name in CHECKS)]:
        shutil.copy(path, tests / path.name)
    return tmp_path


def record(path: Path, family: str, scene: str) -> None:
    """What `mppdbus record` writes of a unit that nobody has ever seen."""
    inverter = inverter_of(simulate("axpert-5000", scene=scene))
    said = {query: inverter.answer(query) or "" for query in TOLD}
    said |= {"QMN": "INVENTED-5000", "QVFW": "VERFW:00090.01"}
    said["QPIGS"] += " 0 00 0000 01.2" + 14 * " 1" + " 25"
    assert len(said["QPIGS"].split()) == WORDS
    exchanges = [
        Exchange(query, encode_request(query), encode_reply(payload))
        for query, payload in said.items()
    ]
    write(path, make(exchanges, Origin("Invented 5 kW", family, "a test")))


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


def edit(path: Path, place: str, text: str, *, behind: bool = False) -> None:
    """Put `text` before or behind what has to be there."""
    old = path.read_text(encoding="utf-8")
    assert old.count(place) == 1, f"{path.name} has no single {place!r} any more"
    new = place + text if behind else text + place
    path.write_text(old.replace(place, new), encoding="utf-8")


def cell(place: str) -> str:
    """What the table of step 6 says to add to `place`."""
    row = next(line for line in GUIDE.splitlines() if line.startswith(f"| `{place}`"))
    return invented(row.split("| `")[2].split("`")[0])


def test_the_guide_adds_an_inverter(project: Path) -> None:
    code = project / "src" / "mppdbus"
    for name, scene in (("sun", "scene mains+pv"), ("battery", "scene bat")):
        path = project / f"tests/frames/invented-{name}.jsonl"
        record(path, "pi30invented", scene)

    protocol = code / "protocol"
    model = MODEL.replace("    battery_temp", f"{UNNAMED}    battery_temp")
    edit(protocol / "models.py", "class SecondTracker(Reading):\n", f"{model}\n\n")
    layout = LAYOUTS.splitlines()[-2].strip()
    old = re.search(
        r"_layout\(m\.GeneralStatus, [\d, ]+\),",
        (protocol / "commands.py").read_text(encoding="utf-8"),
    )
    assert old, "commands.py has no row of GeneralStatus any more"
    edit(protocol / "commands.py", old[0], layout, behind=True)
    last = '    replace(\n        _PI30,\n        name="revo",\n'
    edit(protocol / "dialect_table.py", last, ROW)
    clue = cell("protocol/identification.py")
    edit(protocol / "identification.py", '    (r"VMII-NXPW"', f"    {clue}\n")
    name = cell("config.py")
    edit(code / "config.py", '    "revo",\n', f"    {name}\n")
    kept_out = f"{name} "
    assert name.strip(",") in cell("protocol/setters.py")
    edit(
        protocol / "setters.py", "ALL = frozenset(DIALECTS) - {", kept_out, behind=True
    )

    assert run(project, "tools/make_inverters_md.py") == ""
    page = (project / "docs" / "inverters.md").read_text(encoding="utf-8")
    assert "| [pi30invented](#pi30invented) | Invented, 5 kW | 1 | 18 | ●" in page
    said = run(project, "-m", "pytest", CHECKS[0], *ONLY)
    said += run(project, "-m", "pytest", *CHECKS[1:], *ONLY[:3])
    assert len(re.findall(r"\d+ passed", said)) == 2, said
    assert "failed" not in said


def test_before_it_is_followed_the_tests_say_what_to_do(project: Path) -> None:
    journal = project / "tests/frames/invented-sun.jsonl"
    record(journal, "pi30invented", "scene mains+pv")
    said = run(project, "-m", "pytest", "tests/test_recordings.py", *ONLY)
    known = known_counts("QPIGS")
    assert f"unknown layout: {WORDS} fields where {known}" in said
    assert "Invented 5 kW is pi30invented, but is taken for " in said
    assert "docs/inverters.md is not current" in said


def test_every_command_and_file_that_it_names_is_there() -> None:
    for name in re.findall(r"\./dev ([a-z-]+)", GUIDE):
        assert name in {*COMMANDS, "test"}
    for path in re.findall(r"`((?:src|tests|docs|tools)/[\w/.-]+)`", GUIDE):
        assert (ROOT / path).exists(), path

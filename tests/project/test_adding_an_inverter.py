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

from helpers.frames import counts, known_counts
from helpers.places import ROOT
from helpers.simulator import inverter_of
from mppdbus.cli import COMMANDS
from mppdbus.protocol.framing import encode_reply, encode_request
from mppdbus.recording import Exchange, RecordedUnit, entries_of, write
from mppdbus.simulator.line.simulator import simulate

GUIDE = (ROOT / "docs" / "adding-an-inverter.md").read_text(encoding="utf-8")
WORDS = 40  # of its QPIGS
UNNAMED = "".join(f"    unknown_{n}: Code = None\n" for n in range(26, WORDS))
TOLD = ("QPI", "QID", "QVFW", "QPIRI", "QFLAG", "QPIGS", "QMOD", "QPIWS", "QMN")

CHECKS = (
    "tests/protocol/test_frames.py",
    "tests/protocol/test_dialects.py",
    "tests/protocol/test_setters.py",
)
ONLY = ("-q", "-p", "no:cacheprovider", "-k", "journal_holds or is_current")


def invented(text: str) -> str:
    """Put a name that nobody has in place of the one of the guide."""
    for case in (str.lower, str.title, str.upper):
        text = text.replace(case("sunx"), case("invented"))
    return text.replace("SunX", "Invented").replace("d, 26)", f"d, {WORDS})")


MODEL, LAYOUTS, OWN_MODEL, ROW, OWN_QUERIES, OWN_WARNINGS = map(
    invented, re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
)
FEWER = next(n for n in range(24, 17, -1) if n not in counts("QPIGS"))
FEWER_MODEL = (  # the guide's model of QPIRI, turned into one of QPIGS
    OWN_MODEL.replace("Ratings", "GeneralStatus")
    .replace("QPIRI", "QPIGS")
    .replace("[:25]", f"[:{FEWER - 1}]")
    .replace("back_to_grid_charge", "fan_speed")
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


def record(path: Path, family: str, scene: str, **replies: str) -> None:
    """What `mppdbus record` writes of a unit that nobody has ever seen."""
    inverter = inverter_of(simulate("axpert-5000", scene=scene))
    said = {query: inverter.answer(query) or "" for query in TOLD}
    said |= {"QMN": "INVENTED-5000", "QVFW": "VERFW:00090.01"}
    said["QPIGS"] += " 0 00 0000 01.2" + 14 * " 1" + " 25"
    assert len(said["QPIGS"].split()) == WORDS
    exchanges = [
        Exchange(query, encode_request(query), encode_reply(payload))
        for query, payload in (said | replies).items()
    ]
    write(path, entries_of(exchanges, RecordedUnit("Invented 5 kW", family, "a test")))


def odd_replies() -> dict[str, str]:
    """Fewer words and a tail of its own, a known number that means something else."""
    inverter = inverter_of(simulate("axpert-5000", scene="scene mains+pv"))
    status = (inverter.answer("QPIGS") or "").split() + 9 * ["0"]
    ratings = (inverter.answer("QPIRI") or "").split()[:25]
    return {
        "QPIGS": " ".join([*status[: FEWER - 1], "063"]),
        "QPIRI": " ".join([*ratings, "045"]),
        "QPIWS": "".join("1" if n == 15 else "0" for n in range(36)),
    }


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


def layout_of(project: Path, model: str, count: int) -> None:
    """Put a layout into `commands.py` behind the one that it extends."""
    path = project / "src/mppdbus/protocol/queries.py"
    old = re.search(
        r"_layout\(m\.GeneralStatus, [\d, ]+\),", path.read_text(encoding="utf-8")
    )
    assert old, "commands.py has no row of GeneralStatus any more"
    edit(path, old[0], f" _layout(m.{model}, {count}),", behind=True)


def name_the_family(project: Path, row: str) -> None:
    """Step 6: its row, its clue, its name for the config and no setters."""
    code = project / "src" / "mppdbus"
    protocol = code / "protocol"
    last = '    replace(\n        _PI30,\n        name="revo",\n'
    edit(protocol / "dialect_table.py", last, row)
    clue = cell("protocol/dialects/identification.py")
    edit(protocol / "identification.py", '    (r"VMII-NXPW"', f"    {clue}\n")
    edit(
        code / "config/models.py", '    "revo",\n', f"    {cell('config/models.py')}\n"
    )
    kept_out = f"    {cell('protocol/settings/setters.py')}\n"
    edit(protocol / "setters.py", '    "revo",  # writes', kept_out)


def holds(project: Path) -> str:
    """Step 7; return the family's part of docs/inverters.md."""
    assert run(project, "tools/make_inverters_md.py") == ""
    said = run(project, "-m", "pytest", CHECKS[0], *ONLY)
    said += run(project, "-m", "pytest", *CHECKS[1:], *ONLY[:3])
    assert len(re.findall(r"\d+ passed", said)) == 2, said
    assert "failed" not in said
    page = (project / "docs" / "inverters.md").read_text(encoding="utf-8")
    line = "| [pi30invented](#pi30invented) | Invented, 5 kW | 1 | 9 | ●"
    assert line in page
    return page.split("## pi30invented\n")[1].split("\n## ")[0]


def test_the_guide_adds_an_inverter(project: Path) -> None:
    for name, scene in (("sun", "scene mains+pv"), ("battery", "scene bat")):
        path = project / f"tests/frames/invented-{name}.jsonl"
        record(path, "pi30invented", scene)

    model = MODEL.replace("    battery_temp", f"{UNNAMED}    battery_temp")
    models = project / "src/mppdbus/protocol/replies/status.py"
    edit(models, "class SecondTracker(Reading):\n", f"{model}\n\n")
    assert f"_layout(m.GeneralStatusInvented, {WORDS})," in LAYOUTS
    layout_of(project, "GeneralStatusInvented", WORDS)
    name_the_family(project, ROW)
    part = holds(project)
    words = f"QPIGS of {WORDS} words is a `GeneralStatusInvented`"
    assert f"{words}: unknown_26, unknown_27" in part
    assert ", battery_temperature\n" in part


def test_the_guide_adds_an_inverter_that_ends_otherwise(project: Path) -> None:
    protocol = project / "src/mppdbus/protocol"
    path = project / "tests/frames/invented-sun.jsonl"
    record(path, "pi30invented", "scene mains+pv", **odd_replies())
    edit(
        protocol / "models.py", "class SecondTracker(Reading):\n", FEWER_MODEL + "\n\n"
    )
    layout_of(project, "GeneralStatusInvented", FEWER)
    settings = protocol / "models_settings.py"
    edit(settings, "class RatingsRevo(Reading):\n", OWN_MODEL + "\n\n")
    if "    Percent,\n" not in settings.read_text(encoding="utf-8"):
        edit(settings, "    Reading,\n", "    Percent,\n")
    warnings = protocol / "warning_bits.py"
    warnings.write_text(warnings.read_text(encoding="utf-8") + OWN_WARNINGS)
    columns = f"{OWN_QUERIES}        warnings=w.WARNINGS_INVENTED,\n    ),\n"
    name_the_family(project, ROW.removesuffix("    ),\n") + columns)
    table = protocol / "dialect_table.py"
    if "import models_settings as s\n" not in table.read_text(encoding="utf-8"):
        imports = "from . import models as m\n"
        edit(table, imports, "from . import models_settings as s\n", behind=True)

    part = holds(project)
    assert "QPIRI of 26 words is a `RatingsInvented`: back_to_grid_charge" in part
    assert f"QPIGS of {FEWER} words is a `GeneralStatusInvented`: fan_speed" in part
    assert "a15 fan_filter_clogged (invented-sun)" in part
    shown = run(project, "-m", "mppdbus", "decode", str(path))
    assert re.search(r"back_to_grid_charge +45 %", shown), shown
    assert re.search(r"fan_speed +63 %", shown)
    assert "max_constant_voltage_time" not in shown


def test_a_tail_that_is_only_appended_is_told_at_once(project: Path) -> None:
    protocol = project / "src/mppdbus/protocol"
    appended = FEWER_MODEL.split("\n    @classmethod")[0]
    edit(protocol / "models.py", "class SecondTracker(Reading):\n", appended + "\n\n")
    layout_of(project, "GeneralStatusInvented", FEWER)
    said = run(project, "-m", "pytest", CHECKS[0], *ONLY)
    told = f"fan_speed of GeneralStatusInvented is never filled by {FEWER} words"
    assert told in said


def test_before_it_is_followed_the_tests_say_what_to_do(project: Path) -> None:
    journal = project / "tests/frames/invented-sun.jsonl"
    record(journal, "pi30invented", "scene mains+pv")
    said = run(project, "-m", "pytest", "tests/protocol/test_frames.py", *ONLY)
    known = known_counts("QPIGS")
    assert f"unknown layout: {WORDS} fields where {known}" in said
    assert "Invented 5 kW is pi30invented, but is taken for " in said
    assert "docs/inverters.md is not current" in said


def test_every_command_and_file_that_it_names_is_there() -> None:
    for name in re.findall(r"\./dev ([a-z-]+)", GUIDE):
        assert name in {*COMMANDS, "test"}
    for path in re.findall(r"`((?:src|tests|docs|tools)/[\w/.-]+)`", GUIDE):
        assert (ROOT / path).exists(), path

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
from mppdbus.recording.journal import write
from mppdbus.recording.journal_entries import RecordedUnit, entries_of
from mppdbus.recording.reply_quality import Exchange
from mppdbus.simulator.line.simulator import simulate

GUIDE = (ROOT / "docs" / "adding-an-inverter.md").read_text(encoding="utf-8")
WORDS = 40  # of its QPIGS
TOLD = ("QPI", "QID", "QVFW", "QPIRI", "QFLAG", "QPIGS", "QMOD", "QPIWS", "QMN")
FILE = "src/mppdbus/protocol/dialects/pi30invented.py"
CHECKS = ("tests/protocol/test_frames.py", "tests/protocol/test_dialects.py")
ONLY = ("-q", "-p", "no:cacheprovider")
JOURNALS = (*ONLY, "-k", "journal_holds or is_current")


def invented(text: str) -> str:
    """Put a name that nobody has in place of the one of the guide."""
    for case in (str.lower, str.title, str.upper):
        text = text.replace(case("sunx"), case("invented"))
    return text.replace("SunX", "Invented")


FAMILY, CLUES = map(invented, re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL))
OWN_MODEL = re.findall(r"class Ratings.*?\n\n\n", FAMILY, re.DOTALL)[0]
FEWER = next(n for n in range(24, 17, -1) if n not in counts("QPIGS"))
FEWER_MODEL = (  # the guide's model of QPIRI, turned into one of QPIGS
    OWN_MODEL.replace("Ratings", "GeneralStatus")
    .replace("QPIRI", "QPIGS")
    .replace("[:25]", f"[:{FEWER - 1}]")
    .replace("back_to_grid_charge", "fan_speed")
)


def without(text: str, *patterns: str) -> str:
    """Leave out of a file what an inverter does not need; each has to be there."""
    for pattern in patterns:
        text, count = re.subn(pattern, "", text, flags=re.DOTALL)
        assert count == 1, pattern
    return text


def appended_only() -> str:
    """The file of a family whose only difference are words at the end of QPIGS."""
    unnamed = "".join(f"    unknown_{n}: Code = None\n" for n in range(26, WORDS))
    text = without(
        FAMILY,
        re.escape(OWN_MODEL),
        r"\nOUTPUT_PRIORITIES.*?\n\)\n",
        r" +QPIRI=.*?\n",
        r" +output_priorities=.*?\n",
        r" +warnings=.*?\n",
        r"from \S+codes import .*?\n",
        r"from \S+warning_bits import .*?\n",
        r"from \S+settings import .*?\n",
    )
    return (
        text.replace("    battery_temp", f"{unnamed}    battery_temp")
        .replace("Celsius, Percent", "Celsius, Code")
        .replace("Invented, 26", f"Invented, {WORDS}")
    )


def fewer_words() -> str:
    """The file of a family with a shorter QPIGS, and all else that the guide shows."""
    text = re.sub(r"class GeneralStatus.*?\n\n\n", FEWER_MODEL, FAMILY, flags=re.DOTALL)
    text = text.replace("GeneralStatusInvented, 26", f"GeneralStatusInvented, {FEWER}")
    return text.replace("import Celsius, ", "import ")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("src", "tools", "docs", "pyproject.toml"):
        source = ROOT / name
        if source.is_dir():
            skipped = shutil.ignore_patterns("*.egg-info")
            shutil.copytree(source, tmp_path / name, ignore=skipped)
        else:
            shutil.copy(source, tmp_path / name)
    for name in ("frames", "helpers", "protocol"):
        shutil.copytree(ROOT / "tests" / name, tmp_path / "tests" / name)
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


def changed(project: Path) -> set[str]:
    """Return the files of the code that are not as they are here."""
    files = {path.relative_to(project) for path in (project / "src").rglob("*.py")}
    return {
        str(name)
        for name in files
        if not (ROOT / name).exists()
        or (ROOT / name).read_bytes() != (project / name).read_bytes()
    }


def holds(project: Path) -> str:
    """Step 7; return the family's part of docs/inverters.md."""
    assert run(project, "tools/make_inverters_md.py") == ""
    said = run(project, "-m", "pytest", *ONLY, *CHECKS)
    assert re.search(r"\d+ passed", said), said
    assert "failed" not in said, said
    assert changed(project) == {FILE}
    page = (project / "docs" / "inverters.md").read_text(encoding="utf-8")
    line = "| [pi30invented](#pi30invented) | Invented, 5 kW | 1 | "
    assert line in page
    return page.split("## pi30invented\n")[1].split("\n## ")[0]


def test_the_guide_adds_an_inverter(project: Path) -> None:
    for name, scene in (("sun", "scene mains+pv"), ("battery", "scene bat")):
        path = project / f"tests/frames/invented-{name}.jsonl"
        record(path, "pi30invented", scene)

    (project / FILE).write_text(appended_only())
    part = holds(project)
    words = f"QPIGS of {WORDS} words is a `GeneralStatusInvented`"
    assert f"{words}: unknown_26, unknown_27" in part
    assert ", battery_temperature\n" in part
    # Its replies are known, too, before the family is.
    assert "[None]\n" in run(project, "-c", NOTES)


NOTES = """
from pathlib import Path
from mppdbus.recording.journal import read
from mppdbus.recording.reply_quality import judge_reply
entries = read(Path("tests/frames/invented-sun.jsonl"))
asked = [each for each in entries if each.command == "QPIGS"]
print([judge_reply(each.command, each.response).note for each in asked])
"""


def test_the_guide_adds_an_inverter_that_ends_otherwise(project: Path) -> None:
    path = project / "tests/frames/invented-sun.jsonl"
    record(path, "pi30invented", "scene mains+pv", **odd_replies())
    (project / FILE).write_text(fewer_words())

    part = holds(project)
    assert "QPIRI of 26 words is a `RatingsInvented`: back_to_grid_charge" in part
    assert f"QPIGS of {FEWER} words is a `GeneralStatusInvented`: fan_speed" in part
    assert "a15 fan_filter_clogged (invented-sun)" in part
    assert "| output source priority | 0 SBU, 1 Utility first, 2 Solar first |" in part
    shown = run(project, "-m", "mppdbus", "decode", str(path))
    assert re.search(r"back_to_grid_charge +45 %", shown), shown
    assert re.search(r"fan_speed +63 %", shown)
    assert "max_constant_voltage_time" not in shown


def test_the_guide_adds_an_inverter_without_a_name(project: Path) -> None:
    path = project / "tests/frames/invented-sun.jsonl"
    record(path, "pi30invented", "scene mains+pv", QMN="NAK")
    text = appended_only().replace(
        '    names={"INVENTED-": 0.97},', "    clues=_clues,"
    )
    imports = "from mppdbus.protocol.evidence import Clue, Evidence\n"
    for place, more in (
        ("FAMILY = Family(", f"{CLUES}\n\n"),
        ("from mppdbus.protocol.queries", imports),
        ("from dataclasses", "from collections.abc import Iterator\n"),
    ):
        text = text.replace(place, more + place)
    (project / FILE).write_text(text)
    assert "firmware 00090.01, as the Invented has (1 of 1 recorded)" in holds(project)


def test_the_file_of_a_family_is_clean(project: Path) -> None:
    for text in (appended_only(), fewer_words()):
        (project / FILE).write_text(text)
        assert "All checks passed" in run(project, "-m", "ruff", "check", FILE)
    assert "already formatted" in run(project, "-m", "ruff", "format", "--check", FILE)


def test_a_tail_that_is_only_appended_is_told_at_once(project: Path) -> None:
    words = FEWER_MODEL.split("\n    @classmethod")[1]
    tail = fewer_words().replace(f"\n    @classmethod{words}", "\n\n")
    (project / FILE).write_text(tail)
    said = run(project, "-m", "pytest", CHECKS[0], *JOURNALS)
    told = f"fan_speed of GeneralStatusInvented is never filled by {FEWER} words"
    assert told in said


def test_before_it_is_followed_the_tests_say_what_to_do(project: Path) -> None:
    journal = project / "tests/frames/invented-sun.jsonl"
    record(journal, "pi30invented", "scene mains+pv")
    said = run(project, "-m", "pytest", CHECKS[0], *JOURNALS)
    known = known_counts("QPIGS")
    assert f"unknown layout: {WORDS} fields where {known}" in said
    assert "Invented 5 kW is pi30invented, but is taken for " in said
    assert f"its family has no file {FILE} yet" in said
    assert "docs/inverters.md is not current" in said


def test_a_row_or_a_table_that_is_forgotten_is_told(project: Path) -> None:
    journal = project / "tests/frames/invented-sun.jsonl"
    record(journal, "pi30invented", "scene mains+pv", **odd_replies())
    forgotten = without(
        fewer_words(), r" +name=.*?\n", r" +warnings=.*?\n", r" +QPIRI=.*?\n"
    )
    (project / FILE).write_text(forgotten)
    said = run(project, "-m", "pytest", *CHECKS, *ONLY)
    assert "dialects/pi30invented.py has name='pi30vm3'" in said
    assert "RatingsInvented" in said
    assert "WARNINGS of pi30invented" in said


def test_every_command_and_file_that_it_names_is_there() -> None:
    for name in re.findall(r"\./dev ([a-z-]+)", GUIDE):
        assert name in {*COMMANDS, "test"}
    for path in re.findall(r"`((?:src|tests|docs|tools)/[\w/.-]+)`", GUIDE):
        new = "NAME" in path or "sunx" in path
        assert new or (ROOT / path).exists(), path


def test_replies_that_somebody_wrote_down_become_a_file(tmp_path: Path) -> None:
    page = (ROOT / "tests/frames/README.md").read_text(encoding="utf-8")
    [script] = re.findall(r"<<'END'\n(.*?)^END$", page, re.DOTALL | re.MULTILINE)
    assert run(tmp_path, "-c", script) == ""
    assert [*tmp_path.glob("*.jsonl")]

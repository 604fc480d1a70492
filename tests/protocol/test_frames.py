"""Every journal in tests/frames holds, also one that was put there a minute ago.

docs/adding-an-inverter.md sends people here: what fails says what to do.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from helpers.commands import command, simulated
from helpers.corpus import FOLDER, MAIN, problems, units
from helpers.frames import known_counts
from helpers.places import ROOT
from helpers.simulator import inverter_of
from mppdbus.protocol import dialects
from mppdbus.protocol.dialects import DIALECTS, pi30king
from mppdbus.protocol.framing import encode_reply, encode_request
from mppdbus.protocol.queries import decode
from mppdbus.recording.journal import write
from mppdbus.recording.journal_entries import RecordedUnit, entries_of
from mppdbus.recording.reply_quality import Exchange
from mppdbus.simulator.line.simulator import simulate

FILES = sorted(FOLDER.glob("*.jsonl"))
QUERIES = ("QPI", "QID", "QMN", "QVFW", "QPIRI", "QPIGS", "QPIWS", "QFLAG", "QPIGS2")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_journal_holds(path: Path) -> None:
    if found := problems(path):
        pytest.fail("\n".join(found), pytrace=False)


def test_the_page_of_all_inverters_is_current() -> None:
    argv = [sys.executable, str(ROOT / "tools" / "make_inverters_md.py"), "--check"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(done.stdout + done.stderr, pytrace=False)


def test_no_layout_and_no_table_of_warnings_is_forgotten() -> None:
    if unused := forgotten():
        pytest.fail(
            f"{unused}: in the queries or the warnings of no family; see step 6 of "
            "docs/adding-an-inverter.md",
            pytrace=False,
        )


def forgotten() -> list[str]:
    """The models and the tables of warnings that no family uses."""
    layouts = [own for row in DIALECTS.values() for own in row.queries.values()]
    used = {layout.model for own in layouts for layout in own}
    models = {
        kind.__name__
        for kind in {kind for model in used for kind in model.__subclasses__()} - used
        if kind.__module__.startswith("mppdbus.protocol.") and not kind.__subclasses__()
    }
    told = {id(row.warnings) for row in DIALECTS.values()}
    files = (import_module(f"{dialects.__name__}.{name}") for name in DIALECTS)
    tables = {
        f"WARNINGS of {file.__name__.rpartition('.')[2]}"
        for file in files
        if id(getattr(file, "WARNINGS", None)) not in {*told, id(None)}
    }
    return sorted(models | tables)


# -- that the above can fail ---------------------------------------------------------


def journal(folder: Path, *, mask: bool = True, **replies: str) -> Path:
    """A journal of a simulated MAX, in which some replies are others."""
    inverter = inverter_of(simulate("max-8000"))
    said = {query: inverter.answer(query) or "" for query in QUERIES} | replies
    exchanges = [
        Exchange(query, encode_request(query), encode_reply(payload))
        for query, payload in said.items()
    ]
    path = folder / "unit.jsonl"
    write(
        path, entries_of(exchanges, RecordedUnit("MAX", "pi30max", "a test"), mask=mask)
    )
    return path


def change(path: Path, number: int, **keys: Any) -> None:  # noqa: ANN401
    lines = path.read_text().splitlines()
    lines[number] = json.dumps(json.loads(lines[number]) | keys)
    path.write_text("\n".join(lines))


def test_what_was_just_recorded_holds(tmp_path: Path) -> None:
    assert problems(journal(tmp_path)) == []


def test_an_unknown_layout_is_told(tmp_path: Path) -> None:
    words = (inverter_of(simulate("max-8000")).answer("QPIRI") or "") + 20 * " 1"
    (problem,) = problems(journal(tmp_path, QPIRI=words))
    known = known_counts("QPIRI")
    said = f"unit.jsonl, r0005-qpiri-pi30max: unknown layout: 48 fields where {known}"
    assert problem.startswith(said)
    assert "add their number to QUERIES in src/mppdbus/protocol/queries.py" in problem


def test_a_serial_that_was_let_in_is_told(tmp_path: Path) -> None:
    (problem,) = problems(journal(tmp_path, mask=False))
    assert "a serial number: record again without --no-mask" in problem


def test_a_line_that_was_changed_by_hand_is_told(tmp_path: Path) -> None:
    path = journal(tmp_path)
    change(path, 3, quality="nak")
    (problem,) = problems(path)
    assert problem.endswith("nak is said of it, good it is")
    path = journal(tmp_path)
    change(path, 3, id="r0001-qpi-pi30max")
    (problem,) = problems(path)
    assert problem.endswith("two replies have this id")


def test_what_no_family_uses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pi30king, "WARNINGS", {})
    only = DIALECTS["pi30"].queries["QPIRI"][:1]
    for row in DIALECTS.values():
        monkeypatch.setitem(row.queries, "QPIRI", only)
    assert {"RatingsClone", "WARNINGS of pi30king"} <= set(forgotten())


def test_a_warning_without_a_name_is_told(tmp_path: Path) -> None:
    bits = 36 * "0" + "1"
    (problem,) = problems(journal(tmp_path, QPIWS=bits))
    said = "unit.jsonl: r0007-qpiws-pi30max: QPIWS a36 is set, which has no name on pi"
    assert problem.replace(",", ":", 1).startswith(said)
    assert "in the file of its family in src/mppdbus/protocol/dialects" in problem


def test_a_number_that_was_made_up_before_is_no_serial(tmp_path: Path) -> None:
    assert problems(journal(tmp_path, mask=False, QID="98010246813579")) == []


def test_a_family_that_is_not_recognised_is_told(tmp_path: Path) -> None:
    path = journal(tmp_path)
    path.write_text(path.read_text().replace('"pi30max"', '"pi30new"'))
    (problem,) = problems(path)
    assert "MAX is pi30new, but is taken for pi30max: QMN MKS2-8000" in problem
    assert "no file src/mppdbus/protocol/dialects/pi30new.py yet" in problem


def test_a_clue_that_loses_is_told_with_what_it_lost_to(tmp_path: Path) -> None:
    path = journal(tmp_path, QGMN="037")
    path.write_text(path.read_text().replace('"pi30max"', '"pi30vm3"'))
    (problem,) = problems(path)
    assert "MAX is pi30vm3, but is taken for pi30max: QMN MKS2-8000 (pi3" in problem
    assert "For pi30vm3 speaks only QGMN 037: VM III with energy coun" in problem
    heavier = "Make its clues heavier in src/mppdbus/protocol/dialects/pi30vm3.py"
    assert heavier in problem


@pytest.mark.parametrize(
    ("query", "family", "wanted"),
    [
        ("QPIGS", "pi30vm3", ["unit.jsonl: one is pi30vm3, but only 40% sure"]),
        ("QMOD", "pi30", []),  # nothing tells more, and nothing has to
    ],
)
def test_a_family_that_is_guessed_is_told(
    tmp_path: Path, query: str, family: str, wanted: list[str]
) -> None:
    payload = inverter_of(simulate("axpert-5000")).answer(query) or ""
    exchange = Exchange(query, encode_request(query), encode_reply(payload))
    path = tmp_path / "unit.jsonl"
    write(path, entries_of([exchange], RecordedUnit("one", family, "a test")))
    assert [text.split(". Add")[0] for text in problems(path)] == wanted


def test_a_journal_in_the_folder_is_found_beside_the_others(tmp_path: Path) -> None:
    journal(tmp_path)
    (unit,) = units(tmp_path)
    assert (unit.model, unit.file, unit.family) == ("MAX", "unit.jsonl", "pi30max")
    assert unit.replies[0].id == "unit:r0001"
    decode("QPIGS", unit.replies[5].payload)


def test_an_inverter_that_is_recorded_three_times_is_one(tmp_path: Path) -> None:
    for name in ("sun", "mains", "battery"):
        journal(tmp_path).rename(tmp_path / f"{name}.jsonl")
    other = journal(tmp_path, QID="55355535553555")  # what many units give
    (unknown, one) = units(tmp_path)[::-1]
    assert (one.file, len(one.replies)) == ("battery.jsonl", 3 * len(QUERIES))
    assert {reply.id.split(":")[0] for reply in one.replies} == {
        "sun", "mains", "battery",
    }  # fmt: skip
    assert (unknown.file, len(unknown.replies)) == (other.name, len(QUERIES))


def test_a_family_is_what_people_say_and_else_what_the_replies_tell() -> None:
    by_model = {unit.model: unit for unit in units() if unit.file == MAIN}
    unproven = by_model["Voltronic Axpert King II"]
    assert unproven.family == "pi30king"
    assert unproven.taken_for.dialect.name == "pi30"
    assert by_model["EASUN 8kW (MKS2-8000)"].family == "pi30max"


def test_record_guesses_as_the_test_does_and_sees_what_is_masked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = inverter_of(simulate("max-8000")).answer("QPIGS") or ""
    first = journal(tmp_path, QPIGS=status + 20 * " 1", QMN="NOBODYS-8000")
    again = tmp_path / "again" / "unit.jsonl"
    again.parent.mkdir()
    with simulated(tmp_path, "--recording", str(first)) as unit:
        said = command(
            capsys, "record", "--port", unit.path, "--timeout", "0.2", "--baud",
            "115200", "--cycles", "0", "--output", str(again),
        )  # fmt: skip
    (one,) = units(again.parent)
    taken = one.taken_for
    assert f": {taken.dialect.name}, {taken.confidence:.0%} sure; " in said.out
    assert not any("QPIGS:" in reason for reason in taken.reasons)  # proves nothing
    assert "serial numbers are masked" in said.out
    assert [text.split(": ")[1] for text in problems(again)] == ["unknown layout"]

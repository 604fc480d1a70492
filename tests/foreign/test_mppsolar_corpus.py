"""mpp-solar and we decode the same replies: each disagreement is known and judged."""

from __future__ import annotations

import subprocess
import sys

from helpers.places import ROOT

TOOL = ROOT / "bench" / "compare_mppsolar.py"
PAGE = ROOT / "docs" / "mpp-solar-corpus.md"


def compare(*words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, str(TOOL), *words]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def test_every_disagreement_is_judged_and_the_page_is_current() -> None:
    done = compare("--check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_page_says_how_fast_both_are() -> None:
    rows = PAGE.read_text(encoding="utf-8").split("## Speed")[1].splitlines()
    ratios = {row.split()[1]: int(row.split()[-2]) for row in rows if "| Q" in row}
    assert set(ratios) == {"QPIGS", "QPIRI", "QPIWS"}
    assert min(ratios.values()) >= 2


def changed(change: str) -> subprocess.CompletedProcess[str]:
    """Check with other verdicts."""
    code = (
        f"import sys; sys.path.insert(0, {str(TOOL.parent)!r})\n"
        "import compare_mppsolar as tool, dataclasses\n"
        f"first, *rest = tool.VERDICTS\ntool.VERDICTS = {change}\n"
        "sys.exit(tool.main(['--check']))"
    )
    argv = [sys.executable, "-c", code]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def test_what_nobody_has_judged_and_what_is_settled_are_told() -> None:
    done = changed("(*rest, dataclasses.replace(first, query='none'))")
    assert done.returncode == 1
    assert "no verdict in mppsolar_verdicts.py: Point(query='damaged'" in done.stdout
    assert "about nothing any more: Verdict(query='none'" in done.stdout

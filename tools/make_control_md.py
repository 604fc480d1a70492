"""Writes the table of evidence in docs/control.md; with --check it compares.

It stands on the families' setters, on writes to every simulated unit, which must show
what was written, and on what recordings of real units carry.
"""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from mppdbus.control.evidence import Proof
from mppdbus.control.journal import Journal
from mppdbus.control.settings import ShownSetting
from mppdbus.control.unit_control import UnitControl
from mppdbus.control.write_check import ControlLevel, allows
from mppdbus.errors import NotWritten
from mppdbus.protocol.dialects import DIALECTS, FAMILIES
from mppdbus.protocol.explain import PRIORITIES
from mppdbus.protocol.identification import GUESSED
from mppdbus.protocol.settings.meanings import SETTINGS
from mppdbus.recording.journal import read
from mppdbus.simulator.unit.inverter import SimulatedInverter
from mppdbus.simulator.unit.profiles import PROFILES

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tests"))

from helpers.direct_unit import DirectUnit  # noqa: E402
from helpers.fast_time import run_fast  # noqa: E402
from pages import write_or_check  # noqa: E402

PAGE = ROOT / "docs" / "control.md"
FRAMES = ROOT / "tests" / "frames"
BEGIN = "<!-- evidence: made by tools/make_control_md.py -->\n"
END = "<!-- end of evidence -->\n"
REAL, SIMULATED, PAPER, LOCKED, NONE = "★", "●", "○", "locked", "–"
TRIES = 4  # values of a setting that are tried on a simulated unit
WRITERS = [name for name, family in FAMILIES.items() if family.setters]
Proofs = dict[str, set[str]]  # family → settings


def page() -> str:
    """Return docs/control.md with its table of evidence made anew."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}"


def table() -> str:
    """Return a row for each setting, a column for each family that has setters."""
    simulated, real = run_fast(_simulated()), _real()
    rows = [
        "| setting | " + " | ".join(WRITERS) + " |",
        "|---" * (len(WRITERS) + 1) + "|",
    ]
    for setting in SETTINGS:
        cells = []
        for name in WRITERS:
            known = {each.name for each in FAMILIES[name].setters}
            flag = setting.query == "QFLAG"
            cell = PAPER if ("flag_on" if flag else setting.name) in known else NONE
            if setting.field in PRIORITIES and not DIALECTS[name].priorities_proven:
                cell = LOCKED
            elif setting.name in real[name]:
                cell = REAL
            elif setting.name in simulated[name]:
                cell = SIMULATED
            cells.append(cell)
        if {*cells} != {NONE}:
            rows.append(f"| {setting.name} | " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


async def _simulated() -> Proofs:
    """Write every setting of every simulated unit; return those that it showed."""
    found: Proofs = defaultdict(set)
    with tempfile.TemporaryDirectory() as folder:
        for profile in PROFILES.values():
            inverter = SimulatedInverter(profile=profile)
            unit = await DirectUnit(inverter).learn()
            if unit.found.confidence <= GUESSED:  # its user says what it is
                unit = await DirectUnit(inverter, unit.found.dialect.name).learn()
            control = UnitControl(
                unit, Journal(Path(folder) / profile.name), level=ControlLevel.FULL
            )
            for shown in control.settings():
                if await _takes(control, shown):
                    found[unit.found.dialect.name].add(shown.name)
    return found


async def _takes(control: UnitControl, shown: ShownSetting) -> bool:
    for value in list(_others(shown))[:TRIES]:
        with suppress(NotWritten, ValueError):
            verdict = await control.set(
                shown.name, value, by="a test", confirmed=True, expert=True
            )
            if verdict.done:
                return True
    return False


def _others(shown: ShownSetting) -> Iterator[float]:
    """Yield legal values that the setting does not have now, the nearest first."""
    legal = shown.allowed
    if legal is None:
        return
    values = {*legal.values}
    if legal.least is not None and legal.most is not None:
        step, now = legal.step or 1, shown.value or 0
        values |= {round(now + step, 2), round(now - step, 2), legal.least, legal.most}
    now = shown.value or 0
    for value in sorted(values, key=lambda each: (abs(each - now), each)):
        if value != shown.value and allows(legal, value):
            yield value


def _real() -> Proofs:
    """Return the settings that recorded units have shown after a write."""
    found: Proofs = defaultdict(set)
    for path in sorted(FRAMES.glob("*.jsonl")):
        for entry in read(path):
            proofs = (entry.model_extra or {}).get("evidence", {})
            for name, said in dict(proofs).items():
                if str(said).startswith(Proof.READ_BACK.value):
                    found[entry.variant or ""].add(name)
    return found


def main(words: list[str]) -> int:
    """Write the page, or compare it; return 1 if it is not current."""
    return write_or_check(PAGE, page(), words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The forms of the charge currents: in order, by NAK alone, remembered for good."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from helpers.fast_time import run_fast
from helpers.written import UNIT, Unit
from mppdbus.control.journal import Journal, WrittenSetting
from mppdbus.errors import NotWritten
from mppdbus.simulator.line.simulator import simulate
from mppdbus.simulator.unit.profile import UnitProfile
from mppdbus.simulator.unit.profiles import PROFILES

TOTAL, MAINS = "max_charging_current", "max_ac_charging_current"
KING_2 = replace(
    PROFILES["king-5000"],
    name="king-2",
    current_forms={"MNCHGC": ("nnn",), "MUCHGC": ("mnnn",)},
)


def unit_of(profile: UnitProfile, folder: Path) -> Unit:
    unit = Unit(simulate(profile), folder)
    unit.simulator.scene.requests.clear()
    return unit


def test_a_form_that_is_refused_leads_to_the_next_which_is_remembered(
    tmp_path: Path,
) -> None:
    async def write() -> list[WrittenSetting]:
        unit = await unit_of(KING_2, tmp_path).learn()
        first = await unit.write(MAINS, 20)
        assert first.done
        assert unit.sent == ["MUCHGC020", "MUCHGC0020"]
        unit.journal = Journal(tmp_path)  # another process
        assert (await unit.write(MAINS, 40)).done
        assert unit.sent == ["MUCHGC020", "MUCHGC0020", "MUCHGC0040"]
        unit.simulator.scene.faults.arm("nak", command="MUCHGC0050")
        assert not (await unit.write(MAINS, 50)).done  # a NAK: not now
        assert (await unit.write(MAINS, 10)).done
        assert unit.sent[3:] == ["MUCHGC0050", "MUCHGC0010"]
        assert (await unit.write(TOTAL, 50)).done
        assert unit.sent[5:] == ["MNCHGC0050", "MNCHGC050"]
        return unit.journal.writes()

    journal = run_fast(write())
    assert [w.command for w in journal if w.accepted is False] == [
        *("MUCHGC020", "MUCHGC0050", "MNCHGC0050")
    ]
    assert all(w.done == (w.accepted is True) for w in journal)


def test_the_journal_of_another_firmware_proves_nothing(tmp_path: Path) -> None:
    async def write() -> list[str]:
        unit = await unit_of(KING_2, tmp_path).learn()
        other = WrittenSetting(
            time="2026-01-01T00:00:00",
            unit=UNIT,
            model=unit.control.unit.model,
            firmware="another",
            setting=MAINS,
            command="MUCHGC0020",
            old=10,
            value=20,
            by="a test",
            accepted=True,
            observed=20,
        )
        unit.journal.end(other)
        await unit.write(MAINS, 40)
        return unit.sent

    assert run_fast(write()) == ["MUCHGC040", "MUCHGC0040"]


@pytest.mark.parametrize("fault", ["silence", "lost", "corrupt", "cut", "wrong"])
def test_a_lost_answer_never_leads_to_another_form(fault: str, tmp_path: Path) -> None:
    async def write() -> list[str]:
        unit = await unit_of(KING_2, tmp_path).learn()
        unit.simulator.scene.faults.arm(fault, command="MUCHGC020")
        await unit.write(MAINS, 20)
        return unit.sent

    assert run_fast(write()) == ["MUCHGC020"]


def test_a_refusal_that_changed_something_ends_the_search(tmp_path: Path) -> None:
    """The panel is used at the same time: who changed what cannot be told then."""

    async def write() -> tuple[WrittenSetting, list[str]]:
        unit = await unit_of(KING_2, tmp_path).learn()
        reply = unit.simulator.source.reply

        def changed(command: str) -> bytes | None:
            said = reply(command)
            if command == "MUCHGC020":
                unit.simulator.scene.apply("panel MUCHGC0050")
            return said

        unit.simulator.source.reply = changed  # type: ignore[method-assign]
        return await unit.write(MAINS, 20), unit.sent

    verdict, sent = run_fast(write())
    assert (verdict.done, verdict.observed) == (False, 50)
    assert sent == ["MUCHGC020"]


def test_only_amps_of_the_units_own_list_are_sent(tmp_path: Path) -> None:
    profile = replace(KING_2, ac_charge_amps=(2, 10, 497, 498))

    async def write() -> list[str]:
        unit = await unit_of(profile, tmp_path).learn()
        for amps in (20, 497, 498):
            with pytest.raises(NotWritten):
                await unit.write(MAINS, amps)
        return unit.sent

    assert run_fast(write()) == []


def test_above_99_a_max_takes_the_long_form(tmp_path: Path) -> None:
    async def write() -> list[str]:
        unit = await unit_of(PROFILES["max-8000"], tmp_path).learn()
        assert (await unit.write(MAINS, 100)).done
        assert (await unit.write(MAINS, 90)).done
        return unit.sent

    assert run_fast(write()) == ["MUCHGC0100", "MUCHGC0090"]

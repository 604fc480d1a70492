"""Clones whose board is known by QPRTL: their priorities are written as meant."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from helpers.commands import Simulated, command, simulated
from helpers.fast_time import run_fast
from helpers.written import Unit
from mppdbus.errors import NotWritten
from mppdbus.simulator.line.simulator import simulate
from mppdbus.simulator.unit.profile import CHARGER_CODES_MENU, OUTPUT_CODES_VMII
from mppdbus.simulator.unit.profiles import PROFILES
from mppdbus.simulator.unit.settings import OutputPriority

NXPW = PROFILES["nxpw-4200"]
MENU = {"output_codes": OUTPUT_CODES_VMII, "charger_codes": CHARGER_CODES_MENU}
SBU = OutputPriority.BATTERY


async def asked(board: str, folder: Path, *, bare: bool = False) -> Unit:
    """Return a clone that has told its board, with a checksum or without."""
    menu = board in ("HPVINV02", "HPVINV04", "HPVINV05")
    told = {"QPRTL": board} if board else {}
    profile = replace(
        NXPW,
        fixed=NXPW.fixed if bare else {**NXPW.fixed, **told},
        bare=told if bare else {},
        **(MENU if menu else {}),  # type: ignore[arg-type]
    )
    unit = await Unit(simulate(profile), folder).learn()
    await unit.interview.try_read("QPRTL", attempts=2)
    return unit


@pytest.mark.parametrize("how", ["with a checksum", "bare"])
@pytest.mark.parametrize("number", range(1, 6))
def test_a_known_board_is_set_as_its_codes_mean(
    number: int, how: str, tmp_path: Path
) -> None:
    async def work() -> tuple[list[str], object]:
        unit = await asked(f"HPVINV0{number}", tmp_path, bare=how == "bare")
        assert (await unit.write("output_source_priority", "SBU")).done
        assert (await unit.write("charger_source_priority", "Only solar")).done
        truth = unit.simulator.scene.truth()["settings"]
        assert isinstance(truth, dict)
        assert truth["charger_priority"] == "only solar"
        return unit.sent, truth["output_priority"]

    sent, source = run_fast(work())
    assert source == SBU
    assert sent == (["POP02", "PCP03"] if number in (1, 3) else ["POP01", "PCP02"])


@pytest.mark.parametrize("board", ["", "HPVINV06", "HPVINV10", "LPVINV02", "HPVINV99"])
def test_any_other_board_is_read_only(board: str, tmp_path: Path) -> None:
    async def work() -> list[str]:
        unit = await asked(board, tmp_path)
        assert unit.settings["output_source_priority"].text(2) == "2"
        for name in ("output_source_priority", "charger_source_priority"):
            for value in range(4):
                with pytest.raises(NotWritten, match="not proven"):
                    await unit.write(name, value)
        return unit.sent

    assert run_fast(work()) == []


def test_a_board_says_nothing_about_a_unit_with_a_document(tmp_path: Path) -> None:
    async def work() -> str:
        axpert = PROFILES["axpert-5000"]
        profile = replace(axpert, fixed={**axpert.fixed, "QPRTL": "HPVINV02"})
        unit = await Unit(simulate(profile), tmp_path).learn()
        await unit.interview.try_read("QPRTL", attempts=2)
        assert (await unit.write("output_source_priority", "SBU")).done
        return unit.sent[0]

    assert run_fast(work()) == "POP02"


@pytest.fixture
def vevor(tmp_path: Path) -> object:
    with simulated(tmp_path, "--profile", "vevor-4000") as inverter:
        yield inverter


def test_the_command_line_asks_a_vevor_for_its_board(
    vevor: Simulated,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr("mppdbus.control.write.LATER", 0.0)
    monkeypatch.setenv("MPPDBUS_STATE", str(tmp_path / "state"))
    line = ("--port", vevor.path, "--timeout", "0.2", "--level", "safe")
    said = command(capsys, "set", "output_source_priority", "SBU", *line)
    assert (said.code, said.err) == (0, "")
    assert "→ SBU: accepted, and the inverter shows it" in said.out
    assert "POP01" in vevor.tell("requests")

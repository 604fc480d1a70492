"""`detect` at ports whose device is no plain, working PI30 inverter."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from helpers.commands import FRAMES
from helpers.field import Done, decoded, detected, on_the_bus, run_command
from helpers.scripted import NAK, Item, ScriptedInverter

STATUS = (
    "230.1 49.9 230.0 50.0 0712 0635 014 369 52.90 003 097 0037 06.2 145.1 00.00 00000 "
    "10010110 00 00 00907 110"
)
USED = {0, 1, 2, 3}  # exit codes that mean something else


# -- QPIGS is not answered -----------------------------------------------------------


async def in_words(inverter: ScriptedInverter, folder: Path) -> Done:
    port = folder / "inverter"
    async with inverter.at(port):
        return await run_command("detect", "--port", str(port))


@pytest.mark.parametrize(
    "status",
    [
        None,
        NAK,
        {"raw": STATUS.encode().hex() + "0d"},
        {"raw": "28" + "ff" * 40 + "0d"},
    ],
    ids=["mute", "refused", "without-ends", "damaged"],
)
async def test_an_inverter_without_live_values(tmp_path: Path, status: Item) -> None:
    inverter = ScriptedInverter.of("status-mute")
    inverter.replies["QPIGS"] = [status]
    done = await in_words(inverter, tmp_path)
    assert "92332101100001" in done.out
    assert "QPIGS" in done.out
    assert done.code not in USED


async def test_an_inverter_that_works(tmp_path: Path) -> None:
    inverter = ScriptedInverter.of("status-mute")
    inverter.replies["QPIGS"] = [STATUS]
    done = await in_words(inverter, tmp_path)
    assert (done.code, "92332101100001" in done.out) == (0, True)
    assert "QPIGS" not in done.out


# -- another protocol ----------------------------------------------------------------


def speaking(protocol: str) -> ScriptedInverter:
    """Return the UPS of the case, which speaks another protocol."""
    ups = ScriptedInverter.of("ups-pi01")
    ups.replies["QPI"] = [{"raw": f"({protocol}\r".encode().hex()}]
    return ups


@pytest.mark.parametrize("protocol", ["PI01", "PI16", "PI00", "PI99"])
async def test_a_ups_at_the_port(tmp_path: Path, protocol: str) -> None:
    ups = speaking(protocol)
    done = await detected(ups, tmp_path)
    (record,) = done.records
    assert record["error"].startswith("other-protocol: ")
    assert f"speaks {protocol}, not PI30" in record["error"]
    assert done.code == 3
    assert set(ups.asked) == {"QPI"}


async def test_the_daemon_at_a_ups(tmp_path: Path) -> None:
    """It says so once, asks nothing else, and shows nothing."""
    ups = ScriptedInverter.of("ups-pi01")
    async with on_the_bus(tmp_path, ups) as field:
        await field.daemon.says("speaks PI01, not PI30")
        assert set(ups.asked) == {"QPI"}
        assert not {name for name in await field.watcher.names() if "mppdbus" in name}


def test_the_recorded_replies_of_a_ups() -> None:
    rows = (json.loads(line) for line in FRAMES.read_text().splitlines())
    ups = [json.dumps(row) for row in rows if row["variant"] == "PI01"]
    errors = [record["error"] for record in decoded("\n".join(ups)).records]
    assert len(errors) == 6
    assert all(error.startswith("other-protocol: ") for error in errors)


async def test_pi30_without_checksums_is_no_pi30(tmp_path: Path) -> None:
    """Nothing of a PI30 reply counts that no checksum proves."""
    done = await detected(speaking("PI30"), tmp_path)
    assert done.code == 3
    assert "error" in done.records[0]

"""The file of the bank: when it is written, what it says after a restart or a kill."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx

from helpers.bank import WALL, seen, settings
from helpers.places import TESTS
from helpers.state import OLD, LoopTime, turns, writes_done
from mppdbus.daemon.state import BATTERY, BATTERY_FILE, INTERVAL, StateFiles, away
from mppdbus.errors import StateError
from mppdbus.model.battery.bank import Bank, BankSettings
from mppdbus.model.battery.chemistries import Chemistry
from mppdbus.model.battery.estimator_state import SocState
from mppdbus.storage.atomic_file import AtomicFile

LFP = settings("lithium-lfp", 1)


class Wall:
    """A clock on the wall that somebody sets."""

    def __init__(self, now: float = WALL) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


async def corrected(file: StateFiles, percent: float = 50.0, now: float = 0.0) -> Bank:
    bank = await file.bank(LFP)
    bank.feed([seen(52.8, 0)], now)
    assert bank.correct(percent)
    return bank


def kept(folder: Path) -> tuple[SocState, float] | None:
    """Return what is stored, and when that was written."""
    return AtomicFile(folder / BATTERY_FILE).read(BATTERY.decode)


async def margin_after(folder: Path, wall: float) -> float:
    file = StateFiles(folder, clock=Wall(wall))
    bank = await file.bank(LFP)
    bank.feed([seen(52.8, 0)], 0.0)
    assert bank.charge.margin is not None
    return bank.charge.margin


async def test_a_first_start_knows_nothing_and_keeps_nothing(tmp_path: Path) -> None:
    file = StateFiles(tmp_path)
    bank = await file.bank(BankSettings())
    assert bank.state is None
    assert await file.bank(BankSettings()) is bank
    await file.close()
    assert list(tmp_path.iterdir()) == []


async def test_it_goes_on_where_it_ended(tmp_path: Path) -> None:
    wall = Wall()
    file = StateFiles(tmp_path, clock=wall)
    first = await corrected(file, 42.0)
    await file.close()
    wall.now += 20.0
    second = await StateFiles(tmp_path, clock=wall).bank(LFP)
    second.feed([seen(52.8, 0)], 5.0)
    assert second.charge.percent == pytest.approx(42.0, abs=0.1)
    assert second.charge.margin == pytest.approx(first.charge.margin, abs=0.5)


async def test_it_is_saved_every_ten_minutes_and_not_more_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    time, file, saves = LoopTime(monkeypatch), StateFiles(tmp_path), []
    bank = await corrected(file)
    await time.advance(0)
    for now in range(30, 3601, 30):
        before = stored(tmp_path)
        bank.feed([seen(52.5, -10)], float(now))
        await time.advance(30)
        await writes_done(file)
        if stored(tmp_path) != before:
            saves.append(now)
    assert saves == [600, 1200, 1800, 2400, 3000, 3600]
    await file.close()


def stored(folder: Path) -> bytes | None:
    file = folder / BATTERY_FILE
    return file.read_bytes() if file.exists() else None


async def test_what_the_user_said_is_saved_at_once(tmp_path: Path) -> None:
    file = StateFiles(tmp_path)
    bank = await corrected(file)
    assert bank.correct(77.0)
    file.save_bank_soon()
    await turns()
    await writes_done(file)
    found = kept(tmp_path)
    assert found is not None
    assert found[0].values[0] == 77.0
    await file.close()


async def test_nothing_is_written_while_nothing_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    time, file = LoopTime(monkeypatch), StateFiles(tmp_path)
    await corrected(file)
    await time.advance(0)
    await time.advance(600)
    await writes_done(file)
    before = (tmp_path / BATTERY_FILE).stat().st_ino
    await time.advance(600)
    await file.close()
    assert (tmp_path / BATTERY_FILE).stat().st_ino == before


async def test_a_bank_that_learned_nothing_leaves_the_file_as_it_is(
    tmp_path: Path,
) -> None:
    """Else the time that it was away before would be forgotten."""
    file = StateFiles(tmp_path, clock=Wall())
    await corrected(file)
    await file.close()
    file = StateFiles(tmp_path, clock=Wall(WALL + 7200))
    await file.bank(LFP)
    await file.close()
    found = kept(tmp_path)
    assert found is not None
    assert found[1] == WALL


async def test_the_loop_never_waits_for_the_disk(tmp_path: Path) -> None:
    with blockbuster_ctx("mppdbus"):
        file = StateFiles(tmp_path)
        await corrected(file)
        file.save_bank_soon()
        await file.close()
    assert kept(tmp_path) is not None


# -- away ------------------------------------------------------------------------------


def test_only_a_clock_that_was_set_tells_how_long_it_was_away() -> None:
    assert away(WALL, WALL + 90.0) == 90.0
    assert away(WALL, WALL) == 0.0
    assert away(WALL, WALL - 1.0) is None
    assert away(3600.0, WALL) is None  # saved in 1970
    assert away(WALL, 3600.0) is None  # now it is 1970
    assert away(60.0, 3600.0) is None


async def test_the_longer_it_was_away_the_less_is_known(tmp_path: Path) -> None:
    file = StateFiles(tmp_path, clock=Wall())
    await corrected(file)
    await file.close()
    short = await margin_after(tmp_path, WALL + 30)
    hours = await margin_after(tmp_path, WALL + 2 * 3600)
    unset = await margin_after(tmp_path, 1000.0)
    assert short < 5
    assert 15 < hours < unset


# -- trouble ---------------------------------------------------------------------------


async def test_a_disk_that_takes_nothing_is_told_once_and_when_it_is_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    folder = tmp_path / "state"
    time, file = LoopTime(monkeypatch), StateFiles(folder)
    bank = await corrected(file)
    folder.write_text("in the way")
    await time.advance(0)
    for now in (600.0, 1200.0, 1800.0):
        bank.feed([seen(52.5, -10)], now)
        await time.advance(INTERVAL)
        await writes_done(file)
    assert [r.levelname for r in caplog.records] == ["WARNING"]
    assert "not stored" in caplog.text
    folder.unlink()
    await file.close()
    assert "can be stored again" in caplog.text
    assert kept(folder) is not None


STATE = SocState(Chemistry.LFP, (50.0,) * 5, (1.0,) * 15)
GOOD = BATTERY.encode(BATTERY.state(STATE), WALL, {})


def changed(**state: object) -> bytes:
    content = json.loads(GOOD)
    content["state"] |= state
    return json.dumps(content).encode()


BAD = {
    "empty": b"",
    "cut": GOOD[:-9],
    "zeros": b"\0" * 300,
    "list": b"[]",
    "foreign": b'{"format": "mppdbus energy", "version": 1}',
    "newer": GOOD.replace(b'"version": 3', b'"version": 4'),
    "no state": GOOD.replace(b'"state"', b'"State"'),
    "no time": GOOD.replace(b'"saved"', b'"Saved"'),
    "bad time": GOOD.replace(b'"saved": "', b'"saved": "x'),
    "deep": b"[" * 100_000,
    "chemistry": changed(chemistry="potato"),
    "few values": changed(values=[1.0]),
    "no number": changed(age_s=float("nan")),
    "huge": changed(gap_s=10**400),
    "no units": changed(units=0),
    "text": changed(values="abcde"),
}


def test_a_good_file_is_read() -> None:
    assert BATTERY.decode(GOOD) == (STATE, WALL)
    assert BATTERY.decode(changed(units=3))[0].units == 3


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
async def test_a_damaged_file_is_set_aside_and_the_bank_starts_anew(
    tmp_path: Path, bad: bytes
) -> None:
    with pytest.raises(StateError):
        BATTERY.decode(bad)
    (tmp_path / BATTERY_FILE).write_bytes(bad)
    file = StateFiles(tmp_path)
    bank = await corrected(file)
    assert bank.charge.percent == 50.0
    await file.close()
    assert kept(tmp_path) is not None
    assert (tmp_path / f"{BATTERY_FILE}.unreadable-1").read_bytes() == bad


async def test_the_one_before_is_taken_when_the_last_is_damaged(tmp_path: Path) -> None:
    file = StateFiles(tmp_path)
    bank = await corrected(file, 31.0)
    file.save_bank_soon()
    await turns()
    bank.correct(32.0)
    await file.close()
    (tmp_path / BATTERY_FILE).write_bytes(b"half")
    again = await StateFiles(tmp_path).bank(LFP)
    again.feed([seen(52.8, 0)], 0.0)
    assert again.charge.percent == pytest.approx(31.0, abs=0.1)


# -- older versions --------------------------------------------------------------------


def test_a_file_of_this_version_is_read_in_full() -> None:
    data = (OLD / "battery-3.json").read_bytes()
    state, saved = BATTERY.decode(data)
    assert saved == WALL
    assert state.values[0] == 53.7292
    assert (state.anchor, state.units) == ("hand", 2)
    assert json.loads(BATTERY.state(state)) == json.loads(data)["state"]


def test_version_2_is_read_without_own_consumption() -> None:
    """It learned that beside the charge; the others are as they were."""
    older, saved = BATTERY.decode((OLD / "battery-2.json").read_bytes())
    state, _ = BATTERY.decode((OLD / "battery-3.json").read_bytes())
    assert saved == WALL
    assert older == state


async def test_version_1_is_not_forgotten(tmp_path: Path) -> None:
    """It had no shift; that is as it is for a battery never seen."""
    (tmp_path / BATTERY_FILE).write_bytes((OLD / "battery-1.json").read_bytes())
    state, _ = BATTERY.decode((OLD / "battery-1.json").read_bytes())
    later, _ = BATTERY.decode((OLD / "battery-3.json").read_bytes())
    assert state.values == later.values
    assert state.covariance[:-1] == later.covariance[:-1]
    assert 0.5 < state.covariance[-1] / later.covariance[-1] < 2
    bank = await StateFiles(tmp_path, clock=Wall(WALL + 20)).bank(
        settings("lithium-lfp", 2)
    )
    bank.feed([seen(52.8, 0)] * 2, 0.0)
    assert bank.charge.percent == pytest.approx(53.7, abs=0.5)
    assert not list(tmp_path.glob("*unreadable*"))


async def test_a_newer_version_is_kept_aside_and_one_line_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in (BATTERY_FILE, f"{BATTERY_FILE}.previous"):
        (tmp_path / name).write_bytes(BAD["newer"])
    file = StateFiles(tmp_path)
    await corrected(file)
    await file.close()
    (line,) = [record.getMessage() for record in caplog.records]
    assert "written by a newer mppdbus (version 4, this one reads 3)" in line
    aside = sorted(tmp_path.glob("*.unreadable-1"))
    assert [each.read_bytes() for each in aside] == [BAD["newer"]] * 2


# -- killed ----------------------------------------------------------------------------

KILLED = """
import asyncio, os, random, signal, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from mppdbus.daemon.state import StateFiles
from helpers.bank import seen, settings

LFP = settings("lithium-lfp", 1)

async def count_up(pipe):
    file = StateFiles(Path(sys.argv[1]))
    bank = await file.bank(LFP)
    bank.feed([seen(52.8, 0)], 0.0)
    number = round(bank.charge.percent) if bank.state.anchor == "hand" else 0
    for now in range(1, 90):
        bank.correct(min(number + now, 100))
        await file._bank_saves[""].save()
        os.write(pipe, b"%d\\n" % min(number + now, 100))

chance, kept, saves = random.Random(5), 0, 0
for _ in range(30):
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        asyncio.run(count_up(writer))
        os._exit(0)
    os.close(writer)
    lines = os.fdopen(reader)
    said = [int(lines.readline()) for _ in range(chance.randrange(1, 4))]
    time.sleep(chance.uniform(0, 0.004))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    said += [int(line) for line in lines]
    file = StateFiles(Path(sys.argv[1]))
    bank = asyncio.run(file.bank(LFP))
    bank.feed([seen(52.8, 0)], 0.0)
    found = round(bank.charge.percent)
    assert said[-1] <= found <= said[-1] + 1, (said, found)
    saves += len(said)
assert not list(Path(sys.argv[1]).glob("*unreadable*"))
print(saves)
"""


async def test_killed_at_any_time_it_goes_on_from_the_last_save(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", KILLED, str(tmp_path), str(TESTS)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, error = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, error.decode()
    assert int(out) >= 30

"""The files of the counters: where, when, and what is done about bad ones."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest

from helpers.state import LoopTime, decode_books, energy_data, read_books, writes_done
from mppdbus.daemon.sections import Membership
from mppdbus.daemon.state import INTERVAL, SECTIONS_FILE, StateFiles, energy_file
from mppdbus.errors import StateError
from mppdbus.model.energy.ledger import Books, Ledger
from mppdbus.model.energy.sample import Sample
from mppdbus.model.power import Flow
from mppdbus.storage.atomic_file import AtomicFile

KEY = "96332405100123"
NAME = f"energy-{KEY}.json"


def data(kwh: float) -> bytes:
    return energy_data(Books(user=kwh), KEY)


def names(directory: Path) -> list[str]:
    return sorted(path.name.removeprefix(NAME) for path in directory.iterdir())


@pytest.fixture
def file(tmp_path: Path) -> AtomicFile:
    return AtomicFile(tmp_path / NAME)


def user(file: AtomicFile) -> float | None:
    books = read_books(file.path)
    return None if books is None else books.user


def test_every_key_has_a_plain_file_name_of_its_own() -> None:
    keys = [KEY, "/dev/ttyUSB0", "_dev_ttyUSB0", "tcp://host:8899", "..", "", "é" * 99]
    found = [energy_file(key) for key in keys]
    assert found[0] == NAME
    assert len(set(found)) == len(keys)
    assert not any("/" in name or name.startswith(".") for name in found)
    assert max(map(len, found)) < 100


# -- one file -------------------------------------------------------------------------


def test_nothing_stored_yet(file: AtomicFile) -> None:
    assert file.read(decode_books) is None


def test_what_was_saved_last_is_loaded_and_one_before_is_kept(file: AtomicFile) -> None:
    for kwh in (1.0, 2.0, 3.0):
        file.save(data(kwh))
    assert user(file) == 3.0
    assert names(file.path.parent) == ["", ".previous"]
    file.path.unlink()
    assert user(file) == 2.0


def test_the_directory_is_made(tmp_path: Path) -> None:
    file = AtomicFile(tmp_path / "a" / "b" / NAME)
    file.save(data(1.0))
    assert user(file) == 1.0


NEWER = json.dumps(json.loads(data(9.0)) | {"version": 2}).encode()
BAD = {
    "empty": b"",
    "cut": data(9.0)[:-20],
    "zeros": b"\0" * 300,
    "foreign": b'{"a": 1}',
    "newer": NEWER,
    "huge": b" " * (2 << 20),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_a_bad_file_is_set_aside_and_the_one_before_is_taken(
    file: AtomicFile, bad: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    file.save(data(1.0))
    file.save(data(2.0))
    file.path.write_bytes(bad)
    books = file.read(decode_books)
    assert books is not None
    assert books.user == 1.0
    record = caplog.records[0]
    assert record.levelno == logging.WARNING
    assert str(file.path) in record.getMessage()
    assert f"{NAME}.unreadable-1" in record.getMessage()
    assert "the one before is taken" in caplog.text
    file.save(data(3.0))
    file.save(data(4.0))
    aside = file.path.with_name(f"{NAME}.unreadable-1")
    assert aside.read_bytes() == bad
    assert names(file.path.parent) == ["", ".previous", ".unreadable-1"]


def test_two_bad_files_are_both_kept_and_counting_starts_anew(
    file: AtomicFile, caplog: pytest.LogCaptureFixture
) -> None:
    file.path.write_bytes(b"one")
    file.previous.write_bytes(NEWER)
    assert file.read(decode_books) is None
    assert "nothing is left" in caplog.text
    file.path.write_bytes(b"two")
    assert file.read(decode_books) is None
    file.save(data(1.0))
    kept = {path.read_bytes() for path in file.path.parent.glob("*.unreadable-*")}
    assert kept == {b"one", b"two", NEWER}
    assert user(file) == 1.0


def test_a_bad_generation_before_is_not_written_over(file: AtomicFile) -> None:
    file.save(data(2.0))
    file.previous.write_bytes(b"bad")
    assert user(file) == 2.0
    file.save(data(3.0))
    aside = file.path.with_name(f"{NAME}.previous.unreadable-1")
    assert aside.read_bytes() == b"bad"


def test_a_directory_in_place_of_the_file_is_set_aside_too(file: AtomicFile) -> None:
    file.path.mkdir()
    assert file.read(decode_books) is None
    file.save(data(1.0))
    assert user(file) == 1.0


def test_what_cannot_be_set_aside_is_never_written_over(
    file: AtomicFile, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file.path.write_bytes(b"bad")
    with monkeypatch.context() as read_only:
        read_only.setattr(Path, "rename", refuse)
        assert file.read(decode_books) is None
        with pytest.raises(StateError, match=f"{NAME} cannot be read nor renamed"):
            file.save(data(1.0))
    assert "not stored: " in caplog.text
    assert file.path.read_bytes() == b"bad"
    file.save(data(1.0))  # it can be renamed again
    assert user(file) == 1.0
    assert file.path.with_name(f"{NAME}.unreadable-1").read_bytes() == b"bad"


def refuse(*_: object) -> None:
    raise OSError(errno.EROFS, "Read-only file system")


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_full_disk_leaves_what_was_there(
    file: AtomicFile, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    file.save(data(1.0))
    file.save(data(2.0))
    with monkeypatch.context() as full:
        full.setattr(os, call, refuse)
        with pytest.raises(OSError, match="Read-only"):
            file.save(data(3.0))
    assert user(file) == 2.0
    assert names(file.path.parent) == ["", ".previous"]


def test_a_disk_that_takes_little_at_a_time(
    file: AtomicFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, rest: write(fd, rest[:7]))
    file.save(data(2.5))
    assert file.path.read_bytes() == data(2.5)


# -- all ledgers ----------------------------------------------------------------------


@pytest.fixture
async def files(tmp_path: Path) -> AsyncIterator[StateFiles]:
    files = StateFiles(tmp_path)
    yield files
    await files.close()


def shine(ledger: Ledger, now: float) -> None:
    """Count 0.01 kWh: 3.6 kW for 10 s that end at `now`."""
    flow = Flow(load=0.0, pv=(3600.0,), pv_total=3600.0, mains_power=0.0)
    for moment in (now - 10, now):
        ledger.feed(Sample(flow), moment, date(2026, 5, 10))


async def test_a_ledger_bridges_what_its_unit_needs_now(files: StateFiles) -> None:
    """It is read each minute since it told of itself through another one."""
    ledger = await files.ledger(KEY)
    assert await files.ledger(KEY, longest=180.0) is ledger
    today, flow = date(2026, 11, 23), Flow(pv=(1000.0,))
    for now in (0.0, 60.0):
        ledger.feed(Sample(flow), now, today)
    assert list(ledger.counters.trackers) == pytest.approx([1 / 60])
    await files.ledger(KEY)
    ledger.feed(Sample(flow), 120.0, today)
    assert ledger.integrator.gaps == 1


async def test_what_is_counted_is_there_again(tmp_path: Path) -> None:
    files = StateFiles(tmp_path)
    ledger = await files.ledger(KEY)
    shine(ledger, 10.0)
    await files.close()
    again = await StateFiles(tmp_path).ledger(KEY)
    assert again.counters.yield_user == pytest.approx(0.01)
    assert again.books == ledger.books


async def test_an_inverter_that_comes_back_goes_on_in_its_ledger(
    files: StateFiles,
) -> None:
    one, other = await asyncio.gather(files.ledger(KEY), files.ledger(KEY))
    assert one is other is await files.ledger(KEY)
    assert await files.ledger("another") is not one


async def test_it_writes_every_ten_minutes_and_not_more_often(
    tmp_path: Path, files: StateFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = LoopTime(monkeypatch)
    ledger = await files.ledger(KEY)
    await time.advance(0)
    now, found = 0.0, []
    for at in (10, INTERVAL - 1, INTERVAL, INTERVAL + 20, 2 * INTERVAL - 1):
        await time.advance(at - now)
        await writes_done(files)
        found.append(names(tmp_path))
        now = at
        if at in (10, INTERVAL + 20):
            shine(ledger, now)
    await time.advance(2 * INTERVAL - now)
    await writes_done(files)
    found.append(names(tmp_path))
    assert found == [[], [], [""], [""], [""], ["", ".previous"]]


async def test_nothing_is_written_where_nothing_was_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    time, files = LoopTime(monkeypatch), StateFiles(tmp_path)
    ledger = await files.ledger(KEY)
    for hour in range(1, 5):
        ledger.feed(Sample(), hour * 3600.0, date(1970, 1, 1))
        await time.advance(3600.0)
        await writes_done(files)
    await files.close()
    assert names(tmp_path) == []


async def test_a_state_that_nobody_can_read_still_gives_a_ledger(
    tmp_path: Path, files: StateFiles
) -> None:
    (tmp_path / NAME).write_bytes(b"rubbish")
    ledger = await files.ledger(KEY)
    assert ledger.counters.yield_user == 0.0


async def test_the_sections_come_back_after_their_file_was_removed(
    tmp_path: Path,
) -> None:
    files = StateFiles(tmp_path)
    known = await files.memberships()
    known.units[KEY] = Membership("garage", "/dev/ttyUSB0")
    await files.close()
    files = StateFiles(tmp_path)
    await files.memberships()
    (tmp_path / SECTIONS_FILE).unlink()
    await files.close()
    assert (await StateFiles(tmp_path).memberships()).units == known.units

"""The files of the counters: where, when, and what is done about bad ones."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import threading
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx

from mppdbus.daemon.energy_files import (
    INTERVAL,
    Archive,
    file_name,
    local_today,
    state_directory,
)
from mppdbus.errors import StateError
from mppdbus.model.energy.codec import VERSION, decode, document, encode
from mppdbus.model.energy.ledger import Books, Ledger
from mppdbus.model.energy.sample import Sample
from mppdbus.model.power import Flow
from mppdbus.storage.atomic_file import AtomicFile

KEY = "96332405100123"
NAME = f"energy-{KEY}.json"


def data(kwh: float) -> bytes:
    return document(encode(Books(user=kwh)), KEY, datetime(2026, 11, 23, tzinfo=UTC))


def names(directory: Path) -> list[str]:
    return sorted(path.name.removeprefix(NAME) for path in directory.iterdir())


@pytest.fixture
def file(tmp_path: Path) -> AtomicFile:
    return AtomicFile(tmp_path / NAME)


def user(file: AtomicFile) -> float | None:
    books = AtomicFile(file.path).read(decode)
    return None if books is None else books.user


# -- where ----------------------------------------------------------------------------

HOME = {"HOME": "/home/ann"}


@pytest.mark.parametrize(
    ("env", "venus", "directory"),
    [
        ({}, False, "/var/lib/mppdbus"),
        ({"HOME": "/root"}, False, "/var/lib/mppdbus"),
        ({"HOME": "/nonexistent"}, False, "/var/lib/mppdbus"),
        (HOME, False, "/home/ann/.local/state/mppdbus"),
        (HOME | {"XDG_STATE_HOME": "/s"}, False, "/s/mppdbus"),
        ({"HOME": "/root"}, True, "/data/mppdbus"),
        (HOME | {"XDG_STATE_HOME": "/s"}, True, "/data/mppdbus"),
        ({"STATE_DIRECTORY": "/var/lib/a:/var/lib/b"}, True, "/var/lib/a"),
        ({"STATE_DIRECTORY": ""}, False, "/var/lib/mppdbus"),
        ({"MPPDBUS_STATE": "/x", "STATE_DIRECTORY": "/y"}, True, "/x"),
    ],
)
def test_where_the_state_belongs(
    env: dict[str, str], directory: str, *, venus: bool
) -> None:
    assert state_directory(env, venus=venus) == Path(directory)


def test_every_key_has_a_plain_file_name_of_its_own() -> None:
    keys = [KEY, "/dev/ttyUSB0", "_dev_ttyUSB0", "tcp://host:8899", "..", "", "é" * 99]
    found = [file_name(key) for key in keys]
    assert found[0] == NAME
    assert len(set(found)) == len(keys)
    assert not any("/" in name or name.startswith(".") for name in found)
    assert max(map(len, found)) < 100


@pytest.fixture
def _zone() -> Iterator[None]:
    before = os.environ.get("TZ")
    yield
    os.environ.pop("TZ", None)
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC).timestamp()


@pytest.mark.usefixtures("_zone")
def test_the_day_of_the_site_follows_its_time_zone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    days = []
    for minutes, zone in enumerate(("UTC+13", "UTC-13", "UTC+13")):
        os.environ["TZ"] = zone
        monkeypatch.setattr(time, "time", lambda at=NOON + 60 * minutes: at)
        days.append(local_today().day)
    assert days == [28, 2, 28]


@pytest.mark.usefixtures("_zone")
@pytest.mark.parametrize("zone", ["UTC", "IST-5:30", "NPT-5:45", "<-0330>3:30"])
def test_the_day_begins_at_midnight_to_the_second(
    zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.environ["TZ"] = zone
    time.tzset()
    midnight = datetime(2026, 3, 2).timestamp()  # noqa: DTZ001 - at the site
    days = []
    for at in (midnight - 59, midnight - 0.001, midnight, midnight - 1):
        monkeypatch.setattr(time, "time", lambda at=at: at)
        days.append(local_today().day)
    assert days == [1, 1, 2, 1]  # the last: a clock that was set back


# -- one file -------------------------------------------------------------------------


def test_nothing_stored_yet(file: AtomicFile) -> None:
    assert file.read(decode) is None


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


NEWER = json.dumps(json.loads(data(9.0)) | {"version": VERSION + 1}).encode()
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
    books = file.read(decode)
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
    assert file.read(decode) is None
    assert "nothing is left" in caplog.text
    file.path.write_bytes(b"two")
    assert file.read(decode) is None
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
    assert file.read(decode) is None
    file.save(data(1.0))
    assert user(file) == 1.0


def test_what_cannot_be_set_aside_is_never_written_over(
    file: AtomicFile, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file.path.write_bytes(b"bad")
    with monkeypatch.context() as read_only:
        read_only.setattr(Path, "rename", refuse)
        assert file.read(decode) is None
        with pytest.raises(StateError, match=f"{NAME} cannot be read nor renamed"):
            file.save(data(1.0))
    assert "nothing is stored over it" in caplog.text
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


# -- the archive ----------------------------------------------------------------------


def shine(ledger: Ledger, now: float) -> None:
    """Count 0.01 kWh: 3.6 kW for 10 s that end at `now`."""
    flow = Flow(load=0.0, pv=(3600.0,), pv_total=3600.0, mains_power=0.0)
    for moment in (now - 10, now):
        ledger.feed(Sample(flow), moment, date(2026, 5, 10))


async def settled(directory: Path) -> list[str]:
    """Return the files once the writing thread has had its time."""
    for _ in range(20):
        await asyncio.sleep(0.01)
    return names(directory) if directory.exists() else []


async def test_a_ledger_bridges_what_its_unit_needs_now(tmp_path: Path) -> None:
    """It is read each minute since it told of itself through another one."""
    archive = Archive(tmp_path)
    ledger = await archive.ledger(KEY, 0.0)
    assert await archive.ledger(KEY, 1.0, longest=180.0) is ledger
    today, flow = date(2026, 11, 23), Flow(pv=(1000.0,))
    for now in (0.0, 60.0):
        ledger.feed(Sample(flow), now, today)
    assert list(ledger.counters.trackers) == pytest.approx([1 / 60])
    await archive.ledger(KEY, 61.0)
    ledger.feed(Sample(flow), 120.0, today)
    assert ledger.integrator.gaps == 1
    await archive.close()


async def test_what_is_counted_is_there_again(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    ledger = await archive.ledger(KEY, 0.0)
    shine(ledger, 10.0)
    await archive.close()
    again = await Archive(tmp_path).ledger(KEY, 0.0)
    assert again.counters.yield_user == pytest.approx(0.01)
    assert again.books == ledger.books


async def test_an_inverter_that_comes_back_goes_on_in_its_ledger(
    tmp_path: Path,
) -> None:
    archive = Archive(tmp_path)
    one, other = await asyncio.gather(
        archive.ledger(KEY, 0.0), archive.ledger(KEY, 1.0)
    )
    assert one is other is await archive.ledger(KEY, 99.0)
    assert await archive.ledger("another", 0.0) is not one
    await archive.close()


async def test_it_writes_every_ten_minutes_and_not_more_often(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    ledger = await archive.ledger(KEY, 1000.0)
    shine(ledger, 1010.0)
    archive.tend(1010.0)
    archive.tend(1000.0 + INTERVAL - 1)
    assert await settled(tmp_path) == []
    archive.tend(1000.0 + INTERVAL)
    assert await settled(tmp_path) == [""]
    shine(ledger, 1000.0 + INTERVAL + 20)
    archive.tend(1000.0 + 2 * INTERVAL - 1)
    assert await settled(tmp_path) == [""]
    archive.tend(1000.0 + 2 * INTERVAL)
    assert await settled(tmp_path) == ["", ".previous"]
    await archive.close()


async def test_nothing_is_written_where_nothing_was_counted(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    ledger = await archive.ledger(KEY, 0.0)
    for hour in range(1, 5):
        ledger.feed(Sample(), hour * 3600.0, date(1970, 1, 1))
        archive.tend(hour * 3600.0)
    await archive.close()
    assert await settled(tmp_path) == []
    archive.tend(1e6)  # after the end there is nothing to tend


async def test_a_disk_that_hangs_does_not_hold_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free, fsync, threads = threading.Event(), os.fsync, []

    def hang(handle: int) -> None:
        threads.append(threading.current_thread())
        free.wait(5)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", hang)
    with blockbuster_ctx("mppdbus.daemon.energy_files"):
        archive = Archive(tmp_path)
        ledger = await archive.ledger(KEY, 0.0)
        shine(ledger, 10.0)
        archive.tend(INTERVAL)
        for beat in range(10):  # the loop goes on, and no second save begins
            await asyncio.sleep(0.01)
            archive.tend((beat + 2) * INTERVAL)
        assert len(threads) == 1
        assert threading.main_thread() not in threads
        shine(ledger, 1e5)
        closing = asyncio.ensure_future(archive.close())
        await asyncio.sleep(0.05)
        assert not closing.done()
        free.set()
        await closing
    assert len(threads) == 2 * 2  # a file and its directory, twice
    again = await Archive(tmp_path).ledger(KEY, 0.0)
    assert again.counters.yield_user == pytest.approx(0.02)


async def test_a_disk_that_fails_is_told_of_once_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    archive = Archive(tmp_path)
    ledger = await archive.ledger(KEY, 0.0)
    with monkeypatch.context() as full:
        full.setattr(os, "fsync", refuse)
        for number in range(1, 4):
            shine(ledger, number * INTERVAL)
            archive.tend(number * INTERVAL)
            await settled(tmp_path)
    (warning,) = caplog.records
    assert "not stored: [Errno 30] Read-only file system" in warning.getMessage()
    archive.tend(9 * INTERVAL)
    assert await settled(tmp_path) == [""]
    assert "can be stored again" in caplog.records[-1].getMessage()
    await archive.close()
    assert user(AtomicFile(tmp_path / NAME)) == pytest.approx(0.03)


async def test_a_state_that_nobody_can_read_still_gives_a_ledger(
    tmp_path: Path,
) -> None:
    (tmp_path / NAME).write_bytes(b"rubbish")
    archive = Archive(tmp_path)
    ledger = await archive.ledger(KEY, 0.0)
    assert ledger.counters.yield_user == 0.0
    await archive.close()

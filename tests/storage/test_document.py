"""One envelope: older versions are read, newer ones are kept aside, whole."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import pytest
from blockbuster import blockbuster_ctx
from pydantic import Field

from helpers.state import LoopTime, turns
from mppdbus.errors import StateError
from mppdbus.storage.document import Document, DocumentFormat, PeriodicSave

SAVED = datetime(2026, 11, 23, 12, 0, tzinfo=UTC).timestamp()
INTERVAL = 600.0


@dataclass
class Count:
    """What these tests store."""

    number: Annotated[int, Field(ge=0)] = 0
    name: str = ""


def doubled(state: dict[str, Any]) -> dict[str, Any]:
    return state | {"number": state["number"] * 2}


def renamed(state: dict[str, Any]) -> dict[str, Any]:
    return {"number": state["count"]}


FIRST: DocumentFormat[Count] = DocumentFormat.of(Count, "mppdbus test", 1)
THIRD: DocumentFormat[Count] = DocumentFormat.of(
    Count, "mppdbus test", 3, {1: renamed, 2: doubled}
)


def data(value: Count, form: DocumentFormat[Count] = FIRST) -> bytes:
    return form.encode(form.state(value), SAVED, {"of": "me"})


def changed(**parts: object) -> bytes:
    return json.dumps(json.loads(data(Count(5))) | parts).encode()


# -- the format ------------------------------------------------------------------------


def test_what_a_file_says() -> None:
    assert json.loads(data(Count(5))) == {
        "format": "mppdbus test",
        "version": 1,
        "saved": "2026-11-23T12:00:00+00:00",
        "of": "me",
        "state": {"number": 5},
    }
    assert FIRST.decode(data(Count(5))) == (Count(5), SAVED)


def test_older_versions_are_brought_up_one_by_one() -> None:
    states = {1: {"count": 5}, 2: {"number": 5}, 3: {"number": 10}}
    for version, state in states.items():
        assert THIRD.decode(changed(version=version, state=state))[0] == Count(10)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (b"", "damaged"),
        (b"\0" * 300, "damaged"),
        (b"\xff\xfe{}", "damaged"),
        (b"[" * 100_000, "damaged"),
        (data(Count(5))[:-9], "damaged"),
        (b"[]", "not a file of mppdbus test"),
        (changed(format="else"), "not a file of mppdbus test"),
        (changed(version="1"), "no version"),
        (changed(version=0), "no version"),
        (changed(version=2), r"newer mppdbus \(version 2, this one reads 1\)"),
        (changed(state=[]), "damaged"),
        (changed(state={"number": -1}), "damaged: number: Input should be"),
        (changed(saved="x"), "damaged"),
        (changed(saved=None), "damaged"),
        (data(Count()).replace(b'"saved"', b'"Saved"'), "damaged"),
        (data(Count()).replace(b'"state"', b'"State"'), "damaged"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(bad: bytes, says: str) -> None:
    with pytest.raises(StateError, match=says):
        FIRST.decode(bad)


def test_a_migration_that_fails_is_a_damaged_file() -> None:
    with pytest.raises(StateError, match="damaged: KeyError"):
        THIRD.decode(changed(version=1, state={"number": 5}))
    gap: DocumentFormat[Count] = DocumentFormat.of(Count, "mppdbus test", 2)
    with pytest.raises(StateError, match="damaged: KeyError"):
        gap.decode(data(Count()))  # there is no step from 1 to 2


# -- the file --------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "test.json"


def stored(path: Path, form: DocumentFormat[Count] = FIRST) -> Count:
    return form.decode(path.read_bytes())[0]


async def test_what_was_saved_is_loaded_with_its_time(path: Path) -> None:
    document = Document(path, FIRST, clock=lambda: SAVED)
    assert await document.load_stored() is None
    assert document.saved is None
    assert await document.save(Count(7))
    again = Document(path, FIRST)
    assert await again.load(Count(1)) == Count(7)
    assert again.saved == SAVED


async def test_nothing_is_written_for_what_is_stored_or_the_default(path: Path) -> None:
    document = Document(path, FIRST)
    assert await document.load(Count()) == Count()
    assert await document.save(Count())
    assert not path.exists()
    await document.save(Count(1))
    inode = path.stat().st_ino
    assert await document.save(Count(1))
    again = Document(path, FIRST)
    assert await again.save(await again.load(Count()))
    assert path.stat().st_ino == inode


async def test_it_is_saved_as_it_was_when_that_was_asked(path: Path) -> None:
    document, value = Document(path, FIRST), Count(1)
    saving = asyncio.create_task(document.save(value))
    await asyncio.sleep(0)
    value.number = 2
    await saving
    assert stored(path) == Count(1)
    await document.save(value)
    assert stored(path) == Count(2)


async def test_a_cancelled_save_is_finished_before_the_next(path: Path) -> None:
    document = Document(path, FIRST)
    saving = asyncio.create_task(document.save(Count(1)))
    await asyncio.sleep(0)
    saving.cancel()
    assert await document.save(Count(2))
    assert stored(path) == Count(2)
    assert stored(path.with_name("test.json.previous")) == Count(1)


@pytest.mark.parametrize("form", [FIRST, THIRD], ids=["same", "newer"])
async def test_a_newer_file_is_kept_aside_whole_and_one_line_says_so(
    path: Path, caplog: pytest.LogCaptureFixture, form: DocumentFormat[Count]
) -> None:
    newer = changed(version=form.version + 1)
    path.parent.mkdir()
    path.write_bytes(newer)
    path.with_name("test.json.previous").write_bytes(newer)
    document = Document(path, form)
    assert await document.load(Count()) == Count()
    (record,) = caplog.records
    line = record.getMessage()
    assert f"{path}: written by a newer mppdbus" in line
    assert "set aside as test.json.unreadable-1" in line
    assert "nothing is left" in line
    await document.save(Count(1))
    await document.save(Count(2))
    aside = sorted(path.parent.glob("*.unreadable-*"))
    assert [each.read_bytes() for each in aside] == [newer, newer]
    assert len(caplog.records) == 1


# -- now and then ----------------------------------------------------------------------


@pytest.fixture
async def time(monkeypatch: pytest.MonkeyPatch) -> LoopTime:
    return LoopTime(monkeypatch)


async def settled(document: Document[Count]) -> None:
    """Wait until what has begun is written, and those that waited have gone on."""
    async with document._turn:
        pass
    await turns()


async def test_it_is_saved_every_interval_and_not_more_often(
    path: Path, time: LoopTime
) -> None:
    document, value, saves = Document(path, FIRST), Count(1), []
    save = PeriodicSave(document, lambda: value, INTERVAL)
    await time.advance(0)
    for second in range(60, 3601, 60):
        before = path.stat().st_ino if path.exists() else None
        await time.advance(60)
        await settled(document)
        value.number += 1
        if path.exists() and path.stat().st_ino != before:
            saves.append(second)
    assert saves == [600, 1200, 1800, 2400, 3000, 3600]
    await save.close()


async def test_it_is_saved_at_once_when_asked_and_at_the_end(path: Path) -> None:
    document, value = Document(path, FIRST), Count(1)
    save = PeriodicSave(document, lambda: value, INTERVAL)
    save.save_soon()
    await turns()
    await settled(document)
    assert stored(path) == Count(1)
    value.number = 2
    await save.close()
    assert stored(path) == Count(2)


async def test_none_is_nothing_to_save(path: Path) -> None:
    save = PeriodicSave(Document(path, FIRST), lambda: None, INTERVAL)
    await save.close()
    assert not path.exists()


async def test_a_defect_is_logged_and_later_saves_go_on(
    path: Path, time: LoopTime, caplog: pytest.LogCaptureFixture
) -> None:
    value, defects = Count(1), [1]

    def current() -> Count:
        if value.number in defects:
            raise RuntimeError("a defect")
        return value

    document = Document(path, FIRST)
    save = PeriodicSave(document, current, INTERVAL)
    await time.advance(0)
    await time.advance(INTERVAL)
    assert "a defect" in caplog.text
    assert not path.exists()
    defects.clear()
    await time.advance(INTERVAL)
    await settled(document)
    assert stored(path) == Count(1)
    await save.close()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A disk that hangs until this is set."""
    gate, fsync = threading.Event(), os.fsync

    def hang(handle: int) -> None:
        assert threading.current_thread() is not threading.main_thread()
        gate.wait(5)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", hang)
    yield gate
    gate.set()


async def test_a_disk_that_hangs_does_not_hold_the_loop(
    path: Path, gate: threading.Event, time: LoopTime
) -> None:
    with blockbuster_ctx("mppdbus.storage.document"):
        document, value = Document(path, FIRST), Count(1)
        save = PeriodicSave(document, lambda: value, INTERVAL)
        await time.advance(0)
        for _ in range(5):
            await time.advance(INTERVAL)
        value.number = 2
        closing = asyncio.create_task(save.close())
        await time.advance(INTERVAL)
        assert not closing.done()
        assert not path.exists()
        gate.set()
        await closing
    assert stored(path) == Count(2)
    assert stored(path.with_name("test.json.previous")) == Count(1)


async def test_a_disk_that_fails_is_told_of_once_and_tried_again(
    path: Path,
    time: LoopTime,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    document, value = Document(path, FIRST), Count(1)
    save = PeriodicSave(document, lambda: value, INTERVAL)
    await time.advance(0)
    with monkeypatch.context() as full:
        full.setattr(os, "fsync", refuse)
        for _ in range(3):
            await time.advance(INTERVAL)
            await settled(document)
    (warning,) = caplog.records
    assert "not stored: Read-only file system" in warning.getMessage()
    await time.advance(INTERVAL)
    await settled(document)
    assert "can be stored again" in caplog.records[-1].getMessage()
    assert stored(path) == Count(1)
    await save.close()


def refuse(*_: object) -> None:
    raise OSError(errno.EROFS, "Read-only file system")

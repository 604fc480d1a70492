"""State files as bytes, and a loop whose time is moved by the test."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from helpers.places import TESTS
from mppdbus.daemon.state import ENERGY, StateFiles
from mppdbus.model.energy.ledger import Books
from mppdbus.storage.atomic_file import AtomicFile

OLD = TESTS / "data" / "state"  # files as earlier versions wrote them
SAVED = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def energy_data(books: Books, uid: str = "96332405100123") -> bytes:
    """Return the file of a ledger."""
    state = ENERGY.state(books)
    return ENERGY.encode(state, SAVED.timestamp(), {"inverter": uid})


def decode_books(data: bytes) -> Books:
    return ENERGY.decode(data)[0]


def read_books(path: Path) -> Books | None:
    """Return what a ledger's file, or the one before, holds."""
    return AtomicFile(path).read(decode_books)


class LoopTime:
    """Moves the time of the running loop, without waiting."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        self.now = loop.time()
        patch.setattr(loop, "time", lambda: self.now)

    async def advance(self, seconds: float) -> None:
        """Let `seconds` pass, and what is due then begin."""
        self.now += seconds
        await turns()


async def writes_done(files: StateFiles) -> None:
    """Wait until what has begun is written, and those that waited have gone on."""
    for save in files._saves:
        async with save._document._turn:
            pass
    await turns()


async def turns() -> None:
    """Let tasks that are ready go on until they wait."""
    for _ in range(10):
        await asyncio.sleep(0)

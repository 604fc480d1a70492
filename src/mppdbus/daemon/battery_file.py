"""What is known of the battery on disk: one small file, written in a thread, seldom."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter

from mppdbus.errors import StateError
from mppdbus.model.battery.bank import Bank, BankSettings
from mppdbus.model.battery.estimator_state import SocState
from mppdbus.storage.atomic_file import AtomicFile

NAME = "battery.json"
INTERVAL = 600.0  # s between two saves; flash wears out
FORMAT = "mppdbus battery"
VERSION = 2
CLOCK_SET = datetime(2024, 1, 1, tzinfo=UTC).timestamp()  # before it, no clock was set

log = logging.getLogger("mppdbus.state")


@dataclass(frozen=True, slots=True)
class Kept:
    """What a file holds, and when it was written: s of the clock on the wall."""

    state: SocState
    saved: float


class BankFile:
    """The file of the bank in `directory`, written at most every `interval` s.

    `clock` is the one on the wall: it tells how long the program was away.
    """

    def __init__(
        self,
        directory: Path,
        *,
        interval: float = INTERVAL,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._file = AtomicFile(directory / NAME)
        self._interval, self._clock = interval, clock
        self._bank: Bank | None = None
        self._tried: float | None = None  # s, when it was last saved, or should be
        self._stored: SocState | None = None
        self._saving: asyncio.Task[None] | None = None
        self._closed = False

    async def bank(self, settings: BankSettings) -> Bank:
        """Return the bank, going on from what was kept; the same one again later.

        Whatever state the file is in, there is a bank.
        """
        if self._bank is None:
            kept = await asyncio.to_thread(self._file.read, decode)
            bank = Bank(settings)
            if kept is not None:
                gone = away(kept.saved, self._clock())
                bank = Bank(settings, kept.state, gone)
            self._bank = self._bank or bank
        return self._bank

    def tend(self, now: float) -> None:
        """Start to save what is due; call it with the loop's time as often as fed."""
        if self._tried is None:
            self._tried = now
        due = now - self._tried >= self._interval
        if due and self._saving is None and not self._closed:
            self._tried = now
            self._save()

    def hurry(self) -> None:
        """Save the next time that it is tended: the user has said something."""
        if self._tried is not None:
            self._tried -= self._interval

    async def close(self) -> None:
        """Save what is known now, and wait until that is done."""
        self._closed = True
        if self._saving is not None:
            await self._saving
        self._save()
        if self._saving is not None:
            await self._saving

    def _save(self) -> None:
        state = self._bank.state if self._bank is not None else None
        if state is not None and state.sound and state != self._stored:
            data = encode(Kept(state, self._clock()))
            self._saving = asyncio.create_task(self._write(state, data))

    async def _write(self, state: SocState, data: bytes) -> None:
        stored = await asyncio.to_thread(self._file.keep, data)
        self._saving = None
        if stored:
            self._stored = state


def away(saved: float, now: float) -> float | None:
    """Return the s between two times on the wall; None if that clock tells nothing."""
    if min(saved, now) < CLOCK_SET or now < saved:
        return None
    return now - saved


def encode(kept: Kept) -> bytes:
    """Return the content of a file; the reverse of `decode`."""
    saved = datetime.fromtimestamp(kept.saved, UTC).isoformat(timespec="seconds")
    state = _adapter().dump_python(kept.state, mode="json", exclude_defaults=True)
    content = {"format": FORMAT, "version": VERSION, "saved": saved, "state": state}
    return f"{json.dumps(content, separators=(',', ':'))}\n".encode()


def decode(data: bytes) -> Kept:
    """Return what a file holds; raises `StateError` with what is wrong with it."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise StateError(f"damaged: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise StateError("not the battery of mppdbus")
    version = content.get("version")
    if version != VERSION:
        raise StateError(f"version {version}, and this mppdbus reads {VERSION}")
    try:
        saved = datetime.fromisoformat(content["saved"]).timestamp()
        state = _adapter().validate_python(content["state"])
    except (ValueError, LookupError, TypeError, OverflowError) as error:
        raise StateError("damaged: no state of a battery in it") from error
    if not state.sound:
        raise StateError("damaged: numbers that no battery has")
    return Kept(state, saved)


@cache
def _adapter() -> TypeAdapter[SocState]:
    return TypeAdapter(SocState)

"""The counters on disk: a small file an inverter, written in a thread and seldom."""

from __future__ import annotations

import asyncio
import binascii
import logging
import re
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path

from mppdbus.model.energy.codec import decode, document, encode
from mppdbus.model.energy.integrator import LONGEST
from mppdbus.model.energy.ledger import Books, Ledger
from mppdbus.storage.atomic_file import AtomicFile

INTERVAL = 600.0  # s between two saves; flash wears out
NO_HOMES = {"", "/", "/root", "/nonexistent"}  # where services "live"

log = logging.getLogger("mppdbus.state")


def state_directory(env: Mapping[str, str], *, venus: bool) -> Path:
    """Return where the state belongs; the first of these that applies. Pure.

    $MPPDBUS_STATE, what systemd gives ($STATE_DIRECTORY), /data/mppdbus on Venus OS,
    the user's own state directory ($XDG_STATE_HOME), /var/lib/mppdbus.
    """
    if chosen := env.get("MPPDBUS_STATE"):
        return Path(chosen)
    if given := env.get("STATE_DIRECTORY", "").split(":")[0]:
        return Path(given)
    if venus:
        return Path("/data/mppdbus")
    if user := env.get("XDG_STATE_HOME"):
        return Path(user) / "mppdbus"
    if (home := env.get("HOME", "")) not in NO_HOMES:
        return Path(home) / ".local" / "state" / "mppdbus"
    return Path("/var/lib/mppdbus")


def file_name(key: str) -> str:
    """Return a file name of its own for every key, whatever is in it."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", key)[:64]
    if plain != key:
        plain += f"-{binascii.crc32(key.encode()):08x}"
    return f"energy-{plain}.json"


def local_now() -> datetime:
    """Return the time at this site, also after its zone was changed; without zone."""
    time.tzset()
    return datetime.now(UTC).astimezone().replace(tzinfo=None)


def local_today() -> date:
    """Return the day it is at this site; another zone shows within a minute."""
    return _day_of(int(time.time() // 60))


@lru_cache(maxsize=1)  # so the zone is read once a minute, and not at every poll
def _day_of(minute: int) -> date:
    """Return the day of a whole minute of UTC, such as midnight is in every zone."""
    time.tzset()
    return date.fromtimestamp(60 * minute)  # noqa: DTZ012 - at this site


@dataclass(slots=True)
class _Account:
    """A ledger, its file, and what of it is on disk."""

    key: str
    file: AtomicFile
    ledger: Ledger
    tried: float  # s, when it was last saved, or should have been
    stored: str = ""
    saving: asyncio.Future[None] | None = None


class Archive:
    """The ledgers of all inverters and their files, in one directory.

    Files are written in a thread of their own, one after the other, at most every
    `interval` s and at the end, and only where something was counted since.
    """

    def __init__(self, directory: Path, *, interval: float = INTERVAL) -> None:
        self._directory = directory
        self._interval = interval
        self._accounts: dict[str, _Account] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="state")
        self._closed = False

    async def ledger(self, key: str, now: float, *, longest: float = LONGEST) -> Ledger:
        """Return the ledger of an inverter: the same one again, or what was stored.

        `key` is its serial number or port and `longest` the s that two samples may be
        apart from now on. Whatever state the files are in, there is a ledger.
        """
        if (account := self._accounts.get(key)) is None:
            file = AtomicFile(self._directory / file_name(key))
            loop = asyncio.get_running_loop()
            books, stored = await loop.run_in_executor(self._thread, _open, file)
            account = _Account(key, file, Ledger(books), now, stored)
            account = self._accounts.setdefault(key, account)
        account.ledger.bridge(longest)
        return account.ledger

    def tend(self, now: float) -> None:
        """Start to save what is due; call it with the loop's time as often as fed."""
        if self._closed:
            return
        for account in self._accounts.values():
            if now - account.tried >= self._interval and account.saving is None:
                account.tried = now
                self._save(account)

    async def close(self) -> None:
        """Save what was counted since the last time, and wait until that is done."""
        self._closed = True
        await self._saved()
        for account in self._accounts.values():
            self._save(account)
        await self._saved()
        self._thread.shutdown(wait=False)

    async def _saved(self) -> None:
        """Wait for all that is being saved."""
        saving = [account.saving for account in self._accounts.values()]
        await asyncio.gather(*(each for each in saving if each is not None))

    def _save(self, account: _Account) -> None:
        state = encode(account.ledger.books)
        if state == account.stored:
            return
        data = document(state, account.key, datetime.now(UTC))
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._thread, account.file.keep, data)
        account.saving = asyncio.ensure_future(_finish(account, state, work))


async def _finish(account: _Account, state: str, work: asyncio.Future[bool]) -> None:
    stored = await work
    account.saving = None
    if stored:
        account.stored = state


def _open(file: AtomicFile) -> tuple[Books, str]:
    """Read the books, or begin new ones; return them also as they are stored."""
    books = file.read(decode) or Books()
    return books, encode(books)

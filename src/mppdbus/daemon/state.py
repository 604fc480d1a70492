"""The daemon's files: a ledger for each inverter, and the state of the battery."""

import asyncio
import binascii
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator

from mppdbus.daemon.sections import Memberships
from mppdbus.errors import StateError
from mppdbus.model.battery.bank import Bank, BankSettings
from mppdbus.model.battery.estimator_state import SocState
from mppdbus.model.energy.integrator import LONGEST
from mppdbus.model.energy.ledger import Books, Ledger
from mppdbus.storage.document import Document, DocumentFormat, PeriodicSave
from mppdbus.storage.folder_log import FolderLog

INTERVAL = 600.0  # s between two saves; flash wears out
SECTIONS_FILE = "sections.json"
BATTERY_FILE = "battery.json"  # of the battery without a name
CLOCK_SET = datetime(2024, 1, 1, tzinfo=UTC).timestamp()  # earlier: clock not set
SHIFT_SIGMA = 0.02  # V a cell, typical of all chemistries


def _checked(state: SocState) -> SocState:
    if not state.sound:
        raise StateError("numbers that no battery has")
    return state


def _add_shift(state: dict[str, Any]) -> dict[str, Any]:
    """Add the unknown that version 1 lacks: the shift of the voltage off its curve."""
    values, old = state["values"], list(state["covariance"])
    covariance: list[float] = []
    for length in range(len(values), 0, -1):  # the upper triangle, row by row
        covariance += [*old[:length], 0.0]
        del old[:length]
    covariance.append(SHIFT_SIGMA**2)
    return state | {"values": [*values, 0.0], "covariance": covariance}


def _drop_own(state: dict[str, Any]) -> dict[str, Any]:
    """Drop own consumption, the fourth unknown of version 2."""
    values, size, own = state["values"], len(state["values"]), 3
    pairs = [(i, j) for i in range(size) for j in range(i, size)]
    covariance = zip(pairs, state["covariance"], strict=True)
    return state | {
        "values": [value for i, value in enumerate(values) if i != own],
        "covariance": [value for pair, value in covariance if own not in pair],
    }


ENERGY: DocumentFormat[Books] = DocumentFormat.of(Books, "mppdbus energy", 1)
SECTIONS: DocumentFormat[Memberships] = DocumentFormat.of(
    Memberships, "mppdbus sections", 1
)
BATTERY: DocumentFormat[SocState] = DocumentFormat.of(
    Annotated[SocState, AfterValidator(_checked)],
    "mppdbus battery",
    3,
    {1: _add_shift, 2: _drop_own},
)


class StateFiles:
    """The files in `directory`, saved every `interval` s and at the end, if changed.

    `clock` is the wall clock: it tells how long the program was away.
    """

    def __init__(
        self,
        directory: Path,
        *,
        interval: float = INTERVAL,
        clock: Callable[[], float] = time.time,
        folder_log: FolderLog | None = None,
    ) -> None:
        self._folder_log = folder_log or FolderLog()
        self._directory, self._interval, self._clock = directory, interval, clock
        self._ledgers: dict[str, Ledger] = {}
        self._banks: dict[str, Bank] = {}  # by name
        self._bank_saves: dict[str, PeriodicSave[SocState]] = {}
        self._sections_save: PeriodicSave[Memberships] | None = None
        self._saves: list[PeriodicSave[Any]] = []
        self._opening = asyncio.Lock()

    async def ledger(self, uid: str, *, longest: float = LONGEST) -> Ledger:
        """Return the ledger of an inverter: the one in use, else the stored one.

        `longest` is the longest pause, s, between two samples that is not a gap. There
        is always a ledger, even if its file cannot be read.
        """
        async with self._opening:
            if uid not in self._ledgers:
                document = self._document(energy_file(uid), ENERGY, inverter=uid)
                self._ledgers[uid] = ledger = Ledger(await document.load(Books()))
                save = PeriodicSave(document, lambda: ledger.books, self._interval)
                self._saves.append(save)
        self._ledgers[uid].bridge(longest)
        return self._ledgers[uid]

    async def bank(self, settings: BankSettings, name: str = "") -> Bank:
        """Return a battery bank: the one in use, else one with the stored state.

        There is always a bank, even if its file cannot be read.
        """
        async with self._opening:
            if name not in self._banks:
                document = self._document(bank_file(name), BATTERY)
                stored, gone = await document.load_stored(), None
                if document.saved is not None:
                    gone = away(document.saved, self._clock())
                self._banks[name] = bank = Bank(settings, stored, gone)

                def sound() -> SocState | None:
                    state = bank.state
                    return state if state is not None and state.sound else None

                save = PeriodicSave(document, sound, self._interval)
                self._bank_saves[name] = save
                self._saves.append(save)
        self._banks[name].use(settings)
        return self._banks[name]

    async def memberships(self) -> Memberships:
        """Return the section of each inverter in earlier runs; call it once."""
        document: Document[Memberships] = self._document(SECTIONS_FILE, SECTIONS)
        known = await document.load(Memberships())
        self._sections_save = PeriodicSave(document, lambda: known, self._interval)
        self._saves.append(self._sections_save)
        return known

    def save_memberships_soon(self) -> None:
        """Save the sections now: an inverter is new."""
        if self._sections_save is not None:
            self._sections_save.save_soon()

    def save_bank_soon(self, name: str = "") -> None:
        """Save a bank now: the user has corrected its state of charge."""
        if (save := self._bank_saves.get(name)) is not None:
            save.save_soon()

    async def close(self) -> None:
        """Save all changes and wait until they are saved."""
        await asyncio.gather(*(save.close() for save in self._saves))

    def _document(
        self, name: str, form: DocumentFormat[Any], **about: str
    ) -> Document[Any]:
        path = self._directory / name
        return Document(
            path, form, clock=self._clock, about=about, folder_log=self._folder_log
        )


def energy_file(uid: str) -> str:
    """Return the file name of a ledger, unique for every uid."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", uid)[:64]
    if plain != uid:
        plain += f"-{binascii.crc32(uid.encode()):08x}"
    return f"energy-{plain}.json"


def bank_file(name: str) -> str:
    """Return the file name of a bank; its name has letters, digits and _ only."""
    return f"battery-{name}.json" if name else BATTERY_FILE


def away(saved: float, now: float) -> float | None:
    """Return the s between two wall-clock times; None if the clock was not set."""
    if min(saved, now) < CLOCK_SET or now < saved:
        return None
    return now - saved

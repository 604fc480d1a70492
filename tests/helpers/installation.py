"""An installation that tests drive: they say what its units said, and how time goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from helpers.bus import BusItemClient
from helpers.processes import DBUS
from helpers.run import MULTI, Watcher
from helpers.snapshots import online, qpigs
from mppdbus.daemon.installation import Installation
from mppdbus.model.battery.bank import BankSettings, Source
from mppdbus.model.snapshot import Identity, Snapshot
from mppdbus.model.views import Unit

BATTERY = "com.victronenergy.battery.mppdbus"
SERIALS = ("1111111", "2222222", "3333333")
FIRST, SECOND, THIRD = (MULTI + serial for serial in SERIALS)


def unit(number: int, **changes: Any) -> Unit:  # noqa: ANN401 - fields of any type
    """Return a unit as the config would describe it."""
    named = Unit(f"unit {number}", f"/dev/ttyUSB{number}", 288 + number)
    return replace(named, **changes)


def said(
    serial: str | None,
    mode: str = "L",
    *,
    warned: tuple[int, ...] = (),
    **status: Any,  # noqa: ANN401
) -> Snapshot:
    """Return what a unit says that is online."""
    snapshot = online(qpigs(**status), mode, warned=warned)
    return replace(snapshot, identity=Identity(serial=serial))


def away(serial: str | None) -> Snapshot:
    """Return what is left of a unit that does not answer."""
    return Snapshot(identity=Identity(serial=serial))


NOBODY = said(None)  # builds the parsers, which blocks for a moment


class Home:
    """An installation; units are told by number, and so are their ports."""

    def __init__(
        self,
        address: str,
        folder: Path,
        *units: Unit,
        source: Source = "estimate",
        patience: float = 0.0,
        banks: Mapping[str, BankSettings] | None = None,
    ) -> None:
        self.units = units
        self.uids: dict[int, str] = {}  # of the units that answered last, by port
        self.installation = Installation(
            address,
            folder,
            banks or {"": BankSettings(source=source, units=len(units))},
            expected=len(units),
            patience=patience,
        )

    def set_clock(self, clock: Clock) -> None:
        """Let the time go by as a test says."""
        self.installation._clock = clock

    async def meet(self, index: int, snapshot: Snapshot) -> None:
        """Have a unit answer for the first time at port `index`."""
        unit, place = self.units[index], f"ttyUSB{index}"
        self.uids[index] = await self.installation.introduce(unit, snapshot, place, 1.0)

    def hear(self, index: int, snapshot: Snapshot) -> None:
        """Take what a unit says."""
        port = self.units[index].connection
        self.installation.show(self.uids[index], port, snapshot)

    def serial(self, index: int) -> str | None:
        """Return the serial number of the unit at port `index`."""
        view = self.installation.site.views[self.uids[index]]
        return view.snapshot.identity.serial

    def unplug(self, index: int, serial: str | None) -> None:
        """Lose the connection at port `index`."""
        self.hear(index, away(serial))


class Clock:
    """The s of a steady clock; all readings of a round have one time."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def at_home(
    address: str,
    folder: Path,
    *units: Unit,
    source: Source = "estimate",
    patience: float = 0.0,
    together: float = 0.0,
    banks: Mapping[str, BankSettings] | None = None,
) -> AsyncIterator[Home]:
    """Open an installation, and close it in the end."""
    home = Home(address, folder, *units, source=source, patience=patience, banks=banks)
    home.installation.together = together
    try:
        await home.installation.open()
        yield home
    finally:
        await home.installation.close()


@asynccontextmanager
async def owners_of(watcher: Watcher) -> AsyncIterator[list[tuple[str, bool]]]:
    """Collect who comes to the bus (True) and who leaves it, of Victron's names."""
    seen: list[tuple[str, bool]] = []
    await watcher.client.call(
        "/org/freedesktop/DBus", "AddMatch", "s",
        ["type='signal',member='NameOwnerChanged'"],
        interface=DBUS, destination=DBUS,
    )  # fmt: skip

    def hear(message: Any) -> None:  # noqa: ANN401
        if message.member == "NameOwnerChanged" and message.body[0].startswith("com."):
            seen.append((message.body[0], bool(message.body[2])))

    watcher.client.bus.add_message_handler(hear)
    try:
        yield seen
    finally:
        watcher.client.bus.remove_message_handler(hear)


async def write(
    watcher: Watcher, service: str, path: str, signature: str, value: object
) -> int:
    """Write as the GUI does; return the verdict."""
    client = BusItemClient(watcher.client.bus, service)
    return await client.set_value(path, signature, value)


async def names_become(watcher: Watcher, *names: str) -> None:
    """Wait until just these services are on the bus."""
    end = asyncio.get_running_loop().time() + 60
    while (there := await watcher.names()) != set(names):
        assert asyncio.get_running_loop().time() < end, there
        await asyncio.sleep(0.01)

"""An installation without inverters: tests say what those would have said."""

from __future__ import annotations

from pathlib import Path

from mppdbus.daemon.installation import Installation
from mppdbus.model.battery.bank import BankSettings
from mppdbus.model.snapshot import Snapshot
from mppdbus.model.views import Unit


class House:
    """An installation whose units are told by number."""

    def __init__(self, address: str, folder: Path, *units: Unit) -> None:
        self.units = units
        self.uids: dict[int, str] = {}
        self.installation = Installation(
            address,
            folder,
            {"": BankSettings(source="inverter", units=len(units))},
            expected=len(units),
            patience=0.0,
        )

    async def introduce(self, index: int, snapshot: Snapshot) -> None:
        place = f"ttyUSB{index}"
        unit = self.units[index]
        self.uids[index] = await self.installation.introduce(unit, snapshot, place, 1.0)

    def publish(self, index: int, snapshot: Snapshot) -> None:
        port = self.units[index].connection
        self.installation.show(self.uids[index], port, snapshot)

    async def open(self) -> None:
        await self.installation.open()

    async def close(self) -> None:
        await self.installation.close()

"""The limits of a BMS, as the real systemcalc passes them on."""

from __future__ import annotations

import pytest

from helpers.bms import COMMANDING, NAME, Bms
from helpers.bus import BusItemClient
from helpers.processes import until
from lab.stack import LAB, SYSTEM, Stack
from mppdbus.control.dvcc import Limits
from mppdbus.venus.dbus.watcher import Watcher
from mppdbus.venus.dvcc_monitor import USERS, Dvcc, DvccMonitor

pytestmark = LAB
SETTINGS = "com.victronenergy.settings"


class Found:
    """What a monitor of ours reads, again and again."""

    def __init__(self, watcher: Watcher) -> None:
        self.monitor = DvccMonitor(watcher)
        self.last: Dvcc | None = None

    async def shows(self, limits: Limits | None, why: str = "") -> None:
        async def right() -> bool:
            self.last = await self.monitor.read()
            return self.last.limits == limits and why in self.last.why

        await until(right, lambda: f"it reads {self.last}", 30)


async def test_the_limits_come_from_systemcalc_and_its_bms(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    watcher = Watcher(stack.address)
    await watcher.open()
    found = Found(watcher)
    settings = BusItemClient(stack.client.bus, SETTINGS)
    bms = await Bms.start(stack.address, values=COMMANDING)
    try:
        assert await settings.set_value("/Settings/Services/Bol", "i", 1) == 0
        await found.shows(Limits(45.0, 100.0, 56.0))
        assert found.last is not None
        told = await stack.system(("/ActiveBmsService", "/Control/Dvcc"))
        with capsys.disabled():
            print(f"\nlab: {told} → {found.last}")
        assert found.last.bms == NAME
        await bms.show(**{"Info/MaxChargeCurrent": 0.0, "Info/MaxChargeVoltage": 54.0})
        await found.shows(Limits(0.0, 100.0, 54.0))
        await bms.show(**{"Info/MaxChargeCurrent": 80.0})
        await found.shows(Limits(80.0, 100.0, 54.0))
        assert await settings.set_value(USERS, "d", 20.0) == 0
        await found.shows(Limits(20.0, 100.0, 54.0))
        await bms.show(**{"Info/MaxChargeCurrent": None})
        await found.shows(None, "does not tell a charge current")
        await bms.show(**{"Info/MaxChargeCurrent": 80.0})
        await found.shows(Limits(20.0, 100.0, 54.0))
        bms.hang()
        await found.shows(None, "does not tell a charge current")
        bms.go_on()
        await found.shows(Limits(20.0, 100.0, 54.0))
        await bms.show(**{"Info/MaxChargeVoltage": None})
        await found.shows(None, "Venus OS sees no BMS")
        await bms.show(**{"Info/MaxChargeVoltage": 54.0})
        await found.shows(Limits(20.0, 100.0, 54.0))
        await bms.crash()
        await found.shows(None, "Venus OS sees no BMS")
        assert await settings.set_value("/Settings/Services/Bol", "i", 0) == 0
        await found.shows(None, "DVCC is off")
        assert SYSTEM in watcher.names()
    finally:
        await bms.crash()
        await watcher.close()

"""Keeps what all units share on the bus, as long as there is a unit to show."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from mppdbus.errors import BusError
from mppdbus.model.household import Household, Key
from mppdbus.venus.dbus.service import Value
from mppdbus.venus.shared_services import Battery, Make, Prefer, System

log = logging.getLogger("mppdbus.bus")


class Commons:
    """The acsystem, and the battery where it needs a service of its own.

    `monitor` is the name of whoever else watches the battery; ours steps back then.
    """

    def __init__(self, household: Household, make: Make, prefer: Prefer) -> None:
        self._household = household
        self._make = make
        self._prefer = prefer
        self._system: System | None = None
        self._battery: Battery | None = None
        self._making: asyncio.Task[None] | None = None  # the battery
        self.monitor: str | None = None

    async def enter(
        self, key: Key, name: str, instance: int, levels: Mapping[str, Value]
    ) -> None:
        """Have a unit of the hybrid profile in the acsystem, and that on the bus.

        Raises as `Service.start` does. One unit at a time.
        """
        if self._system is None:
            system = System(self._household, self._make, self._prefer)
            await system.load()
            self._system = system
        self._system.list_device(key, name, instance)
        self._system.show_levels(levels)
        self._system.show()
        await self._system.service.start()

    def list_device(self, key: Key, name: str | None, instance: int | None) -> None:
        """Say which service a unit of the acsystem has now; None: none."""
        if self._system is not None and self._system.lists(key):
            self._system.list_device(key, name, instance)

    def show_levels(self, levels: Mapping[str, Value]) -> None:
        """Show the alarm levels of the units on the page of all."""
        if self._system is not None:
            self._system.show_levels(levels)

    def show(self, *, hybrids: bool, anybody: bool) -> None:
        """Show all as they are; `hybrids`, `anybody`: whether there is one to show."""
        if self._system is not None:
            self._system.show()
            service = self._system.service
            service.start_soon() if hybrids else service.stop()
        needed = self._household.battery_needed and self.monitor is None and anybody
        if self._battery is not None:
            self._battery.show()
            service = self._battery.service
            service.start_soon() if needed else service.stop()
        elif needed and self._making is None:
            self._making = asyncio.get_running_loop().create_task(self._make_battery())

    async def close(self) -> None:
        """Leave the bus for good."""
        if self._making is not None:
            self._making.cancel()
            await asyncio.gather(self._making, return_exceptions=True)
        both = [whole for whole in (self._system, self._battery) if whole is not None]
        await asyncio.gather(*(whole.service.close() for whole in both))

    async def _make_battery(self) -> None:
        battery = Battery(self._household, self._make, self._prefer)
        try:
            await battery.load()
        except BusError as error:
            log.warning("%s", error)
        else:
            self._battery = battery
            battery.show()
            battery.service.start_soon()
        finally:
            self._making = None

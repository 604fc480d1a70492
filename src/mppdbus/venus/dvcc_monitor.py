"""What Venus OS allows the chargers: DVCC's voltage, and the limits of the BMS.

com.victronenergy.system tells the voltage and which BMS counts, but not how much may be
charged: that is asked of the BMS itself, and the user's own limit of the settings.
Everything is asked again each time, as a service that hangs still has its name.
"""

import asyncio
import math
from dataclasses import dataclass

from mppdbus.control.dvcc import Limits
from mppdbus.errors import BusError
from mppdbus.venus.dbus.connection import Request
from mppdbus.venus.dbus.watcher import Watcher

SYSTEM = "com.victronenergy.system"
SETTINGS = "com.victronenergy.settings"
BATTERY = "com.victronenergy.battery."
DVCC_ON = "/Control/Dvcc"
VOLTAGE = "/Control/EffectiveChargeVoltage"
BMS = "/ActiveBmsService"
CHARGE = "/Info/MaxChargeCurrent"
DISCHARGE = "/Info/MaxDischargeCurrent"
USERS = "/Settings/SystemSetup/MaxChargeCurrent"  # A; negative: no limit
ANSWER = 5.0  # s that a service may take to answer


@dataclass(frozen=True, slots=True)
class Dvcc:
    """What was found: `limits` None if they are not known, then `why` in words."""

    limits: Limits | None
    why: str = ""
    bms: str = ""  # the name of its service


class DvccMonitor:
    """Asks for the limits of charging and discharging."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self._owed: dict[tuple[str, str], asyncio.Future[object]] = {}

    async def read(self) -> Dvcc:
        """Ask once; takes at most two times as long as a service may answer."""
        if not self._watcher.owner(SYSTEM):
            return Dvcc(None, "com.victronenergy.system is not on D-Bus")
        on, bms, volts, users = await asyncio.gather(
            self._value(SYSTEM, DVCC_ON),
            self._value(SYSTEM, BMS),
            self._value(SYSTEM, VOLTAGE),
            self._value(SETTINGS, USERS),
        )
        if on != 1:
            return Dvcc(None, "DVCC is off, or com.victronenergy.system is silent")
        if not isinstance(bms, str) or not self._watcher.owner(bms):
            return Dvcc(None, "Venus OS sees no BMS")
        connected, charge, discharge = await asyncio.gather(
            *(self._value(bms, path) for path in ("/Connected", CHARGE, DISCHARGE))
        )
        amps, user = _number(charge), _number(users)
        if connected != 1 or amps is None:
            return Dvcc(None, f"{bms} does not tell a charge current", bms)
        if user is not None and user >= 0:
            amps = min(amps, user)
        return Dvcc(Limits(amps, _number(discharge), _number(volts)), bms=bms)

    async def _value(self, service: str, path: str) -> object:
        """Return a value; None if it is invalid, not there, or not told in time.

        Who owes a reply is not asked again: the bus counts open calls.
        """
        owner = self._watcher.owner(service)
        if not owner:
            return None
        owed = self._owed.get((owner, path))
        if owed is None:
            try:
                owed = self._watcher.send(Request(owner, path, "GetValue"))
            except BusError:
                return None
            self._owed[owner, path] = owed
        await asyncio.wait({owed}, timeout=ANSWER)
        if not owed.done():
            return None
        del self._owed[owner, path]
        if owed.cancelled() or owed.exception() is not None:
            return None
        return owed.result()


def _number(value: object) -> float | None:
    """Return a finite number, else None: an invalid value is an empty list."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None

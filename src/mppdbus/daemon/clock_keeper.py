"""Sets the inverters' clocks where the config asks for it: [control] clock = true."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime

from mppdbus.control.clock import InverterClock, worth_setting
from mppdbus.control.unit_control import UnitControl
from mppdbus.control.write_check import ControlLevel, Permission
from mppdbus.errors import LinkError, NotWritten
from mppdbus.host.clock import local_now, synchronized
from mppdbus.protocol.settings.meanings import CLOCK

EVERY = 3600.0  # s between two looks at a clock; the first one is that late, too
BY = "clock, [control] in the config"

log = logging.getLogger("mppdbus.control")


class ClockKeeper:
    """Looks at all clocks now and then, and sets what is off by more than a minute.

    `units` are the inverters that answer now; `wanted` is what the config says. Nothing
    is set while this machine has not got its own time from elsewhere (`sure`).
    """

    def __init__(
        self,
        units: Callable[[], Mapping[str, UnitControl]],
        wanted: Callable[[], bool],
        *,
        sure: Callable[[], bool] = synchronized,
        now: Callable[[], datetime] = local_now,
    ) -> None:
        self._units, self._wanted = units, wanted
        self._sure, self._now = sure, now
        self._refused: set[str] = set()  # units whose refusal is in the log

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(EVERY)
            if not self._wanted() or not self._sure():
                continue
            for control in tuple(self._units().values()):
                try:
                    await self._look(control)
                except LinkError:
                    pass  # it is away, and everybody knows
                except NotWritten as error:
                    self._tell(control, f"{error}")

    async def _look(self, control: UnitControl) -> None:
        if control.level is ControlLevel.READ_ONLY:
            return
        clock = InverterClock(control, self._now)
        reading = await clock.read()
        if reading is None:
            return
        last = await asyncio.to_thread(_last, control)
        if not worth_setting(reading, last):
            return
        verdict = await clock.set(Permission(control.level), BY, automatic=True)
        if verdict.done:
            log.info("%s: the clock was set: %s", control.unit.name, reading)
        else:
            self._tell(control, f"the clock was not set: {verdict.why}")

    def _tell(self, control: UnitControl, text: str) -> None:
        """Log what is not done, once a unit."""
        if control.unit.name not in self._refused:
            self._refused.add(control.unit.name)
            log.warning("%s: %s", control.unit.name, text)


def _last(control: UnitControl) -> datetime | None:
    """Return when the clock of a unit was written last, in local time."""
    times = [
        write.time
        for write in control.journal.writes()
        if write.unit == control.unit.name and write.setting == CLOCK.name
    ]
    return datetime.fromisoformat(times[-1]).replace(tzinfo=None) if times else None

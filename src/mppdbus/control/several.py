"""Writes what stands for several settings of an inverter, such as "Mode"."""

import asyncio
from datetime import datetime

from mppdbus.control import plan, victron_settings
from mppdbus.control.journal import WrittenSetting
from mppdbus.control.plan import Wanted
from mppdbus.control.plan_run import PlannedUnit, PlanRun
from mppdbus.control.settings import ShownSetting
from mppdbus.control.unit_control import UnitControl
from mppdbus.control.write_check import Permission, PlannedWrite, checked_write


class PlanOfProgram(PlannedUnit):
    """An inverter for a plan of a program; `by` is who wants it, for the journal.

    The budget of each write is checked when it has its turn, not before the first.
    """

    def __init__(self, control: UnitControl, by: str) -> None:
        self._control, self._by = control, by
        self._permission = Permission(control.level, confirmed=True)

    @property
    def settings(self) -> list[ShownSetting]:
        """The settings as they were read last."""
        return self._control.settings()

    def plan(self, wanted: Wanted, *, room: int = 1) -> list[PlannedWrite]:
        """Return the steps to these values."""
        del room
        found = self._control.unit.found
        return plan.plan(self.settings, found, wanted, self._permission)

    def check(self, name: str, value: float) -> None:
        """Return if a value could be written, whatever the others are."""
        found = self._control.unit.found
        checked_write(self.settings, found, name, value, self._permission)

    async def write(
        self, step: PlannedWrite, *, plan: str, rest: dict[str, float], undoes: str
    ) -> WrittenSetting:
        """Write one step; the last three are for the journal."""
        return await self._control.write(
            step, by=self._by, plan=plan, rest=rest, undoes=undoes
        )


async def write_several(control: UnitControl, name: str, value: float, by: str) -> str:
    """Write what `name` stands for, all or nothing; return why not, "" if it is done.

    `name` is one of `victron_settings`. Raises `NotWritten` and `PortLost`.
    """
    writes = await asyncio.to_thread(control.journal.writes)
    own = [write for write in writes if write.unit == control.unit.name]
    wanted = victron_settings.meant(name, value, control.settings(), own)
    unit = PlanOfProgram(control, victron_settings.signed(by, name, value))
    begun = datetime.now().astimezone().isoformat(timespec="milliseconds")
    return (await PlanRun(unit, begun).run(wanted)).why

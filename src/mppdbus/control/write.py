"""Writes one setting: sent once, read back at once and once more, one verdict."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TypeAlias

from mppdbus.control.command_forms import commands_to_try
from mppdbus.control.journal import Journal, WrittenSetting, same
from mppdbus.control.known_unit import KnownUnit
from mppdbus.control.settings import settings_of
from mppdbus.control.write_check import SETS_OTHERS, PlannedWrite
from mppdbus.errors import CorruptReply, LinkError, NotWritten, PortLost, Refused
from mppdbus.inverter.link import Link, Priority

SOON = 1.0  # s from one reading back to the next, while the inverter acts
SOON_READINGS = 3
LATER = 10.0  # s after which it is read once more: some settings fall back
UNTOLD_READINGS = 3  # more of them while nothing is told: it may be starting again
SO_ALREADY = "it is so already"


Values: TypeAlias = dict[str, float | None]


class SettingWriter:
    """Writes the settings of one inverter, one at a time.

    A command is sent once: a lost ACK is settled by reading, never by sending again.
    Another spelling of it follows only where the inverter refused the first with NAK,
    and shows that nothing has changed.
    `now` is the wall clock, for the journal, which is written in a thread.
    """

    def __init__(
        self, unit: KnownUnit, journal: Journal, now: Callable[[], datetime]
    ) -> None:
        self._unit = unit
        self._journal = journal
        self._now = now

    async def write(
        self,
        planned: PlannedWrite,
        origin: WrittenSetting,
        tell: Callable[[str], None] = lambda _: None,
    ) -> WrittenSetting:
        """Write, read back soon, and return the first verdict; raises `NotWritten`.

        `origin` says who writes; `tell` is called with what is being done. The value
        before is that of `planned`. What is there already is neither sent nor in the
        journal. Each form of a command that is sent is a write of its own there.
        """
        first, *others = planned.commands
        if others:
            writes = await asyncio.to_thread(self._journal.writes)
            first, *others = commands_to_try(planned, origin, writes)
        verdict = await self._write(planned, origin, first, tell)
        for command in others:
            if not await self._did_nothing(planned, verdict):
                break
            verdict = await self._write(planned, origin, command, tell)
        return verdict

    async def _did_nothing(self, planned: PlannedWrite, sent: WrittenSetting) -> bool:
        """Tell whether another form may follow: refused, unchanged, in the budget."""
        if sent.accepted is not False or not same(sent.observed, sent.old):
            return False
        await asyncio.sleep(LATER)  # what acts late is seen before
        try:
            now = (await self._read(planned)).get(sent.setting)
            await asyncio.to_thread(
                self._journal.check_budget, sent.unit, sent.setting, self._now()
            )
        except (NotWritten, PortLost):
            return False
        return same(now, sent.old)

    async def _write(
        self,
        planned: PlannedWrite,
        origin: WrittenSetting,
        command: str,
        tell: Callable[[str], None],
    ) -> WrittenSetting:
        """Send one command, once, and return how it ended at first."""
        name, old = planned.shown.name, planned.shown.value
        if old is None:
            raise NotWritten(f"{name}: the inverter does not tell it now; nothing sent")
        before = self._values(planned)
        begun = replace(
            origin,
            setting=name,
            command=command,
            old=old,
            value=planned.value,
            time=self._now().isoformat(timespec="milliseconds"),
            also=_others(name, before),
        )
        if same(old, planned.value):
            return replace(begun, observed=planned.value, why=SO_ALREADY)
        await asyncio.to_thread(self._journal.begin, begun)
        tell(f"writing {name}")
        accepted = await send_once(self._unit.link, command)
        tell(f"reading {name} back")
        soon = await self._soon(planned, old, accepted=accepted)
        return await self._ended(
            replace(
                begun,
                accepted=accepted,
                observed=planned.value if same(soon, planned.value) else soon,
                why=_why(planned, soon, soon, accepted=accepted),
            )
        )

    async def confirm(
        self,
        planned: PlannedWrite,
        first: WrittenSetting,
        stands: Callable[[], bool] = lambda: True,
    ) -> WrittenSetting:
        """Read once more later, and return the last verdict.

        The first verdict is the last one if the write no longer `stands`: the setting
        was written again meanwhile.
        """
        name, value = planned.shown.name, planned.value
        await asyncio.sleep(LATER if first.accepted is not False else SOON)
        after = await self._later(planned) if stands() else {}
        if not stands():
            return first
        later = after.get(name)
        verdict = replace(
            first,
            observed=value if same(later, value) else later,
            why=_why(planned, first.observed, later, accepted=first.accepted),
            also={
                other: before
                for other, before in first.also.items()
                if not same(before, after.get(other, before))
            },
        )
        if replace(verdict, why="") == replace(first, why=""):
            return first  # it is in the journal already
        return await self._ended(verdict)

    async def _ended(self, verdict: WrittenSetting) -> WrittenSetting:
        """Store the verdict; without room for it the write is in the journal, open."""
        try:
            await asyncio.to_thread(self._journal.end, verdict)
        except NotWritten:
            why = f"{verdict.why}; but the journal could not be written"
            return replace(verdict, why=why)
        return verdict

    async def _soon(
        self, planned: PlannedWrite, old: float, *, accepted: bool | None
    ) -> float | None:
        """Read the setting back, a few times while the inverter acts."""
        soon = None
        try:
            for number in range(SOON_READINGS):
                if number:
                    await asyncio.sleep(SOON)
                soon = (await self._read(planned)).get(planned.shown.name)
                if soon is not None and not (same(soon, old) and accepted is not False):
                    break
        except PortLost:
            pass
        return soon

    async def _later(self, planned: PlannedWrite) -> Values:
        """Read it once more, and a few times more while nothing is told.

        The inverter may be starting.
        """
        after = Values()
        try:
            after = await self._read(planned)
            for _ in range(UNTOLD_READINGS):
                if after.get(planned.shown.name) is not None:
                    break
                await asyncio.sleep(LATER)
                after = await self._read(planned)
        except PortLost:
            pass
        return after

    async def _read(self, planned: PlannedWrite) -> Values:
        """Read the settings that are told together with this one."""
        if await self._unit.read(planned.shown.setting.query) is None:
            return {}
        return self._values(planned)

    def _values(self, planned: PlannedWrite) -> Values:
        """Return those settings as they were read last."""
        query = planned.shown.setting.query
        readings = {q: r for q, r in self._unit.readings().items() if q == query}
        return {
            each.name: each.value for each in settings_of(readings, self._unit.found)
        }


async def send_once(link: Link, command: str) -> bool | None:
    """Send a command, never again; return True for ACK, False for NAK, else None."""

    def accept(payload: bytes) -> bool:
        if payload == b"ACK":
            return True
        if payload == b"NAK":
            raise Refused(f"{command}: the inverter answered NAK")
        raise CorruptReply(f"{command}: a reply to another command")

    try:
        return await link.exchange(command, accept, priority=Priority.WRITE, attempts=1)
    except Refused:
        return False
    except LinkError:
        return None
    finally:
        link.expect_strays()


def _others(name: str, before: Values) -> dict[str, float]:
    """Return the values of what a setting may change, too."""
    others = {other: before.get(other) for other in SETS_OTHERS.get(name, ())}
    return {other: value for other, value in others.items() if value is not None}


def _why(
    planned: PlannedWrite,
    soon: float | None,
    later: float | None,
    *,
    accepted: bool | None,
) -> str:
    """Say in words how it ended."""
    text, value = planned.shown.text, planned.value
    said = {True: "accepted", False: "refused (NAK)", None: "no answer came"}[accepted]
    if same(later, value):
        return f"{said}, and the inverter shows it"
    if later is None:
        return f"{said}, and the inverter does not tell the value now; read it later"
    if accepted is False:
        return (
            f"{said}: the inverter does not allow it now, or does not know the command"
        )
    if same(soon, value):
        return f"{said}, but it fell back to {text(later)} within {LATER:g} s"
    return f"{said}, but the inverter shows {text(later)}"

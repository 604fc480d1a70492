"""Writes one setting: sent once, read back at once and once more, one verdict."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TypeAlias

from mppdbus.control.journal import Journal, WrittenSetting, same
from mppdbus.control.settings import settings_of
from mppdbus.control.write_check import SETS_OTHERS, PlannedWrite
from mppdbus.errors import CorruptReply, LinkError, NotWritten, PortLost, Refused
from mppdbus.inverter.interviewer import Interviewer
from mppdbus.inverter.link import Link, Priority
from mppdbus.protocol.identification import Identification

SOON = 1.0  # s from one reading back to the next, while the inverter acts
SOON_READINGS = 3
LATER = 10.0  # s after which it is read once more: some settings fall back
UNTOLD_READINGS = 3  # more of them while nothing is told: it may be starting again


Values: TypeAlias = dict[str, float | None]


class SettingWriter:
    """Writes the settings of one inverter.

    A command is sent once: a lost ACK is settled by reading, never by sending again.
    `now` is the wall clock, for the journal.
    """

    def __init__(
        self,
        link: Link,
        interviewer: Interviewer,
        found: Identification,
        journal: Journal,
        now: Callable[[], datetime],
    ) -> None:
        self._link = link
        self._interviewer = interviewer
        self._found = found
        self._journal = journal
        self._now = now

    async def write(
        self,
        planned: PlannedWrite,
        origin: WrittenSetting,
        tell: Callable[[str], None] = lambda _: None,
    ) -> WrittenSetting:
        """Write, and return the write with its verdict; raises `NotWritten`.

        `origin` says which unit it is and who writes. `tell` is called with what is
        being done. The setting is read before, so that what was changed at the panel
        meanwhile counts.
        """
        name = planned.shown.name
        self._journal.check_budget(origin.unit, name, self._now())
        tell(f"reading {name}")
        before = await self._read(planned)
        old = before.get(name)
        if old is None:
            raise NotWritten(f"{name}: the inverter does not tell it now; nothing sent")
        begun = replace(
            origin,
            setting=name,
            command=planned.command,
            old=old,
            value=planned.value,
            time=self._now().isoformat(timespec="milliseconds"),
            also=_others(name, before),
        )
        if same(old, planned.value):
            return replace(begun, observed=planned.value, why="it is so already")
        self._journal.begin(begun)
        tell(f"writing {name}")
        accepted = await self._send(planned.command)
        tell(f"reading {name} back")
        soon, after = await self._settle(planned, old, accepted=accepted)
        later = after.get(name)
        return self._ended(
            replace(
                begun,
                accepted=accepted,
                observed=planned.value if same(later, planned.value) else later,
                why=_why(planned, soon, later, accepted=accepted),
                also={
                    other: before
                    for other, before in begun.also.items()
                    if not same(before, after.get(other, before))
                },
            )
        )

    def _ended(self, verdict: WrittenSetting) -> WrittenSetting:
        """Store the verdict; without room for it the write is in the journal, open."""
        try:
            self._journal.end(verdict)
        except NotWritten:
            why = f"{verdict.why}; but the journal could not be written"
            return replace(verdict, why=why)
        return verdict

    async def _send(self, command: str) -> bool | None:
        """Send a command once; return True for ACK, False for NAK, None for neither."""

        def accept(payload: bytes) -> bool:
            if payload == b"ACK":
                return True
            if payload == b"NAK":
                raise Refused(f"{command}: the inverter answered NAK")
            raise CorruptReply(f"{command}: a reply to another command")

        try:
            return await self._link.exchange(
                command, accept, priority=Priority.WRITE, attempts=1
            )
        except Refused:
            return False
        except LinkError:
            return None

    async def _settle(
        self, planned: PlannedWrite, old: float, *, accepted: bool | None
    ) -> tuple[float | None, Values]:
        """Read the setting soon, and all of its query later; no values: not told.

        While nothing is told it is read a few times more: the inverter may be starting.
        """
        name, soon, after = planned.shown.name, None, Values()
        try:
            for _ in range(SOON_READINGS):
                soon = (await self._read(planned)).get(name)
                if soon is not None and not (same(soon, old) and accepted is not False):
                    break
                await asyncio.sleep(SOON)
            await asyncio.sleep(LATER if accepted is not False else SOON)
            after = await self._read(planned)
            for _ in range(UNTOLD_READINGS):
                if after.get(name) is not None:
                    break
                await asyncio.sleep(LATER)
                after = await self._read(planned)
        except PortLost:
            pass
        return soon, after

    async def _read(self, planned: PlannedWrite) -> Values:
        """Return the settings that are read together with this one."""
        query = planned.shown.setting.query
        reading = await self._interviewer.try_read(query)
        if reading is None:
            return {}
        shown = settings_of({query: reading}, self._found)
        return {each.name: each.value for each in shown}


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

"""Writes one setting: sent once, read back at once and once more, one verdict."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from mppdbus.control.journal import Journal, WrittenSetting
from mppdbus.control.settings import settings_of
from mppdbus.control.write_check import PlannedWrite
from mppdbus.errors import CorruptReply, LinkError, NotWritten, Refused
from mppdbus.inverter.interviewer import Interviewer
from mppdbus.inverter.link import Link, Priority
from mppdbus.protocol.identification import Identification

SOON = 1.0  # s from one reading back to the next, while the inverter acts
SOON_READINGS = 3
LATER = 10.0  # s after which it is read once more: some settings fall back
SAME = 0.005  # volts; what is printed with one or two decimals


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
        old = await self._read(planned)
        if old is None:
            raise NotWritten(f"{name}: the inverter does not tell it now; nothing sent")
        begun = replace(
            origin,
            setting=name,
            command=planned.command,
            old=old,
            value=planned.value,
            time=self._now().isoformat(timespec="milliseconds"),
        )
        if _same(old, planned.value):
            return replace(begun, observed=planned.value, why="it is so already")
        self._journal.begin(begun)
        tell(f"writing {name}")
        accepted = await self._send(planned.command)
        tell(f"reading {name} back")
        observed, later = await self._settle(planned, old, accepted=accepted)
        verdict = replace(
            begun,
            accepted=accepted,
            observed=planned.value if _same(later, planned.value) else later,
            why=_why(planned, observed, later, accepted=accepted),
        )
        self._journal.end(verdict)
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
    ) -> tuple[float | None, float | None]:
        """Read the setting soon and once more later; return both values."""
        soon = None
        for _ in range(SOON_READINGS):
            soon = await self._read(planned)
            if soon is not None and not (_same(soon, old) and accepted is not False):
                break
            await asyncio.sleep(SOON)
        await asyncio.sleep(LATER if accepted is not False else SOON)
        return soon, await self._read(planned)

    async def _read(self, planned: PlannedWrite) -> float | None:
        query = planned.shown.setting.query
        reading = await self._interviewer.try_read(query)
        if reading is None:
            return None
        shown = settings_of({query: reading}, self._found)
        values = {each.name: each.value for each in shown}
        return values.get(planned.shown.name)


def _same(one: float | None, other: float) -> bool:
    return one is not None and abs(one - other) < SAME


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
    if _same(later, value):
        return f"{said}, and the inverter shows it"
    if later is None:
        return f"{said}, and the inverter does not tell the value now; read it later"
    if accepted is False:
        return (
            f"{said}: the inverter does not allow it now, or does not know the command"
        )
    if _same(soon, value):
        return f"{said}, but it fell back to {text(later)} within {LATER:g} s"
    return f"{said}, but the inverter shows {text(later)}"

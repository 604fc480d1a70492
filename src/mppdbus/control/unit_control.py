"""The one object that may write to one inverter, whoever asks for it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from mppdbus.control.journal import Journal, WrittenSetting, same
from mppdbus.control.known_unit import KnownUnit
from mppdbus.control.settings import QUERIES, ShownSetting, settings_of
from mppdbus.control.write import SO_ALREADY, SettingWriter
from mppdbus.control.write_check import (
    ControlLevel,
    Permission,
    PlannedWrite,
    plan_write,
    why_locked,
)
from mppdbus.errors import NotWritten, TooSoon
from mppdbus.protocol.settings.meanings import SETTINGS

TRUSTED = 660.0  # s for which a poll is believed before a harmless setting is written
ROUNDS = 2  # in which what is asked once is asked: nothing is settled by one reply

Tell = Callable[[str], None]
Told = Callable[[str, bool], None]  # a sentence, and whether all is as it was wanted
Seen = Callable[[WrittenSetting], None]


def _silent(*_: object) -> None:
    pass


def _now() -> datetime:
    return datetime.now().astimezone()


class UnitControl:
    """Reads and writes the settings of one inverter.

    `level` is what its user allows now; it may be set at any time. `told` gets each
    verdict, and each refusal, in a sentence. `unit` is known by its `name` in the
    journal, which also keeps the budgets.

    One write is on its way at a time; others wait for their turn, and each is checked
    with those that wait as if they had been done, and again when it has its turn.
    """

    def __init__(
        self,
        unit: KnownUnit,
        journal: Journal,
        *,
        level: ControlLevel = ControlLevel.READ_ONLY,
        told: Told = _silent,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self.level = level
        self.unit = unit
        self.journal = journal
        self._told = told
        self._now = now
        self.turn = asyncio.Lock()  # held while something is written
        self._pending: list[PlannedWrite] = []
        self._last: dict[str, str] = {}  # the time of the last write of each setting

    # -- what is known ------------------------------------------------------------

    def settings(self) -> list[ShownSetting]:
        """Return the settings as they were read last; asks nothing."""
        return settings_of(self.unit.readings(), self.unit.found)

    def setting(self, name: str) -> ShownSetting | None:
        """Return one of them; None if the unit does not show it."""
        return next((each for each in self.settings() if each.name == name), None)

    def why_locked(self, shown: ShownSetting) -> str:
        """Say why a setting cannot be written by a program now; "" if it can."""
        permission = Permission(self.level, confirmed=True)
        return why_locked(self.settings(), self.unit.found, shown, permission)

    def locked(self, settings: Sequence[ShownSetting]) -> dict[str, str]:
        """Return the same for each of `settings`, which are all, by name."""
        permission, found = Permission(self.level, confirmed=True), self.unit.found
        return {s.name: why_locked(settings, found, s, permission) for s in settings}

    async def learn(self, *, anew: bool = False) -> None:
        """Ask for the lists of legal values and for what else was not told yet.

        `anew`: ask for all settings. Raises `PortLost`.
        """
        if anew:
            for query in QUERIES:
                await self.unit.read(query)
        for _ in range(ROUNDS):
            for query in QUERIES:
                if query not in self.unit.readings():
                    await self.unit.read(query)

    async def ask_again(self, oldest: float) -> None:
        """Ask again for settings that were read before `oldest` s; raises `PortLost`.

        The poller reads those of QPIRI and QFLAG.
        """
        shown = {each.query for each in SETTINGS}
        for query in self.unit.readings():
            if query in shown and self.unit.age(query) >= oldest:
                await self.unit.read(query)

    # -- writing --------------------------------------------------------------------

    def plan(
        self, name: str, wanted: str | float, *, confirmed: bool, expert: bool = False
    ) -> PlannedWrite:
        """Return a write that is allowed, also with those that wait.

        Asks and sends nothing. Raises `NotWritten` or `ConfigError`, with the reason.
        """
        permission = Permission(self.level, confirmed=confirmed, expert=expert)
        return self._plan(name, wanted, permission, self._pending)

    async def set(
        self,
        name: str,
        wanted: str | float,
        *,
        by: str,
        automatic: bool = False,
        confirmed: bool = False,
        expert: bool = False,
        tell: Tell = _silent,
        seen: Seen = _silent,
    ) -> WrittenSetting:
        """Write one setting, and return the write with its verdict.

        `by` is who writes, for the journal. An `automatic` write (a rule, a BMS) must
        be 60 s after the last automatic one of the same setting. `confirmed`: the user
        knows the risk of what needs the level "full"; `expert`: "I know what this
        does". `tell` gets what is being done, for people who wait; `seen` gets the
        first verdict, ten seconds before the last one, which is returned.

        Raises `NotWritten` or `ConfigError` if nothing was sent, with the reason, and
        `PortLost`; `TooSoon` is told to nobody else.
        """
        try:
            planned = self.plan(name, wanted, confirmed=confirmed, expert=expert)
            return await self.write(
                planned, by=by, automatic=automatic, tell=tell, seen=seen
            )
        except TooSoon:
            raise  # nobody has to know: it is tried again
        except (NotWritten, ValueError) as error:
            self._told(f"{error}", False)
            raise

    async def write(
        self,
        planned: PlannedWrite,
        *,
        by: str,
        automatic: bool = False,
        plan: str = "",
        rest: Mapping[str, float] | None = None,
        undoes: str = "",
        tell: Tell = _silent,
        seen: Seen = _silent,
    ) -> WrittenSetting:
        """Write what was planned, as `set` does; the step of a plan, or one setting.

        `plan`, `rest` and `undoes` are for the journal. It is checked once more when it
        has its turn.
        """
        origin = WrittenSetting(
            time="",
            unit=self.unit.name,
            model=self.unit.model,
            firmware=self.unit.firmware,
            setting=planned.shown.name,
            command="",
            old=None,
            value=planned.value,
            by=by,
            plan=plan,
            rest=dict(rest or {}),
            undoes=undoes,
            automatic=automatic,
        )
        self._pending.append(planned)
        try:
            async with self.turn:
                now, first = await self._written(planned, origin, automatic, tell)
        finally:
            self._pending = [each for each in self._pending if each is not planned]
        self._report(now, first)
        seen(first)
        if first.why == SO_ALREADY:
            return first
        verdict = await SettingWriter(self.unit, self.journal, self._now).confirm(
            now, first, lambda: self._last.get(first.setting) == first.time
        )
        if verdict.why != first.why:
            self._report(now, verdict)
        return verdict

    async def _written(
        self,
        planned: PlannedWrite,
        origin: WrittenSetting,
        automatic: bool,  # noqa: FBT001 - see `set`
        tell: Tell,
    ) -> tuple[PlannedWrite, WrittenSetting]:
        """Check a write by what is known now, do it, and return it as it was done."""
        name, query = planned.shown.name, planned.shown.setting.query
        if self.unit.age(query) > (TRUSTED if planned.harmless else 0.0):
            tell(f"reading {name}")
            if await self.unit.read(query) is None:
                raise NotWritten(
                    f"{name}: the inverter does not tell it now; nothing sent"
                )
        others = [each for each in self._pending if each is not planned]
        permission = replace(planned.permission, level=self.level)
        planned = self._plan(name, planned.value, permission, others)
        if not same(planned.shown.value, planned.value):
            await asyncio.to_thread(
                self.journal.check_budget,
                *(origin.unit, name, self._now()),
                automatic=automatic,
            )
        writer = SettingWriter(self.unit, self.journal, self._now)
        first = await writer.write(planned, origin, tell)
        if first.why != SO_ALREADY:
            self._last[name] = first.time
        return planned, first

    def _plan(
        self,
        name: str,
        wanted: str | float,
        permission: Permission,
        others: Sequence[PlannedWrite],
    ) -> PlannedWrite:
        """Return a write that is allowed now, and once the others are done."""
        settings, found = self.settings(), self.unit.found
        planned = plan_write(settings, found, name, wanted, permission)
        if after := {each.shown.name: each.value for each in others}:
            later = [replace(s, value=after.get(s.name, s.value)) for s in settings]
            plan_write(later, found, name, wanted, permission)
        return planned

    def _report(self, planned: PlannedWrite, write: WrittenSetting) -> None:
        self._told(sentence(planned.shown, write), write.done)


def sentence(shown: ShownSetting, write: WrittenSetting) -> str:
    """Return what a write has changed, and how it ended, for people."""
    change = f"{shown.text(write.old)} → {shown.text(write.value)}"
    return f"{write.setting}: {change}: {write.why}"

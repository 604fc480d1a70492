"""Lets the rules of the config act on the inverters of the daemon."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import TypeAlias

from mppdbus.config.rules import RuleConfig
from mppdbus.control.journal import APART, same
from mppdbus.control.rules import Rulebook, RuleSwitch, situation
from mppdbus.control.unit_control import UnitControl
from mppdbus.control.write_check import parse
from mppdbus.errors import MppdbusError, TooSoon
from mppdbus.host.clock import local_now
from mppdbus.model.alarms.levels import Notice, NoticeKind
from mppdbus.model.views import UnitView

Key: TypeAlias = tuple[str, str]
"""An uid, and the name of a setting."""

PATIENT = 120.0  # s that an inverter may take to tell what may be written to it

log = logging.getLogger("mppdbus.rules")


class RuleRunner:
    """Looks at each view of an inverter, and writes what the rules want.

    `control_of` returns the object that may write to a unit, None while there is none.
    `notify` gets the name of a unit for people, and a notice.
    """

    def __init__(
        self,
        control_of: Callable[[str], UnitControl | None],
        notify: Callable[[str, Notice], None],
    ) -> None:
        self._control_of = control_of
        self._notify = notify
        self._rules: tuple[RuleConfig, ...] = ()
        self._books: dict[str, Rulebook] = {}  # by uid
        self._due: dict[Key, RuleSwitch] = {}
        self._due_since: dict[Key, float] = {}  # s of the loop's clock, as the next
        self._not_before: dict[Key, float] = {}
        self._writing: set[asyncio.Task[None]] = set()

    def use(self, rules: Iterable[RuleConfig]) -> None:
        """Take these rules from now on; what is the same goes on as it is."""
        if (new := tuple(rules)) != self._rules:
            self._rules = new
            self._books.clear()
            self._due.clear()

    def look(self, view: UnitView, now: float) -> None:
        """Decide by what a unit shows at `now` s of a steady clock; returns at once."""
        if not self._rules or not view.snapshot.online:
            return
        uid, name = view.unit.uid, view.unit.name
        book = self._books.get(uid)
        if book is None:
            mine = (rule for rule in self._rules if rule.inverter in ("", name))
            book = self._books[uid] = Rulebook(mine)
        for switch in book.decide(situation(view, local_now(), now)):
            self._due[uid, switch.setting] = switch
        control = self._control_of(uid) if self._due else None
        for key in [key for key in self._due if key[0] == uid]:
            if control and now >= self._not_before.get(key, now):
                self._begin(control, key, now, view.unit.called)

    def _begin(self, control: UnitControl, key: Key, now: float, called: str) -> None:
        """Write in the background, unless the inverter has yet to tell who it is."""
        shown = control.setting(key[1])
        early = now - self._due_since.setdefault(key, now) < PATIENT
        if early and (shown is None or control.why_locked(shown)):
            return
        del self._due_since[key]
        write = self._write(control, key, self._due.pop(key), called)
        task = asyncio.create_task(write)
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    def close(self) -> None:
        """Look at nothing more; a write on its way stays in the journal as it is."""
        self.use(())
        for task in self._writing:
            task.cancel()

    async def _write(
        self, control: UnitControl, key: Key, switch: RuleSwitch, called: str
    ) -> None:
        """Write a setting; what is refused is told once, and not tried again."""
        try:
            if switch.initial and await self._at_work(control, switch):
                log.info("%s: %s: at work since before the start", called, switch.rule)
                return
            write = await control.set(
                switch.setting,
                switch.value,
                by=switch.why,
                automatic=True,
                confirmed=True,
            )
        except TooSoon:
            self._due.setdefault(key, switch)
            self._not_before[key] = asyncio.get_running_loop().time() + APART
            return
        except MppdbusError as error:
            log.warning("%s: %s: not written: %s", called, switch.why, error)
            return
        log.info("%s: %s: %s", called, switch.why, write.why)
        if write.done and not same(write.old, write.value):
            text = f"{switch.setting}: {switch.value} ({switch.why})"
            self._notify(called, Notice(NoticeKind.INFORMATION, text))

    async def _at_work(self, control: UnitControl, switch: RuleSwitch) -> bool:
        """Tell whether the last change of a setting by a rule was this one.

        It counted when the program ended: what the user has changed since then stays.
        """
        shown = control.setting(switch.setting)
        writes = await asyncio.to_thread(control.journal.writes)
        whose = control.unit.name, switch.setting
        for write in reversed(writes):
            if (write.unit, write.setting) == whose and write.by.startswith("rule "):
                mine = write.by.startswith(f"rule {switch.rule}: ")
                value = None if shown is None else parse(shown, switch.value)
                return mine and value is not None and same(write.value, value)
        return False

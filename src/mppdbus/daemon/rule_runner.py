"""Lets the rules of the config act on the inverters of the daemon."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from functools import partial

from mppdbus.config.rules import RuleConfig
from mppdbus.control.journal import WrittenSetting, same
from mppdbus.control.rules import Rulebook, RuleSwitch, situation
from mppdbus.control.unit_control import UnitControl
from mppdbus.errors import MppdbusError
from mppdbus.host.clock import local_now
from mppdbus.model.alarms.levels import Notice, NoticeKind
from mppdbus.model.views import UnitView

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
        self._due: dict[tuple[str, str], RuleSwitch] = {}  # by uid and setting
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
        if self._due and (control := self._control_of(uid)) is not None:
            for key in [key for key in self._due if key[0] == uid]:
                if control.setting(key[1]) is not None:
                    self._begin(control, self._due.pop(key), view.unit.called)

    async def close(self) -> None:
        """Wait until what is being written is read back."""
        await asyncio.gather(*self._writing, return_exceptions=True)

    def _begin(self, control: UnitControl, switch: RuleSwitch, called: str) -> None:
        task = asyncio.create_task(self._write(control, switch, called))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _write(
        self, control: UnitControl, switch: RuleSwitch, called: str
    ) -> None:
        """Write a setting; what is refused is told once, and not tried again."""
        try:
            planned = control.plan(switch.setting, switch.value, confirmed=True)
            if switch.initial and await self._at_work(control, switch, planned.value):
                log.info("%s: %s: at work since before the start", called, switch.rule)
                return
            write = await control.set(
                switch.setting,
                switch.value,
                by=switch.why,
                automatic=True,
                confirmed=True,
            )
        except MppdbusError as error:
            log.warning("%s: %s: not written: %s", called, switch.why, error)
            return
        log.info("%s: %s: %s", called, switch.why, write.why)
        if write.done and not same(write.old, write.value):
            text = f"{switch.setting}: {switch.value} ({switch.why})"
            self._notify(called, Notice(NoticeKind.INFORMATION, text))

    async def _at_work(
        self, control: UnitControl, switch: RuleSwitch, value: float
    ) -> bool:
        """Tell whether the last change of a setting by a rule was this one.

        It counted when the program ended: what the user has changed since then stays.
        """
        writes = await asyncio.to_thread(control.journal.writes)
        mine = partial(_by_a_rule, unit=control.unit.name, setting=switch.setting)
        last = next(filter(mine, reversed(writes)), None)
        by = f"rule {switch.rule}: "
        return last is not None and last.by.startswith(by) and same(last.value, value)


def _by_a_rule(write: WrittenSetting, unit: str, setting: str) -> bool:
    return (write.unit, write.setting) == (unit, setting) and write.by[:5] == "rule "

"""Lets the rules of a config run over days that are simulated, or were recorded.

A simulated inverter obeys the rules; a recorded one cannot. The decisions are those of
the daemon: the same replies, views and `Rulebook`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from mppdbus.control.rules import RuleSwitch
from mppdbus.control.settings import NAMING, QUERIES, settings_of
from mppdbus.control.write_check import Permission, plan_write
from mppdbus.errors import MppdbusError, NoReply
from mppdbus.inverter.detection import Interview
from mppdbus.inverter.device import Inverter
from mppdbus.inverter.link import Link, Priority
from mppdbus.model.battery.bank import Bank, BankSettings
from mppdbus.model.energy.ledger import Books, Ledger
from mppdbus.model.power import Flow
from mppdbus.model.site import Site
from mppdbus.model.views import Unit, UnitView
from mppdbus.protocol.framing import ResponseFramer

T = TypeVar("T")
KEPT = 3600.0  # s for which a reading counts
LONGEST_GAP = 600.0  # s between two looks for which energy is counted
LIVE = ("QPIGS2", "QMOD", "QPIWS")
BEGIN = datetime(2026, 6, 1)  # noqa: DTZ001 - local, of no zone


@dataclass(frozen=True, slots=True)
class RehearsedSwitch:
    """A switch that the rules made: `command` would be sent, or `why` it is refused."""

    when: datetime
    switch: RuleSwitch
    before: str = ""
    after: str = ""
    command: str = ""
    why: str = ""


@dataclass(slots=True)
class Rehearsed:
    """What happened from `begin` to `end`: the switches, and what flowed, in kWh."""

    begin: datetime
    end: datetime
    switches: list[RehearsedSwitch] = field(default_factory=list)
    kwh: dict[str, float] = field(default_factory=dict)

    def add(self, switch: RehearsedSwitch) -> None:
        """Add a switch, unless everything is so already."""
        if switch.command or switch.why:
            self.switches.append(switch)

    @property
    def writes(self) -> int:
        """How often something would be written to the inverter."""
        return sum(bool(each.command) for each in self.switches)


class RehearsalLink(Link):
    """A line on which replies come at once; `answer` gives the bytes to a command."""

    def __init__(self, answer: Callable[[str], bytes | None]) -> None:
        super().__init__("rehearsal")
        self._answer = answer

    async def exchange(
        self,
        command: str,
        accept: Callable[[bytes], T],
        *,
        priority: Priority = Priority.POLL,  # noqa: ARG002 - as the link has it
        attempts: int | None = None,  # noqa: ARG002
        patience: float | None = None,  # noqa: ARG002
        known: bool = True,  # noqa: ARG002
    ) -> T:
        """Return what `accept` makes of the reply; raises `NoReply`."""
        frames = ResponseFramer().feed(self._answer(command) or b"")
        for frame in frames:
            if frame.intact:
                return accept(frame.payload)
        raise NoReply(f"{command}: not answered")


class Rehearsal:
    """One inverter with its battery, as the daemon sees it, at a time that is given."""

    def __init__(
        self,
        answer: Callable[[str], bytes | None],
        battery: BankSettings,
        soc: float | None,
    ) -> None:
        self.seconds = 0.0  # the time, set by whoever rehearses
        link = RehearsalLink(answer)
        self.interview = Interview(link)
        self._inverter = Inverter("rehearsal", link, lambda: self.seconds)
        self._bank = Bank(battery)
        self._soc = soc
        self._site = Site({"": self._bank})
        self.kwh: dict[str, float] = {}  # by the readings
        self._last: tuple[Flow | None, float] = (None, 0.0)
        self._site.join(Unit("rehearsal", "", 0, uid="it"), Ledger(Books()))

    async def meet(self) -> None:
        """Ask who it is, and for its settings; raises `NoReply` and the like."""
        await self._inverter.introduce()
        for query in (*NAMING, *QUERIES, "QT"):
            await self.interview.try_read(query)
        for query in ("QPIRI", "QFLAG", *NAMING):
            await self._inverter.try_read(query)
        self._inverter.refine()

    async def look(self, queries: Iterable[str], when: datetime) -> UnitView:
        """Read QPIGS and `queries`; return what the daemon would show."""
        inverter = self._inverter
        await inverter.try_read("QPIGS")
        for query in queries:
            if not inverter.known.absent(query):
                await inverter.try_read(query)
        keep = dict.fromkeys(("QPIGS", "QPIRI", "QFLAG", *LIVE), KEPT)
        snapshot = inverter.snapshot(online=True, keep=keep)
        view = self._site.update("it", snapshot, self.seconds, when.date())
        self._site.count(self.seconds)
        self._count(view)
        if self._soc is not None and self._bank.correct(self._soc):
            self._soc = None
        return view

    async def read_settings(self) -> None:
        """Read its settings anew."""
        for query in QUERIES:
            await self.interview.try_read(query)

    def plan(
        self, switch: RuleSwitch, when: datetime, allowed: Permission
    ) -> RehearsedSwitch:
        """Return what a switch would send, checked as the daemon does."""
        answers = self.interview.answers
        found = answers.identification
        shown = settings_of(answers.readings, found)
        try:
            write = plan_write(shown, found, switch.setting, switch.value, allowed)
        except MppdbusError as error:
            return RehearsedSwitch(
                when, switch, after=str(switch.value), why=str(error)
            )
        text = write.shown.text
        before, after = text(write.shown.value), text(write.value)
        if not write.changes:
            return RehearsedSwitch(when, switch, before, after)
        return RehearsedSwitch(when, switch, before, after, write.command)

    def _count(self, view: UnitView) -> None:
        """Add what flowed since the last look, in kWh."""
        (last, then), self._last = self._last, (view.flow, self.seconds)
        hours = (self.seconds - then) / 3600
        if last is None or hours > LONGEST_GAP / 3600:
            return
        battery = last.battery_power or 0.0
        for name, watts in (
            ("load", last.load),
            ("sun", last.pv_total),
            ("mains", last.mains_power),
            ("into the battery", max(battery, 0.0)),
            ("out of the battery", max(-battery, 0.0)),
        ):
            self.kwh[name] = self.kwh.get(name, 0.0) + (watts or 0.0) * hours / 1000

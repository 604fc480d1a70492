"""Polls one inverter: live values as fast as asked, the others in the time between.

At 2400 baud a QPIGS takes half a second, so nearly all of this is about not wasting
the line. What is asked when stands in `plan`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from mppdbus.errors import (
    LinkError,
    MppdbusError,
    NoReply,
    OtherProtocol,
    PortLost,
    ProtocolError,
)
from mppdbus.inverter.device import Inverter
from mppdbus.inverter.energy_meters import Meters
from mppdbus.inverter.parallel_poll import Members
from mppdbus.inverter.schedule import (
    ESSENTIAL,
    IDENTIFYING,
    MEMBER,
    METER,
    OPTIONAL,
    RECURRING,
    WHO,
    Plan,
    keep_times,
)
from mppdbus.inverter.swap_check import Doubt
from mppdbus.model.power import mains_present
from mppdbus.model.snapshot import Snapshot

FAILURES_OFFLINE = 3  # failed live polls in a row after which nothing is known
FAILURES_REOPEN = 8  # after which the port is opened anew
FAILED_EVERY = 1.0  # s at least from one failed live poll to the next
SILENCES = 3  # silences in a row after which a query counts as not known
SILENCES_OPTIONAL = 2  # and for one that many units do not know
SILENT_PAUSE = 60.0  # s until such a query is asked again


class Poller:
    """Polls one inverter until the port is lost or the inverter stays mute.

    `interval` is the time between two live polls in s; None is as fast as the line
    allows. `publish` gets a snapshot after every live poll, good or bad, when another
    query brings news, and when the live values get too old. `complain` is told why
    there are none, once. `publish_others` gets the other units of its set, see
    `Members`; without it, or without `set_members`, nobody asks for them. `meters` are
    read now and then.
    """

    def __init__(
        self,
        inverter: Inverter,
        publish: Callable[[Snapshot], None],
        clock: Callable[[], float],
        *,
        interval: float | None,
        complain: Callable[[MppdbusError], None],
        publish_others: Callable[[dict[str, Snapshot]], None] | None = None,
        set_members: bool = True,
        meters: Meters | None = None,
    ) -> None:
        self._inverter = inverter
        self._publish = publish
        self._complain = complain
        self._clock = clock
        self._interval = interval
        self._keep = keep_times(interval)
        self._plan = Plan(fast=interval is None)
        every = WHO.every_fast if interval is None else WHO.every
        self._doubt = Doubt(inverter, clock, every)
        self._failures = 0
        self._mains: tuple[object, ...] | None = None
        self._silences: Counter[str] = Counter()
        self._expiry: asyncio.TimerHandle | None = None
        self._meters = meters
        self._members = None
        if set_members and publish_others is not None:
            self._members = Members(inverter, clock, publish_others)
        self._log = logging.getLogger(f"mppdbus.{inverter.name}")

    def keep(self, query: str) -> float:
        """Return the seconds for which a reading of `query` is true enough to show."""
        return self._keep.get(query, self._keep["QPIGS"])

    @property
    def others_every(self) -> float | None:
        """The seconds from one reading of another unit to the next; None: no others."""
        return self._inverter.crew.round

    async def first(self) -> Snapshot:
        """Read what must be known before anything is shown: QMOD, if any, and QPIGS.

        The unit has just been introduced.
        """
        self._doubt.settle()
        await self._inverter.probe("QMOD")
        self._plan.done("QMOD", self._clock())
        await self._inverter.read("QPIGS")
        return self._snapshot()

    async def run(self) -> None:
        """Poll for ever; raises `PortLost`, or why the inverter has long been away."""
        start = self._clock()
        self._expire_at(start + self.keep("QPIGS"))
        try:
            while True:
                await self._between(start)
                start = self._clock()
                self._live_polled()
                await self._live()
                self._watch(self._show())
        finally:
            self._expire_at(None)
            if self._members is not None:
                self._members.lost()

    def _live_polled(self) -> None:
        """Note a live poll, and what else there is to ask for now."""
        self._plan.live()
        self._plan.rows = RECURRING
        if self._meters is not None and self._meters.there:
            self._plan.rows = (*RECURRING, METER)
        if self._members is not None:
            self._members.live()
            if self._members.wanted:
                self._plan.rows = (*self._plan.rows, MEMBER)
                self._plan.due.setdefault(MEMBER.query, self._clock())

    # -- live ---------------------------------------------------------------------

    async def _live(self) -> None:
        began, other = self._clock(), None
        try:
            await self._inverter.read("QPIGS")
            other = await self._doubt.stranger()
        except PortLost:
            raise
        except (LinkError, ProtocolError) as error:
            await self._failed(error, self._clock() - began)
            return
        if other is not None:
            known = self._inverter.identity.serial
            raise LinkError(f"another inverter is here now: {other}, not {known}")
        if self._failures >= FAILURES_OFFLINE:
            self._log.info("answers again after %d failed polls", self._failures)
        self._failures = 0
        self._expire_at(self._clock() + self.keep("QPIGS"))
        if (self._inverter.trackers or 1) > 1:
            await self._inverter.probe("QPIGS2")

    async def _failed(self, error: MppdbusError, took: float) -> None:
        self._failures += 1
        self._doubt.suspect()
        if self._failures == FAILURES_OFFLINE:
            self._complain(error)
            if self._members is not None:
                self._members.lost()
        if self._failures >= FAILURES_REOPEN:
            raise error
        self._show()
        await asyncio.sleep(max(0.0, FAILED_EVERY - took))  # a NAK takes no time

    def _expire_at(self, time: float | None) -> None:
        """Show, at that moment, that the live values have become too old."""
        if self._expiry is not None:
            self._expiry.cancel()
        self._expiry = None
        if time is not None:
            loop, wait = asyncio.get_running_loop(), time - self._clock() + 0.01
            self._expiry = loop.call_later(wait, self._expired)

    def _expired(self) -> None:
        snapshot = self._snapshot()
        if self._doubt.cast:  # there is a newer reading, but nobody knows of whom
            snapshot = replace(snapshot, status=None, second=None)
        self._publish(snapshot)

    def _watch(self, shown: Snapshot) -> None:
        """Ask the mode at once when mains, status bits or the battery's turn change."""
        if shown.status is None:
            return
        discharging = bool(shown.status.battery_discharge_current)
        seen = (shown.status.device_status, mains_present(shown), discharging)
        if self._mains is not None and seen != self._mains:
            self._plan.hurry("QMOD")
        self._mains = seen

    # -- between --------------------------------------------------------------------

    async def _between(self, start: float) -> None:
        """Use the time until the next live poll for the other queries.

        After a failed one there is none: whether it was more than a mishap comes first.
        """
        if self._failures:
            return
        if self._interval is None:
            while (query := self._plan.next(self._clock(), None)) is not None:
                starting = bool(self._plan.once)
                await self._other(query)
                if starting:
                    return  # live values go on while the rest is being learnt
            return
        end = start + self._interval
        await self._fill(end)
        if (rest := end - self._clock()) > 0:
            self._doubt.idle(rest)
            await asyncio.sleep(rest)

    async def _fill(self, end: float) -> None:
        """Ask what is due as long as it fits; what never fits goes first once late."""
        asked = 0
        while True:
            free = end - self._clock()
            if free <= 0 and asked:
                return
            query = self._plan.next(self._clock(), free if asked else None)
            if query is None:
                return
            await self._other(query)
            asked += 1

    async def _member(self) -> None:
        """Ask about a unit of the set; about another one as well if time is left."""
        more = self._members is not None and await self._members.ask(self._snapshot())
        self._plan.done(MEMBER.query, self._clock())
        if more and self._interval is not None:
            self._plan.asked.discard(MEMBER.query)

    async def _meter(self, meters: Meters) -> None:
        """Read one of the inverter's meters; the next follows the next live poll."""
        more = await meters.ask()
        self._plan.done(METER.query, self._clock())
        if more:
            self._plan.due[METER.query] = self._clock()

    async def _other(self, query: str) -> None:
        if query == MEMBER.query:
            await self._member()
        elif query == METER.query and self._meters is not None and self._meters.there:
            await self._meter(self._meters)
        else:
            await self._ask(query)

    async def _ask(self, query: str) -> None:
        inverter = self._inverter
        before, trackers = inverter.last(query), inverter.trackers
        attempts = 1 if self._silences[query] else None  # silence takes seconds
        patience = None
        if query in OPTIONAL:
            attempts, patience = 1, inverter.link.brief
        try:
            if query == "QPIGS2":
                await inverter.count_trackers(attempts=attempts)
            elif query in ESSENTIAL or query not in inverter.unsupported:
                await inverter.ask(query, attempts=attempts, patience=patience)
        except PortLost:
            raise
        except (LinkError, OtherProtocol) as error:
            self._log.debug("%s", error)
            self._missed(query, error)
        else:
            self._silences[query] = self._plan.tries[query] = 0
        if query in IDENTIFYING:
            inverter.refine()
        silent = self._silences[query] >= SILENCES
        self._plan.done(query, self._clock(), pause=SILENT_PAUSE if silent else 0.0)
        if inverter.last(query) != before or inverter.trackers != trackers:
            self._show()

    def _missed(self, query: str, error: MppdbusError) -> None:
        """Ask again; silence, if it is no mishap, is a NAK (VMII says no like that)."""
        self._silences[query] += isinstance(error, NoReply)
        most = SILENCES_OPTIONAL if query in OPTIONAL else SILENCES
        if self._silences[query] < most:
            self._plan.again(query)
            return
        self._inverter.unsupported.add(query)
        if query == "QPIGS2":
            self._inverter.trackers = 1

    def _show(self) -> Snapshot:
        """Publish what is known, unless it may be of another unit."""
        snapshot = self._snapshot()
        if not (self._doubt.cast and snapshot.online):
            self._publish(snapshot)
        return snapshot

    def _snapshot(self) -> Snapshot:
        online = self._failures < FAILURES_OFFLINE
        return self._inverter.snapshot(online=online, keep=self.keep)

"""Polls one inverter: live values as fast as asked, the others in the time between.

At 2400 baud a QPIGS takes half a second, so this module saves time on the line.
`schedule` says which query is asked when.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

from mppdbus.errors import (
    LinkError,
    MppdbusError,
    OtherProtocol,
    PortLost,
    ProtocolError,
)
from mppdbus.inverter import timing
from mppdbus.inverter.device import Inverter
from mppdbus.inverter.energy_meters import EnergyMeters
from mppdbus.inverter.live_status import read_status
from mppdbus.inverter.parallel_poll import ParallelPoll
from mppdbus.inverter.schedule import (
    CALM_DOWN,
    DECISIVE,
    ESSENTIAL,
    IDENTIFYING,
    INTRODUCED,
    METERS,
    ONCE,
    OPTIONAL,
    PARALLEL,
    RECURRING,
    SERIAL,
    SHORTEST_KEEP,
    Schedule,
    keep_times,
)
from mppdbus.inverter.swap_check import SwapCheck
from mppdbus.model.parallel import SINGLE
from mppdbus.model.power import mains_present
from mppdbus.model.snapshot import Snapshot

SECOND_ROUND = 1.0  # s until what decides on much is asked for a second time
REFUSED_AT_ONCE = 5  # refusals in a row, after which it is asked once between two polls
SOON = 2.0  # s between so many tries of what is badly wanted, until it is known:
TRIES = {"QPIRI": 15, SERIAL.query: 5}  # what battery it is for; the name on the bus


class Poller:
    """Polls one inverter until the port is lost or the inverter stays silent.

    `interval` is the time between two live polls in s; None is as fast as the line
    allows. `publish` gets a snapshot after every live poll, good or bad, when another
    query brings new values, and when live values get too old. `complain` gets, once,
    why they are missing. `publish_others` gets the other units of its set, see
    `ParallelPoll`; without it they are not polled. `meters` are read now and then.

    `keep` is for how many s a reading of each query is shown: longer on a slow line.
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
        meters: EnergyMeters | None = None,
    ) -> None:
        self.keep = keep_times(interval)
        self._inverter = inverter
        self._publish = publish
        self._complain = complain
        self._clock = clock
        self._interval = interval
        self._schedule = Schedule(fast=interval is None)
        every = SERIAL.every_fast if interval is None else SERIAL.every
        self._swap_check = SwapCheck(inverter, clock, every)
        self._failures = 0
        self._round = 0.0  # s that a poll with all that follows it has taken
        self._lost = 0  # attempts without a reply before it
        self._stretched = float("-inf")  # s, when `keep` was worked out last
        self._seen: tuple[object, ...] | None = None  # mains, bits, battery
        self._expiry: asyncio.TimerHandle | None = None
        self._meters = meters
        self._parallel: ParallelPoll | None = None
        self.report_others(publish_others)
        self._log = logging.getLogger(f"mppdbus.{inverter.name}")

    def report_others(
        self, publish: Callable[[dict[str, Snapshot]], None] | None
    ) -> None:
        """Poll the other units of its set for `publish` from now on; None: no more."""
        self._parallel = None
        if publish is not None:
            self._parallel = ParallelPoll(self._inverter, self._clock, publish)

    async def first(self) -> Snapshot:
        """Read QMOD and QPIRI, if the unit has them, and QPIGS, before anything shows.

        Call it when the unit has just been introduced. QPIRI tells for what battery it
        is: until then the battery is unknown. What has no answer so far is asked in a
        second round.
        """
        inverter, schedule = self._inverter, self._schedule
        began, self._lost = self._clock(), inverter.link.stats.lost
        await inverter.try_read("QMOD")
        rated = inverter.readings.last("QPIRI") is not None
        if not rated and await inverter.try_read("QPIRI") is not None:
            inverter.refine()
        await read_status(inverter)
        while "QPIGS" in inverter.readings.doubted:
            await inverter.read("QPIGS")
        if not inverter.serial_is_sure:
            await inverter.ask_serial()
        await inverter.ask_again(INTRODUCED)
        if "QPIRI" in inverter.known.refused:
            await inverter.ask_again(("QPIRI",))
        schedule.done("QMOD", self._clock())
        self._plan_once()
        if not rated and inverter.readings.last("QPIRI") is not None:
            schedule.done("QPIRI", self._clock())
            del schedule.once["QPIRI"]
        self._swap_check.confirm()
        inverter.refine()
        self._stretch(self._clock() - began)
        return self._snapshot()

    async def meet_others(self, first: Snapshot, seconds: float) -> Snapshot:
        """Ask about each slot of the set once, for some time; return a new snapshot.

        So all units of a set can be shown together. Without a set, return `first`.
        """
        inverter, parallel = self._inverter, self._parallel
        began = self._clock()
        ratings = inverter.readings.last("QPIRI")
        if parallel is None or getattr(ratings, "output_mode", SINGLE) == SINGLE:
            return first
        await inverter.try_read("QPGS0", attempts=1, patience=inverter.link.brief)
        while parallel.wanted and self._clock() - began < seconds:
            met = inverter.parallel_set.met and not parallel.halfway
            if met or not await parallel.ask(self._snapshot()):
                break
        await inverter.try_read("QPIGS")
        return self._snapshot()

    def _plan_once(self) -> None:
        """Plan what is asked once; what the unit seems to lack is not asked at once."""
        known, once = self._inverter.known, self._schedule.once
        once.update({query: known.again.get(query, 0.0) for query in ONCE})
        once["QPIRI"] = min(once["QPIRI"], self._clock() + SOON)
        for query in INTRODUCED:
            if query in known.again:
                once[query] = known.again[query]
        if not self._inverter.serial_is_sure:
            once[SERIAL.query] = known.again.get(SERIAL.query, 0.0)

    async def run(self) -> None:
        """Poll for ever; raises `PortLost`, or the error of a long silent inverter."""
        start = self._clock()
        self._expire_at(start + self.keep["QPIGS"])
        try:
            while True:
                await self._between(start)
                began, start = start, self._clock()
                self._stretch(start - began)
                self._plan_rows()
                await self._live()
        finally:
            self._expire_at(None)
            if self._parallel is not None:
                self._parallel.lost()

    def _stretch(self, took: float) -> None:
        """Keep values for longer where the line needs more time for a round.

        `took` is that of the last one in s; one with a lost reply says nothing.
        """
        lost = self._inverter.link.stats.lost
        if lost == self._lost:
            shorter = CALM_DOWN * self._round
            self._round = max(min(took, timing.LONGEST_ROUND), shorter)
            if (now := self._clock()) - self._stretched >= SHORTEST_KEEP:
                self._stretched, gaps = now, self._schedule.gaps
                self.keep = keep_times(self._interval, self._round, gaps)
        self._lost = lost

    def _plan_rows(self) -> None:
        """Set the queries that may follow this live poll."""
        schedule, parallel = self._schedule, self._parallel
        schedule.live_polled()
        schedule.rows = RECURRING
        if self._meters is not None and self._meters.there:
            schedule.rows += (METERS,)
        if parallel is not None:
            parallel.live_polled()
            if parallel.wanted:
                schedule.rows += (PARALLEL,)
                schedule.due.setdefault(PARALLEL.query, self._clock())

    # -- live ---------------------------------------------------------------------

    async def _live(self) -> None:
        """Read the live values and show them."""
        inverter, swap_check = self._inverter, self._swap_check
        began, other = self._clock(), None
        try:
            await read_status(inverter)
            if swap_check.due:
                other = await swap_check.other_unit()
        except PortLost:
            raise
        except (LinkError, ProtocolError) as error:
            await self._failed(error, self._clock() - began)
            return
        if other is not None:
            known = inverter.identity.serial
            raise LinkError(f"another inverter is here now: {other}, not {known}")
        if self._failures >= timing.FAILURES_OFFLINE:
            self._log.info("answers again after %d failed polls", self._failures)
        self._failures = 0
        self._expire_at(self._clock() + self.keep["QPIGS"])
        again = inverter.known.again.get("QPIGS2", 0.0)
        several = (inverter.trackers or 1) > 1 and self._clock() >= again
        self._hurry_mode(self._show(second_follows=several))
        if several:
            await self._second_tracker()

    async def _second_tracker(self) -> None:
        """Read the other trackers, and show them; live values never wait for them."""
        patience = self._inverter.link.brief
        await self._inverter.try_read("QPIGS2", attempts=1, patience=patience)
        self._show()

    async def _failed(self, error: MppdbusError, took: float) -> None:
        self._failures += 1
        self._swap_check.request()
        if self._failures == timing.FAILURES_OFFLINE:
            self._complain(error)
            if self._parallel is not None:
                self._parallel.lost()
        if self._failures >= timing.FAILURES_REOPEN:
            raise error
        self._show()
        # A NAK takes no time.
        await asyncio.sleep(max(0.0, timing.FAILED_EVERY - took))

    def _expire_at(self, time: float | None) -> None:
        """Schedule the moment when live values get too old and are shown as unknown."""
        if self._expiry is not None:
            self._expiry.cancel()
        self._expiry = None
        if time is not None:
            loop, wait = asyncio.get_running_loop(), time - self._clock() + 0.01
            self._expiry = loop.call_later(wait, self._expired)

    def _expired(self) -> None:
        snapshot = self._snapshot()
        if self._swap_check.pending:  # a newer reading may be of another unit
            snapshot = replace(snapshot, status=None, second=None)
        self._publish(snapshot)

    def _hurry_mode(self, shown: Snapshot) -> None:
        """Ask the mode at once when mains, status bits or battery direction change."""
        if shown.status is None:
            return
        discharging = bool(shown.status.battery_discharge_current)
        seen = (shown.status.device_status, mains_present(shown), discharging)
        if self._seen is not None and seen != self._seen:
            self._schedule.hurry("QMOD")
        self._seen = seen

    # -- between --------------------------------------------------------------------

    async def _between(self, start: float) -> None:
        """Use the time until the next live poll for the other queries.

        After a failed live poll ask nothing else: first retry the live poll.
        """
        if self._failures:
            return
        if self._interval is None:
            schedule = self._schedule
            while (query := schedule.next_query(self._clock(), None)) is not None:
                starting = bool(schedule.once)
                await self._ask(query)
                if starting:
                    break  # live values go on while the other queries are learned
            await self._catch_up()
            return
        end = start + self._interval
        await self._fill(end)
        await self._catch_up()
        if (rest := end - self._clock()) > 0:
            self._swap_check.pause(rest)
            await asyncio.sleep(rest)

    async def _fill(self, end: float) -> None:
        """Ask due queries that fit the time; the first one need not fit."""
        asked = 0
        while True:
            free = end - self._clock()
            if free <= 0 and asked:
                return
            query = self._schedule.next_query(self._clock(), free if asked else None)
            if query is None:
                return
            await self._ask(query)
            asked += 1

    async def _ask(self, query: str) -> None:
        if query == PARALLEL.query and self._parallel is not None:
            await self._ask_parallel(self._parallel)
        elif query == METERS.query and self._meters is not None and self._meters.there:
            await self._ask_meter(self._meters)
        else:
            await self._ask_own(query)

    async def _catch_up(self) -> None:
        """Ask about one more unit of the set if they wait for too long."""
        parallel = self._parallel
        if parallel is not None and parallel.behind:
            while await parallel.ask(self._snapshot()) and parallel.halfway:
                pass

    async def _ask_parallel(self, parallel: ParallelPoll) -> None:
        """Ask about one unit of the set, or more if time is left."""
        more = await parallel.ask(self._snapshot())
        self._schedule.done(PARALLEL.query, self._clock())
        if more and self._interval is not None:
            self._schedule.asked.discard(PARALLEL.query)

    async def _ask_meter(self, meters: EnergyMeters) -> None:
        """Read one of the inverter's meters; the next follows the next live poll."""
        more = await meters.ask()
        self._schedule.done(METERS.query, self._clock())
        if more:
            self._schedule.due[METERS.query] = self._clock()

    async def _ask_own(self, query: str) -> None:
        inverter, known = self._inverter, self._inverter.known
        before, trackers = inverter.readings.last(query), inverter.trackers
        silent = query in known.again and query not in known.refused
        attempts = 1 if silent else None  # silence takes seconds
        patience = None
        if query in OPTIONAL:
            attempts, patience = 1, inverter.link.brief
        try:
            await inverter.read_optional(query, attempts=attempts, patience=patience)
        except PortLost:
            raise
        except (LinkError, OtherProtocol) as error:
            self._log.debug("%s", error)
        if query in IDENTIFYING:
            inverter.refine()
        if query == SERIAL.query and query not in known.again:
            await self._learn_serial()
        self._schedule.done(query, self._clock(), again=self._again(query))
        if self._refused(query) and known.missed[query] <= REFUSED_AT_ONCE:
            self._schedule.asked.discard(query)  # at once, if there is time
        if inverter.readings.last(query) != before or inverter.trackers != trackers:
            self._show()

    def _again(self, query: str) -> float | None:
        """Return when to ask a query again that has failed, or is doubtful."""
        now, known = self._clock(), self._inverter.known
        again, tries = known.again.get(query), known.tries(query)
        if query in self._inverter.readings.doubted:
            return now + SOON
        if again is None:
            return None
        if query in DECISIVE and tries == 1:
            again = min(again, now + SECOND_ROUND)
        if query in ESSENTIAL:
            soon = tries < TRIES.get(query, 0)
            again = min(again, now + (SOON if soon else timing.ESSENTIAL_PAUSE))
        if self._refused(query) and self._inverter.readings.age(query) < self.keep.get(
            query, 0.0
        ):
            return now  # as long as it is shown: a refusal takes no time
        return again

    def _refused(self, query: str) -> bool:
        """Tell whether an important query was refused that the unit knows."""
        known = self._inverter.known
        return query in ESSENTIAL and query in known.refused & known.answered

    async def _learn_serial(self) -> None:
        """Start over if the serial number has come late: the unit's name has it."""
        inverter = self._inverter
        await inverter.ask_serial()
        if (serial := inverter.identity.serial) is not None:
            raise LinkError(f"QID is answered now: this is inverter {serial}")
        if not inverter.serial_is_sure:
            self._schedule.once[SERIAL.query] = self._clock() + SERIAL.every

    def show(self) -> None:
        """Publish what is known now, such as a setting that somebody else has read."""
        self._show()

    def _show(self, *, second_follows: bool = False) -> Snapshot:
        """Publish the snapshot, unless it may be of another unit."""
        snapshot = self._snapshot(second_follows=second_follows)
        if not (self._swap_check.pending and snapshot.online):
            self._publish(snapshot)
        return snapshot

    def _snapshot(self, *, second_follows: bool = False) -> Snapshot:
        online = self._failures < timing.FAILURES_OFFLINE
        return self._inverter.snapshot(
            online=online, keep=self.keep, second_follows=second_follows
        )

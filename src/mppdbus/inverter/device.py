"""One inverter on its link: asks queries, keeps readings, makes snapshots."""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Self

from mppdbus.errors import LinkError, PortLost, ProtocolError, Refused, UnknownLayout
from mppdbus.inverter.identity import DeviceIdentity
from mppdbus.inverter.interviewer import Interviewer
from mppdbus.inverter.link import Link, Priority
from mppdbus.inverter.parallel_set import ParallelSet
from mppdbus.inverter.readings import Readings
from mppdbus.model.parallel import phase_of
from mppdbus.model.snapshot import Identity, LinkState, Snapshot
from mppdbus.protocol.dialect import Dialect
from mppdbus.protocol.replies.fields import Reading
from mppdbus.protocol.replies.settings import ProtocolId, SerialNumber
from mppdbus.protocol.replies.status import (
    GeneralStatus,
    GeneralStatusRevo,
    SecondPhase,
    SecondTracker,
    SecondTrackerDuo,
)

_NOTED = frozenset(("QPI", "QID", "QPIGS2", "QPIRI"))  # they tell of the unit itself
# What QPIGS means on all families but one; QPIRI tells them apart.
AMBIGUOUS = frozenset(GeneralStatus.wire_names()) - set(GeneralStatusRevo.wire_names())


class Inverter(Interviewer):
    """A PI30 inverter behind a link.

    `clock` gives seconds, `dialect` is a name or "auto".
    """

    def __init__(
        self,
        name: str,
        link: Link,
        clock: Callable[[], float],
        *,
        dialect: str = "auto",
    ) -> None:
        super().__init__()
        self.name = name
        self.link = link
        self.parallel_set = ParallelSet()
        self._trackers: int | None = None
        self._identity = DeviceIdentity(dialect)
        self.identification = self._identity.unknown  # by all readings so far
        self.readings = Readings(name, clock)
        self._phase: int | None = None
        self._clock = clock
        self._log = logging.getLogger(f"mppdbus.{name}")

    # -- asking -----------------------------------------------------------------

    async def read(
        self,
        query: str,
        *,
        attempts: int | None = None,
        patience: float | None = None,
        priority: Priority = Priority.POLL,
    ) -> Reading:
        """Ask, decode and keep, as `Interviewer.read` says.

        An unknown layout raises `UnknownLayout` only if nothing of it can be read.
        """
        readings, known = self.readings, self.known
        decode = partial(readings.decode, self._identity.dialect.queries, query)
        try:
            reading = await self.link.exchange(
                query,
                decode,
                priority=priority,
                attempts=attempts,
                patience=patience,
                known=query in known.answered,
            )
        except PortLost:
            raise
        except UnknownLayout as error:
            known.answer(query)
            reading = readings.accept(query, error)
        except (LinkError, ProtocolError) as error:
            known.fail(query, error, self._clock())
            raise
        known.answered.add(query)
        if query in known.again:
            known.answer(query)
        first_ratings = query == "QPIRI" and query not in readings.kept
        readings.keep(query, reading)
        if first_ratings:
            readings.check_anew("QPIGS")
        if query in _NOTED:
            self._note(reading)
        return reading

    def _note(self, reading: Reading) -> None:
        """Take what replies say about the unit itself."""
        match reading:
            case SecondTracker() | SecondTrackerDuo() | SecondPhase():
                # A third tracker is found by its voltage, which is 0 at night.
                three = isinstance(reading, SecondTrackerDuo) and reading.pv3_voltage
                self._trackers = max(self._trackers or 0, 3 if three else 2)
            case ProtocolId() | SerialNumber():
                self._identity.introduce(reading)
            case _:
                self._find_phase()

    async def read_optional(
        self, query: str, *, attempts: int | None = None, patience: float | None = None
    ) -> Reading | None:
        """Read an optional query; None for NAK and, logged, for an unknown layout."""
        try:
            return await self.read(query, attempts=attempts, patience=patience)
        except Refused:
            return None
        except UnknownLayout as error:
            self.readings.complain(query, error)
            return None

    # -- who it is ----------------------------------------------------------------

    @property
    def trackers(self) -> int | None:
        """How many MPPT it has; None while unknown.

        A unit that once had a second tracker keeps it.
        """
        if self._trackers is None and self.known.absent("QPIGS2"):
            return 1
        return self._trackers

    @property
    def identity(self) -> Identity:
        """Names and numbers, as far as they are known."""
        return self._identity.known

    @property
    def dialect(self) -> Dialect:
        """The dialect by which its replies are decoded."""
        return self._identity.dialect

    async def introduce(self) -> None:
        """Identify the unit, as `Interviewer.introduce` does."""
        await super().introduce()
        self.refine()

    def refine(self) -> None:
        """Update dialect and names from all readings so far."""
        identity, readings = self._identity, self.readings
        before, proven = identity.dialect.queries, readings.proven()
        strange = readings.strange - proven.keys()
        payload = readings.payloads.get("QPIGS")
        payload = None if "QPIGS" in readings.strange else payload
        self.identification = identity.refine(proven, payload, strange)
        readings.filter.identified(self.identification)
        readings.read_anew(before, identity.dialect.queries)
        identity.weighed = set(readings.proven())
        self._find_phase()

    def _find_phase(self) -> None:
        """Take the phase from the last QPIRI that says an output mode."""
        said = self.readings.last("QPIRI"), self.readings.proven().get("QPIRI")
        modes = (getattr(reading, "output_mode", None) for reading in said)
        output_mode = next((mode for mode in modes if mode is not None), None)
        self._phase = phase_of(output_mode, self._identity.dialect)

    def resume(self, fresh: Self) -> Self:
        """Take the link of `fresh` if that is the same unit; return the one to use.

        Only the serial number shows that it is the same. Without one `fresh` is used,
        and everything is asked anew.
        """
        serial = self.identity.serial
        if serial is None or serial != fresh.identity.serial:
            return fresh
        self.link = fresh.link
        return self

    # -- what is known now -----------------------------------------------------------

    def snapshot(
        self, *, online: bool, keep: Mapping[str, float], second_follows: bool = False
    ) -> Snapshot:
        """Return the snapshot; `keep` is for how many s a query's reading is valid.

        Offline, it has only values that stay true. `second_follows`: QPIGS2 is next.
        """
        now, stats = self._clock(), self.link.stats
        live = self.readings.kept.get("QPIGS")
        age = now - live.time if live else None
        fresh = self.readings.fresh(keep) if online else {}
        status, mode = fresh.get("QPIGS"), fresh.get("QMOD")
        asked = self.known.settled("QPIRI") or self._identity.fixed
        if status is not None and not asked:
            status = status.model_copy(update=dict.fromkeys(AMBIGUOUS))
        return Snapshot(
            online=online,
            identity=self._identity.known,
            status=status,
            battery_fitted=not online or live is None or live.battery_fitted,
            second=fresh.get("QPIGS2") if status is not None else None,
            trackers=self.trackers,
            mode=mode.mode if mode else None,
            warnings=fresh.get("QPIWS"),
            ratings=fresh.get("QPIRI"),
            flags=fresh.get("QFLAG"),
            link=LinkState(
                stats.quality(now), stats.last_exchange, stats.failures, age
            ),
            phase=self._phase,
            fault_code=self.parallel_set.fault_code if online else None,
            second_follows=second_follows,
        )

    def away(self) -> Snapshot:
        """Return the snapshot while the unit cannot be reached."""
        return self.snapshot(online=False, keep={})

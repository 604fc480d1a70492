"""One device: identity, dialect, and the last good readings with their times."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar, cast

from mppdbus.errors import (
    CorruptReply,
    LinkError,
    PortLost,
    ProtocolError,
    Refused,
    UnknownLayout,
)
from mppdbus.inverter.link import Link, Priority
from mppdbus.inverter.parallel_set import OTHERS, Crew
from mppdbus.model.parallel import phase_of
from mppdbus.model.snapshot import Identity, LinkState, Second, Snapshot
from mppdbus.protocol.dialects import (
    DIALECTS,
    Dialect,
    Evidence,
    Identification,
    bogus_serial,
    identify,
)
from mppdbus.protocol.plausibility import Plausibility
from mppdbus.protocol.queries import decode
from mppdbus.protocol.replies.fields import Reading
from mppdbus.protocol.replies.settings import (
    Flags,
    ProtocolId,
    Ratings,
    RatingsRevo,
    SerialNumber,
)
from mppdbus.protocol.replies.status import (
    DeviceMode,
    GeneralStatus,
    GeneralStatusRevo,
    SecondPhase,
    SecondTracker,
    SecondTrackerDuo,
    Warnings,
)

R = TypeVar("R", bound=Reading)

NEVER_FITS = 4  # replies in a row with the same wrong words: no damage any more
SERIAL_ATTEMPTS = 4  # the name on the bus hangs on it, so noise must not hide it
# What QPIGS means on all families but one; QPIRI tells them apart.
AMBIGUOUS = frozenset(GeneralStatus.wire_names()) - set(GeneralStatusRevo.wire_names())


@dataclass(frozen=True, slots=True)
class Kept:
    """A reading, what of it is possible, and the moment of its last byte.

    The time is in seconds of the caller's clock; `codes` say what was taken out.
    """

    reading: Reading
    plausible: Reading
    time: float
    codes: frozenset[str] = frozenset()


class Inverter:
    """A PI30 inverter behind a link.

    Readings are kept per query with their time; `snapshot` shows only what is fresh.
    Queries that this unit refused are remembered until the next connection.
    """

    def __init__(
        self,
        name: str,
        link: Link,
        clock: Callable[[], float],
        *,
        dialect: str = "auto",
    ) -> None:
        self.name = name
        self.link = link
        self.identity = Identity()
        self.unsupported: set[str] = set()
        self.trackers: int | None = None
        self.crew = Crew()
        self.identification: Identification | None = None
        self._clock = clock
        self._kept: dict[str, Kept] = {}
        self._fixed = DIALECTS.get(dialect)
        self.dialect: Dialect = self._fixed or DIALECTS["pi30"]
        self._confidence = 0.0
        self._weighed: set[str] = set()  # the queries that the dialect was found by
        self.strange_replies: dict[str, bytes] = {}  # the last of each unknown layout
        self._strange: set[str] = set()
        self._unfit: dict[str, tuple[tuple[str, ...], int]] = {}
        self._payloads: dict[str, bytes] = {}  # the last of each query
        self._filter = Plausibility()
        self._log = logging.getLogger(f"mppdbus.{name}")
        self._complained: set[str] = set()

    # -- reading ----------------------------------------------------------------

    async def read(
        self,
        query: str,
        *,
        priority: Priority = Priority.POLL,
        attempts: int | None = None,
        patience: float | None = None,
    ) -> Reading:
        """Ask, decode and keep; raises `LinkError`, `Refused`, `OtherProtocol` …

        An unknown layout raises `UnknownLayout` after what can be read of it is kept.
        """
        try:
            reading = await self.link.exchange(
                query,
                partial(self._decode, query),
                priority=priority,
                attempts=attempts,
                patience=patience,
            )
        except Refused:
            self.unsupported.add(query)
            raise
        except UnknownLayout as error:
            if error.partial is None:
                raise
            self._complain_once(query, error)
            self._strange.add(query)
            reading = error.partial
        self._keep(query, reading)
        if query == "QPIGS2":
            # A third tracker shows by its voltage, and by night it has none.
            self.trackers = max(self.trackers or 0, _trackers(reading))
        return reading

    def _decode(self, query: str, payload: bytes) -> Reading:
        self._payloads[query] = payload
        try:
            return decode(query, payload, self.dialect.queries)
        except UnknownLayout as error:
            self.strange_replies[query] = payload
            if query in self._strange and error.partial is not None:
                return cast("Reading", error.partial)  # it came twice: it is theirs
            raise
        except CorruptReply as error:
            return self._put_up_with(query, error)

    def _put_up_with(self, query: str, error: CorruptReply) -> Reading:
        """Return the rest of a reply whose same words never fit; else raise `error`."""
        if error.partial is None:
            raise error
        unfit = tuple(error.report.unparsed)
        before, times = self._unfit.get(query, ((), 0))
        times = times + 1 if unfit == before else 1
        self._unfit[query] = unfit, times
        if times < NEVER_FITS:
            raise error
        self._complain_once(f"{query} {unfit}", error)
        return cast("Reading", error.partial)

    def _keep(self, query: str, reading: Reading) -> None:
        """Keep a reading beside what of it is possible; each oddity is said once."""
        now = self._clock()
        plausible, remarks = self._filter.check(reading, now)
        for remark in remarks:
            self._note_once(f"{remark.code} {remark.field}", f"{query}: {remark.text}")
        codes = frozenset(remark.code for remark in remarks)
        self._kept[query] = Kept(reading, plausible, now, codes)

    async def ask(
        self, query: str, *, attempts: int | None = None, patience: float | None = None
    ) -> Reading | None:
        """Read what need not exist: None for NAK and for an unknown layout."""
        try:
            return await self.read(query, attempts=attempts, patience=patience)
        except Refused:
            return None
        except UnknownLayout as error:
            self._complain_once(query, error)
            return None

    async def probe(self, query: str, *, attempts: int | None = None) -> Reading | None:
        """Read what a unit may also leave unanswered; only `PortLost` gets out."""
        try:
            return await self.read(query, attempts=attempts)
        except PortLost:
            raise
        except (LinkError, ProtocolError):
            return None

    def last(self, query: str) -> Reading | None:
        """Return the last reading of `query` as it came, however old."""
        kept = self._kept.get(query)
        return kept.reading if kept else None

    def kept(self, query: str, model: type[R], newer_than: float) -> R | None:
        """Return what is possible of `query`, if it is a `model` and fresh."""
        kept = self._kept.get(query)
        if kept is None or kept.time < newer_than:
            return None
        return kept.plausible if isinstance(kept.plausible, model) else None

    # -- identity -----------------------------------------------------------------

    async def introduce(self) -> None:
        """Learn who this is from QPI and QID; raises as `read` does.

        NAK to QPI is taken for PI30 as long as QPIGS will be answered; a QID that is
        refused, silent or unreadable leaves the serial unknown.
        """
        protocol = await self.ask("QPI")
        serial = await self.probe("QID", attempts=SERIAL_ATTEMPTS)
        if isinstance(protocol, ProtocolId):
            self.identity = replace(self.identity, protocol=protocol.protocol)
        if isinstance(serial, SerialNumber) and not bogus_serial(serial.serial):
            self.identity = replace(self.identity, serial=serial.serial)
        self.refine()

    def refine(self) -> None:
        """Take the dialect and the names from all that was read so far."""
        found = self.identification = identify(self._evidence())
        self._filter.identification = replace(
            found, dialect=self._fixed or found.dialect
        )
        # More replies know better; the same ones in other words only if they are sure.
        more = not self._kept.keys() <= self._weighed
        if self._fixed is None and (more or found.confidence >= self._confidence):
            self._confidence = found.confidence
            self._speak(found.dialect)
        self._weighed = set(self._kept)
        known = self.identity
        self.identity = replace(
            known,
            model=self._name("QMN", "model") or known.model,
            model_number=self._name("QGMN", "number") or known.model_number,
            firmware=self._name("QVFW", "firmware") or known.firmware,
            dialect=self.dialect.name,
        )

    def _evidence(self) -> Evidence:
        kept = self._kept.items()
        readings = {query: each.reading for query, each in kept if query not in OTHERS}
        evidence = Evidence.gather(readings, self._payloads.get("QPIGS"))
        return replace(evidence, protocol=self.identity.protocol)

    def _name(self, query: str, field: str) -> str | None:
        value = getattr(self.last(query), field, None)
        return value if isinstance(value, str) else None

    def _speak(self, dialect: Dialect) -> None:
        """Use a dialect; what was read in another layout does not count any more.

        Live values come again at once; the others are read anew from their bytes.
        """
        before, self.dialect = self.dialect.queries, dialect
        for query, kept in list(self._kept.items()):
            if dialect.queries.get(query) == before.get(query):
                continue
            del self._kept[query]
            if query != "QPIGS" and query in self._payloads:
                with suppress(ProtocolError):
                    self._keep(query, self._decode(query, self._payloads[query]))
                    self._kept[query] = replace(self._kept[query], time=kept.time)

    @property
    def _family_known(self) -> bool:
        """QPIRI has been answered somehow, which tells whose QPIGS this is."""
        answered = (self._kept, self.unsupported, self._complained)
        return self._fixed is not None or any("QPIRI" in each for each in answered)

    def remember(self, before: Inverter) -> None:
        """Take over what does not change from the last connection to the same unit.

        Only its number shows that it is the same; without one all is asked anew.
        """
        serial = self.identity.serial
        if serial is not None and serial == before.identity.serial:
            self.identity = replace(before.identity, protocol=self.identity.protocol)
            self.trackers, self.crew = before.trackers, before.crew
            self.dialect, self._confidence = before.dialect, before._confidence
            self._weighed = set(before._weighed)
            self._kept = before._kept | self._kept
            self._complained |= before._complained

    async def count_trackers(self, *, attempts: int | None = None) -> None:
        """Ask for the second tracker: QPIGS2; NAK for a single one; raises `LinkError`.

        A layout that nobody has seen leaves the number unknown.
        """
        try:
            await self.read("QPIGS2", attempts=attempts)
        except Refused:
            self.trackers = 1
        except UnknownLayout as error:
            self._complain_once("QPIGS2", error)
            self.trackers = None

    # -- what is known now -----------------------------------------------------------

    def snapshot(self, *, online: bool, keep: Callable[[str], float]) -> Snapshot:
        """Return what is known; `keep` says for how many seconds a query holds.

        Offline, nothing but the identity is known.
        """
        if not online:
            return self.away()
        now = self._clock()

        def since(query: str) -> float:
            return now - keep(query)

        mode = self.kept("QMOD", DeviceMode, since("QMOD"))
        if mode is not None and not mode.known:
            text = (
                f"QMOD: no document explains mode {mode.mode!r}; the state is unknown. "
                "Please send a recording; its place is one row of "
                "src/mppdbus/protocol/modes.py"
            )
            self._complain_once("mode", UnknownLayout(text))
        return Snapshot(
            online=True,
            identity=self.identity,
            status=self._status(since("QPIGS")),
            battery_fitted=self.battery_fitted("QPIGS"),
            second=self._second(since("QPIGS2")),
            trackers=self.trackers,
            mode=mode.mode if mode else None,
            warnings=self.kept("QPIWS", Warnings, since("QPIWS")),
            ratings=self._ratings(since("QPIRI")),
            flags=self.kept("QFLAG", Flags, since("QFLAG")),
            link=self._link_state(),
            phase=self.phase,
            fault_code=self.crew.fault_code,
        )

    def away(self) -> Snapshot:
        """Return what stays true while the unit cannot be reached."""
        link = self._link_state()
        return Snapshot(
            identity=self.identity, trackers=self.trackers, phase=self.phase, link=link
        )

    @property
    def phase(self) -> int | None:
        """The phase or leg, 1 to 3, that the unit is set to; None without phases."""
        return phase_of(getattr(self.last("QPIRI"), "output_mode", None), self.dialect)

    def _link_state(self) -> LinkState:
        stats, kept = self.link.stats, self._kept.get("QPIGS")
        age = self._clock() - kept.time if kept else None
        return LinkState(stats.quality, stats.last_exchange, stats.failures, age)

    def battery_fitted(self, query: str) -> bool:
        """Tell whether the last reply to `query` shows a battery."""
        kept = self._kept.get(query)
        return kept is None or "no_battery" not in kept.codes

    def _status(self, since: float) -> GeneralStatus | None:
        status = self.kept("QPIGS", GeneralStatus, since)
        if status is None or self._family_known:
            return status
        return status.model_copy(update=dict.fromkeys(AMBIGUOUS))

    def _second(self, since: float) -> Second | None:
        return (
            self.kept("QPIGS2", SecondTracker, since)
            or self.kept("QPIGS2", SecondTrackerDuo, since)
            or self.kept("QPIGS2", SecondPhase, since)
        )

    def _ratings(self, since: float) -> Ratings | RatingsRevo | None:
        ratings = self.kept("QPIRI", Ratings, since)
        return ratings or self.kept("QPIRI", RatingsRevo, since)

    def _complain_once(self, key: str, error: Exception) -> None:
        if key not in self._complained:
            self._complained.add(key)
            raw = self.strange_replies.get(key)
            said = f": {raw.decode('ascii', 'backslashreplace')}" if raw else ""
            self._log.warning("%s%s", error, said)

    def _note_once(self, key: str, text: str) -> None:
        if key not in self._complained:
            self._complained.add(key)
            self._log.info("%s", text)


def _trackers(second: Reading) -> int:
    three = isinstance(second, SecondTrackerDuo) and second.pv3_voltage
    return 3 if three else 2

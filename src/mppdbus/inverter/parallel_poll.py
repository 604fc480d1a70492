"""Asks one unit about all units of its set: QPGSn and QP2GSn, one at a time."""

from collections.abc import Callable
from dataclasses import dataclass

from mppdbus.inverter.device import Inverter
from mppdbus.inverter.parallel_set import AskedUnit
from mppdbus.model.parallel import (
    CLEAR_PV,
    at_the_battery,
    fault_code,
    in_a_set,
    snapshot_of,
)
from mppdbus.model.snapshot import Snapshot
from mppdbus.protocol.replies.fields import Reading
from mppdbus.protocol.replies.parallel import (
    ParallelStatus,
    SecondPhaseParallelStatus,
    SecondTrackersParallel,
)
from mppdbus.protocol.replies.settings import SerialNumber
from mppdbus.protocol.replies.status import GeneralStatus

FAULT_HOLDS = 30.0  # s for which a fault code counts after it was read
FAULT = "F"  # the mode in which a unit's own fault code is of interest


@dataclass(frozen=True, slots=True)
class HalfRead:
    """A unit whose QPGS has come, and whose QP2GS is asked next.

    `lead` is the snapshot of the asked unit at that time.
    """

    slot: int
    status: ParallelStatus
    lead: Snapshot


class ParallelPoll:
    """Polls the other units of an inverter's set; `tell` gets all on each change.

    It gets every unit seen so far, by serial number, else as "slot 2". A unit that has
    dropped out has only its identity.
    """

    def __init__(
        self,
        inverter: Inverter,
        clock: Callable[[], float],
        tell: Callable[[dict[str, Snapshot]], None],
    ) -> None:
        self._inverter = inverter
        self._clock = clock
        self._tell = tell
        self._fault_read = float("-inf")
        self._half: HalfRead | None = None

    @property
    def wanted(self) -> bool:
        """Tell whether to ask at all: there is a set, or a fault without a code."""
        known = isinstance(self._inverter.readings.last("QPGS0"), ParallelStatus)
        return known and (self._in_a_set() or self._faulty())

    def live_polled(self) -> None:
        """Note a live poll: from now on each slot may be asked about once more."""
        now, parallel_set = self._clock(), self._inverter.parallel_set
        parallel_set.live_polled()
        if now - self._fault_read > FAULT_HOLDS:
            parallel_set.fault_code = None
        if parallel_set.expire(now):
            self._tell_all()

    @property
    def behind(self) -> bool:
        """Tell whether a unit has waited for its turn for too long."""
        return self._inverter.parallel_set.behind(self._clock())

    @property
    def halfway(self) -> bool:
        """Tell whether the next query is the second one about the same unit."""
        return self._half is not None

    def lost(self) -> None:
        """Report all units as unknown."""
        self._half = None
        self._inverter.parallel_set.lost()
        self._tell_all()

    async def ask(self, lead: Snapshot) -> bool:
        """Send the next query, if any, and return whether there was one.

        `lead` is the snapshot of the asked unit. Raises only `PortLost`.
        """
        if not self._in_a_set():
            status = await self._read("QPGS0")
            if isinstance(status, ParallelStatus):
                self._take_own(status)
            return False  # at most once between two live polls
        if self._half is not None:
            await self._ask_second(self._half)
        else:
            now, own = self._clock(), self._own_wanted()
            slot = self._inverter.parallel_set.next_slot(now, own=own)
            if slot is None:
                return False
            await self._ask_first(slot, lead)
        if self._half is None:
            self._tell_all()
        return True

    # -- one query ------------------------------------------------------------------

    async def _read(self, query: str) -> Reading | None:
        inverter = self._inverter
        return await inverter.try_read(query, attempts=1, patience=inverter.link.brief)

    async def _ask_first(self, slot: int, lead: Snapshot) -> None:
        """Ask QPGS; QP2GS is next if QPGS shows only a part of the unit."""
        inverter, parallel_set = self._inverter, self._inverter.parallel_set
        parallel_set.asked(slot, self._clock())
        status = await self._read(f"QPGS{slot}")
        doubtful = f"QPGS{slot}" in inverter.readings.doubted
        if not isinstance(status, ParallelStatus) or _nameless(status) or doubtful:
            parallel_set.missed(slot)
            return
        half = HalfRead(slot, status, lead)
        another = status.exists and slot != parallel_set.own
        several = (inverter.trackers or 1) > 1 and status.pv2_voltage is None
        partly = several or inverter.dialect.phases > 1
        again = inverter.known.again.get(f"QP2GS{slot}", 0.0)
        if another and partly and self._clock() >= again:
            self._half = half
        else:
            self._take(half, None)

    async def _ask_second(self, half: HalfRead) -> None:
        self._half, query = None, f"QP2GS{half.slot}"
        second = await self._read(query)
        fits = isinstance(second, SecondPhaseParallelStatus | SecondTrackersParallel)
        kept = self._inverter.readings.kept.get(query)
        self._take(half, kept.plausible if kept and fits else None)

    def _take(self, half: HalfRead, second: Reading | None) -> None:
        inverter, parallel_set = self._inverter, self._inverter.parallel_set
        kept = inverter.readings.kept.get(f"QPGS{half.slot}")
        plausible = kept.plausible if kept else None
        snapshot = snapshot_of(
            plausible if isinstance(plausible, ParallelStatus) else half.status,
            inverter.dialect,
            lead=half.lead,
            second=second,
            current_at_battery=parallel_set.current_at_battery,
            battery_fitted=kept is None or kept.battery_fitted,
        )
        unit = AskedUnit(self._serial(), inverter.readings.last("QPIGS"))
        parallel_set.answered(half.slot, half.status, snapshot, unit, self._clock())
        if half.slot == parallel_set.own:
            self._take_own(half.status)

    # -- the asked unit ---------------------------------------------------------------

    def _serial(self) -> str | None:
        """Return the serial number as QID prints it, even one that many units give."""
        reading = self._inverter.readings.last("QID")
        return reading.serial if isinstance(reading, SerialNumber) else None

    def _in_a_set(self) -> bool:
        readings = self._inverter.readings
        return in_a_set(readings.last("QPIRI"), readings.last("QPGS0"))

    def _faulty(self) -> bool:
        mode = self._inverter.readings.last("QMOD")
        return getattr(mode, "mode", None) == FAULT

    def _own_wanted(self) -> bool:
        """Tell whether to ask about the asked unit too, for its fault or PV current."""
        if self._faulty():
            return True
        inverter, status = self._inverter, self._inverter.readings.last("QPIGS")
        if inverter.dialect.pv_current_is_battery_side is not None:
            return False
        power = status.pv_charging_power if isinstance(status, GeneralStatus) else None
        unknown = inverter.parallel_set.current_at_battery is None
        return unknown and (power or 0) > CLEAR_PV

    def _take_own(self, own: ParallelStatus) -> None:
        parallel_set = self._inverter.parallel_set
        parallel_set.fault_code = fault_code(own)
        self._fault_read = self._clock()
        status = self._inverter.readings.last("QPIGS")
        if isinstance(status, GeneralStatus):
            side = at_the_battery(own, status)
            if side is not None:
                parallel_set.current_at_battery = side

    def _tell_all(self) -> None:
        others = self._inverter.parallel_set.other_units(self._serial())
        if others:
            self._tell(others)


def _nameless(status: ParallelStatus) -> bool:
    """Tell whether odd words hide if there is a unit, or which."""
    return status.exists is None or (status.exists and status.serial is None)

"""Asks one unit about all units of its set: QPGSn and QP2GSn, one at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable

from mppdbus.errors import LinkError, PortLost, ProtocolError, Refused
from mppdbus.inverter.device import Inverter
from mppdbus.inverter.parallel_set import Own
from mppdbus.model.parallel import (
    TELLING,
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


class Members:
    """The other units of an inverter's set; `tell` gets them all after each news.

    It gets every unit that was ever seen, by serial number, else as "slot 2". A unit
    that has dropped out is there with nothing but its identity.
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
        self._log = logging.getLogger(f"mppdbus.{inverter.name}")

    @property
    def wanted(self) -> bool:
        """Tell whether there is anything to ask: a set, or a fault to be named."""
        known = isinstance(self._inverter.last("QPGS0"), ParallelStatus)
        return known and (self._in_a_set or self._faulty)

    def live(self) -> None:
        """Note a live poll: from now on each slot may be asked about once more."""
        self._inverter.crew.live()
        if self._clock() - self._fault_read > FAULT_HOLDS:
            self._inverter.crew.fault_code = None

    def lost(self) -> None:
        """Say that nothing is known of anybody any more."""
        self._inverter.crew.fault_code = None
        self._inverter.crew.lost()
        self._tell_all()

    async def ask(self, lead: Snapshot) -> bool:
        """Send the next query, if any, and say whether there was one.

        `lead` is what is known of the asked unit. Only `PortLost` gets out.
        """
        crew, now = self._inverter.crew, self._clock()
        if not self._in_a_set:
            said = await self._read("QPGS0")
            if isinstance(said, ParallelStatus):
                self._own_said(said)
            return False  # once between two live polls is enough
        query = crew.next(now, own=self._own_wanted)
        if query is None:
            return False
        crew.asked(query, now)
        said = await self._read(query)
        if query.startswith("QP2GS"):
            self._second(said)
        elif isinstance(said, ParallelStatus):
            self._first(int(query[-1]), said, lead)
        else:
            crew.missed(query)
        if crew.half is None:
            self._tell_all()
        return True

    # -- one query ------------------------------------------------------------------

    async def _read(self, query: str) -> Reading | None:
        """Return what came, an empty slot for NAK, or None."""
        inverter = self._inverter
        patience = inverter.link.brief
        try:
            return await inverter.read(query, attempts=1, patience=patience)
        except PortLost:
            raise
        except Refused:
            inverter.unsupported.discard(query)  # a unit may be there another time
            return ParallelStatus(exists=False) if "QPGS" in query else None
        except (LinkError, ProtocolError) as error:
            self._log.debug("%s", error)
            return None

    def _first(self, slot: int, said: ParallelStatus, lead: Snapshot) -> None:
        crew = self._inverter.crew
        another = said.exists and slot != crew.own
        if another and crew.has_second and self._halved(said):
            crew.half = slot, said, lead
        else:
            self._take(slot, said, lead, None)

    def _second(self, second: Reading | None) -> None:
        crew = self._inverter.crew
        if crew.half is None:
            return
        slot, said, lead = crew.half
        crew.half = None
        fits = isinstance(second, SecondPhaseParallelStatus | SecondTrackersParallel)
        crew.note_second(fits=fits)
        known = self._inverter.kept(f"QP2GS{slot}", Reading, float("-inf"))
        self._take(slot, said, lead, known if fits else None)

    def _take(
        self, slot: int, said: ParallelStatus, lead: Snapshot, second: Reading | None
    ) -> None:
        inverter, crew = self._inverter, self._inverter.crew
        query = f"QPGS{slot}"
        possible = inverter.kept(query, ParallelStatus, float("-inf")) or said
        snapshot = snapshot_of(
            possible,
            inverter.dialect,
            lead=lead,
            second=second,
            current_at_battery=crew.current_at_battery,
            battery_fitted=inverter.battery_fitted(query),
        )
        crew.heard(slot, said, snapshot, self._own)
        if slot == crew.own:
            self._own_said(said)

    # -- the asked unit ---------------------------------------------------------------

    @property
    def _own(self) -> Own:
        serial = self._inverter.last("QID")
        number = serial.serial if isinstance(serial, SerialNumber) else None
        return Own(number, self._inverter.last("QPIGS"))

    @property
    def _in_a_set(self) -> bool:
        return in_a_set(self._inverter.last("QPIRI"), self._inverter.last("QPGS0"))

    @property
    def _faulty(self) -> bool:
        return getattr(self._inverter.last("QMOD"), "mode", None) == FAULT

    @property
    def _own_wanted(self) -> bool:
        """Its fault has a name, or its PV tells where the others' is measured."""
        if self._faulty:
            return True
        inverter, status = self._inverter, self._inverter.last("QPIGS")
        if inverter.dialect.pv_current_is_battery_side is not None:
            return False
        power = status.pv_charging_power if isinstance(status, GeneralStatus) else None
        return inverter.crew.current_at_battery is None and (power or 0) > TELLING

    def _own_said(self, said: ParallelStatus) -> None:
        inverter = self._inverter
        inverter.crew.fault_code = fault_code(said)
        self._fault_read = self._clock()
        status = inverter.last("QPIGS")
        if isinstance(status, GeneralStatus):
            side = at_the_battery(said, status)
            if side is not None:
                inverter.crew.current_at_battery = side

    def _halved(self, said: ParallelStatus) -> bool:
        """Tell whether QPGS shows only a part of such a unit."""
        trackers = self._inverter.trackers or 1
        return self._inverter.dialect.phases > 1 or (
            trackers > 1 and said.pv2_voltage is None
        )

    def _tell_all(self) -> None:
        others = self._inverter.crew.others(self._own)
        if others:
            self._tell(others)

"""The units of a parallel set, found by asking one of them. No I/O, no clock."""

from dataclasses import dataclass, replace

from mppdbus.model.parallel import away
from mppdbus.model.snapshot import Snapshot
from mppdbus.protocol.replies.fields import Reading
from mppdbus.protocol.replies.parallel import ParallelStatus
from mppdbus.protocol.serial_numbers import bogus_serial

SLOTS = range(10)
# Queries about other units; they are no evidence of the asked unit's dialect.
OTHERS = frozenset(f"{query}{n}" for query in ("QPGS", "QP2GS") for n in range(1, 10))
RESCAN = 60.0  # s between two queries about slots without a unit
APART = 2.0  # s at least between two queries about a slot that did not answer
ROUNDS = 3  # queries in a row without an answer after which a unit is away
SHORTEST_KEEP = 5.0  # s for which the values of a unit are shown at least
LONGEST_KEEP = 15.0  # s at most, unless the line takes longer for a round
SPARE = 1.25  # rounds for which they are shown where it does
FIRST_ROUND = 24.0  # s that the first round of all slots may take
BEHIND = 10.0  # s without a reading after which a unit is asked out of turn
NEAR = 0.1  # share by which a value may differ between two readings of one unit
# Fields by which a unit is recognised if its serial number is not unique.
TRAITS = (
    *("pv_input_voltage", "ac_output_apparent_power"),
    *("battery_charging_current", "battery_discharge_current"),
)


@dataclass(frozen=True, slots=True)
class AskedUnit:
    """The unit at the port: the serial number as QID prints it, and its QPIGS."""

    serial: str | None
    status: Reading | None


@dataclass(slots=True)
class Slot:
    """A slot of the set in which there is, or was, a unit.

    `status` is its last QPGS as it came, at the time `heard`; `misses` counts queries
    in a row without one, `interval` is the s between its last two readings.
    """

    status: ParallelStatus
    snapshot: Snapshot
    heard: float
    interval: float = FIRST_ROUND
    misses: int = 0

    @property
    def keep(self) -> float:
        """Return for how many s its values are shown: three rounds, within bounds."""
        longest = max(LONGEST_KEEP, SPARE * self.interval)
        return min(max(SHORTEST_KEEP, 3 * self.interval), longest)


class ParallelSet:
    """The state of a set: the slots to ask about, and the answers for each.

    Times are the caller's clock. The units may renumber their slots, so a unit is
    identified by its serial number if that is unique, else by its slot.
    """

    def __init__(self) -> None:
        self.slots: dict[int, Slot] = {}  # of the asked unit, too
        self.own: int | None = None  # the slot of the asked unit
        self.fault_code: str | None = None  # of the asked unit, while it is fresh
        self.current_at_battery: bool | None = None  # see `snapshot_of`
        self._twin: int | None = None  # the slot that shows a unit a second time
        self._unseen = list(SLOTS)
        self._unsure: list[int] = []  # without an answer once; a unit may be there
        self._denied: set[int] = set()  # slots that were unsure once
        self._settled = False  # the asked unit was found among all slots
        self._tried: dict[int, float] = {}
        self._rescanned = 0.0
        self._asked: set[int] = set()  # since the last live poll
        self._shown: dict[str, Snapshot] = {}

    # -- what to ask --------------------------------------------------------------

    def live_polled(self) -> None:
        """Note a live poll: from now on each slot may be asked about once more."""
        self._asked.clear()

    def next_slot(self, now: float, *, own: bool = False) -> int | None:
        """Return the slot to ask about, if any; with `own` also that of the asked unit.

        The first round is all slots; then slots with units in turn, others seldom.
        """
        ring = self.slots.keys() - {self._twin, None if own else self.own}
        missed = [n for n in ring if 0 < self.slots[n].misses < ROUNDS]
        for slot in (*missed, *self._unsure):
            if slot not in self._asked and now - self._tried[slot] >= APART:
                return slot
        if self._unseen:
            return self._unseen[0]
        if now - self._rescanned >= RESCAN:
            waiting = set(SLOTS) - ring
        else:
            waiting = ring - self._asked
        never = float("-inf")
        tried = {slot: self._tried.get(slot, never) for slot in sorted(waiting)}
        return min(tried, key=tried.__getitem__, default=None)

    @property
    def met(self) -> bool:
        """Whether each slot has been asked about, with any outcome."""
        return not self._unseen

    def behind(self, now: float) -> bool:
        """Tell whether a unit that answers has waited for its turn for too long."""
        return any(now - slot.heard > BEHIND for slot in self._shown_slots())

    def expire(self, now: float) -> bool:
        """Forget the values that are too old; tell whether there were any."""
        old = [slot for slot in self._shown_slots() if now - slot.heard > slot.keep]
        for slot in old:
            slot.snapshot = away(slot.snapshot)
        return bool(old)

    def _shown_slots(self) -> list[Slot]:
        hidden = (self.own, self._twin)
        return [
            slot
            for number, slot in self.slots.items()
            if slot.snapshot.online and number not in hidden
        ]

    def asked(self, slot: int, now: float) -> None:
        """Note that a slot was asked about, with any outcome."""
        if slot in self._unseen:
            self._unseen.remove(slot)
            self._rescanned = now
        elif slot in self._unsure:
            self._unsure.remove(slot)
        elif slot not in self.slots or slot in (self.own, self._twin):
            self._rescanned = now
        self._tried[slot] = now
        self._asked.add(slot)

    # -- what was answered ----------------------------------------------------------

    def answered(
        self,
        slot: int,
        status: ParallelStatus,
        snapshot: Snapshot,
        unit: AskedUnit,
        now: float,
    ) -> None:
        """Take the QPGS of a slot, and the snapshot made of it."""
        if _is_there(status, unit):
            self._settled &= slot in self.slots
            before = self.slots.get(slot)
            steady = before is not None and before.snapshot.online
            interval = now - before.heard if before and steady else FIRST_ROUND
            link = replace(snapshot.link, interval=interval if steady else None)
            snapshot = replace(snapshot, link=link)
            self.slots[slot] = Slot(status, snapshot, now, interval)
        elif slot in self.slots:
            self._drop(slot)
        self._find_own(unit)

    def missed(self, slot: int) -> None:
        """Note that no answer came about a slot: silence, or a NAK."""
        if slot in self.slots:
            self.slots[slot].misses += 1
            if self.slots[slot].misses >= ROUNDS:
                self._drop(slot)
        elif slot not in self._denied:
            self._denied.add(slot)
            self._unsure.append(slot)

    def lost(self) -> None:
        """Note that the asked unit has not answered for long."""
        self.fault_code = None
        for slot in self.slots:
            self._drop(slot)

    def _drop(self, slot: int) -> None:
        self.slots[slot].snapshot = away(self.slots[slot].snapshot)

    def _find_own(self, unit: AskedUnit) -> None:
        """Find the asked unit: by its serial number, else by what it measures."""
        slots = self.slots
        same = [n for n, slot in slots.items() if slot.status.serial == unit.serial]
        if self._unseen:
            sure = len(same) == 1 and not bogus_serial(unit.serial)
            self.own = same[0] if sure else self.own
            return
        candidates = same or list(slots)
        if self.own in candidates and self._settled:
            return
        self._settled = True
        self.own = min(
            candidates,
            key=lambda n: _unlike(slots[n].status, unit.status),
            default=None,
        )
        self._twin = self._find_twin()

    def _find_twin(self) -> int | None:
        """Return the slot that shows a unit for the second time.

        On some firmware slot 0 is the asked unit, which has another slot as well.
        """
        first = self.slots.get(0)
        if first is None:
            return None
        others = [
            n
            for n, slot in self.slots.items()
            if n and slot.status.serial == first.status.serial
        ]
        if len(others) != 1:
            return None
        if _unlike(first.status, self.slots[others[0]].status) > NEAR:
            return None
        return others[0] if self.own == 0 else 0

    # -- what is known ----------------------------------------------------------------

    def other_units(self, serial: str | None) -> dict[str, Snapshot]:
        """Return all other units ever known, by serial number, else as "slot 2".

        `serial` is that of the asked unit. The result is empty until that is found, so
        that it is never among the others.
        """
        if self.own is None:
            return {}
        now: dict[str, Snapshot] = {}
        rest = sorted(self.slots.keys() - {self.own, self._twin})
        for slot in sorted(rest, key=lambda slot: not self.slots[slot].snapshot.online):
            snapshot = self.slots[slot].snapshot
            key = snapshot.identity.serial
            if key is None or key == serial or key in now:
                if self._unseen or (not snapshot.online and key in now):
                    continue  # not yet distinguishable; or it has another slot now
                key = f"slot {slot}"
            now[key] = snapshot
        self._shown = {key: away(old) for key, old in self._shown.items()} | now
        return dict(self._shown)


def _is_there(status: ParallelStatus, unit: AskedUnit) -> bool:
    """Tell whether there is a unit; a single unit may deny its own existence."""
    if status.exists:
        return True
    return status.serial == unit.serial and not bogus_serial(status.serial)


def _unlike(one: ParallelStatus, other: Reading | None) -> float:
    """Return how much two readings differ, 0 to 1, in the fields of `TRAITS`."""
    worst = 0.0
    for name in TRAITS:
        a, b = getattr(one, name), getattr(other, name, None)
        if a is not None and b is not None:
            worst = max(worst, (abs(a - b) - 2) / max(a, b, 20))
    return worst

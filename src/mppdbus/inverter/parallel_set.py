"""Which units a set has, found out and kept by asking one of them. No I/O, no clock."""

from __future__ import annotations

from dataclasses import dataclass

from mppdbus.model.parallel import away
from mppdbus.model.snapshot import Snapshot
from mppdbus.protocol.dialects import bogus_serial
from mppdbus.protocol.replies.fields import Reading
from mppdbus.protocol.replies.parallel import ParallelStatus

SLOTS = range(10)
# What is asked about other units; they are no witnesses of what the asked one is.
OTHERS = frozenset(f"{query}{n}" for query in ("QPGS", "QP2GS") for n in range(1, 10))
RESCAN = 60.0  # s from one slot without a unit to the next
ROUNDS = 3  # without an answer, after which a unit is away
NEAR = 0.1  # by which part of itself a value differs from one reading to the next
# By these a unit is recognised where the serial numbers do not tell.
TRAITS = (
    *("pv_input_voltage", "ac_output_apparent_power"),
    *("battery_charging_current", "battery_discharge_current"),
)


@dataclass(frozen=True, slots=True)
class Own:
    """The asked unit: the serial number as QID prints it, and its QPIGS."""

    serial: str | None
    said: Reading | None


@dataclass(slots=True)
class Member:
    """A slot of the set in which there is, or was, a unit; `misses` in rounds."""

    said: ParallelStatus
    snapshot: Snapshot
    misses: int = 0


class Crew:
    """Bookkeeping of a set: which slots to ask about, and what is known of each.

    Times are the caller's clock. Numbers of the slots may be dealt anew by the units,
    so units go by their serial numbers, as far as these tell them apart.
    """

    def __init__(self) -> None:
        self.members: dict[int, Member] = {}  # the asked unit included
        self.own: int | None = None  # the slot of the unit that is asked
        self.fault_code: str | None = None  # of the asked unit, while it is fresh
        self.current_at_battery: bool | None = None  # see `snapshot_of`
        self.has_second = True  # until QP2GS has failed too often
        self.half: tuple[int, ParallelStatus, Snapshot] | None = None  # wants QP2GS
        self._twin: int | None = None  # shows a unit that another slot shows too
        self._unseen = list(SLOTS)
        self._settled = False  # who is who was decided among all slots
        self.round: float | None = None  # s from one reading of a unit to the next
        self._tried: dict[int, float] = {}
        self._rescanned = 0.0
        self._asked: set[int] = set()  # since the last live poll
        self._shown: dict[str, Snapshot] = {}
        self._failures = 0  # of QP2GS in a row

    # -- what to ask --------------------------------------------------------------

    def live(self) -> None:
        """Note a live poll: from now on each slot may be asked about once more."""
        self._asked.clear()

    def next(self, now: float, *, own: bool = False) -> str | None:
        """Return the next query, if any; `own`: the asked unit is of interest too.

        First all slots, then those with units in turn, and seldom one of the others.
        """
        if self.half is not None:
            return f"QP2GS{self.half[0]}"
        if self._unseen:
            return f"QPGS{self._unseen[0]}"
        ring = self.members.keys() - {self._twin, None if own else self.own}
        if now - self._rescanned >= RESCAN:
            waiting = set(SLOTS) - ring
        else:
            waiting = ring - self._asked
        slot = min(sorted(waiting), key=self._last_tried, default=None)
        return None if slot is None else f"QPGS{slot}"

    def _last_tried(self, slot: int) -> float:
        return self._tried.get(slot, float("-inf"))

    def asked(self, query: str, now: float) -> None:
        """Note that a query of `next` was sent, whatever will come of it."""
        if query.startswith("QP2GS"):
            return  # the other half of what was noted with QPGS
        slot = int(query[-1])
        if slot in self._unseen:
            self._unseen.remove(slot)
            self._rescanned = now
        elif slot not in self.members or slot in (self.own, self._twin):
            self._rescanned = now
        else:
            self.round = now - self._tried[slot]
        self._tried[slot] = now
        self._asked.add(slot)

    # -- what was said --------------------------------------------------------------

    def heard(
        self, slot: int, said: ParallelStatus, snapshot: Snapshot, own: Own
    ) -> None:
        """Take what a slot says; `snapshot` is that of `said`, `own` who was asked."""
        if _is_there(said, own):
            self._settled &= slot in self.members
            self.members[slot] = Member(said, snapshot)
        elif slot in self.members:
            self._drop(slot)
        self._find_own(own)

    def missed(self, query: str) -> None:
        """Note that nothing came of a query."""
        slot = int(query[-1])
        if slot in self.members:
            self.members[slot].misses += 1
            if self.members[slot].misses >= ROUNDS:
                self._drop(slot)

    def note_second(self, *, fits: bool) -> None:
        """Note whether a QP2GS came; nobody asks for ever for what is not known."""
        self._failures = 0 if fits else self._failures + 1
        self.has_second = self._failures < ROUNDS

    def lost(self) -> None:
        """Note that the unit that is asked has not answered for long."""
        self.half = None
        for slot in self.members:
            self._drop(slot)

    def _drop(self, slot: int) -> None:
        self.members[slot].snapshot = away(self.members[slot].snapshot)

    def _find_own(self, own: Own) -> None:
        """Find the asked unit: by its serial number, else by what it measures."""
        members = self.members
        same = [s for s, m in members.items() if m.said.serial == own.serial]
        if self._unseen:
            sure = len(same) == 1 and not bogus_serial(own.serial)
            self.own = same[0] if sure else self.own
            return
        candidates = same or list(members)
        if self.own in candidates and self._settled:
            return
        self._settled = True
        self.own = min(
            candidates,
            key=lambda slot: _unlike(members[slot].said, own.said),
            default=None,
        )
        self._twin = self._find_twin()

    def _find_twin(self) -> int | None:
        """Return the slot that shows a unit for the second time.

        Slot 0 is the asked unit on some firmware, and has a number of its own as well.
        """
        first = self.members.get(0)
        if first is None:
            return None
        others = [
            slot
            for slot, member in self.members.items()
            if slot and member.said.serial == first.said.serial
        ]
        if len(others) != 1 or _unlike(first.said, self.members[others[0]].said) > NEAR:
            return None
        return others[0] if self.own == 0 else 0

    # -- what is known ----------------------------------------------------------------

    def others(self, own: Own) -> dict[str, Snapshot]:
        """Return the other units by serial number, else as "slot 2"; all ever known.

        Nothing before the asked unit is known among them, so that it never is another.
        """
        if self.own is None:
            return {}
        now: dict[str, Snapshot] = {}
        rest = sorted(self.members.keys() - {self.own, self._twin})
        for slot in sorted(
            rest, key=lambda slot: not self.members[slot].snapshot.online
        ):
            snapshot = self.members[slot].snapshot
            serial = snapshot.identity.serial
            if serial is None or serial == own.serial or serial in now:
                if self._unseen or (not snapshot.online and serial in now):
                    continue  # not yet to be told apart; or it has another slot now
                serial = f"slot {slot}"
            now[serial] = snapshot
        self._shown = {key: away(old) for key, old in self._shown.items()} | now
        return dict(self._shown)


def _is_there(said: ParallelStatus, own: Own) -> bool:
    """Tell whether there is a unit; a lone one may deny that of itself."""
    if said.exists:
        return True
    return said.serial == own.serial and not bogus_serial(said.serial)


def _unlike(one: ParallelStatus, other: Reading | None) -> float:
    """Return how much two readings differ, 0 to 1, by what tells units apart."""
    worst = 0.0
    for name in TRAITS:
        a, b = getattr(one, name), getattr(other, name, None)
        if a is not None and b is not None:
            worst = max(worst, (abs(a - b) - 2) / max(a, b, 20))
    return worst

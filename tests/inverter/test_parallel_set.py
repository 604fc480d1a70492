"""Which slot of a set is which unit, when the numbers do not tell."""

from __future__ import annotations

from mppdbus.inverter.parallel_set import RESCAN, ROUNDS, SLOTS, AskedUnit, ParallelSet
from mppdbus.model.parallel import snapshot_of
from mppdbus.protocol.dialects import DIALECTS
from mppdbus.protocol.replies.parallel import ParallelStatus
from mppdbus.protocol.replies.status import GeneralStatus

A, B, C = "92932105100001", "92932105100002", "92932105100003"
BOGUS = "55355535553555"
EMPTY = ParallelStatus(exists=False, serial="00000000000000", mode="P")


def said(serial: str, load: int = 500) -> ParallelStatus:
    return ParallelStatus(
        exists=True, serial=serial, mode="B", ac_output_apparent_power=load
    )


class Told:
    """A set of which some slots have been read; `own` is the unit that was asked."""

    def __init__(self, serial: str | None, load: int = 500) -> None:
        self.set = ParallelSet()
        self.own = AskedUnit(serial, GeneralStatus(ac_output_apparent_power=load))
        self.now = 0.0

    def round(self, **slots: ParallelStatus) -> list[str]:
        """Ask about each slot that is due until the next live poll; return queries."""
        self.set.live_polled()
        asked = []
        while (slot := self.set.next_slot(self.now)) is not None:
            asked.append(f"QPGS{slot}")
            self.set.asked(slot, self.now)
            self.hear(slot, slots.get(f"s{slot}", EMPTY))
        return asked

    def hear(self, slot: int, reading: ParallelStatus) -> None:
        snapshot = snapshot_of(reading, DIALECTS["pi30max"])
        self.set.answered(slot, reading, snapshot, self.own, self.now)

    @property
    def loads(self) -> dict[str, int | None]:
        """What is told of the others: VA, None for one that is away."""
        others = self.set.other_units(self.own.serial)
        return {
            key: other.status.ac_output_apparent_power if other.status else None
            for key, other in others.items()
        }


def test_all_slots_first_then_those_with_others_and_seldom_one_of_the_rest() -> None:
    told = Told(B)
    slots = {"s0": said(A, 100), "s1": said(B), "s2": said(C, 300)}
    assert told.round(**slots)[:10] == [f"QPGS{n}" for n in SLOTS]
    assert told.set.own == 1
    assert told.loads == {A: 100, C: 300}
    assert told.round(**slots) == ["QPGS0", "QPGS2"]
    told.now = RESCAN
    assert told.round(**slots) == ["QPGS1", "QPGS0", "QPGS2"]
    told.now = 2 * RESCAN
    assert told.round(**slots) == ["QPGS3", "QPGS0", "QPGS2"]


def test_nothing_is_told_before_the_asked_unit_is_known_among_them() -> None:
    told = Told(C)
    for slot, serial in enumerate((A, B)):
        told.set.asked(slot, 0.0)
        told.hear(slot, said(serial))
        assert told.loads == {}
    told.set.asked(2, 0.0)
    told.hear(2, said(C))
    assert told.loads == {A: 500, B: 500}


def test_slot_0_is_the_asked_unit_once_more_on_some_firmware() -> None:
    told = Told(B)
    told.round(s0=said(B, 510), s1=said(A, 400), s2=said(B, 500))
    assert told.set.own in (0, 2)
    assert told.loads == {A: 400}


def test_who_is_alike_for_a_moment_stays_another() -> None:
    told = Told(A)
    told.round(s0=said(A, 500), s1=said(A, 50))
    assert told.loads == {"slot 1": 50}
    told.round(s0=said(A, 500), s1=said(A, 500))
    assert told.loads == {"slot 1": 500}


def test_a_newcomer_may_show_who_is_who() -> None:
    told = Told(A)
    told.round(s0=said(A, 500), s1=said(A, 500))
    assert told.loads == {}
    for _ in SLOTS:
        told.now += RESCAN
        told.round(s0=said(A, 500), s1=said(A, 500), s2=said(A, 500))
    assert len(told.loads) == 2  # three are no unit that shows twice


def test_two_units_with_one_number_are_two() -> None:
    told = Told(A, load=1000)
    slots = {"s0": said(A, 200), "s1": said(A, 1000), "s2": said(B, 300)}
    told.round(**slots)
    assert told.set.own == 1  # it measures what QPIGS says
    assert told.loads == {"slot 0": 200, B: 300}
    told.round(**slots | {"s0": EMPTY})
    assert told.loads == {"slot 0": None, B: 300}


def test_units_without_numbers() -> None:
    told = Told(BOGUS, load=700)
    told.round(s0=said(BOGUS, 100), s1=said(BOGUS, 400), s2=said(BOGUS, 700))
    assert told.set.own == 2
    assert told.loads == {"slot 0": 100, "slot 1": 400}


def test_a_unit_whose_number_is_printed_otherwise_is_found_by_what_it_measures() -> (
    None
):
    told = Told("00" + A, load=900)
    told.round(s0=said(B, 300), s1=said(A, 890))
    assert told.set.own == 1
    assert told.loads == {B: 300}


def test_the_third_round_without_an_answer_is_one_too_many() -> None:
    told = Told(A)
    told.round(s0=said(A), s1=said(B))
    for _ in range(ROUNDS - 1):
        told.set.missed(1)
        assert told.loads == {B: 500}
    told.set.missed(1)
    assert told.loads == {B: None}
    told.round(s0=said(A), s1=said(B, 400))
    assert told.loads == {B: 400}
    told.set.missed(1)
    assert told.loads == {B: 400}
    told.set.missed(7)  # where nobody is
    assert told.loads == {B: 400}


def test_an_empty_slot_is_believed_at_once() -> None:
    told = Told(A)
    told.round(s0=said(A), s1=said(B))
    assert told.loads == {B: 500}
    told.round(s0=said(A))
    assert told.loads == {B: None}


def test_without_the_asked_unit_nobody_is_known() -> None:
    told = Told(A)
    told.round(s0=said(A), s1=said(B), s2=said(C))
    told.set.lost()
    assert told.loads == {B: None, C: None}
    told.round(s0=said(A), s1=said(B), s2=said(C))
    assert told.loads == {B: 500, C: 500}


def test_units_keep_their_names_when_the_slots_are_dealt_anew() -> None:
    told = Told(A)
    told.round(s0=said(A), s1=said(B, 100), s2=said(C, 200))
    assert told.loads == {B: 100, C: 200}
    told.round(s0=said(A), s1=said(C, 210), s2=EMPTY)
    assert told.loads == {B: None, C: 210}
    told.round(s0=said(A), s1=said(C, 220), s2=said(B, 110))
    assert told.loads == {B: 110, C: 220}


def test_a_lone_unit_of_a_set_has_no_others() -> None:
    told = Told(A)
    told.round(s0=ParallelStatus(exists=False, serial=A, mode="B"))
    assert told.set.own == 0
    assert told.loads == {}
    assert told.round() == []


def test_an_answer_that_fits_nobody_is_survived() -> None:
    told = Told(BOGUS)
    told.round()
    assert (told.set.own, told.loads) == (None, {})

"""All inverters of an installation and the battery they share: what each one shows.

Stateful, but pure: snapshots and times are passed in, views come out.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TypedDict

from mppdbus.model.alarms import AlarmWatch
from mppdbus.model.battery.bank import Bank
from mppdbus.model.battery.state_of_charge import Charge
from mppdbus.model.energy.history import History
from mppdbus.model.energy.ledger import Counters, Ledger
from mppdbus.model.energy.sample import Sample
from mppdbus.model.losses import LossLearner
from mppdbus.model.power import Losses, flow
from mppdbus.model.snapshot import Snapshot
from mppdbus.model.views import SystemView, Unit, UnitView

Key = Hashable
SHARED = Charge(origin="unknown: see the battery that all inverters share")


@dataclass(slots=True)
class _Place:
    """One inverter: who it is, and what is kept of it between two snapshots."""

    unit: Unit
    view: UnitView
    alarms: AlarmWatch
    serial: str | None = None
    heard: float = float("-inf")  # when the last new reading came
    learner: LossLearner = field(default_factory=LossLearner)
    learned: Losses | None = None  # what of the learner the books have
    ledger: Ledger | None = None


class _Counted(TypedDict):
    """What of a view comes from counting."""

    charge: Charge
    counters: Counters | None
    history: History | None


class Site:
    """The inverters by key, in the order in which they came.

    `expected` is the number of units that will come at least; with more than one the
    battery is that of a service of its own, and no single unit has its charge.
    `corrected` is called when the user has set the state of charge.
    """

    def __init__(
        self,
        bank: Bank,
        *,
        expected: int = 1,
        corrected: Callable[[], None] = lambda: None,
    ) -> None:
        self._bank = bank
        self._charge_now: Charge | None = None  # of the bank, once somebody has asked
        self._corrected = corrected
        self._expected = expected
        self._places: dict[Key, _Place] = {}

    @property
    def bank(self) -> Bank:
        """The battery that all inverters share."""
        return self._bank

    @bank.setter
    def bank(self, bank: Bank) -> None:
        self._bank, self._charge_now = bank, None

    @property
    def charge(self) -> Charge:
        """How full it is, by the last count."""
        if self._charge_now is None:
            self._charge_now = self._bank.charge
        return self._charge_now

    # -- who is there -------------------------------------------------------------

    def join(self, key: Key, unit: Unit, serial: str | None = None) -> None:
        """Take a unit in, or another one in its place; nothing is known of it."""
        view = UnitView.of(unit, Snapshot(), charge=SHARED)
        self._places[key] = _Place(unit, view, AlarmWatch(unit.profile), serial)

    def serial(self, key: Key) -> str | None:
        """Return the serial number that a unit came with."""
        return self._places[key].serial

    def twins(self, key: Key, serial: str | None) -> list[Key]:
        """Return the other places where there is, or was, a unit of this number."""
        if serial is None:
            return []
        others = self._places.items()
        return [k for k, place in others if k != key and place.serial == serial]

    def heard(self, key: Key) -> float:
        """Return when the last new reading of a unit came, by the time of `see`."""
        return self._places[key].heard

    def change(self, key: Key, unit: Unit) -> None:
        """Give a unit another name, instance, phase or input; its values stay."""
        place = self._places[key]
        place.unit = unit
        place.view = replace(place.view, unit=unit)

    def leave(self, key: Key) -> None:
        """Forget a unit."""
        self._places.pop(key, None)

    def open_books(self, key: Key, ledger: Ledger) -> None:
        """Count this unit in `ledger` from now on; no place it had before does."""
        place = self._places[key]
        if place.ledger is ledger:
            return
        for other in self._places.values():
            if other.ledger is ledger:
                other.ledger = None
        place.ledger = ledger
        place.learner = LossLearner(ledger.books.losses)
        place.learned = None
        place.alarms = AlarmWatch(place.unit.profile)

    @property
    def keys(self) -> tuple[Key, ...]:
        """All units, the first one first."""
        return tuple(self._places)

    @property
    def several(self) -> bool:
        """Whether units share the battery."""
        return max(len(self._places), self._expected) > 1

    @property
    def battery_needed(self) -> bool:
        """Whether the battery must have a service of its own."""
        return self.several and self.bank.wanted

    # -- what they show -------------------------------------------------------------

    def view(self, key: Key) -> UnitView:
        """Return the last view of a unit."""
        return self._places[key].view

    def goes_on(self, key: Key, snapshot: Snapshot, today: date) -> bool:
        """Tell whether a snapshot has live values, battery and day as the last one."""
        place = self._places[key]
        before, ledger = place.view.snapshot, place.ledger
        both_live = before.status is not None and snapshot.status is not None
        same_battery = before.battery_fitted == snapshot.battery_fitted
        same_day = ledger is None or ledger.history.today.when == today
        return both_live and same_battery and same_day

    def see(self, key: Key, snapshot: Snapshot, now: float, today: date) -> UnitView:
        """Take a snapshot at `now` s of a monotonic clock; `today` is the site's."""
        self.look(key, snapshot, now)
        self.count(key, now, today)
        place = self._places[key]
        place.view = replace(place.view, **self._counted(place))
        return place.view

    def look(self, key: Key, snapshot: Snapshot, now: float) -> UnitView:
        """Take a snapshot without counting it: `count` must follow, with this `now`.

        Counters and charge are as they stood; all else is as with `see`.
        """
        place = self._places[key]
        unit = place.unit
        phase = _phase(snapshot)
        if unit.phase_follows and phase not in (None, unit.phase):
            place.unit = replace(unit, phase=phase)
        status = snapshot.status
        if status is not None and status is not place.view.snapshot.status:
            place.heard = now
        power = flow(snapshot, place.learner.losses, trickle=self.bank.trickle)
        place.view = UnitView.of(
            place.unit,
            snapshot,
            power=power,
            alarms=place.alarms.feed(snapshot, now, fault_code=_code(snapshot)),
            **self._counted(place),
        )
        return place.view

    def count(self, key: Key, now: float, today: date) -> None:
        """Count the snapshot that was looked at last."""
        place = self._places[key]
        snapshot, power, ledger = place.view.snapshot, place.view.flow, place.ledger
        place.learner.feed(snapshot, power, now)
        if ledger is not None:
            ledger.feed(Sample.of(snapshot, power), now, today)
            self._keep_losses(place, ledger)
        self._feed_bank(key, now)

    def _counted(self, place: _Place) -> _Counted:
        """Return what the counters of a unit show."""
        ledger = place.ledger
        return _Counted(
            charge=SHARED if self.several else self.charge,
            counters=ledger.counters if ledger else None,
            history=ledger.history if ledger else None,
        )

    def read_meter(self, key: Key, day: date | None, wh: float) -> None:
        """Take what a unit's own meter says of PV: of a day, or (None) of its life."""
        ledger = self._places[key].ledger
        if ledger is None:
            return
        if day is None:
            ledger.read_total(wh)
        else:
            ledger.read_day(day, wh)

    def system(self, profile: str | None = None) -> SystemView:
        """Return all units, or those of one profile, as one system.

        The first one is that with the lowest instance, as for Victron's programs.
        """
        views = [
            place.view
            for place in self._places.values()
            if profile is None or place.unit.profile == profile
        ]
        views.sort(key=lambda view: view.unit.instance)
        return SystemView(tuple(views), self.charge)

    def step_back(self, monitor: str | None) -> None:
        """Leave the state of charge to the service `monitor`; None: to nobody."""
        self.bank.step_back(monitor)
        self._charge_now = None
        if not self.several:
            for place in self._places.values():
                place.view = replace(place.view, charge=self.charge)

    def correct_charge(self, percent: float) -> bool:
        """Take what the user says of the state of charge; false if that cannot be."""
        taken = self.bank.correct(percent)
        self._charge_now = None
        if taken:
            self._corrected()
        return taken

    def _keep_losses(self, place: _Place, ledger: Ledger) -> None:
        """Have what was learned in the books, as soon as there is something new."""
        if place.learned is not place.learner.losses:
            place.learned = place.learner.losses
            ledger.books.losses = place.learner.state

    def _feed_bank(self, key: Key, now: float) -> None:
        """Feed the bank once a round: when the first unit that answers is seen."""
        views = {each: place.view for each, place in self._places.items()}
        online = [each for each, view in views.items() if view.snapshot.online]
        if not online or online[0] == key:
            self.bank.feed([(v.snapshot, v.flow) for v in views.values()], now)
            self._charge_now = None


def _phase(snapshot: Snapshot) -> int | None:
    """Return the phase that a unit is on by its settings; None while they are unknown.

    One that is set up alone, or in parallel on one phase, names none: it is the first.
    """
    set_up = getattr(snapshot.ratings, "output_mode", None) is not None
    return 1 if snapshot.phase is None and set_up else snapshot.phase


def _code(snapshot: Snapshot) -> int | None:
    """Return the fault code that QPGS tells; None if it tells none."""
    code = snapshot.fault_code
    return int(code) if code is not None and code.isdecimal() else None

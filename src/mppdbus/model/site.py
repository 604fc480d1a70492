"""All inverters of an installation and the battery they share: what each one shows.

Stateful, but pure: snapshots and times are passed in, views come out.
"""

from dataclasses import dataclass, replace
from datetime import date

from mppdbus.model.alarms.watch import AlarmWatch
from mppdbus.model.battery.bank import Bank
from mppdbus.model.battery.state_of_charge import Charge
from mppdbus.model.energy.ledger import Counters, Ledger
from mppdbus.model.energy.sample import Sample
from mppdbus.model.losses import LossLearner
from mppdbus.model.power import Losses, flow
from mppdbus.model.snapshot import Snapshot
from mppdbus.model.views import SystemView, Unit, UnitView

SHARED = Charge(origin="unknown: see the battery that all inverters share")


@dataclass(slots=True)
class _Member:
    """What is kept of one inverter between two snapshots."""

    alarms: AlarmWatch
    ledger: Ledger
    learner: LossLearner
    counters: Counters  # by the last count
    heard: float = float("-inf")  # s, when the last new QPIGS came
    counted: bool = True  # the snapshot of the last view
    learned: Losses | None = None  # what of the learner the ledger has


class Site:
    """The inverters of an installation, by uid.

    `views` has the last view of each, in the order in which they came. `expected` is
    the number of units that will come at least; with more than one the battery is that
    of a service of its own, and no single unit has its charge.
    """

    def __init__(self, bank: Bank, *, expected: int = 1) -> None:
        self.bank = bank
        self.charge = bank.charge  # by the last count
        self._trickle = bank.trickle  # A, see `flow`; likewise
        self._expected = expected
        self._members: dict[str, _Member] = {}
        self.views: dict[str, UnitView] = {}
        self.several = expected > 1  # units share the battery

    # -- who is there -------------------------------------------------------------

    def join(self, unit: Unit, ledger: Ledger) -> None:
        """Take a unit in; nothing is known of it yet. Its energy counts in `ledger`."""
        learner = LossLearner(ledger.books.losses)
        alarms = AlarmWatch(unit.profile)
        self._members[unit.uid] = _Member(alarms, ledger, learner, ledger.counters)
        self.views[unit.uid] = UnitView.of(unit, Snapshot(), charge=SHARED)
        self.several = max(len(self.views), self._expected) > 1

    def change(self, unit: Unit) -> UnitView:
        """Give a unit another name, port, instance, phase or input; its values stay."""
        view = self.views[unit.uid] = replace(self.views[unit.uid], unit=unit)
        return view

    def leave(self, uid: str) -> None:
        """Forget a unit."""
        self._members.pop(uid, None)
        self.views.pop(uid, None)
        self.several = max(len(self.views), self._expected) > 1

    def heard(self, uid: str) -> float:
        """Return when the last new QPIGS of a unit came, by the time of `update`."""
        return self._members[uid].heard

    # -- what they show -------------------------------------------------------------

    def update(self, uid: str, snapshot: Snapshot, now: float, today: date) -> UnitView:
        """Take a snapshot at `now` s of a monotonic clock; return what to show.

        While values go on, counters and charge are those of the last count, so that the
        view can be shown at once: call `count` after that. Where values, a battery or a
        day come or go the snapshot is counted here, lest something old is shown.
        """
        member, last = self._members[uid], self.views[uid]
        unit, before = last.unit, last.snapshot
        if unit.phase_follows and (phase := _phase(snapshot)) not in (None, unit.phase):
            unit = replace(unit, phase=phase)
        if snapshot.status is not None and snapshot.status is not before.status:
            member.heard = now
        code = snapshot.fault_code
        view = UnitView.of(
            unit,
            snapshot,
            power=flow(snapshot, member.learner.losses, trickle=self._trickle),
            alarms=member.alarms.feed(
                snapshot,
                now,
                fault_code=int(code) if code and code.isdecimal() else None,
            ),
            charge=SHARED if self.several else self.charge,
            counters=member.counters,
            history=member.ledger.books.history,
        )
        self.views[uid] = view
        member.counted = False
        # The snapshot is counted later while values go on, with the same battery, on
        # the same day.
        if (
            before.status is None
            or snapshot.status is None
            or before.battery_fitted != snapshot.battery_fitted
            or member.ledger.books.history.today.when != today
        ):
            self.count(uid, now, today)
            charge = SHARED if self.several else self.charge
            view = replace(view, charge=charge, counters=member.counters)
        if self.several and unit.profile == "hybrid":
            self.views[uid] = view
            of_all = self.system().of_profile("hybrid").active_input
            view = replace(view, active_input=of_all)
        self.views[uid] = view
        return view

    def count(self, uid: str, now: float, today: date) -> None:
        """Count the snapshot of the last `update`, once; `now` and `today` as there."""
        member = self._members[uid]
        if member.counted:
            return
        member.counted = True
        view, learner = self.views[uid], member.learner
        snapshot, power = view.snapshot, view.flow
        learner.feed(snapshot, power, now)
        member.ledger.feed(Sample.of(snapshot, power), now, today)
        if member.learned is not learner.losses:
            member.learned = learner.losses
            member.ledger.books.losses = learner.state
        member.counters = member.ledger.counters
        self._feed_bank(uid, now)

    def read_meter(self, uid: str, day: date | None, wh: float) -> None:
        """Take what a unit's own meter says of PV: of a day, or (None) of its life."""
        member = self._members[uid]
        if day is None:
            member.ledger.read_total(wh)
        else:
            member.ledger.read_day(day, wh)
        member.counters = member.ledger.counters

    def system(self) -> SystemView:
        """Return all units as one system; the first is that of the lowest instance."""
        views = sorted(self.views.values(), key=lambda view: view.unit.instance)
        battery = self.several and self.bank.wanted
        return SystemView(tuple(views), self.charge, battery)

    def step_back(self, monitor: str | None) -> None:
        """Leave the state of charge to the service `monitor`; None: to nobody."""
        self.bank.step_back(monitor)
        self.charge = self.bank.charge
        if not self.several:
            for uid, view in self.views.items():
                self.views[uid] = replace(view, charge=self.charge)

    def correct_charge(self, percent: float) -> bool:
        """Take what the user says of the state of charge; false if that cannot be."""
        taken = self.bank.correct(percent)
        self.charge = self.bank.charge
        return taken

    def _feed_bank(self, uid: str, now: float) -> None:
        """Feed the bank once a round: when the first unit that answers is counted."""
        views = self.views.values()
        online = [view.unit.uid for view in views if view.snapshot.online]
        if not online or online[0] == uid:
            losses = [member.learner.losses for member in self._members.values()]
            self.bank.feed([(v.snapshot, v.flow) for v in views], now, losses)
            self.charge, self._trickle = self.bank.charge, self.bank.trickle


def _phase(snapshot: Snapshot) -> int | None:
    """Return the phase that a unit is on by its settings; None while they are unknown.

    One that is set up alone, or in parallel on one phase, names none: it is the first.
    """
    set_up = getattr(snapshot.ratings, "output_mode", None) is not None
    return 1 if snapshot.phase is None and set_up else snapshot.phase

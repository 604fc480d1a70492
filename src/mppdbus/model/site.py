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
COUNT_EVERY = 10.0  # s; readings are counted in batches, each with its own time


@dataclass(slots=True)
class _Member:
    """The state of one inverter between two snapshots."""

    alarms: AlarmWatch
    ledger: Ledger
    learner: LossLearner
    counters: Counters  # by the last count
    heard: float = float("-inf")  # s, when the last new QPIGS came
    learned: Losses | None = None  # losses that the ledger has


class Site:
    """The inverters of an installation, by uid.

    `views` has the last view of each, in the order in which they joined. `expected` is
    the least number of units; with more than one, the battery has a service of its own,
    and no unit shows its charge.
    """

    def __init__(self, bank: Bank, *, expected: int = 1) -> None:
        self.bank = bank
        self.charge = bank.charge  # by the last count
        self._trickle = bank.trickle  # A, for `flow`; by the last count
        self._expected = expected
        self._uncounted: list[tuple[UnitView, tuple[UnitView, ...], float, date]] = []
        self._members: dict[str, _Member] = {}
        self.views: dict[str, UnitView] = {}
        self.several = expected > 1  # units share the battery

    # -- who is there -------------------------------------------------------------

    def join(self, unit: Unit, ledger: Ledger) -> None:
        """Add a unit without any values yet; `ledger` counts its energy."""
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
        self._count()
        self._members.pop(uid, None)
        self.views.pop(uid, None)
        self.several = max(len(self.views), self._expected) > 1

    def heard(self, uid: str) -> float:
        """Return when the last new QPIGS of a unit came, by the time of `update`."""
        return self._members[uid].heard

    # -- what they show -------------------------------------------------------------

    def update(self, uid: str, snapshot: Snapshot, now: float, today: date) -> UnitView:
        """Take a snapshot at `now` s of a monotonic clock; return what to show.

        The view has the counters and charge of the last count, so that it can be shown
        at once: call `count` after that. When values, settings, battery or day begin or
        end, all is counted here, so that nothing old is shown.
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
        self._uncounted.append((view, tuple(self.views.values()), now, today))
        if (
            before.status is None
            or snapshot.status is None
            or before.ratings is not snapshot.ratings
            or before.battery_fitted != snapshot.battery_fitted
            or member.ledger.books.history.today.when != today
        ):
            self._count()
            charge = SHARED if self.several else self.charge
            view = replace(view, charge=charge, counters=member.counters)
        if self.several and unit.profile == "hybrid":
            self.views[uid] = view
            of_all = self.system().of_profile("hybrid").active_input
            view = replace(view, active_input=of_all)
        self.views[uid] = view
        return view

    def count(self, now: float) -> None:
        """Count the readings of `update`, once the oldest is `COUNT_EVERY` s old."""
        if self._uncounted and now - self._uncounted[0][2] >= COUNT_EVERY:
            self._count()

    def _count(self) -> None:
        """Count all waiting readings.

        The bank is fed once a round, when the first online unit is counted.
        """
        for view, views, now, today in self._uncounted:
            member = self._members[view.unit.uid]
            learner, ledger = member.learner, member.ledger
            learner.feed(view.snapshot, view.flow, now)
            ledger.feed(Sample.of(view.snapshot, view.flow), now, today)
            if member.learned is not learner.losses:
                member.learned = learner.losses
                ledger.books.losses = learner.state
            member.counters = ledger.counters
            first = next((each for each in views if each.snapshot.online), view)
            if first is view:
                losses = [each.learner.losses for each in self._members.values()]
                self.bank.feed([(v.snapshot, v.flow) for v in views], now, losses)
        self._uncounted.clear()
        self.charge, self._trickle = self.bank.charge, self.bank.trickle

    def read_meter(self, uid: str, day: date | None, wh: float) -> None:
        """Take PV Wh of the unit's own meter: of a day, or (None) of its whole life."""
        self._count()
        member = self._members[uid]
        if day is None:
            member.ledger.read_total(wh)
        else:
            member.ledger.read_day(day, wh)
        member.counters = member.ledger.counters

    def system(self) -> SystemView:
        """Return all units as one system, ordered by instance."""
        views = sorted(self.views.values(), key=lambda view: view.unit.instance)
        battery = self.several and self.bank.wanted
        return SystemView(tuple(views), self.charge, battery)

    def step_back(self, monitor: str | None) -> None:
        """Use the state of charge of the service `monitor`; None: use our own."""
        self.bank.step_back(monitor)
        self._read_charge()

    def correct_charge(self, percent: float) -> bool:
        """Set the state of charge to the user's value; false if that is impossible."""
        self._count()
        taken = self.bank.correct(percent)
        self._read_charge()
        return taken

    def _read_charge(self) -> None:
        """Take the charge of the bank into all views."""
        self.charge = self.bank.charge
        if not self.several:
            for uid, view in self.views.items():
                self.views[uid] = replace(view, charge=self.charge)


def _phase(snapshot: Snapshot) -> int | None:
    """Return the phase that a unit is on by its settings; None while they are unknown.

    A single unit, or units in parallel on one phase, have no phase setting: it is 1.
    """
    set_up = getattr(snapshot.ratings, "output_mode", None) is not None
    return 1 if snapshot.phase is None and set_up else snapshot.phase

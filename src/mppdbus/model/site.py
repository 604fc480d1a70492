"""All inverters of an installation and their batteries: what each one shows.

Stateful, but pure: snapshots and times are passed in, views come out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from mppdbus.model.alarms.low_charge import LowCharge
from mppdbus.model.alarms.watch import AlarmWatch
from mppdbus.model.battery.bank import Bank
from mppdbus.model.battery.state_of_charge import Charge
from mppdbus.model.energy.ledger import Counters, Ledger
from mppdbus.model.energy.sample import Sample
from mppdbus.model.losses import LossLearner
from mppdbus.model.power import Losses, flow
from mppdbus.model.snapshot import Snapshot
from mppdbus.model.views import SystemView, Unit, UnitView

SILENT = Charge(origin="unknown: this inverter does not answer")
OF_THE_BATTERY = "that of the battery, which has a service of its own"
OWN_BATTERIES = Charge(origin="unknown: each battery has its own")
SILENT_S = 120.0  # s without replies in which a unit may be running unseen
BANK_EVERY = 1.5  # s at least between two looks at a battery
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
    """The inverters of an installation, by uid, and their batteries, by name.

    `views` has the last view of each, in the order in which they joined. `expected` is
    the least number of units; with more than one, or more than one battery, each
    battery has a service of its own, where its charge is corrected; a unit shows the
    percent alone.
    """

    def __init__(self, banks: Mapping[str, Bank], *, expected: int = 1) -> None:
        self.banks: dict[str, Bank] = {}
        self._charges: dict[str, Charge] = {}  # by the last count
        self._of_units: dict[str, Charge] = {}  # what units show, if there are several
        self._low: dict[str, LowCharge] = {}
        self._trickles: dict[str, float] = {}  # A, for `flow`; by the last count
        self._fed: dict[str, float] = {}  # s, when a bank was fed last
        self._uncounted: list[tuple[UnitView, tuple[UnitView, ...], float, date]] = []
        self._members: dict[str, _Member] = {}
        self._now = float("-inf")  # s, of the last `update`
        self.views: dict[str, UnitView] = {}
        self.use(banks, expected=expected)

    def use(self, banks: Mapping[str, Bank], *, expected: int) -> None:
        """Take other batteries; no unit may be at one that is not there any more."""
        self._count()
        self.banks = dict(banks)
        self._low = {name: self._low.get(name) or LowCharge() for name in banks}
        self._fed = {name: self._fed.get(name, float("-inf")) for name in banks}
        self._expected = expected if len(banks) == 1 else max(expected, 2)
        # With several, batteries have services of their own.
        self.several = max(len(self.views), self._expected) > 1
        self._charges = {}
        self._read_charges()

    # -- who is there -------------------------------------------------------------

    def join(self, unit: Unit, ledger: Ledger) -> None:
        """Add a unit without any values yet; `ledger` counts its energy."""
        learner = LossLearner(ledger.books.losses)
        alarms = AlarmWatch(unit.profile)
        self._members[unit.uid] = _Member(alarms, ledger, learner, ledger.counters)
        self.views[unit.uid] = UnitView.of(unit, Snapshot(), charge=SILENT)
        self.several = max(len(self.views), self._expected) > 1
        self._read_charges()

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
        self._read_charges()

    def heard(self, uid: str) -> float:
        """Return when the last new QPIGS of a unit came, by the time of `update`."""
        return self._members[uid].heard

    # -- what they show -------------------------------------------------------------

    def update(self, uid: str, snapshot: Snapshot, now: float, today: date) -> UnitView:
        """Take a snapshot at `now` s of a monotonic clock; return what to show.

        The view has the counters and charge of the last count, so that it can be shown
        at once: call `count` after that. When values, settings, trackers, battery or
        day begin or end, all is counted here, so that nothing old is shown.
        """
        member, last = self._members[uid], self.views[uid]
        unit, before = last.unit, last.snapshot
        if unit.phase_follows and (phase := _phase(snapshot)) not in (None, unit.phase):
            unit = replace(unit, phase=phase)
        if snapshot.status is not None and snapshot.status is not before.status:
            member.heard = now
        self._now = now
        code, trickle = snapshot.fault_code, self._trickles[unit.bank]
        view = UnitView.of(
            unit,
            snapshot,
            power=flow(snapshot, member.learner.losses, trickle=trickle),
            alarms=member.alarms.feed(
                snapshot,
                now,
                fault_code=int(code) if code and code.isdecimal() else None,
            ),
            charge=self._shown_by(unit, snapshot),
            counters=member.counters,
            history=member.ledger.books.history,
        )
        self.views[uid] = view
        history, volts = member.ledger.books.history, view.flow.battery_voltage
        at_once = (
            _begins_or_ends(before, snapshot)
            or history.today.when != today
            or (volts is not None and history.today.max_battery_voltage is None)
        )
        if at_once or not snapshot.second_follows:
            self._uncounted.append((view, tuple(self.views.values()), now, today))
        if at_once:
            self._count()
            charge = self._shown_by(unit, snapshot)
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
        """Count all waiting readings, and feed the banks with them."""
        last = self._uncounted[-1][0] if self._uncounted else None
        for view, views, now, today in self._uncounted:
            member = self._members[view.unit.uid]
            learner, ledger = member.learner, member.ledger
            learner.feed(view.snapshot, view.flow, now)
            ledger.feed(Sample.of(view.snapshot, view.flow), now, today)
            if member.learned is not learner.losses:
                member.learned = learner.losses
                ledger.books.losses = learner.state
            member.counters = ledger.counters
            if view is last or now - self._fed[view.unit.bank] >= BANK_EVERY:
                self._feed_bank(view.unit.bank, views, now)
        self._uncounted.clear()
        self._look_at_banks()

    def _feed_bank(self, name: str, views: tuple[UnitView, ...], now: float) -> None:
        """Feed a bank with what all its units showed when one of them was read."""
        self._fed[name] = now
        mine = [view for view in views if view.unit.bank == name]
        losses = [self._members[view.unit.uid].learner.losses for view in mine]
        self.banks[name].feed([(v.snapshot, v.flow) for v in mine], now, losses)

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
        charge, banks = OWN_BATTERIES, self.banks
        if len(banks) == 1:
            (charge,) = self._charges.values()
        shown = {name: self._charges[name] for name in banks if banks[name].wanted}
        return SystemView(
            tuple(views), charge, shown if self.several else {}, self._silent()
        )

    def step_back(self, monitors: Sequence[str]) -> None:
        """Step back at each battery that one of these services measures."""
        for bank in self.banks.values():
            bank.step_back(monitors, only=len(self.banks) == 1)
        self._read_charges()

    def correct_charge(self, percent: float, name: str | None) -> bool:
        """Set the charge of a battery to the user's value; false if it is impossible.

        None as name: the battery of the only unit.
        """
        if (name is None) == self.several:
            return False
        self._count()
        name = next(iter(self.banks)) if name is None else name
        taken = self.banks[name].correct(percent)
        self._read_charges()
        return taken

    def _silent(self) -> frozenset[str]:
        """Return the units without live values that may still be running."""
        return frozenset(
            uid
            for uid, view in self.views.items()
            if view.snapshot.status is None
            and (view.snapshot.online or self._now - self.heard(uid) < SILENT_S)
        )

    def _look_at_banks(self) -> None:
        for name, bank in self.banks.items():
            low = self._low[name].feed(bank.charge)
            charge = self._charges[name] = replace(bank.charge, low=low)
            self._trickles[name] = bank.trickle
            origin = charge.origin if charge.percent is None else OF_THE_BATTERY
            self._of_units[name] = Charge(charge.percent, origin)

    def _read_charges(self) -> None:
        """Take the charge of the banks into all views."""
        self._look_at_banks()
        for uid, view in self.views.items():
            charge = self._shown_by(view.unit, view.snapshot)
            self.views[uid] = replace(view, charge=charge)

    def _shown_by(self, unit: Unit, snapshot: Snapshot) -> Charge:
        """Return the charge a unit shows: of several, one that is away shows none."""
        if not self.several:
            return self._charges[unit.bank]
        return self._of_units[unit.bank] if snapshot.online else SILENT


def _begins_or_ends(before: Snapshot, now: Snapshot) -> bool:
    """Tell whether values, settings, trackers or the battery begin or end."""
    return (
        before.status is None
        or now.status is None
        or before.ratings is not now.ratings
        or before.trackers != now.trackers
        or before.battery_fitted != now.battery_fitted
    )


def _phase(snapshot: Snapshot) -> int | None:
    """Return the phase that a unit is on by its settings; None while they are unknown.

    A single unit, or units in parallel on one phase, have no phase setting: it is 1.
    """
    set_up = getattr(snapshot.ratings, "output_mode", None) is not None
    return 1 if snapshot.phase is None and set_up else snapshot.phase

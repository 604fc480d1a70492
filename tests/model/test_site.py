"""Readings are counted in batches, each with its own time; none of them is lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from helpers.snapshots import online, qpigs, status
from mppdbus.model.battery.bank import Bank, BankSettings
from mppdbus.model.energy.ledger import Ledger
from mppdbus.model.site import COUNT_EVERY, Site
from mppdbus.model.snapshot import Snapshot
from mppdbus.model.views import Unit

UNIT = Unit("house", "/dev/ttyUSB0", 289, uid="one")
TODAY = date(2026, 6, 1)


NIGHT = replace(online(qpigs(), "B"), trackers=1)


def sunny(pv: int) -> Snapshot:
    return replace(NIGHT, status=status(qpigs(grid=0, pv=pv)))


def test_a_batch_counts_what_each_reading_by_itself_would_count() -> None:
    batches, ledger, single = Site({"": Bank(BankSettings())}), Ledger(), Ledger()
    each = Site({"": Bank(BankSettings())})
    batches.join(UNIT, ledger)
    each.join(UNIT, single)
    shown = set()
    for second in range(60):
        snapshot = sunny(100 * (second % 7))
        batches.update("one", snapshot, float(second), TODAY)
        each.update("one", snapshot, float(second), TODAY)
        batches.count(float(second))
        each.count(float("inf"))
        shown.add(ledger.counters.yield_user)
    assert len(shown) == 1 + 60 / COUNT_EVERY  # the first values at once
    batches.update("one", Snapshot(), 60.0, TODAY)  # it does not answer any more
    each.update("one", Snapshot(), 60.0, TODAY)
    assert ledger.counters == single.counters
    assert ledger.history == single.history
    assert ledger.counters.yield_user == pytest.approx(0.3 * 59 / 3600, rel=0.05)
    assert batches.system().charge == each.system().charge


def test_a_reading_of_two_trackers_is_counted_once_the_second_is_known() -> None:
    """Between QPIGS and QPIGS2 the power of the second tracker is the last one."""
    site, ledger, single = Site({"": Bank(BankSettings())}), Ledger(), Ledger()
    each = Site({"": Bank(BankSettings())})
    site.join(UNIT, ledger)
    each.join(UNIT, single)
    for second in range(60):
        snapshot = sunny(100 * (second % 7))
        half = replace(sunny(5000), second_follows=True)
        if second > 5:  # the first readings are counted at once
            site.update("one", half, second - 0.2, TODAY)
        site.update("one", snapshot, float(second), TODAY)
        each.update("one", snapshot, float(second), TODAY)
        site.count(float(second))
        each.count(float(second))
    assert ledger.counters == single.counters
    assert 0.01 > ledger.counters.yield_user > 0.001


def test_a_battery_is_watched_at_the_pace_of_any_of_its_units() -> None:
    """The first one is asked once a minute; the second gives 50 A between."""
    settings = BankSettings(chemistry="lithium-lfp", capacity_ah=10.0, units=2)
    site = Site({"": Bank(settings)}, expected=2)
    for uid in ("one", "two"):
        site.join(replace(UNIT, uid=uid), Ledger())
        site.update(uid, NIGHT, 0.0, TODAY)
    assert site.correct_charge(80.0, "")
    for second in range(2, 61, 2):
        amps = 50 if 10 <= second < 50 else 0
        gives = replace(NIGHT, status=status(qpigs(grid=0, discharge=amps)))
        site.update("two", gives, float(second), TODAY)
    site.update("one", NIGHT, 60.0, TODAY)
    site.count(float("inf"))
    charge = site.system().charge.percent
    assert charge == pytest.approx(80 - 100 * 50 * 40 / 3600 / 10, abs=0.8)

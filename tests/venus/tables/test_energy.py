"""Counters and history as they stand on the bus."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from helpers.snapshots import online, qpigs
from mppdbus.model.energy.daily_history import DAYS, Day, History, Overall, TrackerDay
from mppdbus.model.energy.flows import Ways
from mppdbus.model.energy.ledger import Counters, Ledger
from mppdbus.model.energy.sample import Sample
from mppdbus.model.power import flow
from mppdbus.model.snapshot import Snapshot
from mppdbus.model.views import Unit, UnitView
from mppdbus.venus.dbus.items import CHECKS, Value
from mppdbus.venus.tables.energy import history_items, history_values
from mppdbus.venus.tables.row import values_of
from mppdbus.venus.unit_service import INVERTER, MULTI

UNIT = Unit("garage", "/dev/ttyUSB0", 288)
TODAY = date(2026, 6, 21)
ENERGY = ("/Energy/", "/Yield/User", "/Yield/System")
WAYS = Ways(1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.004, 9.006)


def view(
    *, counters: Counters | None = None, history: History | None = None
) -> UnitView:
    return UnitView.of(UNIT, Snapshot(), counters=counters, history=history)


def energy(values: dict[str, Value]) -> dict[str, Value]:
    return {path: value for path, value in values.items() if path.startswith(ENERGY)}


# -- counters ------------------------------------------------------------------------


def test_each_way_has_its_counter() -> None:
    counted = view(counters=Counters(WAYS, 12.345, 6789.0, ()))
    assert energy(values_of(MULTI, counted)) == {
        "/Energy/AcIn1ToAcOut": 1.0,
        "/Energy/AcIn1ToInverter": 2.0,
        "/Energy/InverterToAcOut": 3.0,
        "/Energy/OutToInverter": 4.0,
        "/Energy/InverterToAcIn1": 5.0,
        "/Energy/AcOutToAcIn1": 6.0,
        "/Energy/SolarToAcOut": 7.0,
        "/Energy/SolarToBattery": 8.0,
        "/Energy/SolarToAcIn1": 9.01,
        "/Yield/User": 12.35,
        "/Yield/System": 6789.0,
    }
    of_inverter = energy(values_of(INVERTER, counted))
    assert not [path for path in of_inverter if "AcIn1" in path]
    assert len(of_inverter) == 6


def test_before_the_books_are_open_nothing_is_known() -> None:
    values = energy(values_of(MULTI, view()))
    assert len(values) == 11
    assert set(values.values()) == {None}


# -- history -------------------------------------------------------------------------


@pytest.mark.parametrize("trackers", [None, 1, 2, 3])
@pytest.mark.parametrize("kept", [None, History()], ids=["unknown", "new"])
def test_there_is_a_value_for_each_item(
    trackers: int | None, kept: History | None
) -> None:
    items = {item.path: item for item in history_items(trackers)}
    values = history_values(view(history=kept), trackers)
    assert values.keys() == items.keys()
    several = trackers if trackers is not None and trackers > 1 else 0
    assert len(items) == 4 + DAYS * (9 + 3 * several)
    for path, value in values.items():
        assert value is None or CHECKS[items[path].kind](value) == value
        assert kept is not None or value is None


def test_days_stand_at_their_age() -> None:
    def day(age: int) -> Day:
        when = TODAY - timedelta(days=age)
        return Day(when, max_power=100.0 + age, min_battery_voltage=48.123)

    history = History([day(0), day(3), day(1)], Overall(max_pv_voltage=412.34))
    history.today.pv.add(1.2345)
    values = history_values(view(history=history), 1)
    assert values["/History/Overall/DaysAvailable"] == 4
    assert values["/History/Overall/MaxPvVoltage"] == 412.3
    assert values["/History/Overall/MinBatteryVoltage"] is None
    assert values["/History/Daily/0/Yield"] == 1.23
    assert values["/History/Daily/0/MinBatteryVoltage"] == 48.12
    powers = [values[f"/History/Daily/{age}/MaxPower"] for age in range(5)]
    assert powers == [100.0, 101.0, None, 103.0, None]
    assert values["/History/Daily/2/Yield"] is None


def test_trackers_have_days_of_their_own() -> None:
    tracked = [TrackerDay(1.5, 900.4, 301.26)]
    history = History([Day(TODAY, trackers=list(tracked))])
    values = history_values(view(history=history), 2)
    assert values["/History/Daily/0/Pv/0/Yield"] == 1.5
    assert values["/History/Daily/0/Pv/0/MaxPower"] == 900.0
    assert values["/History/Daily/0/Pv/0/MaxVoltage"] == 301.3
    assert values["/History/Daily/0/Pv/1/Yield"] is None
    assert history.today.trackers == tracked  # looking changes nothing


def test_a_ledger_is_shown_as_it_counts() -> None:
    ledger = Ledger()
    for second in range(0, 3601, 10):
        snapshot = online(qpigs(grid=0, load=600, pv=1000, charge=7), "B")
        power = flow(snapshot)
        ledger.feed(Sample.of(snapshot, power), float(second), TODAY)
    counted = UnitView.of(
        UNIT, snapshot, counters=ledger.counters, history=ledger.history
    )
    values = values_of(MULTI, counted) | history_values(counted, 1)
    assert values["/Energy/SolarToAcOut"] == 0.6
    assert values["/Energy/SolarToBattery"] == 0.4
    assert values["/Yield/User"] == values["/History/Daily/0/Yield"] == 1.0
    assert values["/History/Daily/0/MaxPower"] == 1000.0
    assert values["/Mppdbus/Origin/Energy"] == "derived"

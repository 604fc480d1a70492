"""TABLES: energy counters and daily history, which we store over restarts.

The few counters are updated with every poll. The history has some three hundred paths
that change slowly: call `history_values` once a minute, and on a new day.
"""

from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import Any

from mppdbus.model.energy.daily_history import DAYS, Day, History, Overall, TrackerDay
from mppdbus.model.views import UnitView
from mppdbus.venus.dbus.items import Item, Value
from mppdbus.venus.tables.row import (
    AMP,
    DC_VOLT,
    INT,
    KWH,
    MINUTES,
    NUM,
    VOLT,
    WATT,
    Row,
)

# -- counters ------------------------------------------------------------------------


_COUNTERS: Callable[[UnitView], Any] = attrgetter("counters")


def _way(name: str, field: str, about: str) -> Row[UnitView]:
    path, field = f"/Energy/{name}", f"ways.{field}"
    return Row(path, NUM, field, KWH, about, _COUNTERS, digits=2)


def _yield(name: str, field: str, about: str) -> Row[UnitView]:
    return Row(f"/Yield/{name}", NUM, field, KWH, about, _COUNTERS, digits=2)


_NONE = "0: PI30 tells of no source at the output"
_SHARE = "counted by us from load, PV and AC input: "

ENERGY_INVERTER: tuple[Row[UnitView], ...] = (
    _way("InverterToAcOut", "inverter_to_ac_out", _SHARE + "battery to load"),
    _way("OutToInverter", "out_to_inverter", _NONE),
    _way("SolarToAcOut", "solar_to_ac_out", _SHARE + "PV to load"),
    _way("SolarToBattery", "solar_to_battery", _SHARE + "PV to battery"),
    _yield("User", "yield_user", "PV since the first start; follows QET where it is"),
    _yield("System", "yield_system", "PV of its lifetime: QET, else as /Yield/User"),
)
ENERGY: tuple[Row[UnitView], ...] = (
    _way("AcIn1ToAcOut", "ac_in1_to_ac_out", _SHARE + "mains to load"),
    _way("AcIn1ToInverter", "ac_in1_to_inverter", _SHARE + "mains to battery"),
    _way("InverterToAcIn1", "inverter_to_ac_in1", _SHARE + "battery to mains"),
    _way("AcOutToAcIn1", "ac_out_to_ac_in1", _NONE),
    _way("SolarToAcIn1", "solar_to_ac_in1", _SHARE + "PV to mains"),
    *ENERGY_INVERTER,
)

# -- history -------------------------------------------------------------------------

_HIGHEST = "highest ever, of two readings in a row"
_LOWEST = "lowest ever, of two readings in a row"
_BATTERY = "QPIGS `battery_voltage`"
DAYS_AVAILABLE: Row[History] = Row(
    "/History/Overall/DaysAvailable",
    INT,
    "available",
    about="days from the oldest one until today, at most 31",
)
OVERALL: tuple[Row[Overall], ...] = tuple(
    Row(f"/History/Overall/{name}", NUM, field, text, about, digits=digits)
    for name, field, text, about, digits in (
        ("MaxPvVoltage", "max_pv_voltage", VOLT, _HIGHEST, 1),
        ("MaxBatteryVoltage", "max_battery_voltage", DC_VOLT, _HIGHEST, 2),
        ("MinBatteryVoltage", "min_battery_voltage", DC_VOLT, _LOWEST, 2),
    )
)
DAILY: tuple[Row[Day], ...] = tuple(
    Row(f"/History/Daily/{{day}}/{name}", NUM, field, text, about, digits=digits)
    for name, field, text, about, digits in (
        ("Yield", "pv.count", KWH, "PV of the day; follows QED where it is", 2),
        ("MaxPower", "max_power", WATT, "PV, all trackers", 0),
        ("MaxPvVoltage", "max_pv_voltage", VOLT, "any tracker", 1),
        ("MaxBatteryVoltage", "max_battery_voltage", DC_VOLT, _BATTERY, 2),
        ("MinBatteryVoltage", "min_battery_voltage", DC_VOLT, _BATTERY, 2),
        ("MaxBatteryCurrent", "max_battery_current", AMP, "charging", 1),
        ("TimeInBulk", "minutes_in_bulk", MINUTES, "QPIGS, QPIRI", 0),
        ("TimeInAbsorption", "minutes_in_absorption", MINUTES, "QPIGS, QPIRI", 0),
        ("TimeInFloat", "minutes_in_float", MINUTES, "QPIGS", 0),
    )
)
_TRACKER = "/History/Daily/{day}/Pv/{tracker}"
TRACKER: tuple[Row[TrackerDay], ...] = (
    Row(f"{_TRACKER}/Yield", NUM, "count", KWH, "counted by us, per tracker", digits=2),
    Row(f"{_TRACKER}/MaxPower", NUM, "max_power", WATT, "per tracker", digits=0),
    Row(f"{_TRACKER}/MaxVoltage", NUM, "max_voltage", VOLT, "per tracker", digits=1),
)
HISTORY: tuple[Row[History] | Row[Overall] | Row[Day] | Row[TrackerDay], ...] = (
    DAYS_AVAILABLE,
    *OVERALL,
    *DAILY,
    *TRACKER,
)


@cache
def _daily(age: int) -> tuple[tuple[str, Row[Day]], ...]:
    return tuple((row.path.format(day=age), row) for row in DAILY)


@cache
def _of_tracker(age: int, tracker: int) -> tuple[tuple[str, Row[TrackerDay]], ...]:
    return tuple((row.path.format(day=age, tracker=tracker), row) for row in TRACKER)


def _shown(trackers: int | None) -> range:
    """Return the trackers that have paths of their own; none for a single tracker."""
    return range(trackers) if trackers is not None and trackers > 1 else range(0)


def history_items(trackers: int | None) -> list[Item]:
    """Return all leaves of the history of a unit with so many trackers."""
    items = [DAYS_AVAILABLE.item(1), *(row.item(1) for row in OVERALL)]
    for age in range(DAYS):
        items += [row.item_at(path) for path, row in _daily(age)]
        for tracker in _shown(trackers):
            items += [row.item_at(path) for path, row in _of_tracker(age, tracker)]
    return items


def history_values(view: UnitView, trackers: int | None) -> dict[str, Value]:
    """Return a value for each of `history_items(trackers)`; None without history."""
    leaves = [item.path for item in history_items(trackers)]
    history = view.history
    values: dict[str, Value] = dict.fromkeys(leaves)
    if history is None:
        return values
    values[DAYS_AVAILABLE.path] = history.available
    values |= {row.path: row.value(history.overall) for row in OVERALL}
    for age in range(DAYS):
        if (day := history.day(age)) is None:
            continue
        values |= {path: row.value(day) for path, row in _daily(age)}
        for index in _shown(trackers)[: len(day.trackers)]:
            tracker = day.trackers[index]
            of_tracker = _of_tracker(age, index)
            values |= {path: row.value(tracker) for path, row in of_tracker}
    return values

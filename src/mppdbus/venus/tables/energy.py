"""TABLES: counters of energy and the history of days, kept by us over restarts.

The counters are few and go with every poll. The history is some three hundred paths
that change slowly: `history_values` is for once a minute, and for a new day.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import Any

from mppdbus.model.energy.history import DAYS, Day, History, Overall, TrackerDay
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


_SHARE = "counted by us from load, PV and AC input: "

ENERGY_INVERTER: tuple[Row[UnitView], ...] = (
    _way("InverterToAcOut", "inverter_to_ac_out", _SHARE + "battery to load"),
    _way(
        "OutToInverter", "out_to_inverter", "0: PI30 tells of no source at the output"
    ),
    _way("SolarToAcOut", "solar_to_ac_out", _SHARE + "PV to load"),
    _way("SolarToBattery", "solar_to_battery", _SHARE + "PV to battery"),
    _yield("User", "yield_user", "PV since the first start; follows QET where it is"),
    _yield("System", "yield_system", "PV of its lifetime: QET, else as /Yield/User"),
)
ENERGY: tuple[Row[UnitView], ...] = (
    _way("AcIn1ToAcOut", "ac_in1_to_ac_out", _SHARE + "mains to load"),
    _way("AcIn1ToInverter", "ac_in1_to_inverter", _SHARE + "mains to battery"),
    _way("InverterToAcIn1", "inverter_to_ac_in1", _SHARE + "battery to mains"),
    _way(
        "AcOutToAcIn1", "ac_out_to_ac_in1", "0: PI30 tells of no source at the output"
    ),
    _way("SolarToAcIn1", "solar_to_ac_in1", _SHARE + "PV to mains"),
    *ENERGY_INVERTER,
)

# -- history -------------------------------------------------------------------------

DAYS_AVAILABLE: Row[History] = Row(
    "/History/Overall/DaysAvailable",
    INT,
    "available",
    about="days from the oldest one until today, at most 31",
)
OVERALL: tuple[Row[Overall], ...] = (
    Row(
        "/History/Overall/MaxPvVoltage",
        NUM,
        "max_pv_voltage",
        VOLT,
        "highest ever, of two readings in a row",
        digits=1,
    ),
    Row(
        "/History/Overall/MaxBatteryVoltage",
        NUM,
        "max_battery_voltage",
        DC_VOLT,
        "highest ever, of two readings in a row",
        digits=2,
    ),
    Row(
        "/History/Overall/MinBatteryVoltage",
        NUM,
        "min_battery_voltage",
        DC_VOLT,
        "lowest ever, of two readings in a row",
        digits=2,
    ),
)
_DAY = "/History/Daily/{day}"
DAILY: tuple[Row[Day], ...] = (
    Row(
        f"{_DAY}/Yield",
        NUM,
        "pv.count",
        KWH,
        "PV of the day; follows QED where it is",
        digits=2,
    ),
    Row(f"{_DAY}/MaxPower", NUM, "max_power", WATT, "PV, all trackers", digits=0),
    Row(f"{_DAY}/MaxPvVoltage", NUM, "max_pv_voltage", VOLT, "any tracker", digits=1),
    Row(
        f"{_DAY}/MaxBatteryVoltage",
        NUM,
        "max_battery_voltage",
        DC_VOLT,
        "QPIGS `battery_voltage`",
        digits=2,
    ),
    Row(
        f"{_DAY}/MinBatteryVoltage",
        NUM,
        "min_battery_voltage",
        DC_VOLT,
        "QPIGS `battery_voltage`",
        digits=2,
    ),
    Row(
        f"{_DAY}/MaxBatteryCurrent",
        NUM,
        "max_battery_current",
        AMP,
        "charging",
        digits=1,
    ),
    Row(
        f"{_DAY}/TimeInBulk", NUM, "minutes_in_bulk", MINUTES, "QPIGS, QPIRI", digits=0
    ),
    Row(
        f"{_DAY}/TimeInAbsorption",
        NUM,
        "minutes_in_absorption",
        MINUTES,
        "QPIGS, QPIRI",
        digits=0,
    ),
    Row(f"{_DAY}/TimeInFloat", NUM, "minutes_in_float", MINUTES, "QPIGS", digits=0),
)
_TRACKER = f"{_DAY}/Pv/{{tracker}}"
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
    return tuple((row.path.replace("{day}", str(age)), row) for row in DAILY)


@cache
def _of_tracker(age: int, tracker: int) -> tuple[tuple[str, Row[TrackerDay]], ...]:
    def path(row: Row[TrackerDay]) -> str:
        return row.path.format(day=age, tracker=tracker)

    return tuple((path(row), row) for row in TRACKER)


def _shown(trackers: int | None) -> range:
    """Return the trackers with paths of their own: those of a unit with several."""
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
    history = view.history
    values: dict[str, Value] = {
        row.path: None if history is None else row.value(history.overall)
        for row in OVERALL
    }
    values[DAYS_AVAILABLE.path] = None if history is None else history.available
    for age in range(DAYS):
        day = None if history is None else history.day(age)
        for path, row in _daily(age):
            values[path] = None if day is None else row.value(day)
        kept = [] if day is None else day.trackers
        for index in _shown(trackers):
            for path, column in _of_tracker(age, index):
                known = index < len(kept)
                values[path] = column.value(kept[index]) if known else None
    return values

"""What to set so that inverters charge no more than a BMS, or DVCC, allows; pure.

A limit becomes the next lower value of the inverter's own list. A lower limit counts at
once; a higher one waits, the longer the more was written today, so that a limit that
goes up and down all day does not wear the inverter's memory out.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mppdbus.control.settings import ShownSetting
from mppdbus.control.write_check import parse
from mppdbus.errors import NotWritten

CURRENT = "max_charging_current"
VOLTAGES = ("battery_float_voltage", "battery_bulk_voltage")  # float never above bulk
# A limit of 0 A: the setting, and the word for what ends it.
NO_CHARGE = ("charger_source_priority", "Only solar")
NO_DISCHARGE = ("output_source_priority", "Utility first")

# The most writes of today, and how long a setting then stays before it may rise.
RISES = (
    (10, timedelta(minutes=1)),
    (20, timedelta(minutes=5)),
    (30, timedelta(minutes=15)),
    (40, timedelta(minutes=30)),
)
NEARLY_ALL = 44  # writes today; then a falling limit goes to the least at once
FALLING = timedelta(minutes=30)  # in which a second fall takes one step more
AMPS_MARGIN = 2.0  # A that a limit must rise above a step, or
MARGIN = 0.05  # this part of it
VOLTS_MARGIN = 0.2  # V
HOLDING = 10.0  # A; less from the mains does not hold a battery
TENTH = 0.05  # V; closer voltages are the same


@dataclass(frozen=True, slots=True)
class Limits:
    """What the system allows now; None: no limit is told.

    In A and V at the battery. The voltage is the one that charging aims at.
    """

    charge_current: float | None = None
    discharge_current: float | None = None
    charge_voltage: float | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """How a setting was written lately: `falls` counts those to less in `FALLING`.

    `before` is what it was before it was set to end charging or discharging; None while
    it was not, or if somebody has changed it since.
    """

    today: int = 0
    last: datetime | None = None
    falls: int = 0
    before: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class FollowingUnit:
    """One inverter: its settings by name, and what was written to them.

    Without `obeys` nothing is written to it, and what it may take counts. `voltages`:
    they may be written. `line`: the loads are on the mains. `sinking`: the voltage of
    the battery falls although the inverter shows no current.
    """

    uid: str
    settings: Mapping[str, ShownSetting]
    written: Mapping[str, Written] = field(default_factory=dict)
    obeys: bool = True
    voltages: bool = False
    line: bool = False
    sinking: bool = False

    def currents(self) -> tuple[float, ...]:
        """Return the charge currents that it can be set to, the least first."""
        shown = self.settings.get(CURRENT)
        if shown is None or shown.allowed is None:
            return ()
        return tuple(sorted(shown.allowed.values))

    @property
    def takes(self) -> float:
        """The A that it may charge with now; if unknown the most of its list."""
        shown = self.settings.get(CURRENT)
        if shown is not None and shown.value is not None:
            return shown.value
        return max(self.currents(), default=math.inf)

    def history(self, name: str) -> Written:
        """Return what was written to a setting."""
        return self.written.get(name, Written())


@dataclass(frozen=True, slots=True)
class WantedSetting:
    """A setting that is to be written now, and why; `urgent` ones do not wait."""

    uid: str
    name: str
    value: float
    why: str
    urgent: bool = False
    holds: bool = False  # ends charging or discharging, until it is set back


def follow(
    limits: Limits, units: Sequence[FollowingUnit], most: float, now: datetime
) -> list[WantedSetting]:
    """Return what is to be written now, what is urgent first.

    `most` is the A that all inverters together may charge with, whatever the BMS says.
    """
    told = limits.charge_current
    limit = most if told is None else max(0.0, min(told, most))
    wanted = [*_currents(limit, units, now)]
    for unit in units:
        if unit.obeys:
            wanted += _priorities(limit, limits, units, unit, now)
            if unit.voltages and limits.charge_voltage is not None:
                wanted += _voltages(limits.charge_voltage, unit, now)
    return sorted(wanted, key=lambda each: not each.urgent)


def safe_settings(
    settings: Mapping[str, ShownSetting], safe: Mapping[str, float | str]
) -> tuple[dict[str, float], list[str]]:
    """Return what a unit is to have while no limits are known, the current first.

    `safe` is what its user wrote. A current is the next lower one of its own list, and
    without one in `safe` the least. The second list says what is not possible here.
    """
    found: dict[str, float] = {}
    troubles = []
    for name in dict.fromkeys((CURRENT, *safe)):
        shown = settings.get(name)
        choices = shown.allowed.values if shown and shown.allowed else ()
        value = safe.get(name, 0.0)
        if shown is None:
            troubles.append(f"{name}: this inverter does not show it")
        elif shown.unit == "A" and not isinstance(value, str):
            if choices:
                fitting = (amps for amps in choices if amps <= value)
                found[name] = max(fitting, default=min(choices))
            else:
                troubles.append(f"{name}: this inverter tells no list of currents")
        else:
            try:
                found[name] = parse(shown, value)
            except NotWritten as error:
                troubles.append(f"{error}")
    return found, troubles


def make_safe(
    unit: FollowingUnit, safe: Mapping[str, float | str], why: str
) -> Iterator[WantedSetting]:
    """Yield what is to be written to a unit while no limits are known."""
    for name, value in safe_settings(unit.settings, safe)[0].items():
        shown = unit.settings[name].value
        if shown is not None and value != shown:
            yield WantedSetting(unit.uid, name, value, why, urgent=True, holds=True)


def least(units: Sequence[FollowingUnit]) -> float:
    """Return the A that all together take at least, however they are set."""
    return sum(_least(unit) for unit in units)


def _least(unit: FollowingUnit) -> float:
    choices = unit.currents() if unit.obeys else ()
    return choices[0] if choices else unit.takes


# -- current ---------------------------------------------------------------------------


def _currents(
    limit: float, units: Sequence[FollowingUnit], now: datetime
) -> Iterator[WantedSetting]:
    """Yield the charge currents: less if they are too much, else more if it lasts."""
    why = f"{limit:g} A are allowed"
    total = sum(unit.takes for unit in units)
    if total > limit:
        for unit, share in _shares(limit, units).items():
            if share < unit.takes:
                amps = _lower(unit, share)
                yield WantedSetting(unit.uid, CURRENT, amps, why, urgent=True)
        return
    steady = limit - max(AMPS_MARGIN, MARGIN * limit)
    for unit, share in _shares(steady, units).items():
        history = unit.history(CURRENT)
        rises = share > unit.takes and total - unit.takes + share <= limit
        if rises and may_rise(history, now):
            total += share - unit.takes
            yield WantedSetting(unit.uid, CURRENT, share, why)


def _shares(limit: float, units: Sequence[FollowingUnit]) -> dict[FollowingUnit, float]:
    """Share a limit: each its least, then the lowest one a step more while it fits."""
    places = [i for i, unit in enumerate(units) if unit.obeys and unit.currents()]
    steps = dict.fromkeys(places, 0)
    lists = {i: units[i].currents() for i in places}
    room = limit - least(units)
    growing = set(places)
    while growing:
        at = min(growing, key=lambda i: (lists[i][steps[i]], i))
        if steps[at] + 1 == len(lists[at]):
            growing.discard(at)
            continue
        more = lists[at][steps[at] + 1] - lists[at][steps[at]]
        if more > room:
            growing.discard(at)
            continue
        room -= more
        steps[at] += 1
    return {units[i]: lists[i][steps[i]] for i in places}


def _lower(unit: FollowingUnit, share: float) -> float:
    """Return what to set instead of too much: lower still while the limit falls on.

    Each fall in the last half hour takes one step more. In line mode that ends where
    the mains would not hold the battery.
    """
    history, choices = unit.history(CURRENT), unit.currents()
    if history.today >= NEARLY_ALL:
        return choices[0]
    floor = min(share, HOLDING) if unit.line else choices[0]
    lower = [amps for amps in choices if floor <= amps <= share] or [share]
    return lower[max(0, len(lower) - 1 - history.falls)]


def may_rise(history: Written, now: datetime) -> bool:
    """Tell whether a setting may be written although nothing is too much."""
    for most, wait in RISES:
        if history.today < most:
            return history.last is None or now - history.last >= wait
    return False


# -- nothing may be charged, or discharged ---------------------------------------------


def _priorities(
    limit: float,
    limits: Limits,
    units: Sequence[FollowingUnit],
    unit: FollowingUnit,
    now: datetime,
) -> Iterator[WantedSetting]:
    """Yield the priorities: mains do not charge, or loads leave the battery."""
    fewest = least(units)
    margin = 0.0 if unit.sinking else AMPS_MARGIN
    yield from _hold(
        unit,
        NO_CHARGE,
        begin=limit < fewest,
        end=limit >= fewest + margin,
        why=f"{limit:g} A are allowed, and {fewest:g} A are the least it can be set to",
        now=now,
    )
    yield from _hold(
        unit,
        ("max_ac_charging_current", ""),  # only while the limits were lost
        begin=False,
        end=True,
        why="",
        now=now,
    )
    amps = limits.discharge_current
    yield from _hold(
        unit,
        NO_DISCHARGE,
        begin=amps is not None and amps <= 0,
        end=amps is None or amps > AMPS_MARGIN,
        why="the battery may not be discharged",
        now=now,
    )


def _hold(
    unit: FollowingUnit,
    hold: tuple[str, str],
    *,
    begin: bool,
    end: bool,
    why: str,
    now: datetime,
) -> Iterator[WantedSetting]:
    """Yield the priority that ends something, or later the one that was before."""
    name, word = hold
    shown = unit.settings.get(name)
    if shown is None or shown.value is None:
        return
    history = unit.history(name)
    code = next((code for code, text in shown.names.items() if text == word), None)
    if begin:
        if code is not None and code != shown.value:
            yield WantedSetting(unit.uid, name, code, why, urgent=True, holds=True)
    elif end and history.before is not None and history.before != shown.value:
        soon = unit.sinking and history.today < NEARLY_ALL
        waited = history.last is None or now - history.last >= RISES[0][1]
        if may_rise(history, now) or (soon and waited):
            yield WantedSetting(unit.uid, name, history.before, "as it was before")


# -- voltage ---------------------------------------------------------------------------


def _voltages(
    volts: float, unit: FollowingUnit, now: datetime
) -> Iterator[WantedSetting]:
    """Yield bulk and float, both as the BMS says: it decides when the battery floats.

    Going down float is first, going up bulk: so float is never above bulk.
    """
    why = f"{volts:g} V is the charge voltage"
    found = [each for name in VOLTAGES if (each := unit.settings.get(name))]
    down = [
        WantedSetting(unit.uid, each.name, value, why, urgent=True)
        for each in found
        if (value := _lower_voltage(volts, each, unit.history(each.name))) is not None
    ]
    yield from down or [
        WantedSetting(unit.uid, each.name, value, why)
        for each in reversed(found)
        if (value := _higher_voltage(volts, each)) is not None
        and may_rise(unit.history(each.name), now)
    ]


def _lower_voltage(volts: float, shown: ShownSetting, past: Written) -> float | None:
    wanted = _legal(volts, shown)
    if wanted is None or shown.value is None or shown.value <= volts + TENTH:
        return None
    if past.today >= NEARLY_ALL:
        wanted = _legal(volts - 10 * VOLTS_MARGIN, shown)
    elif past.falls:
        wanted = _legal(volts - VOLTS_MARGIN * past.falls, shown)
    return None if wanted is None or wanted >= shown.value - TENTH else wanted


def _higher_voltage(volts: float, shown: ShownSetting) -> float | None:
    wanted = _legal(volts, shown)
    if wanted is None or shown.value is None:
        return None
    return wanted if wanted >= shown.value + VOLTS_MARGIN - 1e-6 else None


def _legal(volts: float, shown: ShownSetting) -> float | None:
    """Return the next lower voltage that it can be set to, at least the lowest one."""
    legal = shown.allowed
    if legal is None or legal.least is None or legal.most is None:
        return None
    steps = int((min(volts, legal.most) - legal.least) / (legal.step or 0.1) + 1e-6)
    return round(legal.least + max(0, steps) * (legal.step or 0.1), 2)

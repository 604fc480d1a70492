"""Removes impossible values from a reading; pure, time is passed in.

An impossible field becomes None, never another value. A battery voltage cannot jump:
one that does counts only when the next reading confirms it. Powers may jump.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from mppdbus.protocol.identification import NOMINAL, Identification
from mppdbus.protocol.plausible_limits import (
    BATTERY,
    FIELDS,
    MAXIMUM,
    SET_POINTS,
    Limit,
)
from mppdbus.protocol.replies import settings as s
from mppdbus.protocol.replies import status as m
from mppdbus.protocol.replies.fields import Reading

R = TypeVar("R", bound=Reading)

LOWEST, HIGHEST = 0.7, 1.35  # of the nominal voltage: no battery is outside
ANY_BATTERY = (8.0, 66.0)  # V, while the nominal voltage is unknown
NO_BATTERY = 5.0  # V; units without a battery show 0.0 to 3.3 V
JUMP = 0.15  # of the nominal voltage, from one poll to the next
REMEMBERED = 60.0  # s after which the last battery voltage is too old to detect a jump
SURGE = 3.0  # times the rating that a power may reach
RATINGS_AWAITED = 60.0  # s for which the battery waits for the nominal voltage


@dataclass(frozen=True, slots=True)
class Remark:
    """Why a field was removed: `code` for programs and counters, `text` for people.

    `value` is the value of the inverter.
    """

    code: str
    field: str
    value: object
    text: str


@dataclass(slots=True)
class _BelievedVoltage:
    """The last plausible voltage, its time, and one that waits for confirmation."""

    voltage: float
    time: float
    held: float | None = None


class Plausibility:
    """The filter of one inverter, which takes its ratings from QPIRI.

    With `awaits_ratings`, the battery is unknown while its nominal voltage is, for a
    minute at most: 12 V at an inverter for 48 V are no battery. A voltage too low for
    any battery means that there is none when the next reading confirms it.
    """

    def __init__(
        self,
        identification: Identification | None = None,
        *,
        awaits_ratings: bool = False,
    ) -> None:
        self.identification = identification
        self._awaits_ratings = awaits_ratings
        self._first: float | None = None  # time of the first battery voltage
        self.nominal_voltage: float | None = None  # V, of the battery
        self._ratings: s.Ratings | s.RatingsRevo | None = None
        self._bounds = dict(MAXIMUM)
        self._batteries: dict[tuple[type[Reading], str | None], _BelievedVoltage] = {}
        self._low: set[tuple[type[Reading], str | None]] = set()  # at the last reading
        self._find_nominal_voltage()

    def identified(self, found: Identification) -> None:
        """Set the identity of the unit, for its nominal voltage."""
        self.identification = found
        self._find_nominal_voltage()

    def _find_nominal_voltage(self) -> None:
        """Take it from QPIRI, else from the model."""
        rated = self._ratings.battery_rating_voltage if self._ratings else None
        found = self.identification
        if rated in NOMINAL:
            self.nominal_voltage = rated
        else:
            self.nominal_voltage = found.nominal_voltage if found else None

    def check(self, reading: R, now: float) -> tuple[R, list[Remark]]:
        """Return the reading without impossible values, and the remarks; `now` in s."""
        if vars(reading).get("exists", True) is False:
            return reading, []  # an empty slot has no measured values
        unsaid = _not_reported(reading)
        if isinstance(reading, s.Ratings | s.RatingsRevo):
            remarks = list(self._settings(reading))
        else:
            remarks = [*self._values(reading), *self._battery(reading, now)]
            if isinstance(reading, m.GeneralStatus):
                if reading.battery_voltage == 0:
                    remarks += self._unpowered(reading)
                remarks += self._pv_current(reading)
        if remarks:
            gone = {r.field: None for r in remarks if r.value is not None}
            reading = reading.model_copy(update=gone)
        if isinstance(reading, s.Ratings | s.RatingsRevo):
            self._learn(reading)
        return reading, remarks + unsaid

    # -- each field by itself -----------------------------------------------------

    def _values(self, reading: Reading) -> Iterator[Remark]:
        bounds, found = self._bounds, self.identification
        said = vars(reading)
        for name, limit in _limits(type(reading)):
            value = said[name]
            if value is not None and value > bounds[limit]:
                text = f"{name} {value}: above {bounds[limit]:g}, cannot be"
                yield Remark(limit.value, name, value, text)
        raw = found is not None and found.dialect.raw_temperature
        if raw and isinstance(reading, m.GeneralStatus):
            count = reading.heatsink_temperature
            if count is not None and count <= bounds[Limit.TEMPERATURE]:
                text = f"heatsink_temperature {count}: a raw count in this family"
                yield Remark("temperature", "heatsink_temperature", count, text)

    # -- the battery ---------------------------------------------------------------

    def _battery(self, reading: Reading, now: float) -> list[Remark]:
        said = vars(reading)  # `getattr` of a field that a model lacks is slow
        voltage = said.get("battery_voltage")
        if voltage is None:
            return []
        nominal = self.nominal_voltage
        low, high = ANY_BATTERY
        if nominal is not None:
            low, high = LOWEST * nominal, HIGHEST * nominal
        if voltage < NO_BATTERY:
            return _battery_remarks(reading, "no_battery", "no battery")
        if nominal is None and self._waits(now):
            text = "shown when QPIRI has said for which battery the unit is"
            return _battery_remarks(reading, "unrated", text)
        key = (type(reading), said.get("serial"))
        before, lasting = self._batteries.get(key), key in self._low
        self._low.discard(key)
        if not low <= voltage <= high:
            text = f"{voltage:g} V is not between {low:.1f} and {high:.1f} V"
            code = "battery_voltage"
            if nominal is not None and voltage < low:
                self._low.add(key)
                code = "no_battery" if lasting or before is None else code
            return _battery_remarks(reading, code, text)
        if before is None or now - before.time > REMEMBERED:
            self._batteries[key] = _BelievedVoltage(voltage, now)
            return []
        step = JUMP * (nominal or voltage)
        confirmed = before.held is not None and abs(voltage - before.held) <= step
        if confirmed or abs(voltage - before.voltage) <= step:
            before.voltage, before.time, before.held = voltage, now, None
            return []
        before.held = voltage
        text = (
            f"the battery was at {before.voltage:g} V a moment ago; shown if the next "
            "reading says the same"
        )
        return _battery_remarks(reading, "battery_jump", text)

    def _waits(self, now: float) -> bool:
        """Tell whether the battery waits for its nominal voltage; `now` in s."""
        if not self._awaits_ratings or self._ratings:
            return False
        self._first = now if self._first is None else self._first
        return now - self._first < RATINGS_AWAITED

    # -- several fields together ----------------------------------------------------

    def _unpowered(self, reading: m.GeneralStatus) -> Iterator[Remark]:
        """Refuse all values if mains, battery, bus and PV are all 0 V.

        Without any supply the inverter could not answer.
        """
        grid, battery = reading.grid_voltage, reading.battery_voltage
        if {grid, battery, reading.bus_voltage, reading.pv_input_voltage} != {0}:
            return
        for name in reading.units():
            if (value := getattr(reading, name)) is not None:
                text = f"{name} {value}: mains, battery, bus and PV are all 0 V"
                yield Remark("all_zero", name, value, text)

    def _pv_current(self, reading: m.GeneralStatus) -> Iterator[Remark]:
        """Remove a PV current that is measured at the battery, not at the panels.

        A layout without PV power keeps it, as its only value of PV.
        """
        current, volts = reading.pv_input_current, reading.pv_input_voltage
        power, found = reading.pv_charging_power, self.identification
        side = found.dialect.pv_current_is_battery_side if found else None
        if current is None or power is None or side is False:
            return
        if not side:
            if volts is None or _makes(current, volts, power):
                return
            battery = reading.battery_voltage
            side = battery is not None and _makes(current, battery, power)
        why = "measured at the battery" if side else f"{volts:g} V make no {power} W"
        text = f"pv_input_current {current:g} A: {why}"
        yield Remark("pv_current", "pv_input_current", current, text)

    # -- ratings and settings -----------------------------------------------------

    def _settings(self, ratings: s.Ratings | s.RatingsRevo) -> Iterator[Remark]:
        nominal = ratings.battery_rating_voltage
        if nominal is not None and nominal not in NOMINAL:
            text = f"battery_rating_voltage {nominal:g} V: no such battery"
            yield Remark("nominal", "battery_rating_voltage", nominal, text)
            return
        for name, (least, most) in SET_POINTS.items() if nominal else ():
            value = getattr(ratings, name, None)
            if value and nominal and not least * nominal <= value <= most * nominal:
                text = f"{name} {value:g} V: not for a {nominal:g} V battery"
                yield Remark("set_point", name, value, text)
        yield from _rated(ratings)

    def _learn(self, ratings: s.Ratings | s.RatingsRevo) -> None:
        self._ratings = ratings
        self._find_nominal_voltage()
        apparent = ratings.ac_output_rating_apparent_power or 0
        volts = ratings.ac_output_rating_voltage
        product = (volts or 0) * (ratings.ac_output_rating_current or 0)
        if apparent or product:
            self._bounds[Limit.POWER] = SURGE * max(apparent, product)


@cache
def _limits(model: type[Reading]) -> tuple[tuple[str, Limit], ...]:
    """Return the fields of a model that have a limit."""
    return tuple((n, FIELDS[n]) for n in model.model_fields if n in FIELDS)


def _rated(ratings: s.Ratings | s.RatingsRevo) -> Iterator[Remark]:
    """Compare V and A with VA: units print 10 200 VA as 0200, and 01.3 A for 13 A."""
    volts = ratings.ac_output_rating_voltage
    apparent, amps = (
        ratings.ac_output_rating_apparent_power,
        ratings.ac_output_rating_current,
    )
    if not volts or not amps or not apparent:
        return
    wrong: tuple[str, ...] = ()
    if apparent < 0.5 * volts * amps:
        wrong = ("ac_output_rating_apparent_power", "ac_output_rating_active_power")
    elif volts * amps < 0.3 * apparent:
        wrong = ("ac_output_rating_current", "grid_rating_current")
    for name in wrong:
        if (value := getattr(ratings, name)) is not None:
            text = f"{name} {value:g}: {volts:g} V, {amps:g} A and {apparent} VA differ"
            yield Remark("rating", name, value, text)


def _makes(current: float, volts: float, power: float) -> bool:
    """Tell whether current times voltage is the power, within the rounding."""
    coarse = 1.0 if current == int(current) else 0.15
    least = (current - coarse) * volts * 0.9 - 30
    return least <= power <= (current + coarse) * volts * 1.1 + 30


def _battery_remarks(reading: Reading, code: str, text: str) -> list[Remark]:
    said = ((name, getattr(reading, name, None)) for name in BATTERY)
    return [
        Remark(code, name, value, f"{name} {value}: {text}")
        for name, value in said
        if value is not None
    ]


def _not_reported(reading: Reading) -> list[Remark]:
    """Name the fields for which the inverter wrote "-", or an odd word."""
    said = vars(reading)
    missing = [name for name in reading.model_fields_set if said[name] is None]
    return [
        Remark("not_reported", name, None, f"{name}: the inverter says no value")
        for name in missing
    ]

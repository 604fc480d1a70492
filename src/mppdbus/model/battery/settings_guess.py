"""Guesses the battery from the inverter's settings (QPIRI). Pure.

Show them as guesses; the values in the user's configuration are better.
"""

from mppdbus.model.battery.chemistries import Chemistry
from mppdbus.protocol.dialects import DIALECTS
from mppdbus.protocol.replies.settings import Ratings, RatingsRevo

NOMINAL = (12.0, 24.0, 36.0, 48.0)
BLOCK = 12.0  # V: the voltages below are for a block of 12 V
LEAD_FLOAT = 13.5  # V
LITHIUM_BULK = 13.4  # V: no lead battery is charged with so little
NARROW = 0.2  # V between bulk and float; lead needs more
HIGH_CUTOFF = 11.6  # V: a cut-off this high means lithium
CHARGE_HOURS = {"lead": 4.0, "lithium": 2.0}  # h of the configured charge current
CHARGE_AMPS = 50.0  # if the inverter gives none
CAPACITY = (50.0, 2000.0)  # Ah
CAPACITY_BLUR = 0.4  # of a capacity that is guessed
CHEMISTRY_BLUR = 20.0  # %: error of the charge by voltage if the chemistry is wrong

AnyRatings = Ratings | RatingsRevo
_BY_NAME = {"AGM": Chemistry.AGM, "Flooded": Chemistry.FLOODED}


def nominal_voltage(ratings: AnyRatings) -> float | None:
    """Return the nominal voltage: 12, 24, 36, 48 V, or what else the unit gives."""
    if (rated := ratings.battery_rating_voltage) is not None and rated >= 6:
        return rated
    if (float_v := ratings.battery_float_voltage) is None or float_v < 6:
        return None
    return min(NOMINAL, key=lambda v: abs(v * LEAD_FLOAT / BLOCK - float_v))


def chemistry(ratings: AnyRatings, dialect: str | None, nominal: float) -> Chemistry:
    """Return the chemistry by the inverter's battery type, else by its voltages."""
    table = DIALECTS.get(dialect or "")
    names = table.battery_types if table is not None else {}
    name = names.get(-1 if ratings.battery_type is None else ratings.battery_type)
    if name is None or name == "User":
        return _by_voltages(ratings, nominal / BLOCK)
    return _BY_NAME.get(name, Chemistry.LFP)  # all others talk with a BMS


def capacity(ratings: AnyRatings, kind: str, units: int) -> float:
    """Return a typical capacity, Ah, for the charge current of `units` inverters."""
    hours = CHARGE_HOURS["lithium" if kind.startswith("lithium") else "lead"]
    amps = float(ratings.max_charging_current or CHARGE_AMPS) * units
    low, high = CAPACITY
    return min(max(round(amps * hours, -1), low), high)


def _by_voltages(ratings: AnyRatings, blocks: float) -> Chemistry:
    bulk, float_v = ratings.battery_bulk_voltage, ratings.battery_float_voltage
    cutoff = ratings.battery_under_voltage
    if bulk is not None and bulk < LITHIUM_BULK * blocks:
        return Chemistry.LFP
    if bulk is not None and float_v is not None and bulk - float_v <= NARROW * blocks:
        return Chemistry.LFP
    if cutoff is not None and cutoff >= HIGH_CUTOFF * blocks:
        return Chemistry.LFP
    return Chemistry.AGM

"""The state of charge as it is published, from any source. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from mppdbus.model.snapshot import Snapshot

INVERTERS_WORD = "estimated: the inverter's own percent, from battery voltage"


@dataclass(frozen=True, slots=True)
class Charge:
    """The state of charge of the battery, its source and its certainty.

    `origin` is a sentence; `margin` is ± % at 95 % probability; confidence 0 to 1.
    """

    percent: float | None = None
    origin: str = "unknown"
    margin: float | None = None
    confidence: float | None = None
    offset: float | None = None  # A that the inverter's reading is too high
    capacity: float | None = None  # Ah, as the user says; None: not said
    low: int | None = None  # level of the alarm: 0, 1, 2; None: too little is known
    trouble: str | None = None  # what does not fit, in words; "" if nothing


def own_charge(snapshot: Snapshot) -> Charge:
    """Return the inverter's own percent, which it guesses from the battery voltage."""
    status = snapshot.status
    if status is None or status.battery_capacity is None:
        return Charge()
    return Charge(float(status.battery_capacity), INVERTERS_WORD)


class Anchor(StrEnum):
    """The kind of value that the count began with."""

    GUESS = "guess"  # the voltage at the first start
    FULL = "full"
    LOW = "low"
    REST = "rest"
    HAND = "hand"


SINCE = {
    Anchor.GUESS: "a guess by the voltage",
    Anchor.FULL: "the battery was full",
    Anchor.LOW: "the battery was nearly empty",
    Anchor.REST: "a look at the rest voltage",
    Anchor.HAND: "it was set by hand",
}
UNKNOWN = "Not known: no battery voltage and current were read yet."
FULL = "Full: it takes hardly any current at the voltage of the charger."
NEVER = "no full charge seen yet, the first one puts it right"
LONG_AGO_S = 5 * 86400.0
TELLING_AMPS = 0.3


def explain(
    anchor: Anchor,
    margin: float,
    *,
    age_s: float,
    unseen_s: float,
    full_age_s: float | None,
    offset: float,
) -> str:
    """Explain the state of charge in words; `margin` in %, `offset` in A."""
    words = [f"Counted for {span(age_s)} since {SINCE[anchor]}, ±{margin:.0f} %"]
    if age_s < 60:
        words = [f"Now: {SINCE[anchor]}, ±{margin:.0f} %"]
    if unseen_s >= 600:
        words.append(f"{span(unseen_s)} of it not seen")
    if full_age_s is None:
        words.append(NEVER)
    elif full_age_s >= LONG_AGO_S:
        words.append(f"no full charge for {span(full_age_s)}")
    if abs(offset) >= TELLING_AMPS:
        way = "high" if offset > 0 else "low"
        words.append(f"the inverter reads about {abs(offset):.1f} A too {way}")
    return "; ".join(words) + "."


def span(seconds: float) -> str:
    """Return a length of time as people say it."""
    if seconds < 90 * 60:
        return f"{max(round(seconds / 60), 1)} min"
    if seconds < 48 * 3600:
        return f"{round(seconds / 3600)} h"
    return f"{round(seconds / 86400)} days"

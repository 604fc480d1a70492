"""What is known of a battery as a sentence for its owner. Pure."""

from __future__ import annotations

from mppdbus.model.battery.estimator_state import Anchor

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
    """Return why the state of charge is what it is; `margin` in %, `offset` in A."""
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

"""What can happen to a reply on its way: the faults that decide nothing."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from mppdbus.protocol.framing import encode_reply
from mppdbus.simulator.line.simulator import Response, Simulator, simulate
from mppdbus.simulator.line.speed import Pace
from mppdbus.simulator.scene.sets import parse_set, simulate_set

NAK = encode_reply("NAK")
KINDS = (
    "nak",
    "stray nak",
    "stray reply",
    "behind",  # one more reply after the true one
    "glued",  # the same, and the CR between them is lost
    "late",
    "doubled",
    "cut",
    "none",
)
PAIRS = {"max-8000": "2", "eg4-6500": "L1,L2", "lv5048": "2"}  # sets of two


def spoil(
    kind: str,
    response: Response,
    said: Sequence[bytes],
    rng: random.Random,
    *,
    latest: float = 4.0,
) -> Response | None:
    """Return what comes instead of a response; `said` are replies from before.

    `latest` is by how many s a reply is late at most.
    """
    data = response.data
    match kind:
        case "nak":
            data = NAK
        case "stray nak":
            data = NAK + data
        case "stray reply":
            data = rng.choice(said) + data
        case "behind":
            data = data + rng.choice(said)
        case "glued":
            data = data[:-1] + rng.choice(said)
        case "late":
            return replace(response, delay=rng.uniform(0.5, latest))
        case "doubled":
            data = data * 2
        case "cut":
            data = data[: rng.randrange(len(data))]
        case _:
            return None
    return replace(response, data=data)


def units_of(profile: str, scene: str, think: float) -> tuple[Simulator, ...]:
    """Return a unit, or a set of two of `PAIRS`; the first one has the cable."""
    pace = Pace(think=think, paced=False)
    if profile in PAIRS:
        labels = parse_set(PAIRS[profile])
        return simulate_set(profile, labels, pace=pace, scene=scene).simulators
    return (simulate(profile, pace=pace, scene=scene),)

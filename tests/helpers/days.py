"""Days of sun, load and outages, as control lines for the simulator; seeded."""

from __future__ import annotations

import random
from collections.abc import Iterator

DAY = 86400.0
BEGIN = "battery auto; fault off; time 00:00; soc 70; panel PCP02; pause"
PRIORITIES = ("panel POP00", "panel POP01", "panel POP02", "panel POP02")
OUTAGE, END_OF_OUTAGE = 0.06, 0.3  # chances from one change to the next
LONGEST = 3600.0  # s from one change to the next


def profile(seed: int, days: int, looks: int) -> Iterator[str]:
    """Yield lines parted by ";" that lead from one look to the next.

    Load and clouds change within the hour; the priority is changed every day.
    """
    rng = random.Random(seed)
    mains, elapsed, today = True, 0.0, -1
    lines = [BEGIN]
    for look in range(1, looks + 1):
        until = days * DAY * (look - rng.random() / 2) / looks
        while elapsed < until:
            if (day := int(elapsed / DAY)) > today:
                today = day
                lines.append(rng.choice(PRIORITIES))
            mains = rng.random() > (OUTAGE if mains else 1 - END_OF_OUTAGE)
            span = min(rng.uniform(900, LONGEST), until - elapsed)
            lines += _weather(rng, mains=mains)
            lines.append(f"step {span:.1f}")
            elapsed += span
        yield "; ".join(lines)
        lines = []


def _weather(rng: random.Random, *, mains: bool) -> list[str]:
    loads = (
        rng.uniform(0, 60),
        rng.uniform(150, 600),
        rng.uniform(600, 1800),
        rng.uniform(1800, 4800),
    )
    volts, hertz = rng.uniform(215, 245), rng.uniform(49.8, 50.2)
    return [
        f"grid on {volts:.1f} {hertz:.1f}" if mains else "grid off",
        f"pv curve {rng.uniform(200, 4500):.0f}",
        f"load {rng.choice(loads):.1f}",
    ]

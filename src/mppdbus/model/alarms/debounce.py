"""Debounces warnings: a name is on or off only after some readings agree. Pure."""

from collections.abc import Set as AbstractSet

# QPIWS comes every 5 to 6 s. Two readings in a row are no glitch; where the second one
# is lost or polled late, 10 s without the contrary suffice. Venus OS makes a new entry
# for each change, so a name goes off only when three readings lack it: 15 s.
RISE_READINGS = 2
RISE = 10.0  # s
FALL = 15.0  # s


class Debounce:
    """The names that are on, without flicker; times in s of the caller's clock."""

    def __init__(self) -> None:
        self.on: frozenset[str] = frozenset()
        self._rising: dict[str, tuple[float, int]] = {}  # since when, readings
        self._falling: dict[str, float] = {}

    @property
    def settled(self) -> bool:
        """True when the active names change only if the readings change."""
        return not (self._rising or self._falling)

    def feed(
        self,
        seen: AbstractSet[str],
        now: float,
        *,
        fresh: bool,
        at_once: AbstractSet[str] = frozenset(),
    ) -> frozenset[str]:
        """Take the names of a reading, and return those that are on.

        `fresh` says that this reading is a new one. Names in `at_once` are on after one
        reading.
        """
        rising = {
            name: self._rising_since(name, now, fresh=fresh) for name in seen - self.on
        }
        risen = {
            name
            for name, (since, readings) in rising.items()
            if name in at_once or readings >= RISE_READINGS or now - since >= RISE
        }
        falling = {name: self._falling.get(name, now) for name in self.on - seen}
        fallen = {name for name, since in falling.items() if now - since >= FALL}
        self._rising = {n: s for n, s in rising.items() if n not in risen}
        self._falling = {n: s for n, s in falling.items() if n not in fallen}
        self.on = (self.on | risen) - fallen
        return self.on

    def resume(self, seen: AbstractSet[str]) -> None:
        """Go on after a gap: keep the names that are still on, forget the rest."""
        self.on &= seen
        self._rising.clear()
        self._falling.clear()

    def _rising_since(self, name: str, now: float, *, fresh: bool) -> tuple[float, int]:
        if name not in self._rising:
            return now, 1
        since, readings = self._rising[name]
        return since, readings + fresh

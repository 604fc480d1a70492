"""Whose values these are: RS232 plugs are swapped in seconds, and the ports stay."""

from __future__ import annotations

from collections.abc import Callable

from mppdbus.errors import LinkError
from mppdbus.inverter.device import Inverter
from mppdbus.protocol.dialects import bogus_serial
from mppdbus.protocol.replies.settings import SerialNumber

SWAP = 3.0  # s without a question in which a plug may be swapped unnoticed


class Doubt:
    """Asks who is there when a plug may have been swapped, and every `every` s.

    A swap loses an attempt, or nobody has asked for `SWAP` s. A unit without a number
    of its own is never asked.
    """

    def __init__(
        self, inverter: Inverter, clock: Callable[[], float], every: float
    ) -> None:
        self._inverter = inverter
        self._clock = clock
        self._every = every
        self._misses: int | None = None  # at the last answer; None: ask in any case
        self._due = 0.0
        self.cast = False  # on the readings at hand: they may be somebody else's

    def settle(self) -> None:
        """Note that just now it was said who is there."""
        self._misses = self._missed
        self._due = self._clock() + self._every
        self.cast = False

    def suspect(self) -> None:
        """Ask after the next good reading."""
        self._misses = None

    def idle(self, seconds: float) -> None:
        """Note that for so long nothing will be asked."""
        if seconds >= SWAP:
            self.suspect()

    async def stranger(self) -> str | None:
        """Return who is there now instead of the known unit; None: it is the same.

        Asks only in doubt; raises as `read` does while nobody says who he is.
        """
        known = self._inverter.identity.serial
        quiet = self._misses == self._missed and self._clock() < self._due
        if known is None or (quiet and not self.cast):
            return None
        self.cast = True
        said = await self._inverter.read("QID")
        serial = said.serial if isinstance(said, SerialNumber) else None
        if serial is None or bogus_serial(serial):
            raise LinkError(f"QID: {serial} is the number of many; {known} was here")
        if serial != known:
            return serial
        self.settle()
        return None

    @property
    def _missed(self) -> int:
        """The attempts without a good reply, of whatever query."""
        stats = self._inverter.link.stats
        return stats.timeouts + stats.corrupt

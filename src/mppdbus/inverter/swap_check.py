"""Asks QID again when a plug may have been swapped, before values are shown.

RS232 plugs are swapped in seconds, and the ports stay.
"""

from collections.abc import Callable

from mppdbus.errors import LinkError
from mppdbus.inverter import timing
from mppdbus.inverter.device import Inverter
from mppdbus.protocol.replies.settings import SerialNumber
from mppdbus.protocol.serial_numbers import bogus_serial


class SwapCheck:
    """Asks for the serial number after a lost attempt or a pause, and every `every` s.

    A swap loses an attempt, or happens in a pause of `SWAP` s or more. A unit without a
    unique serial number is never asked.
    """

    def __init__(
        self, inverter: Inverter, clock: Callable[[], float], every: float
    ) -> None:
        self._inverter = inverter
        self._clock = clock
        self._every = every
        self._known: str | None = None  # the unit's number
        self._lost: int | None = None  # lost attempts at the last answer; None: ask now
        self._due = 0.0
        self.pending = False  # the last readings may be another unit's

    def confirm(self) -> None:
        """Note that the unit has just answered QID."""
        self._known = self._inverter.identity.serial
        self._lost = self._inverter.link.stats.lost
        self._due = self._clock() + self._every
        self.pending = False

    def request(self) -> None:
        """Ask after the next good reading."""
        self._lost = None

    def pause(self, seconds: float) -> None:
        """Note a pause of `seconds` without queries."""
        if seconds >= timing.SWAP:
            self.request()

    @property
    def due(self) -> bool:
        """Tell whether QID is to be asked before the last reading may be shown."""
        lost = self._lost != self._inverter.link.stats.lost
        asking = self.pending or lost or self._clock() >= self._due
        return asking and self._known is not None

    async def other_unit(self) -> str | None:
        """Ask QID; return the serial number of another unit, None for the same one.

        Another number must come twice. Raises as `Inverter.read` does, and `LinkError`
        for a number that is not unique.
        """
        self.pending = True
        serial = await self._ask()
        if serial != self._known and serial != await self._ask():
            raise LinkError(f"QID: {serial} once, but {self._known} was here")
        if bogus_serial(serial):
            raise LinkError(
                f"QID: {serial} is the number of many; {self._known} was here"
            )
        if serial != self._known:
            return serial
        self.confirm()
        return None

    async def _ask(self) -> str | None:
        said = await self._inverter.read("QID")
        return said.serial if isinstance(said, SerialNumber) else None

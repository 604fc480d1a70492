"""Reads the inverter's own energy meters, if any: QET, and QED by the date of QT."""

from collections.abc import Callable
from datetime import date, datetime, timedelta

from mppdbus.inverter.device import Inverter
from mppdbus.model.energy.daily_history import clocks_agree
from mppdbus.protocol.replies.other import Clock, Energy

REFUSALS = 2  # of QED in a row, after which it is not asked again

Tell = Callable[[date | None, float], None]


class EnergyMeters:
    """Reads the meters of an inverter in turn, one query at a time.

    `tell` gets the Wh of a day, or, with None as day, the total (QET). `local_now` is
    local time without zone: the inverter's days count only while its clock agrees.
    """

    def __init__(
        self, inverter: Inverter, tell: Tell, local_now: Callable[[], datetime]
    ) -> None:
        self._inverter = inverter
        self._tell = tell
        self._local_now = local_now
        self._left: list[str] = []  # queries left in this round
        self._closed: date | None = None  # the last day read after its end
        self._refused = 0

    @property
    def there(self) -> bool:
        """Tell whether this unit has meters: it has answered QET."""
        return isinstance(self._inverter.readings.last("QET"), Energy)

    async def ask(self) -> bool:
        """Send the next query; false when that was the last of the round.

        Raises only `PortLost`.
        """
        self._left = self._left or self._round()
        query = self._left.pop(0)
        inverter = self._inverter
        patience = inverter.link.brief
        said = await inverter.try_read(query, attempts=1, patience=patience)
        match said:
            case Clock(time=theirs) if theirs is not None:
                self._left += self._days(theirs)
            case Energy(energy=wh) if wh is not None:
                self._take(query, float(wh))
        if query.startswith("QED"):
            self._refused = 0 if said is not None else self._refused + 1
        return bool(self._left)

    def _round(self) -> list[str]:
        dated = isinstance(self._inverter.readings.last("QT"), Clock)
        return ["QET", "QT"] if dated and self._refused < REFUSALS else ["QET"]

    def _days(self, theirs: datetime) -> list[str]:
        """Return the queries for the inverter's days, by its own clock."""
        if not clocks_agree(theirs, self._local_now()):
            return []
        today = theirs.date()
        yesterday = today - timedelta(days=1)
        days = [today] if self._closed == yesterday else [today, yesterday]
        return [f"QED{day:%Y%m%d}" for day in days]

    def _take(self, query: str, wh: float) -> None:
        if query == "QET":
            self._tell(None, wh)
            return
        day = date.fromisoformat(query[3:])
        if day != self._local_now().date():
            self._closed = day
        self._tell(day, wh)

"""The inverter's clock: how far it is off, and how it is set.

All times are local, without zone, as the inverter counts them; it knows nothing of
summer time. Its daily counters begin anew at its own midnight.
"""

import asyncio
from calendar import timegm
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from mppdbus.control import write
from mppdbus.control.journal import WrittenSetting
from mppdbus.control.settings import ShownSetting
from mppdbus.control.unit_control import UnitControl
from mppdbus.control.write_check import Permission, allowed_setter
from mppdbus.errors import NotWritten, PortLost
from mppdbus.protocol.replies.other import Clock
from mppdbus.protocol.settings.meanings import CLOCK
from mppdbus.protocol.settings.setters import Setter

TOLERANCE = 2.0  # s; the inverter tells whole seconds
WORTH_SETTING = 60.0  # s of drift from which it is set without being asked
NOT_BEFORE = datetime(2026, 1, 1)  # noqa: DTZ001 - a machine that says so knows no time
MIDNIGHT = timedelta(minutes=10)  # around which nothing is set: it would cut a day
A_DAY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class ClockReading:
    """What the inverter's clock shows, and what time it is here."""

    inverter: datetime
    here: datetime

    @property
    def drift(self) -> float:
        """The s by which the inverter is ahead; negative: it is behind."""
        return (self.inverter - self.here).total_seconds()

    def __str__(self) -> str:
        """Return both times and the difference, for people."""
        size = abs(self.drift)
        text = "right" if size <= TOLERANCE else f"{timedelta(seconds=round(size))} "
        if size > TOLERANCE:
            text += "ahead" if self.drift > 0 else "behind"
        return f"inverter {self.inverter}, here {self.here:%Y-%m-%d %H:%M:%S}: {text}"


def worth_setting(reading: ClockReading, last: datetime | None) -> bool:
    """Tell whether a clock is set without being asked.

    It must be off by more than a minute, and be tried once a day at most: `last` is
    when it was. A day of the inverter's counters is never cut.
    """
    here = reading.here
    if abs(reading.drift) <= WORTH_SETTING or here < NOT_BEFORE:
        return False
    if last is not None and abs(here - last) < A_DAY:
        return False
    return not any(map(_near_midnight, (here, reading.inverter)))


def _near_midnight(time: datetime) -> bool:
    return (time - MIDNIGHT).date() != (time + MIDNIGHT).date()


class InverterClock:
    """The clock of the inverter that `control` writes to; `local_now` is time here."""

    def __init__(self, control: UnitControl, local_now: Callable[[], datetime]) -> None:
        self._control = control
        self._local_now = local_now

    async def read(self) -> ClockReading | None:
        """Return what two replies agree on; None while the time is not known."""
        first, second = await self._once(), await self._once()
        if first is None or second is None:
            return None
        agree = abs(first.drift - second.drift) <= TOLERANCE
        return second if agree else None

    async def set(
        self, permission: Permission, by: str, *, automatic: bool = False
    ) -> WrittenSetting:
        """Set it to the time here; raises `NotWritten`.

        `by` and `automatic` (nobody waits for it) are for the journal.

        It is sent once, at the beginning of a second, and read back at once and later.
        """
        found = self._control.unit.found
        setter = allowed_setter(ShownSetting(CLOCK, None), found, permission)
        if self._local_now() < NOT_BEFORE:
            raise NotWritten("clock: this machine does not know what time it is")
        async with self._control.turn:
            return await self._set(setter, by, automatic=automatic)

    async def _set(self, setter: Setter, by: str, *, automatic: bool) -> WrittenSetting:
        unit, journal = self._control.unit, self._control.journal
        reading = await self.read()
        if reading is None:
            raise NotWritten("clock: the inverter does not tell its time (QT) for sure")
        now = datetime.now().astimezone()
        await asyncio.to_thread(journal.check_budget, unit.name, CLOCK.name, now)
        wanted = self._local_now().replace(microsecond=0) + timedelta(seconds=1)
        begun = WrittenSetting(
            time=now.isoformat(timespec="milliseconds"),
            unit=unit.name,
            model=unit.model,
            firmware=unit.firmware,
            setting=CLOCK.name,
            command=setter.command(f"{wanted:%y%m%d%H%M%S}"),
            old=_number(reading.inverter),
            value=_number(wanted),
            by=by,
            automatic=automatic,
        )
        if abs(reading.drift) <= TOLERANCE:
            return replace(begun, observed=begun.value, why="it is right already")
        await asyncio.to_thread(journal.begin, begun)
        await asyncio.sleep(max(0.0, (wanted - self._local_now()).total_seconds()))
        accepted = await write.send_once(unit.link, begun.command)
        verdict = _ended(begun, accepted, await self._settle())
        try:
            await asyncio.to_thread(journal.end, verdict)
        except NotWritten:
            why = f"{verdict.why}; but the journal could not be written"
            return replace(verdict, why=why)
        return verdict

    async def _settle(self) -> ClockReading | None:
        """Read it at once and later; return the later one, None if it is not told."""
        try:
            await self.read()
            await asyncio.sleep(write.LATER)
            return await self.read()
        except PortLost:
            return None

    async def _once(self) -> ClockReading | None:
        """Ask QT; what it told is from the middle of the exchange, to half a second."""
        before = self._local_now()
        reading = await self._control.unit.read("QT")
        here = before + (self._local_now() - before) / 2
        if not isinstance(reading, Clock) or reading.time is None:
            return None
        return ClockReading(reading.time, here)


def _ended(
    begun: WrittenSetting,
    accepted: bool | None,  # noqa: FBT001 - as `send_once` returns it
    after: ClockReading | None,
) -> WrittenSetting:
    """Return the verdict."""
    said = {True: "accepted", False: "refused (NAK)", None: "no answer came"}[accepted]
    observed: float | None = None
    if after is None:
        why = "the inverter does not tell its time now"
    elif abs(after.drift) <= TOLERANCE:
        observed, why = begun.value, f"it is {abs(after.drift):.0f} s off now"
    else:
        observed, why = _number(after.inverter), f"it shows {after}"
    return replace(begun, accepted=accepted, observed=observed, why=f"{said}; {why}")


def clock_time(number: float) -> datetime:
    """Return the local time that the journal has as a number of s."""
    return datetime(1970, 1, 1) + timedelta(seconds=number)  # noqa: DTZ001 - local


def _number(time: datetime) -> float:
    """Return a local time as a number of s, for the journal."""
    return timegm(time.timetuple())

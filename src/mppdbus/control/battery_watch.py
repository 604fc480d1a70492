"""What the battery of an inverter does against what is wanted of it; pure."""

from collections import deque

from mppdbus.model.victron_codes import State

SHORT = 0.01  # of the wanted voltage: less far from it is reached
CONFIRMED = 30.0  # s that a float stage lasts before it counts
SINKS = 0.004  # of the voltage: 0.2 V of 48 V
SPAN = 1800.0  # s in which it sinks
APART = 60.0  # s between two voltages that are compared
NOTHING = 0.5  # A; the inverter shows whole ones


class BatteryWatch:
    """Follows the battery of one inverter; call `see` at each new snapshot."""

    def __init__(self) -> None:
        self._peak: float | None = None  # V of this charge, before it floats
        self._floats_since: float | None = None
        self._told = False
        self._volts: deque[tuple[float, float]] = deque()

    def see(
        self,
        now: float,
        volts: float | None,
        amps: float | None,
        stage: State | None,
        *,
        wanted: float | None,
        line: bool,
    ) -> str:
        """Take a moment, in s, V and A; return what is wrong in words, once, or "".

        `wanted` is the voltage that charging aims at. `line`: the loads are on the
        mains.
        """
        still = line and amps is not None and abs(amps) < NOTHING
        if not still or volts is None:
            self._volts.clear()
        elif not self._volts or now - self._volts[-1][0] >= APART:
            self._volts.append((now, volts))
            while now - self._volts[0][0] > SPAN:
                self._volts.popleft()
        return self._premature(now, volts, stage, wanted)

    @property
    def sinking(self) -> bool:
        """Whether the voltage falls on mains while the inverter shows no current.

        It hides what it takes for itself, about 50 W: the battery is being emptied.
        """
        if not self._volts:
            return False
        (_, first), (_, last) = self._volts[0], self._volts[-1]
        return last <= first * (1 - SINKS)

    def _premature(
        self, now: float, volts: float | None, stage: State | None, wanted: float | None
    ) -> str:
        """Notice a float stage that begins before the wanted voltage was reached."""
        if stage in (State.BULK, State.ABSORPTION) and volts is not None:
            if self._floats_since is not None or self._peak is None:
                self._peak = volts
            self._peak = max(self._peak, volts)
            self._floats_since, self._told = None, False
        elif stage is State.FLOAT and self._peak is not None and not self._told:
            since = now if self._floats_since is None else self._floats_since
            self._floats_since = since
            if now - since >= CONFIRMED and wanted is not None:
                self._told = True
                if self._peak < wanted * (1 - SHORT):
                    return (
                        f"it went to float at {self._peak:.1f} V, before it reached "
                        f"{wanted:.1f} V"
                    )
        return ""

"""Raises an alarm for a low state of charge. Pure."""

from mppdbus.model.alarms.effects import Level
from mppdbus.model.battery.state_of_charge import Charge

WARNING, ALARM = 20.0, 10.0  # % below which each of them begins
OVER = 3.0  # % above its limit at which the alarm ends
SURE = 15.0  # ± % of an estimate that may raise one


class LowCharge:
    """The alarm of one battery, which does not flicker at its thresholds."""

    def __init__(self) -> None:
        self._level = Level.OK

    def feed(self, charge: Charge) -> Level | None:
        """Take the charge; return the level, None while the charge is a mere guess.

        The inverter's own percent, which has no margin, sinks with every load.
        """
        percent, margin = charge.percent, charge.margin
        if percent is None or margin is None or margin > SURE:
            self._level = Level.OK
            return None
        bounds = ((Level.WARNING, WARNING), (Level.ALARM, ALARM))
        self._level = max(
            (
                level
                for level, bound in bounds
                if percent < bound + (OVER if self._level >= level else 0.0)
            ),
            default=Level.OK,
        )
        return self._level

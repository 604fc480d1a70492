"""Warning bits, fault codes and mode F → what Venus OS shows as alarms; pure.

Level 0 is fine, 1 a warning, 2 an alarm, None unknown: a missing reply is never a
warning, and neither are a0 (no PV power: every night) and a22 (battery open) on a unit
without a battery.
"""

from __future__ import annotations

from mppdbus.model.alarms.effects import ALARM_LEVELS, DEFAULT_LEVELS, LEAVES, Level
from mppdbus.model.alarms.levels import (
    AlarmState,
    Notice,
    NoticeKind,
    grid_lost,
    momentary,
)
from mppdbus.model.alarms.watch import AlarmWatch

__all__ = [
    "ALARM_LEVELS",
    "DEFAULT_LEVELS",
    "LEAVES",
    "AlarmState",
    "AlarmWatch",
    "Level",
    "Notice",
    "NoticeKind",
    "grid_lost",
    "momentary",
]

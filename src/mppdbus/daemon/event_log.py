"""What happens to an inverter, as lines of the log: one when it begins, one at its end.

It covers what the owner of an inverter looks for in a log: mains lost, faults, alarms.
"""

import logging
from dataclasses import dataclass

from mppdbus.model.alarms.effects import Level
from mppdbus.model.alarms.levels import NAMELESS
from mppdbus.model.victron_codes import AcInput
from mppdbus.model.views import SystemView, UnitView

log = logging.getLogger("mppdbus.site")

MAINS, FAULT = "mains", "fault"  # events beside the alarms
SILENT = 10.0  # s of silence after which it is told
NAMING = 10.0  # s that the code of a fault may take to be read

WORDS = {
    "LowVoltage": "battery voltage low",
    "HighVoltage": "battery voltage high",
    "LowVoltageAcOut": "output voltage low",
    "HighVoltageAcOut": "output voltage high",
    "HighTemperature": "temperature high",
    "Overload": "overload",
    "ShortCircuit": "output short-circuited",
}
"""Alarm → its words. GridLost is left out: the voltage shows it sooner."""


@dataclass(slots=True)
class _Event:
    """Something that goes on `since` (s of the caller's clock), and its two lines."""

    begin: str
    end: str
    since: float
    told: bool = True  # the first line is in the log


class EventLog:
    """Logs the events of one inverter.

    A unit that is away, and values that are unknown, begin nothing and end nothing.
    """

    def __init__(self, name: str) -> None:
        self._log = logging.getLogger(f"mppdbus.{name}")
        self._mains: bool | None = None
        self._levels: dict[str, int] = {}  # of all alarms
        self._shown: object = None  # the levels looked at last
        self._events: dict[str, _Event] = {}

    def tell(self, view: UnitView, now: float) -> None:
        """Log what has begun or ended since the last view; `now` is a time in s."""
        state = view.alarm_state
        if not view.snapshot.online:
            return
        if view.unit.ac_input != AcInput.NONE:
            self._tell_mains(now, present=view.flow.mains_present)
        if state.fault is not None:
            self._tell_fault(state.fault, now)
        elif state.known and view.snapshot.mode is not None:
            self._end(FAULT, now)
        if state.levels is not self._shown:
            self._shown = state.levels
            for name, words in WORDS.items():
                if (level := state.levels[name]) is not None:
                    self._tell_alarm(name, words, level, now)

    def _tell_mains(self, now: float, *, present: bool | None) -> None:
        if present:
            self._end(MAINS, now)
        elif present is False and self._mains:
            self._begin(MAINS, _Event("mains lost", "mains are back", now))
        self._mains = self._mains if present is None else present

    def _tell_fault(self, text: str, now: float) -> None:
        """Log a fault once it has its name, or is known not to get one."""
        event = self._events.setdefault(FAULT, _Event("", "", now, told=False))
        if event.told:
            return
        event.begin, event.end = f"fault: {text}", f"fault over: {text}"
        if text != NAMELESS or now - event.since >= NAMING:
            self._begin(FAULT, event)

    def _tell_alarm(self, name: str, words: str, level: int, now: float) -> None:
        """Log an alarm that begins or rises; those of a fault are told by the fault."""
        before, self._levels[name] = self._levels.get(name, 0), level
        if level == Level.OK:
            self._end(name, now)
        elif level > before and FAULT not in self._events:
            kind = "alarm" if level == Level.ALARM else "warning"
            since = self._events[name].since if name in self._events else now
            over = f"{kind} over: {words}"
            self._begin(name, _Event(f"{kind}: {words}", over, since))

    def _begin(self, key: str, event: _Event) -> None:
        self._events[key] = event
        event.told = True
        self._log.warning("%s", event.begin)

    def _end(self, key: str, now: float) -> None:
        if (event := self._events.pop(key, None)) is None:
            return
        if not event.told:
            self._log.warning("%s", event.begin)
        self._log.info("%s, after %s", event.end, _duration(now - event.since))


class SumLog:
    """Logs why the sums of the system are unknown, or lack a unit."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}  # s, by the uid of a silent unit
        self._told: set[str] = set()

    def tell(self, system: SystemView, now: float) -> None:
        """Log which units are silent, and what follows when that is over."""
        if len(system.units) < 2 or not (system.silent or self._since):
            return
        for view in system.units:
            name, uid = view.unit.name, view.unit.uid
            if uid in system.silent:
                since = self._since.setdefault(uid, now)
                if now - since >= SILENT and uid not in self._told:
                    self._told.add(uid)
                    log.warning("%s is silent: the sums of all units are unknown", name)
                continue
            self._since.pop(uid, None)
            if uid in self._told:
                self._told.discard(uid)
                if view.snapshot.online:
                    log.info("%s answers again, and is part of the sums", name)
                else:
                    log.warning("%s stays silent: the sums are of the others", name)


def _duration(seconds: float) -> str:
    """Return "45 s", "12 min" or "3.5 h"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"

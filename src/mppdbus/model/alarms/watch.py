"""Alarms over time: debounced, and each notice is given once. Pure."""

from mppdbus.model.alarms import levels
from mppdbus.model.alarms.debounce import Debounce
from mppdbus.model.alarms.effects import EFFECTS, INVERTER_FAULT
from mppdbus.model.alarms.levels import (
    FAULT_MODE,
    ActiveWarnings,
    AlarmState,
    Notice,
    NoticeKind,
)
from mppdbus.model.snapshot import Snapshot
from mppdbus.protocol.replies.status import Warnings

BATTERY_SURE = 60.0  # s with voltage after which there has been a battery
NAMING = 10.0  # s that the code of a fault may take to be read


class AlarmWatch:
    """The alarms of one inverter; times in s of one monotonic clock.

    With `profile` "inverter" a short circuit counts as overload, because Venus OS does
    not read /Alarms/ShortCircuit of such a service.
    """

    def __init__(self, profile: str = "hybrid") -> None:
        self._bare = profile == "inverter"
        self._debounce = Debounce()
        self._reading: Warnings | None = None  # the last, None after a gap
        self._words: dict[str, str] = {}  # text of each active name
        self._battery_since: float | None = None
        self._had_battery = False
        self._noticed: set[str] = set()
        self._explained: set[str] = set()  # unknown positions already reported
        self._fault = self._no_fault()
        self._looked: tuple[object, ...] = ()  # inputs of the last verdict
        self._verdict: AlarmState | None = None  # None: time alone may change it

    def feed(
        self, snapshot: Snapshot, now: float, *, fault_code: int | None = None
    ) -> AlarmState:
        """Take a snapshot and return what to show.

        `fault_code` is what another reply (QPGSn) says of this unit, 0 or None if none.
        Offline, or without a fresh QPIWS, all is unknown at once, except a fault that
        the mode shows.
        """
        if not snapshot.online:
            self._reading = None
            return AlarmState()
        self._watch_battery(snapshot, now)
        if snapshot.warnings is None:
            self._reading = None
            return self._by_mode(snapshot, fault_code, now)
        battery = self._had_battery or levels.has_battery(snapshot)
        looked = (snapshot.mode, snapshot.identity.dialect, fault_code, battery)
        same = snapshot.warnings is self._reading and looked == self._looked
        if same and self._verdict is not None:
            return self._verdict
        state = self._judge(snapshot, snapshot.warnings, fault_code, now)
        told = state.fault or state.notices or state.unknown
        self._looked = looked
        self._verdict = state if self._debounce.settled and not told else None
        return state

    def _judge(
        self, snapshot: Snapshot, warnings: Warnings, fault_code: int | None, now: float
    ) -> AlarmState:
        """Return the alarms of a reading; a new warning makes one notice."""
        seen = ActiveWarnings.of(snapshot, had_battery=self._had_battery)
        on = self._settle(warnings, seen, now)
        words = {name: text for name, text in self._words.items() if name in on}
        faulty = levels.is_faulty(on)
        fault = self._fault if faulty else self._no_fault()
        self._fault = fault
        told = (
            fault.feed(snapshot, seen.code or fault_code, words, now) if faulty else ()
        )
        unknown = (on & seen.unknown) - self._explained
        self._explained |= unknown
        effects = levels.effects_of(on, fault.meaning)
        return AlarmState(
            levels=self._shown(levels.levels_of(effects, faulty=faulty)),
            error_code=levels.error_of(effects, faulty=faulty),
            fault=fault.text,
            texts=levels.texts_of(words),
            notices=told + self._warnings(words, faulty=faulty),
            unknown=tuple(sorted(unknown, key=lambda position: int(position[1:]))),
        )

    def _by_mode(
        self, snapshot: Snapshot, fault_code: int | None, now: float
    ) -> AlarmState:
        """Use the mode alone; a fault does not end because QPIWS is missing."""
        if snapshot.mode != "F":
            if not levels.is_faulty(self._debounce.on):
                self._fault = self._no_fault()
            return AlarmState()
        told = self._fault.feed(snapshot, fault_code, None, now)
        return AlarmState(fault=self._fault.text, notices=told)

    def _settle(
        self, reading: Warnings, seen: ActiveWarnings, now: float
    ) -> frozenset[str]:
        """Return the active names; in mode F a fault is active at once."""
        names = seen.names.keys() | seen.unknown
        if self._reading is None:
            self._debounce.resume(names)
        fresh, self._reading = reading is not self._reading, reading
        at_once = {INVERTER_FAULT, *filter(levels.is_fault, names)}
        if FAULT_MODE not in names:
            at_once = set()
        on = self._debounce.feed(
            names, now, fresh=fresh, at_once=at_once | {FAULT_MODE}
        )
        known = self._words | dict(seen.names)
        self._words = {name: known[name] for name in known if name in on | names}
        return on

    def _no_fault(self) -> "_Fault":
        """Return the state without a fault; Venus reads /ErrorCode only of a multi."""
        return _Fault(errors=not self._bare)

    def _shown(self, shown: dict[str, int | None]) -> dict[str, int | None]:
        if self._bare:
            shown["Overload"] = max(shown["Overload"] or 0, shown["ShortCircuit"] or 0)
        return shown

    def _warnings(self, words: dict[str, str], *, faulty: bool) -> tuple[Notice, ...]:
        """Return a notice for each new warning without an alarm path; no faults."""
        names = levels.noticed_of(words.keys())
        new, self._noticed = names - self._noticed, names
        return tuple(
            Notice(NoticeKind.WARNING, levels.sentence(words[name]))
            for name in EFFECTS
            if name in new and not (faulty and levels.is_fault(name))
        )

    def _watch_battery(self, snapshot: Snapshot, now: float) -> None:
        """Remember that there was a battery; a charger without one may show volts."""
        if not levels.has_battery(snapshot):
            self._battery_since = None
        elif self._battery_since is None:
            self._battery_since = now
        elif now - self._battery_since >= BATTERY_SURE:
            self._had_battery = True


class _Fault:
    """The fault of an inverter, if any, and its notice, which is given once.

    `errors`: /ErrorCode is an alarm, so that a fault with a number needs no notice.
    """

    def __init__(self, *, errors: bool) -> None:
        self._errors = errors
        self.text: str | None = None
        self.meaning: str | None = None  # of the fault code, by the family's table
        self._code: int | None = None
        self._since = 0.0
        self._told: int | None = None  # code of the last notice, 0 for none

    def feed(
        self,
        snapshot: Snapshot,
        code: int | None,
        words: dict[str, str] | None,
        now: float,
    ) -> tuple[Notice, ...]:
        """Take what is known now; return the notice if it is due.

        `words` are the active warnings; None: they are unknown, and no path shows any.

        The code is kept as long as the fault. A fault that a path shows as an alarm has
        no notice: it would be a second one. The notice waits for the code, but not for
        ever, and comes again when the inverter gives another code.
        """
        if self.text is None:
            self._since = now
        self._code = code or self._code
        self.meaning = levels.fault_name(snapshot, self._code)
        self.text = levels.fault_text(words or {}, self._code, self.meaning)
        early = self._code is None and now - self._since < NAMING
        if early or self._told in (0, self._code or 0):
            return ()
        self._told = self._code or 0
        unshown: str | None = self.text
        if words is not None:
            unshown = levels.unshown_fault(
                words, self._code, self.meaning, errors=self._errors
            )
        if unshown is None:
            return ()
        return (Notice(NoticeKind.ALARM, levels.sentence(unshown)),)

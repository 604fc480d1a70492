"""Active warnings → alarm levels, error code, texts. Pure, and without state."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import IntEnum

from mppdbus.model.alarms.effects import (
    BATTERY_OPEN,
    EFFECTS,
    FAULT_EFFECTS,
    INVERTER_FAULT,
    LEAVES,
    LINE_FAIL,
    SHOW_ALARMS,
    SHOW_ALL,
    UNSAID,
    Effect,
    Level,
    Severity,
)
from mppdbus.model.snapshot import Snapshot
from mppdbus.protocol.dialect import Dialect
from mppdbus.protocol.dialects import DIALECTS
from mppdbus.protocol.explain import fault_code_of

FAULT_MODE = "mode_fault"  # mode F of QMOD, as a name like those of bits
NAMELESS = "inverter fault"
_UNTOLD = (INVERTER_FAULT, FAULT_MODE)


class NoticeKind(IntEnum):
    """The type of a notice, as venus-platform counts."""

    WARNING = 0
    ALARM = 1
    INFORMATION = 2


@dataclass(frozen=True, slots=True)
class Notice:
    """A text for the list of notifications, where no alarm path exists."""

    kind: NoticeKind
    text: str


@dataclass(frozen=True, slots=True)
class AlarmState:
    """The alarms and warnings of one inverter.

    `levels` has all of `LEAVES`: 0, 1, 2, or None unknown. `error_code` is a number of
    Victron's charger errors, 0 without a fault, None unknown or for a fault that has no
    such number. `fault` is what stopped the inverter, None for nothing or unknown.
    `texts` are the warnings in words. `notices` and `unknown` (positions that no
    document explains, as "a13") hold only what is new.
    """

    levels: dict[str, int | None] = field(default_factory=lambda: dict.fromkeys(LEAVES))
    error_code: int | None = None
    fault: str | None = None
    texts: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def known(self) -> bool:
        """True while the warnings of the inverter are known."""
        return self.levels["Overload"] is not None


@dataclass(frozen=True, slots=True)
class ActiveWarnings:
    """What one QPIWS and the mode say: `names` → texts, positions without a meaning."""

    names: Mapping[str, str]
    unknown: frozenset[str]
    code: int | None  # of the fault, on families that have it in QPIWS

    @classmethod
    def of(cls, snapshot: Snapshot, *, had_battery: bool) -> "ActiveWarnings":
        """Read a snapshot; "battery open" counts only if a battery was seen before."""
        names = {FAULT_MODE: NAMELESS} if snapshot.mode == "F" else {}
        warnings, dialect = snapshot.warnings, dialect_of(snapshot)
        if warnings is None:
            return cls(names, frozenset(), None)
        unknown = set()
        for position in warnings.set_bits:
            bit = dialect.warnings.get(position)
            if bit is None or bit.kind == "reserved":
                unknown.add(f"a{position}")
            elif bit.kind != "code_digit" and bit.name not in UNSAID:
                names[bit.name] = bit.text
        if not (had_battery or has_battery(snapshot)):
            names.pop(BATTERY_OPEN, None)
        # a0 means "no PV power" also on families whose document does not say so.
        code = fault_code_of(dialect, warnings.bits)
        return cls(names, frozenset(unknown - {"a0"}), code)


def dialect_of(snapshot: Snapshot) -> Dialect:
    """Return the family whose tables explain the bits of this unit."""
    return DIALECTS.get(snapshot.identity.dialect or "", DIALECTS["pi30"])


def has_battery(snapshot: Snapshot) -> bool:
    """Tell whether there is voltage where the battery goes; False while unknown."""
    status = snapshot.status
    return (
        snapshot.battery_fitted
        and status is not None
        and status.battery_voltage is not None
    )


def is_faulty(names: AbstractSet[str]) -> bool:
    """Tell whether the inverter says that it has a fault: a1, or mode F."""
    return INVERTER_FAULT in names or FAULT_MODE in names


def is_fault(name: str) -> bool:
    """Tell whether a warning is a fault once the inverter says that it has one."""
    effect = EFFECTS.get(name)
    if effect is None or name == LINE_FAIL:
        return False
    return effect.severity is not Severity.WARNING


def effects_of(names: AbstractSet[str], fault: str | None) -> list[Effect]:
    """Return the effects of the active warnings and of the text of a fault code."""
    effects = [EFFECTS[name] for name in EFFECTS if name in names]
    if fault is not None and fault in FAULT_EFFECTS:
        effects.append(FAULT_EFFECTS[fault])
    return effects


def levels_of(effects: Iterable[Effect], *, faulty: bool) -> dict[str, int | None]:
    """Return the level of every alarm path."""
    levels: dict[str, int | None] = dict.fromkeys(LEAVES, int(Level.OK))
    for effect in effects:
        if effect.leaf is not None:
            level = int(_level(effect.severity, faulty=faulty))
            levels[effect.leaf] = max(levels[effect.leaf] or 0, level)
    return levels


def error_of(effects: Iterable[Effect], *, faulty: bool) -> int | None:
    """Return Victron's charger error that is most like the fault, 0 without a fault.

    None for a fault without such a number, because 0 would mean "no error".
    """
    if not faulty:
        return 0
    return next((effect.error for effect in effects if effect.error), None)


def texts_of(names: Mapping[str, str]) -> tuple[str, ...]:
    """Return the warnings in words."""
    return tuple(text for name, text in names.items() if name not in _UNTOLD)


def fault_name(snapshot: Snapshot, code: int | None) -> str | None:
    """Return what a fault code means on this family; None if no document says."""
    return dialect_of(snapshot).fault_codes.get(code or 0)


def fault_text(names: Mapping[str, str], code: int | None, meaning: str | None) -> str:
    """Return the fault in words: the code and its meaning, else the possible bits."""
    if meaning is not None:
        return f"{meaning} (fault {code:02})"
    if code is not None:
        return f"{NAMELESS} {code:02}"
    bits = [text for name, text in names.items() if is_fault(name)]
    return ", ".join(bits) or NAMELESS


def unshown_fault(
    names: Mapping[str, str], code: int | None, meaning: str | None, *, errors: bool
) -> str | None:
    """Return the fault in words if no path shows it as an alarm, else None.

    A fault must not raise two alarms. With `errors`, /ErrorCode raises one, too. Of
    several bits, only those without a path are named.
    """

    def shown(effect: Effect | None) -> bool:
        return bool(effect and (effect.leaf or (errors and effect.error)))

    if meaning is not None:
        effect = FAULT_EFFECTS.get(meaning)
        return None if shown(effect) else fault_text({}, code, meaning)
    bits = {name: text for name, text in names.items() if is_fault(name)}
    unshown = {name: text for name, text in bits.items() if not shown(EFFECTS[name])}
    if bits and not unshown:
        return None
    return fault_text(unshown, code, None)


def sentence(text: str) -> str:
    """Return a text as people read it in a list of alarms: it begins in upper case."""
    return text[:1].upper() + text[1:]


def noticed_of(names: AbstractSet[str]) -> set[str]:
    """Return the warnings that have no alarm path."""
    return {n for n in names if n in EFFECTS and EFFECTS[n].leaf is None}


def _level(severity: Severity, *, faulty: bool) -> Level:
    if severity is Severity.ALARM or (severity is Severity.EITHER and faulty):
        return Level.ALARM
    return Level.WARNING


def momentary(snapshot: Snapshot) -> AlarmState:
    """Return the alarms of one snapshot, without debouncing and without notices."""
    if not snapshot.online or snapshot.warnings is None:
        return AlarmState()
    seen = ActiveWarnings.of(snapshot, had_battery=False)
    faulty = is_faulty(seen.names.keys())
    meaning = fault_name(snapshot, seen.code) if faulty else None
    effects = effects_of(seen.names.keys(), meaning)
    return AlarmState(
        levels=levels_of(effects, faulty=faulty),
        error_code=error_of(effects, faulty=faulty),
        fault=fault_text(seen.names, seen.code, meaning) if faulty else None,
        texts=texts_of(seen.names),
    )


def wanted(level: int | None, setting: int | None) -> int | None:
    """Return the level to show where venus-platform cannot silence alarms.

    `setting` is the user's choice as for other alarms: 0 none, 1 alarms, 2 all.
    """
    if level is None:
        return None
    least = {SHOW_ALARMS: Level.ALARM, SHOW_ALL: Level.WARNING}
    shown = setting in least and level >= least[setting]
    return level if shown else int(Level.OK)

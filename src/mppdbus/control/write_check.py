"""Whether a setting may be written, and the command that does it; pure.

Every refusal is a sentence that says why, and what is allowed.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from mppdbus.control.settings import Allowed, ShownSetting, chosen
from mppdbus.errors import NotWritten
from mppdbus.protocol.dialects import FAMILIES
from mppdbus.protocol.identification import GUESSED, Identification
from mppdbus.protocol.settings.setters import ArgumentKind, CommandForm, Danger, Setter

# From low to high, where both are set: each at most as the next one, 0 V left out.
ORDER = (
    "battery_under_voltage",
    "battery_recharge_voltage",
    "battery_redischarge_voltage",
    "battery_float_voltage",
    "battery_bulk_voltage",
)
# What another setting sets, too: a battery type comes with voltages of its own.
SETS_OTHERS = {"battery_type": ORDER}
STRICTLY = ORDER[:2]  # these must be lower than the next one, not the same
# Only with the words that one knows what one does, and never over D-Bus.
FOR_EXPERTS = ("output_frequency", "output_voltage")
# What documents have a command for with the number of a unit in it, and what is read
# back of each unit (QPGSn). Of all else no document says whom a command reaches.
IN_A_SET = (
    "charger_source_priority",
    "max_charging_current",
    "max_ac_charging_current",
)
FEED_IN = "solar_feed_to_grid"
HALF_STEP = 1e-6


class ControlLevel(StrEnum):
    """What the user allows to be written."""

    READ_ONLY = "read-only"
    SAFE = "safe"  # priorities, currents from the unit's own list, flags
    FULL = "full"  # voltages, battery type and equalization, too


@dataclass(frozen=True, slots=True)
class Permission:
    """What the user allows, and whether risks have been confirmed."""

    level: ControlLevel = ControlLevel.READ_ONLY
    confirmed: bool = False  # the risk of what needs the level "full"
    expert: bool = False  # "I know what this does"


@dataclass(frozen=True, slots=True)
class PlannedWrite:
    """A write that is allowed: the setting as it is, its new value, the commands.

    `commands` say the same in the spellings that a unit of this family may have, the
    documented one first; `forms` are all spellings. See `command_forms`.
    """

    shown: ShownSetting
    value: float
    commands: tuple[str, ...]
    permission: Permission
    harmless: bool = False  # the level "safe" allows it
    forms: tuple[CommandForm, ...] = ()

    @property
    def command(self) -> str:
        """The command as its document spells it."""
        return self.commands[0]

    @property
    def changes(self) -> bool:
        """Whether the value is another than now; what is the same is never sent."""
        return self.shown.value != self.value


def plan_write(
    settings: Iterable[ShownSetting],
    found: Identification,
    name: str,
    wanted: str | float,
    permission: Permission,
) -> PlannedWrite:
    """Return the write of one setting; raises `NotWritten` or `ConfigError`."""
    settings = list(settings)
    planned = checked_write(settings, found, name, wanted, permission)
    now = {each.name: each.value for each in settings}
    if trouble := order_trouble(now, name, planned.value):
        raise NotWritten(f"{trouble}; nothing was sent")
    return planned


def checked_write(
    settings: Iterable[ShownSetting],
    found: Identification,
    name: str,
    wanted: str | float,
    permission: Permission,
) -> PlannedWrite:
    """Return a write whose order with other settings is not checked yet."""
    settings = list(settings)
    (shown,) = chosen(settings, [name])
    value = parse(shown, wanted)
    setter = setter_of(shown, found, value)
    harmless = _check_level(shown, setter, permission)
    _check_unit(settings, found)
    check_legal(shown, value)
    argument: float | str = value
    if setter.kind is ArgumentKind.FLAG:
        argument = shown.setting.field
    elif setter.kind is not ArgumentKind.VOLTAGE:
        argument = int(value)
    try:
        commands = setter.commands(argument)
    except ValueError as error:
        raise NotWritten(f"{name}: {error}") from error
    return PlannedWrite(shown, value, commands, permission, harmless, setter.forms)


def why_locked(
    settings: Iterable[ShownSetting],
    found: Identification,
    shown: ShownSetting,
    permission: Permission,
) -> str:
    """Say why a setting cannot be written, whatever the value; "" if it can."""
    try:
        _check_level(shown, setter_of(shown, found, 1), permission)
        _check_unit(settings, found)
        _check_known(shown)
    except NotWritten as error:
        return str(error)
    return ""


def allowed_setter(
    shown: ShownSetting, found: Identification, permission: Permission
) -> Setter:
    """Return the command for a setting if the level allows it; raises `NotWritten`."""
    setter = setter_of(shown, found, 0)
    _check_level(shown, setter, permission)
    return setter


def parse(shown: ShownSetting, wanted: str | float) -> float:
    """Return a value as a number; a code may be given by its name, in any case."""
    if isinstance(wanted, str):
        for code, word in shown.names.items():
            if word.casefold() == wanted.strip().casefold():
                return code
        text = wanted.strip().removesuffix(shown.unit).strip()
        try:
            wanted = float(text)
        except ValueError:
            wanted = float("nan")
        # What float reads besides plain numbers was hardly meant.
        if any(c not in "0123456789." for c in text):
            wanted = float("nan")
    if math.isfinite(wanted) and (not shown.names or wanted in shown.names):
        return float(wanted) if wanted % 1 else int(wanted)
    raise NotWritten(
        f"{shown.name}: that is no value of it; it may be "
        f"{shown.allowed_text() or 'a number'}"
    )


def setter_of(shown: ShownSetting, found: Identification, value: float) -> Setter:
    """Return the command of this family for a setting."""
    name = shown.name
    if found.confidence <= GUESSED:
        raise NotWritten(
            f"{name}: the family of this inverter is not known for sure, and each has "
            "commands of its own; if you know it, say so with --dialect"
        )
    if shown.setting.query == "QFLAG":
        name = "flag_on" if value else "flag_off"
    setters = {each.name: each for each in FAMILIES[found.dialect.name].setters}
    if name not in setters:
        raise NotWritten(
            f"{name}: no document of its family ({found.dialect.title}) has a command "
            "for it; change it at the inverter's own panel"
        )
    return setters[name]


def _check_level(shown: ShownSetting, setter: Setter, permission: Permission) -> bool:
    """Refuse what is above the level; return whether "safe" would allow it."""
    name, level = shown.name, permission.level
    if level is ControlLevel.READ_ONLY:
        raise NotWritten(
            f"{name}: control is off (read-only); to allow priorities, currents and "
            'flags write level = "safe" in the section [control], or --level safe'
        )
    risk = shown.setting.risk
    if setter.danger is Danger.DESTRUCTIVE or name in FOR_EXPERTS:
        if not permission.expert:
            raise NotWritten(f"{name}: {risk}; it needs --i-know-what-this-does")
        return False
    harmless = setter.danger <= Danger.BEHAVIOUR and name != FEED_IN
    if harmless and setter.kind is not ArgumentKind.VOLTAGE:
        return True
    if level is not ControlLevel.FULL:
        raise NotWritten(
            f'{name}: needs level = "full"' + (f": it {risk}" if risk else "")
        )
    if not permission.confirmed:
        raise NotWritten(f"{name}: {risk or 'a wrong value does harm'}; confirm: --yes")
    return False


def works_with_others(settings: Iterable[ShownSetting]) -> str:
    """Return the output mode of a unit of a set in words; "" if it works alone."""
    mode = next((each for each in settings if each.name == "output_mode"), None)
    if mode is None or mode.value in (None, 0):
        return ""
    return mode.text(mode.value)


def _check_unit(settings: Iterable[ShownSetting], found: Identification) -> None:
    """Refuse what works in a set, where a command may reach one unit, or all."""
    if text := works_with_others(settings):
        raise NotWritten(
            f"this inverter works with others ({text}), and a command may reach one of "
            f"them or all; mppdbus set does {', '.join(IN_A_SET)} of all where the "
            "document of the family has a command for it; others: at the panels"
        )
    if found.dialect.phases > 1:
        raise NotWritten(
            "an inverter with two phases is not written yet; use its panel"
        )


def _check_known(shown: ShownSetting) -> Allowed:
    """Refuse what nobody knows the values of; return the legal ones."""
    if shown.allowed is None:
        raise NotWritten(
            f"{shown.name}: this inverter does not tell which values are legal, and "
            "neither do the documents of its family"
        )
    if shown.setting.field.endswith("_priority") and not shown.names:
        raise NotWritten(
            f"{shown.name}: what the codes mean is not proven for this inverter, and "
            "clones count them in other ways. The name (QMN) or number (QGMN) of a "
            "model with a document would prove it, or a known board (QPRTL), or you, "
            "if you know its family: --dialect. Change it at the panel, and look at "
            f"the code: mppdbus get {shown.name}"
        )
    return shown.allowed


def check_legal(shown: ShownSetting, value: float) -> None:
    """Raise `NotWritten` for a value that the unit does not allow."""
    legal = _check_known(shown)
    if not allows(legal, value):
        raise NotWritten(
            f"{shown.name}: {shown.text(value)} is not allowed; it may be "
            f"{shown.allowed_text()}"
        )


def allows(legal: Allowed, value: float) -> bool:
    """Tell whether a value is legal: one of the list, or a step of the range."""
    if any(abs(value - each) < HALF_STEP for each in legal.values):
        return True
    if legal.least is None or legal.most is None:
        return False
    steps = (value - legal.least) / (legal.step or 1)
    return (
        legal.least - HALF_STEP <= value <= legal.most + HALF_STEP
        and abs(steps - round(steps)) < 1e-4
    )


def order_trouble(now: Mapping[str, float | None], name: str, value: float) -> str:
    """Say with which other voltage a new one would be in the wrong order, else ""."""
    if name not in ORDER or not value:
        return ""
    place = ORDER.index(name)
    for other in ORDER:
        volts = now.get(other)
        if other == name or not volts:
            continue
        below = ORDER.index(other) < place
        lower, higher = (other, name) if below else (name, other)
        low, high = (volts, value) if below else (value, volts)
        if low > high or (low == high and lower in STRICTLY):
            relation = "below" if lower in STRICTLY else "at most"
            return f"{lower} must be {relation} {higher}, and {other} is {volts:g} V"
    return ""

"""The settings of one inverter by name, as its replies show them; pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mppdbus.config.messages import closest, show
from mppdbus.errors import ConfigError
from mppdbus.protocol.codes import Names
from mppdbus.protocol.dialects import FAMILIES
from mppdbus.protocol.explain import PRIORITIES, names_of
from mppdbus.protocol.identification import Identification
from mppdbus.protocol.replies.fields import Reading
from mppdbus.protocol.replies.settings import CurrentChoices, FactoryDefaults, Flags
from mppdbus.protocol.settings.meanings import BY_NAME, SETTINGS, InverterSetting
from mppdbus.protocol.settings.setters import ArgumentKind, Setter
from mppdbus.protocol.settings.voltage_ranges import Range

# What is asked for the settings; QPIRI and QFLAG are those that every unit has.
QUERIES = ("QPIRI", "QFLAG", "QBEQI", "QDOP", "QMCHGCR", "QMUCHGCR", "QDI")
NAMING = ("QPI", "QID", "QMN", "QGMN", "QVFW")  # who the inverter is
ON_OFF: Names = {0: "off", 1: "on"}
_SWITCHES = ("equalization", "equalization_now")  # numbers on the wire, 0 or 1


@dataclass(frozen=True, slots=True)
class Allowed:
    """The legal values of a setting: exactly `values`, and from `least` to `most`."""

    values: tuple[float, ...] = ()
    least: float | None = None
    most: float | None = None
    step: float | None = None


@dataclass(frozen=True, slots=True)
class ShownSetting:
    """A setting with its value on one unit; None where the unit says "not available".

    `names` are the words for codes: empty for a number, and for codes whose meaning is
    not proven on this unit. `allowed` is None if no document of its family has a
    command for it. `default` is None if the unit does not tell its factory settings.
    """

    setting: InverterSetting
    value: float | None
    unit: str = ""
    names: Names = field(default_factory=dict)
    allowed: Allowed | None = None
    default: float | None = None

    @property
    def name(self) -> str:
        """The name of the setting."""
        return self.setting.name

    def word(self, value: float | None) -> float | str | None:
        """Return a value as it is written in files: the name of a code, or a number."""
        return value if value is None else self.names.get(int(value), value)

    def text(self, value: float | None) -> str:
        """Return a value for people: "SBU", "56.4 V", "-" for unknown."""
        word = self.word(value)
        if isinstance(word, str):
            return word
        return "-" if word is None else f"{word:g} {self.unit}".rstrip()

    def allowed_text(self) -> str:
        """Return the legal values for people; "" if there is no command for it."""
        if self.allowed is None:
            return ""
        parts = [", ".join(self.text(value) for value in self.allowed.values)]
        if self.allowed.least is not None and self.allowed.most is not None:
            text = f"{self.allowed.least:g} to {self.text(self.allowed.most)}"
            step = self.allowed.step
            parts.insert(0, f"{text} by {step:g}" if step else text)
        return " or ".join(filter(None, parts))

    def record(self) -> dict[str, object]:
        """Return the setting for scripts; `code` is the number behind a name."""
        allowed = self.allowed
        return {
            "name": self.name,
            "value": self.word(self.value),
            "code": self.value if self.names else None,
            "unit": self.unit,
            "allowed": None if allowed is None else [*map(self.word, allowed.values)],
            "least": allowed and allowed.least,
            "most": allowed and allowed.most,
            "step": allowed and allowed.step,
            "default": self.word(self.default),
            "about": self.setting.about,
            "risk": self.setting.risk,
        }


def settings_of(
    readings: Mapping[str, Reading], found: Identification
) -> list[ShownSetting]:
    """Return all settings that the replies show; `readings` are by query."""
    setters = {each.name: each for each in FAMILIES[found.dialect.name].setters}
    shown = []
    for setting in SETTINGS:
        reading = readings.get(setting.query)
        if reading is None or not _has(reading, setting.field):
            continue
        flag = setting.query == "QFLAG"
        setter = setters.get("flag_on" if flag else setting.name)
        shown.append(
            ShownSetting(
                setting,
                _value(reading, setting.field),
                type(reading).units().get(setting.field, ""),
                _names(setting, found),
                None if setter is None else _allowed(setter, readings, found),
                _default(setting, readings.get("QDI")),
            )
        )
    return shown


def _names(setting: InverterSetting, found: Identification) -> Names:
    """Return the names of the codes; of a priority only where they are proven."""
    if setting.query == "QFLAG" or setting.name in _SWITCHES:
        return ON_OFF
    if setting.field in PRIORITIES and not found.codes_proven:
        return {}
    return names_of(setting.field, found.dialect)


def _has(reading: Reading, name: str) -> bool:
    if isinstance(reading, Flags):
        return reading.state(name) is not None
    return name in reading.model_fields_set


def _value(reading: Reading, name: str) -> float | None:
    if isinstance(reading, Flags):
        return int(bool(reading.state(name)))
    value: float | None = getattr(reading, name)
    return value


def _default(setting: InverterSetting, defaults: Reading | None) -> float | None:
    if not isinstance(defaults, FactoryDefaults) or setting.default is None:
        return None
    value: float | None = getattr(defaults, setting.default, None)
    if setting.name == "buzzer" and value is not None:
        return int(not value)  # QDI counts the other way round there
    return value


def _allowed(
    setter: Setter, readings: Mapping[str, Reading], found: Identification
) -> Allowed | None:
    """Return the legal values; None where the unit or its documents must tell them."""
    if setter.kind is ArgumentKind.FLAG:
        return Allowed((0, 1))
    if setter.kind is ArgumentKind.VOLTAGE:
        ranges = FAMILIES[found.dialect.name].voltage_ranges.get(setter.name, {})
        known = ranges.get(found.nominal_voltage or 0)
        return None if known is None else _in_range(known)
    if setter.choices is not None:
        choices = readings.get(setter.choices)
        if not isinstance(choices, CurrentChoices):
            return None
        return Allowed(choices.amps)
    values = setter.values
    if setter.name in PRIORITIES and found.codes_proven:
        values = tuple(v for v in values if v in names_of(setter.name, found.dialect))
    return Allowed(values, setter.least, setter.most, setter.step)


def _in_range(known: Range) -> Allowed:
    zero = (0.0,) if known.zero else ()
    if known.values:
        return Allowed((*zero, *known.values))
    return Allowed(zero, known.least, known.most, known.step)


def chosen(shown: Iterable[ShownSetting], names: Iterable[str]) -> list[ShownSetting]:
    """Return the settings with these names, or all; raises `ConfigError`."""
    there = {each.name: each for each in shown}
    names = list(names)
    for name in names:
        if name in there:
            continue
        if name in BY_NAME:
            raise ConfigError(f"this inverter does not show a setting {name}")
        meant = closest(name, BY_NAME)
        hint = f"did you mean {meant}?" if meant else "mppdbus settings lists all"
        raise ConfigError(f"{show(name)} is no setting; {hint}")
    return [there[name] for name in names] if names else list(there.values())
